import Foundation
import Freshness
import Model
import Testing

@testable import Observe

@Suite struct StatusTests {
    @Test func statusTextOfABusyTopology() {
        expectGolden(StatusText.render(busyFacts(), at: noon), "status-busy.txt")
    }

    @Test func statusTextBeforeAnythingRan() {
        let text = StatusText.render(emptyFacts(), at: noon)
        expectGolden(text, "status-empty.txt")
        #expect(!text.lowercased().contains("nan"))
    }

    @Test func statusTextOfATopologyThatWaits() {
        var facts = busyFacts()
        facts.state = .waiting(
            Fault(
                "disk_full", "the disk is full", place: "./state", next: "Make room; it goes on by itself.", exit: .disk,
                isTransient: true))
        facts.outputs[1].within = .seconds(1)
        facts.outputs[1].progress.completeThrough = ago(60_000)
        expectGolden(StatusText.render(facts, at: noon), "status-waiting.txt")
    }

    @Test func statusJSONOfABusyTopology() throws {
        expectGolden(try pretty(StatusJSON.render(busyFacts(), at: noon)), "status-busy.json")
    }

    @Test func statusJSONBeforeAnythingRan() throws {
        expectGolden(try pretty(StatusJSON.render(emptyFacts(), at: noon)), "status-empty.json")
    }

    /// Whoever looks at the copies sees by whose word they pass, also before there were any.
    @Test(arguments: [
        (true, "copies are let pass by order since 2026-01-01T00:00:00.000Z, whatever the topology says: weir observe"),
        (false, "copies are dropped by order since 2026-01-01T00:00:00.000Z, whatever the topology says: weir observe"),
    ])
    func anOrderThatStandsIsTold(observe: Bool, words: String) {
        for (facts, hasCopies) in [(busyFacts(), true), (emptyFacts(), false)] {
            var facts = facts
            facts.dedup = DedupFacts(within: .minutes(15), isObserving: observe)
            facts.dedup?.ordered = WallTime(milliseconds: 1_767_225_600_000)
            let text = StatusText.render(facts, at: noon)
            #expect(text.contains(hasCopies ? words : "COPIES  \(words)\n"))
            let json = String(decoding: StatusJSON.render(facts, at: noon), as: UTF8.self)
            #expect(json.contains(#""observe":\#(observe),"observe_ordered_at":1767225600000"#))
        }
    }

    @Test func whereEveryPartitionStoppedNothingIsReady() {
        var facts = busyFacts()
        #expect(Readiness(facts).isReady)
        for index in facts.partitions.indices {
            facts.partitions[index].fault = Fault("offset_out_of_range", "lost", next: "Choose.", exit: .choiceNeeded)
        }
        let readiness = Readiness(facts)
        #expect(!readiness.isReady && readiness.reason == "partitions_stopped" && readiness.stoppedPartitions == 4)
    }

    @Test func nothingThatWasReadCanMoveTheCursor() {
        var facts = nastyFacts()
        facts.topology = "a\u{1B}[2Jb\nc"
        let text = StatusText.render(facts, at: noon)
        #expect(!text.contains("\u{1B}") && text.contains("a?[2Jb?c"))
    }

    @Test func personalColumnsAreNeverShown() {
        let json = String(decoding: StatusJSON.render(busyFacts(), at: noon), as: UTF8.self)
        #expect(!json.contains("u-17") && json.contains("•••"))
    }

    @Test func onlyTheNewestRowsAreShown() throws {
        var facts = busyFacts()
        facts.latestRows = Array(repeating: facts.latestRows[0], count: 200)
        facts.latestRows.append(
            Row(output: 9, windowStart: ago(1), windowEnd: ago(0), group: [], measures: [], revision: 1, final: true, asOf: nil))
        let status = try #require(try object(StatusJSON.render(facts, at: noon)))
        #expect((status["latest_rows"] as? [Any])?.count == FreshnessLimits.latestRows)
    }

    @Test func aRowOfAnUnknownOutputIsLeftOut() throws {
        var facts = emptyFacts()
        facts.latestRows = [
            Row(output: 9, windowStart: ago(1), windowEnd: ago(0), group: [], measures: [], revision: 1, final: true, asOf: nil)
        ]
        let status = try #require(try object(StatusJSON.render(facts, at: noon)))
        #expect((status["latest_rows"] as? [Any])?.isEmpty == true)
    }

    private func object(_ bytes: [UInt8]) throws -> [String: Any]? {
        try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    }

    /// A line per member: a reader of the golden sees what changed, and the text was parsed on the way.
    private func pretty(_ bytes: [UInt8]) throws -> String {
        let parsed = try JSONSerialization.jsonObject(with: Data(bytes))
        let data = try JSONSerialization.data(
            withJSONObject: parsed, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}
