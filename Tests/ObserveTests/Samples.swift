import Freshness
import Model

/// 2026-01-01T12:00:00.000Z.
let noon = WallTime(milliseconds: 1_767_268_800_000)

func ago(_ milliseconds: Int64) -> EventTime { EventTime(milliseconds: noon.milliseconds - milliseconds) }

/// A topology in the middle of its work: one partition behind, one idle, one stopped, one output late for a cause.
func busyFacts() -> Facts {
    var facts = Facts(
        topology: "product-usage", version: "1.2.3", state: .running,
        outputs: [
            OutputFacts(
                name: "usage_per_minute", groupColumns: [OutputColumn("event"), OutputColumn("user_id", isPersonal: true)],
                measureColumns: [OutputColumn("events"), OutputColumn("total_ms")], within: .minutes(2)),
            OutputFacts(name: "slow_calls", groupColumns: [OutputColumn("country")], measureColumns: [OutputColumn("calls")]),
        ])
    facts.startedAt = WallTime(milliseconds: noon.milliseconds - 7_384_000)
    facts.isBrokerUp = true
    facts.memoryBudget = .mebibytes(512)
    facts.recordsPerSecond = 5_123.4
    facts.watermark = ago(330_000)
    facts.partitions = (0..<4).map(busyPartition)
    facts.idleAfter = .seconds(30)
    facts.watermarkMovedAt = WallTime(milliseconds: noon.milliseconds - 61_000)
    facts.heldSince = [facts.partitions[3].id: WallTime(milliseconds: noon.milliseconds - 200_000)]
    facts.outputs[0].progress = OutputProgress(completeThrough: ago(360_000), finalThrough: ago(960_000))
    facts.outputs[0].rowsEmitted = 48_211
    facts.outputs[0].rowsWaiting = 12
    for value: Int64 in [310_000, 320_000, 355_000, 402_000] { facts.outputs[0].latencyFromEvent.record(value) }
    for value: Int64 in [120, 180, 240, 900] { facts.outputs[0].latencyFromRecord.record(value) }
    facts.commits.number = 29_536
    facts.commits.lastAt = WallTime(milliseconds: noon.milliseconds - 180)
    facts.commits.lastDuration = .milliseconds(12)
    for value: Int64 in [8, 9, 11, 12, 12, 47] { facts.commits.durations.record(value) }
    facts.commits.stateBytes = ByteCount(88_342_528)
    facts.commits.walBytes = ByteCount(4_194_304)
    facts.commits.walHolders = ["sqlite3 (process 1234)"]
    facts.commits.freeDisk = ByteCount(53_687_091_200)
    facts.expressionPlaces = ["field price", "usage.revenue"]
    facts.dedup = DedupFacts(within: .minutes(15), isComparing: true)
    facts.producerField = "sdk"
    facts.dedup?.keys = 4_512_338
    facts.dedup?.bytes = ByteCount(113_246_208)
    facts.dedup?.oldest = ago(1_260_000)
    facts.latestRows = [
        Row(
            output: 0, windowStart: ago(420_000), windowEnd: ago(360_000), group: [.string("play"), .string("u-17")],
            measures: [.int(1_204), .double(88_123.5)], revision: 1, final: false, asOf: ago(330_000)),
        Row(
            output: 0, windowStart: ago(1_020_000), windowEnd: ago(960_000), group: [.string("a<b>\"&'\u{1B}[2J"), .null],
            measures: [.wide(170_141_183_460_469_231_731_687), .null], revision: 3, final: true, asOf: ago(330_000)),
        Row(
            output: 1, windowStart: ago(420_000), windowEnd: ago(360_000), group: [.string("DE")], measures: [.int(7)],
            revision: 1, final: false, asOf: nil),
    ]
    return facts
}

private func busyPartition(_ number: Int32) -> PartitionFacts {
    var books = Books(outputs: 2)
    books.read = 1_000_000 + Int64(number) * 1_000
    books.filtered = 31_000
    books.duplicate = 50_120
    books.late = 1_204
    books.rejectedByReason[Int(RejectReason.undecodable.rawValue)] = 12
    books.rejectedByReason[Int(RejectReason.futureTime.rawValue)] = 3
    books.aggregated = books.read - books.filtered - books.duplicate - books.late - books.rejected
    books.redelivered = 40
    books.unidentified = 17
    books.partlyLate = 88
    books.lateRefusals = [1_200, 30]
    books.expressionErrors = [0, 1_500]
    var facts = PartitionFacts(
        id: PartitionID(topic: "telemetry.events", number: number), lane: number, books: books, nextOffset: books.read)
    facts.endOffset = books.read
    facts.isCaughtUp = true
    facts.watermark = ago(305_000)
    facts.newestEventTime = ago(5_000)
    facts.memory = ByteCount(29_360_128)
    facts.figures = busyFigures(number)
    switch number {
    case 1:
        facts.isCaughtUp = false
        facts.endOffset = books.read + 12_480
        facts.oldestUncommitted = WallTime(milliseconds: noon.milliseconds - 2_400)
        facts.watermark = ago(311_000)
        facts.newestEventTime = ago(11_000)
    case 2:
        facts.isIdle = true
        facts.idleSince = WallTime(milliseconds: noon.milliseconds - 900_000)
        facts.watermark = ago(1_230_000)
        facts.newestEventTime = ago(930_000)
    case 3:
        facts.isCaughtUp = false
        facts.endOffset = nil
        facts.watermark = ago(330_000)
        facts.newestEventTime = ago(30_000)
        facts.fault = Fault(
            "offset_out_of_range", "the next offset no longer exists on the broker", place: "telemetry.events/3@1003000",
            next: "Choose with weir run --resume telemetry.events:3=earliest.", exit: .choiceNeeded)
    default: break
    }
    return facts
}

/// Two producers that make copies, one of them with a clock that is ahead.
private func busyFigures(_ number: Int32) -> LaneFigures {
    func copies(_ counts: (exact: Int64, retimed: Int64, conflicting: Int64, missed: Int64), age: Int64) -> CopyFigures {
        var figures = CopyFigures()
        (figures.exact, figures.retimed, figures.conflicting) = (counts.exact, counts.retimed, counts.conflicting)
        figures.copies = counts.exact + counts.retimed + counts.conflicting + 20
        for at in 0..<figures.copies { figures.ages.record(at * age / figures.copies) }
        figures.oldestQuarter = age > 675_000 ? figures.copies / 4 : 0
        figures.missed = counts.missed
        for at in 0..<counts.missed { figures.missedAges.record(1_200_000 + at * 60_000) }
        return figures
    }
    var figures = LaneFigures()
    let ios = copies((40_000, 90, 10, 0), age: 12_000)
    let web = copies((9_000, 1_000, 0, 3), age: 900_000)
    figures.copies.total = ios
    figures.copies.total += web
    figures.copies.producers = [.init(name: "ios/4.2", figures: ios), .init(name: "web\n\u{1B}", figures: web)]
    figures.conflicts = ["country": 8, nil: 2]
    if number == 0 {
        figures.samples = [
            ConflictingCopy(offset: 77, eventTime: ago(60_000), age: .seconds(12), field: "country", value: "DE"),
            ConflictingCopy(offset: 78, eventTime: ago(50_000), age: .seconds(3), field: nil, value: nil),
            ConflictingCopy(offset: 79, eventTime: ago(40_000), age: .zero, field: "user_id", value: nil),
        ]
    }
    figures.sampledKeys = 17_640
    var clocks = ClockFigures()
    clocks.records = 3
    for ahead: Int64 in [700_000, 3_600_000, 86_400_000] { clocks.ahead.record(ahead) }
    figures.clocks = .init(total: clocks, producers: [.init(name: nil, figures: clocks)])
    return figures
}

/// Nothing ran yet: everything that can be absent is.
func emptyFacts() -> Facts {
    Facts(topology: "quiet", version: "1.2.3", outputs: [OutputFacts(name: "o", within: .minutes(1))])
}
