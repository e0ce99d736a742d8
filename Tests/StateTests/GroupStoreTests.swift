import Model
import Testing
import Testkit

@testable import State

struct GroupStoreTests {
    static let short: Plan = {
        var short = plan(late: .ledger(keep: .seconds(900)), deadLetters: .table(keep: .seconds(600), limit: .mebibytes(9)))
        short.deduplicate = DeduplicatePlan(key: [0], within: .seconds(1), duplicates: .ledger(keep: .seconds(300)))
        return short
    }()

    private func ready(_ store: GroupStore) throws {
        for lane in GroupContent.lanes { try store.finishRestore(of: lane) }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func whatWasAppliedIsWhatItsRecordsRestore(seed: UInt64) throws {
        let (first, behind) = (Scratch(), Scratch())
        var commits = RandomUnits(seed: seed)
        var random = SplitMix(seed: seed &* 77)
        var oracle = GroupOracle()
        var topic = FakeChangelog()
        var (directory, store): (StateDirectory?, GroupStore?) = try openGroup(first, GroupStoreTests.short)
        try store.map(ready)
        for number in 1...60 {
            let next = commits.next()
            if let store { try topic.commit(next, to: store) }
            oracle.apply(next)
            if number % 15 == 0 {
                store?.close()
                (directory, store) = (nil, nil)
                (directory, store) = try openGroup(first, GroupStoreTests.short)
                let content = try store.map(GroupContent.init)
                #expect(content.map(oracle.agrees) == true)
                #expect(store?.notice == nil)
                try store.map(ready)
                // A copy that was left behind goes on from where it stands; others begin, from all records or from those a cleaner left.
                for (scratch, log) in [(behind, topic), (Scratch(), topic), (Scratch(), topic.compacted())] {
                    let (_, copy) = try openGroup(scratch, GroupStoreTests.short)
                    for lane in GroupContent.lanes { try log.restore(lane, into: copy, &random) }
                    #expect(try GroupContent(copy) == content)
                    // What comes twice changes nothing.
                    for lane in GroupContent.lanes {
                        try log.give((log.partitions[lane] ?? []).suffix(9), of: lane, to: copy, next: log.ends[lane] ?? 0)
                    }
                    #expect(try GroupContent(copy) == content)
                    for lane in GroupContent.lanes {
                        #expect(copy.positions()[lane]?.next == topic.ends[lane] ?? 0)
                        #expect(copy.positions()[lane]?.last == store?.positions()[lane]?.last)
                    }
                }
            }
        }
        #expect(directory != nil)
    }

    /// Cells of closed windows go a bounded number with a commit, and the changelog is told of just those; what was applied again is marked
    /// wherever the unit goes.
    @Test func closedWindowsAndMarksOfLateEntriesMoveWithTheirUnit() throws {
        let (_, store) = try openGroup(Scratch())
        try ready(store)
        var topic = FakeChangelog()
        var random = SplitMix(seed: 5)
        var commits = RandomUnits(seed: 1)
        var first = UnitCommit(head: commits.head(0), changes: StateLog())
        first.late = (0..<3).map { at in
            LateEntry(
                output: 0, offset: Int64(at), eventTime: EventTime(milliseconds: 1), windowStart: EventTime(milliseconds: 0),
                windowEnd: EventTime(milliseconds: 10), watermark: EventTime(milliseconds: 30), lateBy: .milliseconds(20),
                identity: at == 2 ? nil : Identity(high: 1, low: UInt64(at)))
        }
        first.changes.put(bytes("c1"), [1])
        func chunk(_ at: Int) -> [UInt8] { bytes("x") + withUnsafeBytes(of: UInt32(at).bigEndian, Array.init) }
        let count = StateLimits.closedDeletesPerCommit + 10
        for at in 0..<count { first.closed.changes.put(chunk(at), [2]) }
        try topic.commit([first], to: store)

        var second = UnitCommit(head: commits.head(0), changes: StateLog())
        second.reapplied = [
            ReappliedEntry(entry: UnitEntries.sequence(0, 1), lane: 0, output: 0, kind: .counted),
            ReappliedEntry(entry: UnitEntries.sequence(0, 3), lane: 0, output: 0, kind: .copy),
            ReappliedEntry(entry: UnitEntries.sequence(0, 9), lane: 0, output: 0, kind: .counted),
        ]
        // One that is put in the same commit stays until a later one.
        second.closed.changes.put(chunk(count), [3])
        second.closed.past = [ClosedChanges.Past(from: chunk(0), to: bytes("y"))]
        try topic.commit([second], to: store)
        let content = try GroupContent(store)
        #expect(
            content.state[0]?.keys.sorted { $0.lexicographicallyPrecedes($1) } == [bytes("c1")] + (count - 10...count).map(chunk))
        let marks = try [1, 2, 3].map { try store.database.lateRow(UnitEntries.sequence(0, $0)) }
        #expect(marks.map { $0?.reapplied } == [.counted, nil, .copy] && marks.map { $0?.reappliedIn } == [2, nil, 2])
        for log in [topic, topic.compacted()] {
            let (_, copy) = try openGroup(Scratch())
            try log.restore(0, into: copy, &random)
            for lane in GroupContent.lanes.dropFirst() { try copy.finishRestore(of: lane) }
            #expect(try GroupContent(copy) == content)
            try copy.finishRestore(of: 0)
            var seen: [[UInt8]] = []
            try copy.eachEntry(of: 0, without: KeyRange(from: bytes("x"), to: bytes("z"))) { key, _ in seen.append(Array(key)) }
            #expect(seen == [bytes("c1")])
            #expect(try copy.closedEntry(of: 0, before: chunk(count - 1), included: true)?.key == chunk(count - 1))
            #expect(try copy.closedEntry(of: 0, before: chunk(count - 1), included: false)?.key == chunk(count - 2))
            #expect(try copy.closedEntry(of: 1, before: chunk(count), included: true) == nil)
        }
        var third = UnitCommit(head: commits.head(0), changes: StateLog())
        third.closed.past = second.closed.past
        try topic.commit([third], to: store)
        #expect(try GroupContent(store).state[0]?.count == 1)
    }

    @Test func whatARangeDeletesIsToldKeyByKeyWhereverTheKeyIs() throws {
        let (_, store) = try openGroup(Scratch())
        try ready(store)
        var topic = FakeChangelog()
        var commits = RandomUnits(seed: 1)
        let first = StateLog()
        for key in ["c1", "c2", "c3", "k1"] { first.put(bytes(key), [1]) }
        try topic.commit([UnitCommit(head: commits.head(0), changes: first)], to: store)
        let before = topic.partitions[0]?.count ?? 0
        let second = StateLog()
        for key in ["c0", "c4", "c9"] { second.put(bytes(key), [2]) }
        second.deleteRange(bytes("c1"), bytes("c5"))
        second.put(bytes("c2"), [3])
        second.deleteRange(bytes("k"), bytes("a"))
        try topic.commit([UnitCommit(head: commits.head(0), changes: second)], to: store)
        let told = topic.partitions[0]?.dropFirst(before).map {
            "\(String(decoding: $0.key, as: UTF8.self))\($0.value == nil ? "-" : "+")"
        }
        #expect(told == ["c0+", "c4+", "c9+", "c1-", "c2-", "c3-", "c4-", "c2+", "H+"])
        #expect(try GroupContent(store).state[0]?.count == 4)
    }

    @Test func aRecordThatWeirDidNotWriteIsRefusedWithItsPlace() throws {
        let (_, store) = try openGroup(Scratch())
        func refused(_ key: [UInt8], _ value: [UInt8]?) -> Fault? {
            do {
                try FakeChangelog().give([.init(offset: 41, key: key, value: value)], of: 0, to: store, next: 42)
                return nil
            } catch { return error as? Fault }
        }
        let number: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
        let damaged: [([UInt8], [UInt8]?)] = [
            ([], [1]), (bytes("H"), nil), (bytes("H"), []), (bytes("H"), [1]), (bytes("HH"), [1]), (bytes("T"), [1, 2]),
            (bytes("X"), [1]), (bytes("L1"), [1]), (bytes("L") + number, [1, 5]), (bytes("D") + number, [0]),
            (bytes("S") + number, [1]),
            (bytes("O") + [0, 0, 0, 0], [1, 9]), (bytes("O"), [1]), (bytes("L") + [255, 0, 0, 0, 0, 0, 0, 1], nil),
        ]
        for (key, value) in damaged {
            let fault = refused(key, value)
            #expect(fault?.code == "changelog_damaged" && fault?.place == "g.weir.t.changelog/0@41", "\(key)")
        }
        for key in [bytes("H"), bytes("T"), bytes("D") + number, bytes("O") + [0, 0, 0, 0]] {
            #expect(refused(key, [RecordWriter.version + 1, 1, 1])?.code == "state_newer_format", "\(key)")
        }
        #expect(store.positions()[0]?.next == 0)
    }

    /// Each prefix of a record, and each with a byte turned, is a fault or a record: never the end of the process.
    @Test func damagedHeadsAreDataNotCrashes() throws {
        let codec = HeadCodec(outputIDs: [StateStart.groupNumber(of: "usage")])
        var commits = RandomUnits(seed: 5)
        var random = SplitMix(seed: 6)
        for _ in 0..<40 {
            let content = HeadCodec.Content(head: commits.head(LaneNumber.random(in: 0...5, using: &random)), nextEntry: 9)
            let whole = codec.encode(content)
            func decoded(_ bytes: [UInt8]) -> HeadCodec.Content? { bytes.withUnsafeBytes { try? codec.decode($0) } }
            #expect(decoded(whole) == content)
            for length in 0..<whole.count { #expect(decoded(Array(whole.prefix(length))) == nil) }
            #expect(decoded(whole + [0]) == nil)
            for at in whole.indices {
                var turned = whole
                turned[at] ^= UInt8.random(in: 1...255, using: &random)
                #expect(decoded(turned) != content)
            }
        }
    }

    @Test func aDirectoryOfTheOtherShapeOrGroupIsRefused() throws {
        let (embedded, group) = (Scratch(), Scratch())
        do {
            let (_, store) = try open(embedded)
            store.close()
            let (_, other) = try openGroup(group)
            other.close()
        }
        #expect(faultCode { _ = try openGroup(embedded) } == "state_shape_differs")
        #expect(faultCode { _ = try open(group) } == "state_shape_differs")
        #expect(faultCode { _ = try openGroup(group, layout: groupLayout(group: "h")) } == "state_of_other_group")
        #expect(faultCode { _ = try openGroup(group, layout: groupLayout(inputs: 4)) } == "partitions_changed")
        #expect(faultCode { _ = try openGroup(group, plan(name: "u"), layout: groupLayout()) } == "state_of_other_topology")
        #expect(faultCode { _ = try openGroup(group) } == nil)
    }
}
