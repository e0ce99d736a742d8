import Model
import Testing
import Testkit

@testable import Pipeline

/// Key, event time, content, and who made it.
private let fields = [
    FieldPlan(name: "id", type: .uuid), FieldPlan(name: "ts", type: .timestamp(.milliseconds), required: true),
    FieldPlan(name: "g", type: .string), FieldPlan(name: "d", type: .double), FieldPlan(name: "n", type: .int),
    FieldPlan(name: "sdk", type: .string), FieldPlan(name: "sent", type: .int),
]

func copiesPlan(
    within: Int64 = 600_000, bucket: Int64? = nil, compare: [Int]? = [2, 3, 4, 5], producer: Int? = 5, observe: Bool = false,
    outOfOrderness: Int64 = 0, fields: [FieldPlan] = fields
) -> Plan {
    var plan = SmallStream.plan(
        window: .tumbling(size: .days(1), offset: .zero), lateness: .days(30), outOfOrderness: .milliseconds(outOfOrderness),
        deduplicate: DeduplicatePlan(
            key: [0], within: .milliseconds(within), bucket: bucket.map { .milliseconds($0) }, observe: observe,
            compare: compare))
    plan.fields = fields
    plan.source.producer = producer
    plan.eventTime.maxFuture = .milliseconds(60_000)
    return plan
}

func copyRecord(
    _ offset: Int64, at time: Int64, id: UInt64, g: String? = "DE", d: Double = 1, n: Int? = nil, sdk: String? = "ios",
    sent: Int = 0, timestamp: Int64? = nil
) -> BenchRecord {
    let digits = String(id, radix: 16)
    let key = "00000000-0000-0007-0000-" + String(repeating: "0", count: 12 - digits.count) + digits
    var text = "{\"id\":\"\(key)\",\"ts\":\(time),\"d\":\(d),\"sent\":\(sent)"
    if let g { text += ",\"g\":\"\(g)\"" }
    if let n { text += ",\"n\":\(n)" }
    if let sdk { text += ",\"sdk\":\"\(sdk)\"" }
    return BenchRecord(Array((text + "}").utf8), offset: offset, timestamp: timestamp ?? RecordBatch.noTimestamp)
}

extension LaneBench {
    var figures: LaneFigures { durable.lanes[0]?.figures ?? LaneFigures() }
}

struct CopiesTests {
    /// What the copy of an event with g DE, d 1, n null and sdk ios says, and what it is called.
    @Test(arguments: [false, true])
    func copiesAreCalledByWhatDiffersInThem(crashes: Bool) throws {
        let bench = try LaneBench(copiesPlan(), partitions: 1)
        let copies: [(record: BenchRecord, kind: String)] = [
            (copyRecord(1, at: 5_000, id: 1), "exact"), (copyRecord(2, at: 5_000, id: 1, sent: 99), "exact"),
            (copyRecord(3, at: 5_001, id: 1), "retimed"), (copyRecord(4, at: 4_000, id: 1, sent: 5), "retimed"),
            (copyRecord(5, at: 5_000, id: 1, g: "FR"), "g"), (copyRecord(6, at: 9_000, id: 1, g: nil), "g"),
            (copyRecord(7, at: 5_000, id: 1, d: 1.5), "d"), (copyRecord(8, at: 5_000, id: 1, n: 0), "n"),
            (copyRecord(9, at: 5_000, id: 1, sdk: "web"), "sdk"), (copyRecord(10, at: 5_000, id: 1, g: "FR", d: 2), "several"),
            (copyRecord(11, at: 7_000, id: 1, g: "1", n: 1), "several"), (copyRecord(12, at: 5_000, id: 1, g: "", d: 1), "g"),
        ]
        try bench.feed([copyRecord(0, at: 5_000, id: 1)], to: 0)
        bench.commit()
        var before = LaneFigures()
        for (record, kind) in copies {
            if crashes { try bench.crash() }
            try bench.feed([record], to: 0)
            bench.commit()
            let after = bench.figures
            let all = after.copies.total
            var told = ""
            if all.exact > before.copies.total.exact { told += "exact" }
            if all.retimed > before.copies.total.retimed { told += "retimed" }
            for (field, count) in after.conflicts where count > before.conflicts[field] ?? 0 { told += field ?? "several" }
            #expect(told == kind, "offset \(record.offset)")
            #expect(all.copies == before.copies.total.copies + 1 && all.uncompared == 0)
            before = after
        }
        #expect(before.copies.total.conflicting == 8 && bench.books[0].duplicate == 12)
        let samples = before.samples.map { "\($0.offset) \($0.field ?? "several") \($0.value ?? "-")" }
        #expect(
            samples == ["5 g FR", "6 g -", "7 d 1.5", "8 n 0", "9 sdk web", "10 several -", "11 several -", "12 g "])
        let producers = before.copies.largest(2).producers
        #expect(producers.map(\.name) == ["ios", "web"] && producers.map(\.figures.copies) == [11, 1])
    }

    /// Two fields that swap their values, and such as look alike, differ still.
    @Test func whatLooksAlikeIsTold() throws {
        let names = ["a", "b", "c"]
        let plan = copiesPlan(
            compare: [2, 3, 4], producer: nil,
            fields: fields.prefix(2) + names.map { FieldPlan(name: $0, type: .string) })
        let pairs: [(kept: [String], copy: [String], kind: String)] = [
            (["x", "y", "z"], ["y", "x", "z"], "several"), (["x", "", "z"], ["", "x", "z"], "several"),
            (["x", "y", "z"], ["x", "y", "zz"], "c"), (["x", "y", "z"], ["z", "x", "y"], "several"),
            (["", "", ""], ["", "", "\\u0000"], "c"), (["null", "", ""], ["", "", ""], "a"),
            (["é", "", ""], ["e\\u0301", "", ""], "a"),
        ]
        for pair in pairs {
            let bench = try LaneBench(plan, partitions: 1)
            let records = [pair.kept, pair.copy].enumerated().map { offset, values in
                let content = zip(names, values).map { ",\"\($0)\":\"\($1)\"" }.joined()
                let text = "{\"id\":\"00000000-0000-0007-0000-000000000001\",\"ts\":5\(content)}"
                return BenchRecord(Array(text.utf8), offset: Int64(offset))
            }
            try bench.feed(records, to: 0)
            bench.commit()
            #expect(bench.figures.conflicts == [pair.kind == "several" ? nil : pair.kind: 1], "\(pair.kept) \(pair.copy)")
        }
    }

    @Test func valuesOfTopologiesWithPersonalFieldsAreNotShown() throws {
        var plan = copiesPlan()
        plan.fields[6].isPersonal = true
        let bench = try LaneBench(plan, partitions: 1)
        try bench.feed([copyRecord(0, at: 5, id: 1), copyRecord(1, at: 5, id: 1, g: "FR")], to: 0)
        bench.commit()
        #expect(bench.figures.samples.map(\.field) == ["g"] && bench.figures.samples.map(\.value) == [nil])
    }

    /// State that was made without `compare`, with other fields, and with it again: keys stay, and only what can be compared is.
    @Test func whatIsComparedMayChangeWhileKeysStay() throws {
        func run(_ plan: Plan, _ state: KeyedState, _ nextOffset: Int64, _ records: [BenchRecord]) throws -> (
            LaneFigures, KeyedState
        ) {
            let core = try LaneCore(
                LaneConfiguration(
                    plan: plan, lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0, storedOutputs: [1]))
            core.restore(
                books: Books(outputs: 1), watermark: EventTime(milliseconds: 0), newestEventTime: nil, nextOffset: nextOffset,
                lastRecord: nil)
            var isWhole = true
            state.eachEntry { isWhole = core.restore(key: $0, value: $1) && isWhole }
            #expect(isWhole)
            let batch = OwnedBatch(records.map(\.payload), first: records[0].offset)
            try core.process(batch.batch)
            let sealed = core.seal(SealRequest(due: [false]))
            var state = state
            state.apply(sealed.changes)
            return (sealed.figures, state)
        }
        let plain = copiesPlan(compare: nil)
        let comparing = copiesPlan()
        let other = copiesPlan(compare: [2, 3])
        var (figures, state) = try run(plain, KeyedState(), 0, [copyRecord(0, at: 5, id: 1)])
        (figures, state) = try run(
            comparing, state, 1, [copyRecord(1, at: 5, id: 2), copyRecord(2, at: 5, id: 1), copyRecord(3, at: 5, id: 2)])
        #expect(figures.copies.total.exact == 1 && figures.copies.total.uncompared == 1)
        (figures, state) = try run(plain, state, 4, [copyRecord(4, at: 5, id: 3), copyRecord(5, at: 5, id: 2)])
        #expect(figures.copies.total.copies == 3 && figures.copies.total.exact == 1)
        (figures, state) = try run(
            comparing, state, 6, [copyRecord(6, at: 6, id: 1), copyRecord(7, at: 6, id: 2), copyRecord(8, at: 6, id: 3)])
        #expect(figures.copies.total.copies == 6 && figures.copies.total.retimed == 1 && figures.copies.total.uncompared == 4)
        (figures, state) = try run(
            other, state, 9, [copyRecord(9, at: 5, id: 4), copyRecord(10, at: 5, id: 2), copyRecord(11, at: 5, id: 4)])
        #expect(figures.copies.total.exact == 2 && figures.copies.total.uncompared == 5)
    }

    /// Each copy with its place and that of the kept event, through crashes; nothing where copies are only counted.
    @Test(arguments: [false, true]) func copiesNameThePlaceOfWhatWasKept(comparing: Bool) throws {
        var plan = copiesPlan(within: 16_000, compare: comparing ? [2] : nil)
        plan.deduplicate?.duplicates = .ledger(keep: .days(1))
        let bench = try LaneBench(plan, partitions: 1)
        let events: [(id: UInt64, at: Int64, g: String)] = [
            (1, 0, "DE"), (2, 0, "DE"), (1, 0, "DE"), (2, 1, "FR"), (1, 5, "DE"), (3, 30_000, "DE"), (1, 0, "DE"), (1, 0, "DE"),
        ]
        var told: [String] = []
        for (offset, event) in events.enumerated() {
            try bench.feed([copyRecord(Int64(offset), at: event.at, id: event.id, g: event.g)], to: 0)
            bench.commit()
            told += (bench.durable.lanes[0]?.duplicates ?? []).map {
                "\($0.offset) of \($0.keptOffset ?? -1) \($0.kind.rawValue) \($0.field ?? "-") \($0.identity.low)"
            }
            try bench.crash()
        }
        #expect(
            told == [
                "2 of 0 \(comparing ? "exact" : "uncompared") - 1", "3 of 1 \(comparing ? "conflicting g" : "uncompared -") 2",
                "4 of 0 \(comparing ? "retimed" : "uncompared") - 1",
                "7 of 6 \(comparing ? "exact" : "uncompared") - 1",
            ])
        plan.deduplicate?.duplicates = .count
        let counting = try LaneBench(plan, partitions: 1)
        try counting.feed([copyRecord(0, at: 0, id: 1), copyRecord(1, at: 0, id: 1)], to: 0)
        counting.commit()
        #expect(counting.durable.lanes[0]?.duplicates == [] && counting.figures.copies.total.copies == 1)
    }

    /// A producer that came among many small ones is told; what the others had is with them.
    @Test func theLargestProducersStayAndAllAddsUp() throws {
        let bench = try LaneBench(copiesPlan(compare: nil), partitions: 1)
        var offset: Int64 = 0
        for round in 0..<400 {
            var records = [copyRecord(offset, at: 5, id: 1, sdk: "once-\(round)")]
            if round % 3 == 0 { records.append(copyRecord(offset + 1, at: 5, id: 1, sdk: "large")) }
            offset += Int64(records.count)
            try bench.feed(records, to: 0)
            if round % 7 == 0 { bench.commit() }
            if round % 21 == 0 { try bench.crash() }
        }
        bench.commit()
        let told = bench.figures.copies
        #expect(told.total.copies == offset - 1)
        #expect(told.producers.count == CopyLimits.laneProducers)
        #expect(told.producers.reduce(told.others.copies) { $0 + $1.figures.copies } == told.total.copies)
        #expect(told.producers.first { $0.name == "large" }?.figures.copies == 134)
        let largest = told.largest(3)
        #expect(largest.producers[0].name == "large" && largest.producers.count == 3)
        #expect(largest.producers.reduce(largest.others.copies) { $0 + $1.figures.copies } == told.total.copies)
    }

    /// The field that names producers may become another; what was told of the old one's values is with the others.
    @Test func anotherFieldNamesOtherProducers() throws {
        var book = FigureBook<ClockFigures>(tag: StateKey.clocks, of: copiesPlan(producer: 5))
        for (hash, name) in [(7, "ios"), (0, nil)] as [(UInt64, String?)] {
            book.note(of: hash, name: name) {
                $0.records += 1
                $0.ahead.record(70_000)
            }
        }
        var state = KeyedState()
        let log = StateLog()
        book.seal(into: log)
        state.apply(log)
        for (producer, names) in [(5, [nil, "ios"]), (2, []), (nil, [])] as [(Int?, [String?])] {
            var restored = FigureBook<ClockFigures>(tag: StateKey.clocks, of: copiesPlan(producer: producer))
            var isWhole = true
            state.eachEntry { isWhole = restored.restore($0, $1) && isWhole }
            #expect(isWhole)
            #expect(restored.told.producers.map(\.name) == names && restored.told.total.records == 2)
            #expect(restored.told.others.records == (names.isEmpty ? 2 : 0))
            var after = state
            let log = StateLog()
            restored.seal(into: log)
            after.apply(log)
            #expect(after.entries.count == (names.isEmpty ? 2 : 3))
        }
    }

    @Test func badClocksAreToldByProducer() throws {
        let bench = try LaneBench(copiesPlan(compare: nil), partitions: 1)
        let records: [(ahead: Int64, sdk: String?)] = [
            (60_000, "ios"), (60_001, "ios"), (90_000, "web"), (3_600_000, "web"), (70_000, nil), (0, "ios"),
        ]
        for (offset, record) in records.enumerated() {
            try bench.feed(
                [
                    copyRecord(
                        Int64(offset), at: 1_000_000 + record.ahead, id: UInt64(offset) + 1, sdk: record.sdk, timestamp: 1_000_000
                    )
                ],
                to: 0)
            bench.commit()
            try bench.crash()
        }
        let told = bench.figures.clocks.largest(20)
        #expect(told.total.records == 4 && told.total.ahead.largest == 3_600_000)
        #expect(told.producers.map(\.name) == ["web", nil, "ios"] && told.producers.map(\.figures.records) == [2, 1, 1])
        #expect(told.producers.map(\.figures.ahead.largest) == [3_600_000, 70_000, 60_001])
        #expect(bench.books[0].rejectedByReason[Int(RejectReason.futureTime.rawValue)] == 4)
    }

    /// Each part of the stored figures, cut short anywhere: damage is told, never a trap.
    @Test func damagedFiguresAreRefused() throws {
        let bench = try LaneBench(copiesPlan(), partitions: 1)
        try bench.feed(
            [copyRecord(0, at: 5, id: 1), copyRecord(1, at: 5, id: 1, g: "FR"), copyRecord(2, at: 99_000, id: 2, timestamp: 5)],
            to: 0)
        bench.commit()
        let state = try #require(bench.durable.states[0])
        var cuts = 0
        for (key, value) in state.entries
        where [StateKey.copies, StateKey.clocks].contains(key[0]) || key.count == StateKey.notesLength {
            for length in 0..<value.count where key.count != StateKey.notesLength || (length - 9) % 8 != 0 || length < 9 {
                let core = try LaneCore(
                    LaneConfiguration(
                        plan: copiesPlan(), lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0,
                        storedOutputs: [1]))
                var isWhole = true
                state.eachEntry { other, whole in
                    let isCut = Array(other) == key
                    isWhole =
                        core.restore(key: other, value: isCut ? UnsafeRawBufferPointer(rebasing: whole[0..<length]) : whole)
                        && isWhole
                }
                #expect(!isWhole, "\(key) cut to \(length)")
                cuts += 1
            }
        }
        #expect(cuts > 100)
    }
}
