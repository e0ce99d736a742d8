import Foundation
import Freshness
import Model
import Testing

@testable import Observe

/// promtool, or nil where it is missing; CI has to have it.
private let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first { FileManager.default.isExecutableFile(atPath: $0) }
private let isCI = ProcessInfo.processInfo.environment["CI"] != nil

@Suite struct MetricsTextTests {
    @Test func metricsOfABusyTopology() {
        expectGolden(MetricsText.render(busyFacts(), at: noon), "metrics-busy.txt")
    }

    @Test func whatIsAbsentHasNoSample() {
        let text = MetricsText.render(emptyFacts(), at: noon)
        expectGolden(text, "metrics-empty.txt")
        for name in ["watermark", "event_lag", "queue_age", "freshness_seconds", "complete_through", "broker", "dedup", "free"] {
            #expect(!text.contains(name), "\(name) has a line")
        }
        #expect(!text.lowercased().contains("nan"))
    }

    @Test(
        .enabled(if: promtool != nil || isCI, "promtool is missing: apt-get install prometheus"),
        arguments: Sample.allCases)
    func promtoolHasNothingToSay(sample: Sample) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(promtool))
        process.arguments = ["check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(MetricsText.render(sample.facts, at: noon).utf8))
        try input.fileHandleForWriting.close()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(said == "" && process.terminationStatus == 0)
    }

    @Test func labelsAreEscaped() {
        let text = MetricsText.render(nastyFacts(), at: noon)
        #expect(text.contains(#"weir_records_read_total{topic="a\\b\"c\nd",partition="0"} 0"#))
    }

    @Test(arguments: [
        (0, "0"), (1, "0.001"), (-1, "-0.001"), (1_500, "1.5"), (-61_020, "-61.02"), (1_767_268_800_000, "1767268800"),
    ])
    func secondsAreExact(milliseconds: Int64, text: String) {
        #expect(PrometheusText.decimal(milliseconds) == text)
    }

    @Test func theBooksInTheMetricsAddUp() {
        let lines = MetricsText.render(busyFacts(), at: noon).split(separator: "\n")
        func sum(_ name: String) -> Int64 {
            lines.filter { $0.hasPrefix(name + "{") }.compactMap { $0.split(separator: " ").last.flatMap { Int64($0) } }.reduce(
                0, +)
        }
        #expect(sum("weir_records_total") == sum("weir_records_read_total"))
        #expect(sum("weir_records_read_total") == 4_006_000)
    }
}

/// Facts by name, so that a test's summary stays readable.
enum Sample: CaseIterable {
    case busy, empty, nasty
    var facts: Facts {
        switch self {
        case .busy: busyFacts()
        case .empty: emptyFacts()
        case .nasty: nastyFacts()
        }
    }
}

/// Names that a file's path or a topology can have.
func nastyFacts() -> Facts {
    var facts = Facts(topology: "q\"\\", version: "1\n2", state: .running, outputs: [OutputFacts(name: "Köln \"x\"")])
    facts.partitions = [
        PartitionFacts(id: PartitionID(topic: "a\\b\"c\nd", number: 0), lane: 0, books: Books(outputs: 1))
    ]
    return facts
}
