import Freshness
import Model
import Runtime
import Synchronization
import Testing

@testable import Commands

private func report() -> RunReport {
    var books = Books(outputs: 1)
    books.read = 1_234_567
    books.aggregated = 1_200_000
    books.duplicate = 34_000
    books.late = 500
    books.rejectedByReason[Int(RejectReason.badTime.rawValue)] = 60
    books.rejectedByReason[Int(RejectReason.undecodable.rawValue)] = 7
    books.partlyLate = 12
    books.lateRefusals = [512]
    books.expressionErrors = [0, 1_500]
    let fault = Fault("offset_out_of_range", "The next offset is gone.", place: "t/1@7", next: "Choose.", exit: .choiceNeeded)
    let summary = RunSummary(
        books: books, read: 1_000_000, commits: 1, rows: 6_731, stopped: [PartitionID(topic: "t", number: 1): fault],
        turnMedian: 1, turnWorst: 20)
    return RunReport(
        topology: "usage", summary: summary, elapsed: .milliseconds(2_500),
        use: ResourceUse(cpuSeconds: 1.26, peakMemory: .mebibytes(200)), outputs: ["clicks"],
        expressionPlaces: ["field kb", "clicks.ratio", "filter"])
}

@Test func aRunIsSummedUpInWordsAndAsJSON() {
    expectGolden(report().text + report().json, "report.txt")
}

@Test func booksThatDoNotAddUpAndStoppedPartitionsDecideTheExit() {
    var off = report()
    #expect(off.exit(wasStopped: false) == .choiceNeeded && off.exit(wasStopped: true) == .done)
    off.summary.books.late += 1
    #expect(off.exit(wasStopped: true) == .answerIsNo && off.text.contains("DO NOT ADD UP"))
}

@Test func theDemosTableShowsTheNewestWindowOfEachOutput() {
    var facts = Facts(
        topology: "demo", version: "",
        outputs: [
            OutputFacts(
                name: "clicks", groupColumns: [OutputColumn("event"), OutputColumn("person", isPersonal: true)],
                measureColumns: [OutputColumn("events"), OutputColumn("mean_ms")])
        ])
    func row(_ start: Int64, _ event: String, _ count: Int64, _ revision: Int64) -> Row {
        Row(
            output: 0, windowStart: EventTime(milliseconds: start), windowEnd: EventTime(milliseconds: start + 10_000),
            group: [.string(event), .string("ann")], measures: [.int(count), .double(12.34)], revision: revision, final: false,
            asOf: nil)
    }
    // Newest first: an older window's correction, then two revisions of one row.
    facts.latestRows = [row(0, "old\u{1B}", 9, 7), row(10_000, "b", 1_500, 2), row(10_000, "a", 3, 1), row(10_000, "b", 1, 1)]
    let drawn = Mutex<[UInt8]>([])
    let terminal = Console(isOutTerminal: true) { _, bytes in
        drawn.withLock { $0 += bytes }
        return true
    }
    var screen = DemoScreen(console: terminal, isSilent: false)
    screen.show(facts, address: HostPort(host: "127.0.0.1", port: 1), at: WallTime(milliseconds: 20_000))
    let plain = Mutex<[UInt8]>([])
    let pipe = Console { _, bytes in
        plain.withLock { $0 += bytes }
        return true
    }
    var lines = DemoScreen(console: pipe, isSilent: false)
    for _ in 0..<2 { lines.show(facts, address: nil, at: WallTime(milliseconds: 20_000)) }
    expectGolden(String(decoding: drawn.withLock { $0 } + plain.withLock { $0 }, as: UTF8.self), "demo-screen.txt")
}

@Test func faultsAreOneLineAndTheNextStep() {
    let fault = Fault("topic_missing", "The topic\u{7} does not exist.", place: "t", next: "Create it.", exit: .broker)
    #expect(FaultText.words(fault) == "weir: topic_missing: The topic? does not exist. (t)\n  Create it.\n")
    #expect(FaultText.words(fault, hasColour: true).hasPrefix("weir: \u{1B}[31mtopic_missing\u{1B}[0m: "))
}

@Test func whatIsDrawnGoesAwayBeforeOtherWords() {
    let heard = Mutex("")
    let console = Console(isErrorTerminal: true) { _, bytes in
        heard.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
        return true
    }
    console.draw("50 %\n", on: .error)
    console.draw("60 %\n", on: .error)
    console.error("a log line\n")
    console.error("another\n")
    #expect(heard.withLock { $0 } == "50 %\n\u{1B}[1A\r\u{1B}[J60 %\n\u{1B}[1A\r\u{1B}[Ja log line\nanother\n")
}
