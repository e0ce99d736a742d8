import Model
import Testing
import Testkit

@testable import State

struct TopologyChangeTests {
    private static let source = FingerprintPart(name: "source", text: "kind: files\nkey: a", place: "t.yaml:3")

    private static func part(_ name: String, _ text: String = "window: 60000\nlate: 0") -> FingerprintPart {
        FingerprintPart(name: name, text: text, place: "t.yaml:9")
    }

    struct Case: CustomTestStringConvertible {
        var testDescription: String
        var names: [String] = ["usage"]
        var parts: [FingerprintPart]
        var accept = false
        /// The fault's code, or the verdict.
        var code: String?
        var says: String?
        var verdict: TopologyChange.Verdict?
    }

    /// One is written with a letter of its own, the other with an accent behind the `e`.
    @Test func textsThatOnlyLookAlikeAreAChange() {
        var plan = Plan(
            name: "t", source: SourcePlan(kind: .files([])), fields: [], eventTime: EventTimePlan(source: .field(0)),
            aggregates: [])
        plan.fingerprint = [FingerprintPart(name: "source", text: "key: \u{E9}", place: "t.yaml:3")]
        #expect(throws: Never.self) {
            try TopologyChange.judge(parts: ["source": "key: \u{E9}"], outputs: [], plan: plan, accept: false, path: "t.yaml")
        }
        #expect(throws: Fault.self) {
            try TopologyChange.judge(parts: ["source": "key: e\u{301}"], outputs: [], plan: plan, accept: false, path: "t.yaml")
        }
    }

    static let cases = [
        Case(
            testDescription: "nothing changed", parts: [source, part("aggregate usage")],
            verdict: TopologyChange.Verdict(added: [], removed: [])),
        Case(
            testDescription: "an aggregate is new", names: ["usage", "b"],
            parts: [source, part("aggregate usage"), part("aggregate b")],
            verdict: TopologyChange.Verdict(added: ["b"], removed: [])),
        Case(
            testDescription: "an aggregate is gone", names: [], parts: [source], code: "state_output_removed", says: "usage"),
        Case(
            testDescription: "an aggregate is gone and that is accepted", names: [], parts: [source], accept: true,
            verdict: TopologyChange.Verdict(added: [], removed: ["usage"])),
        Case(
            testDescription: "an aggregate was renamed and that is accepted", names: ["b"], parts: [source, part("aggregate b")],
            accept: true, verdict: TopologyChange.Verdict(added: ["b"], removed: ["usage"])),
        Case(
            testDescription: "an aggregate changed", parts: [source, part("aggregate usage", "window: 5000\nlate: 0")],
            accept: true,
            code: "state_topology_changed", says: "aggregate usage: was `window: 60000`, is `window: 5000`"),
        Case(
            testDescription: "an aggregate has a line more",
            parts: [source, part("aggregate usage", "window: 60000\nlate: 0\nwhere: x")],
            code: "state_topology_changed", says: "aggregate usage: was nothing, is `where: x`"),
        Case(
            testDescription: "the source changed", parts: [part("source", "kind: files\nkey: b"), part("aggregate usage")],
            accept: true, code: "state_topology_changed", says: "source: was `key: a`, is `key: b`"),
        Case(
            testDescription: "deduplication came", parts: [source, part("deduplicate", "within: 1"), part("aggregate usage")],
            accept: true, code: "state_topology_changed", says: "deduplicate: was nothing, is `within: 1`"),
        Case(
            testDescription: "the source's part went", parts: [part("aggregate usage")], accept: true,
            code: "state_topology_changed", says: "source: was `kind: files`, `key: a`, is nothing"),
        Case(
            testDescription: "two parts changed", parts: [part("source", "kind: files"), part("aggregate usage", "late: 0")],
            code: "state_topology_changed",
            says: "source: was `key: a`, is nothing; aggregate usage: was `window: 60000`, is nothing"),
    ]

    @Test(arguments: cases)
    func everyChangeIsTakenOrRefusedAsItsMeaningAsks(_ this: Case) {
        let plan = plan(aggregates: this.names.map { usage($0) }, parts: this.parts)
        let stored = ["source": TopologyChangeTests.source.text, "aggregate usage": "window: 60000\nlate: 0"]
        do throws(Fault) {
            let verdict = try TopologyChange.judge(
                parts: stored, outputs: ["usage"], plan: plan, accept: this.accept, path: "state.db")
            #expect(verdict == this.verdict)
        } catch {
            #expect(error.code == this.code)
            #expect(error.exit == .state)
            #expect(error.what.contains(this.says ?? "nothing is expected"))
        }
    }

    @Test func anOutputKeepsItsNumberWhereverItStandsAndARemovedOnesStateGoes() throws {
        let scratch = Scratch()
        let keys: (Int32) -> [KeyRange] = { [KeyRange(from: [UInt8($0)], to: [UInt8($0) + 1])] }
        do {
            let (_, store) = try open(scratch, plan(aggregates: [usage("a"), usage("b")]))
            #expect(store.outputIDs == [1, 2])
            #expect(store.added.isEmpty)
            _ = try store.lanes(for: [partition])
            let (state, merge) = (StateLog(), StateLog())
            for id in UInt8(0)...3 {
                state.put([id, 9], [id])
                merge.put([id], [id])
            }
            var books = Books(outputs: 2)
            books.lateRefusals = [5, 6]
            try store.commit(
                commit(
                    1, [lane(0, state, books: books)], merge: merge, time: CombinedTime(watermark: at(77)),
                    progress: [OutputProgress(completeThrough: at(1)), OutputProgress(completeThrough: at(2))]))
            store.close()
        }
        do {
            let (_, store) = try open(scratch, plan(aggregates: [usage("c"), usage("b")]), accept: true, keys: keys)
            #expect(store.outputIDs == [3, 2])
            #expect(
                store.added == [
                    StoredOutput(
                        id: 3, name: "c", sinceCommit: 1, sinceAt: WallTime(milliseconds: 1_000_000), sinceWatermark: at(77))
                ])
            #expect(try store.progress() == [OutputProgress(), OutputProgress(completeThrough: at(2))])
            #expect(try store.restoredLanes().first?.books.lateRefusals == [0, 6])
            #expect(try restored(store, 0) == [[0, 9]: [0], [2, 9]: [2], [3, 9]: [3]])
            #expect(try restored(store, mergeLane) == [[0]: [0], [2]: [2], [3]: [3]])
        }
        let (_, store) = try open(scratch, plan(aggregates: [usage("b"), usage("c"), usage("a")]))
        #expect(store.outputIDs == [2, 3, 4])
    }

    @Test func stateThatCannotBeGoneOnWithIsRefused() throws {
        let scratch = Scratch()
        do {
            let (_, store) = try open(scratch)
            try store.commit(commit(1))
            store.close()
        }
        func opened(_ name: String = "t", _ prepare: (String) -> String) -> String? {
            let copy = scratch.copy()
            shell(prepare("\(copy.path)/state.db"))
            return faultCode { _ = try open(copy, plan(name: name)) }
        }
        #expect(opened { _ in "true" } == nil)
        #expect(opened("other") { _ in "true" } == "state_of_other_topology")
        #expect(opened { "sqlite3 '\($0)' 'PRAGMA user_version = 99'" } == "state_newer_format")
        #expect(opened { "sqlite3 '\($0)' 'PRAGMA application_id = 1'" } == "state_not_ours")
        #expect(opened { "echo 'words, and words again, more than a header has' > '\($0)'" } == "state_not_a_database")
        #expect(opened { "dd if=/dev/urandom of='\($0)' bs=4096 seek=1 count=60 conv=notrunc 2>/dev/null" } == "state_corrupt")
        #expect(opened { "rm '\($0)'; mkdir '\($0)'" } == "state_cannot_open")
        do {
            let (_, store) = try open(scratch)
            try store.commit(commit(2, decisions: [.ended], time: CombinedTime(watermark: at(5), ended: true)))
        }
        #expect(opened { _ in "true" } == nil)
        let (_, ended) = try open(scratch)
        #expect(faultCode { try ended.checkNotEnded() } == "input_ended")
        ended.close()
        #expect(faultCode { _ = try open(scratch, plan(aggregates: [usage("usage"), usage("more")])) } == "input_ended")
    }
}
