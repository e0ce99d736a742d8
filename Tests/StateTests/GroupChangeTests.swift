import Model
import Testing
import Testkit

@testable import State

/// What changes between two owners of a unit, and with time.
struct GroupChangeTests {
    private func keys(_ number: Int32) -> [KeyRange] {
        [KeyRange(from: bytes("c\(number)/"), to: bytes("c\(number)0"))]
    }

    private func key(_ output: String, _ rest: String) -> [UInt8] { bytes("c\(StateStart.groupNumber(of: output))/\(rest)") }

    private let both = plan(aggregates: [usage(), usage("other")])

    /// A commit of lane 0 with two keys of each output.
    private func written() throws -> (FakeChangelog, RandomUnits) {
        let (_, store) = try openGroup(Scratch(), both, keys: keys)
        try store.finishRestore(of: 0)
        var commits = RandomUnits(seed: 1)
        var topic = FakeChangelog()
        let log = StateLog()
        for output in ["usage", "other"] { for rest in ["a", "b"] { log.put(key(output, rest), [1]) } }
        try topic.commit([UnitCommit(head: commits.head(0), changes: log)], to: store)
        return (topic, commits)
    }

    private func entries(_ store: GroupStore) throws -> [[UInt8]] {
        var all: [[UInt8]] = []
        try store.eachEntry(of: 0) { key, _ in all.append(Array(key)) }
        return all.sorted { $0.lexicographicallyPrecedes($1) }
    }

    @Test func aRemovedAggregatesKeysGoFromTheChangelogWithTheNextCommit() throws {
        var (topic, commits) = try written()
        var random = SplitMix(seed: 1)
        let scratch = Scratch()
        do {
            let (_, store) = try openGroup(scratch, keys: keys)
            try topic.restore(0, into: store, &random)
            #expect(faultCode { try store.finishRestore(of: 0) } == "state_output_removed")
        }
        let (_, store) = try openGroup(scratch, accept: true, keys: keys)
        try store.finishRestore(of: 0)
        #expect(try entries(store) == [key("usage", "a"), key("usage", "b")])
        let before = topic.partitions[0]?.count ?? 0
        try topic.commit([UnitCommit(head: commits.head(0), changes: StateLog())], to: store)
        let told = topic.partitions[0]?.dropFirst(before).map { ($0.key, $0.value == nil) } ?? []
        #expect(told.map(\.0) == [ChangelogKey.topologyKey, key("other", "a"), key("other", "b"), ChangelogKey.headKey])
        #expect(told.map(\.1) == [false, true, true, false])
        // Nobody has to accept it again, and nothing is told twice.
        try topic.commit([UnitCommit(head: commits.head(0), changes: StateLog())], to: store)
        #expect(topic.partitions[0]?.count == before + 5)
        let (_, next) = try openGroup(Scratch(), keys: keys)
        try topic.compacted().restore(0, into: next, &random)
        try next.finishRestore(of: 0)
        #expect(try entries(next) == [key("usage", "a"), key("usage", "b")])
    }

    @Test func aChangelogOfAnotherTopologyIsRefusedByWhoeverRestoresIt() throws {
        let (topic, _) = try written()
        var random = SplitMix(seed: 1)
        func refused(_ plan: Plan, accept: Bool = false, inputs: Int32 = 3, events: String = "events") -> String? {
            faultCode {
                let layout = GroupLayout(
                    plan: plan, group: "g", inputs: (0..<inputs).map { PartitionID(topic: events, number: $0) })
                let (_, store) = try openGroup(Scratch(), plan, layout: layout, accept: accept, keys: keys)
                try topic.restore(0, into: store, &random)
                try store.finishRestore(of: 0)
            }
        }
        var other = both
        other.fingerprint[0].text = "kind: files\nkey: b"
        var named = both
        named.name = "u"
        #expect(refused(both) == nil)
        #expect(refused(other) == "state_topology_changed")
        #expect(refused(named) == "state_of_other_topology")
        #expect(refused(plan(aggregates: [usage(), usage("other"), usage("third")])) == nil)
        #expect(refused(plan(), accept: true) == nil)
        #expect(refused(both, events: "others") == "partitions_changed")
    }

    @Test func namesOfOneNumberAreRefused() {
        var names: [Int32: String] = [:]
        var pair: (String, String)?
        for number in 0... {
            let name = "a\(number)"
            if let other = names.updateValue(name, forKey: StateStart.groupNumber(of: name)) {
                pair = (other, name)
                break
            }
        }
        let aggregates = [pair?.0, pair?.1].compactMap { $0 }.map { usage($0) }
        #expect(faultCode { _ = try openGroup(Scratch(), plan(aggregates: aggregates)) } == "state_output_numbers")
    }

    @Test func ledgerEntriesPastTheirKeepGoFromTheChangelogToo() throws {
        let kept = plan(late: .ledger(keep: .seconds(1)), deadLetters: .table(keep: .seconds(2), limit: ByteCount(1_000)))
        let (_, store) = try openGroup(Scratch(), kept)
        try store.finishRestore(of: 0)
        var commits = RandomUnits(seed: 1)
        var topic = FakeChangelog()
        let entry = LateEntry(
            output: 0, offset: 5, eventTime: at(1), windowStart: at(0), windowEnd: at(1), watermark: at(2), lateBy: .zero,
            identity: nil)
        let letter = DeadLetter(
            offset: 1, reason: .badTime, field: nil, timestamp: nil, size: 900, payload: [UInt8](repeating: 1, count: 900))
        func commit(_ wall: Int64, _ late: [LateEntry] = [], _ letters: [DeadLetter] = []) throws -> [String] {
            commits.wall = wall
            let before = topic.partitions[0]?.count ?? 0
            let unit = UnitCommit(head: commits.head(0), changes: StateLog(), late: late, deadLetters: letters)
            try store.refuseIfFull([unit], at: unit.head.at)
            try topic.commit([unit], to: store)
            return topic.partitions[0]?.dropFirst(before).filter { $0.key.count == 9 }.map {
                "\($0.value == nil ? "-" : "+")\(Unicode.Scalar($0.key[0]))\($0.key[8])"
            } ?? []
        }
        #expect(try commit(10_000, [entry, entry], [letter]) == ["+L1", "+L2", "+D3"])
        // Full: it takes no more until what is there has passed its time.
        #expect(faultCode { _ = try commit(10_500, [], [letter]) } == "dead_letters_full")
        commits.sequences[0] = 1
        #expect(try commit(11_000, [entry]) == ["+L4"])
        #expect(try commit(11_001) == ["-L1", "-L2"])
        #expect(try commit(12_001, [], [letter]) == ["-L4", "-D3", "+D5"])
        let whole = try GroupContent(store)
        #expect(whole.tables["late"] == [])
        #expect(whole.tables["dead_letters"]?.count == 1)
        let (_, copy) = try openGroup(Scratch(), kept)
        var random = SplitMix(seed: 1)
        try topic.restore(0, into: copy, &random)
        #expect(try GroupContent(copy) == whole)
    }

    @Test func whatIsOwedIsWhatTheLastCommitSays() throws {
        let (_, store) = try openGroup(Scratch())
        try store.finishRestore(of: 0)
        var commits = RandomUnits(seed: 1)
        var topic = FakeChangelog()
        func row(_ n: UInt8) -> OwedRow { OwedRow(topic: "out", output: "usage", key: [n], value: [n, n]) }
        for (owed, told) in [([row(1), row(2), row(3)], "+++"), ([row(4)], "+--"), ([], "-"), ([], "")] {
            let before = topic.partitions[0]?.count ?? 0
            try topic.commit([UnitCommit(head: commits.head(0), changes: StateLog(), owed: owed)], to: store)
            let records = topic.partitions[0]?.dropFirst(before).filter { $0.key.first == UInt8(ascii: "O") } ?? []
            #expect(records.map { $0.value == nil ? "-" : "+" }.joined() == told)
            #expect(try store.owed(of: 0) == owed)
            let (_, copy) = try openGroup(Scratch())
            var random = SplitMix(seed: 1)
            try topic.restore(0, into: copy, &random)
            #expect(try copy.owed(of: 0) == owed)
        }
    }

    @Test func aBoundedInputThatIsOverIsNotRunAgain() throws {
        let (_, store) = try openGroup(Scratch())
        try store.finishRestore(of: 0)
        var commits = RandomUnits(seed: 1)
        var topic = FakeChangelog()
        #expect(faultCode { try store.checkNotEnded() } == nil)
        var head = commits.head(0)
        head.isEnded = true
        try topic.commit([UnitCommit(head: head, changes: StateLog())], to: store)
        #expect(faultCode { try store.checkNotEnded() } == "input_ended")
    }
}
