import Model
import Testing
import Testkit

@testable import Pipeline

/// Closed sessions in state: what a look-up finds of them, however many closed together.
struct ClosedSessionTests {
    private struct Session: Hashable {
        var group: [UInt8]
        var start: Int64
        var end: Int64
        var cell: [UInt8]
    }

    /// The store as a look-up sees it.
    private struct Stored {
        var entries: [(key: [UInt8], value: [UInt8])] = []

        mutating func apply(_ changes: StateLog) {
            var all = Dictionary(uniqueKeysWithValues: entries)
            changes.replay { change, key, value in all[Array(key)] = change == .put ? Array(value) : nil }
            entries = all.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        }

        func last(before key: [UInt8], _ included: Bool) -> (key: [UInt8], value: [UInt8])? {
            var (low, high) = (0, entries.count)
            while low < high {
                let middle = (low + high) / 2
                let isBefore = entries[middle].key.lexicographicallyPrecedes(key) || (included && entries[middle].key == key)
                if isBefore { low = middle + 1 } else { high = middle }
            }
            return low == 0 ? nil : entries[low - 1]
        }
    }

    @Test(arguments: [1, 40, 9_000]) func aGroupsSessionsAreFoundAmongThoseThatClosed(together: Int) throws {
        for seed in FuzzSeeds.of([1, 2, 3]) {
            var random = SplitMix(seed: seed)
            var chunks = ClosedSessionChunks(stored: 7)
            var stored = Stored()
            // Another output's entries are no neighbours.
            var other = ClosedSessionChunks(stored: 6)
            let nobody = UnsafeRawBufferPointer(start: nil, count: 0)
            other.add(start: 0, end: 9_000_000, lane: 0, revision: 1, group: nobody, cell: nobody)
            let first = StateLog(capacity: 64)
            other.flush(first)
            stored.apply(first)
            var all: [Session] = []
            var end: Int64 = -200_000
            for _ in 0..<(together > 1_000 ? 2 : 60) {
                for _ in 0..<together {
                    end += Int64(random.below(together > 1_000 ? 100 : 4_000))
                    let group = Array("g\(random.below(300))".utf8)
                    let session = Session(
                        group: group, start: end - 1 - Int64(random.below(400_000)), end: end,
                        cell: (0..<random.below(60)).map { _ in UInt8(random.below(256)) })
                    group.withUnsafeBytes { group in
                        session.cell.withUnsafeBytes {
                            chunks.add(
                                start: session.start, end: session.end, lane: 3, revision: Int64(all.count), group: group,
                                cell: $0)
                        }
                    }
                    all.append(session)
                }
                let changes = StateLog(capacity: 64)
                chunks.flush(changes)
                stored.apply(changes)
            }
            #expect(stored.entries.count <= all.count + 1)
            if together > 1_000 { #expect(stored.entries.count < all.count / 8) }
            for _ in 0..<40 {
                let group = Array("g\(random.below(310))".utf8)
                let time = end - Int64(random.below(500_000))
                let key = group.withUnsafeBytes { GroupKey($0) }
                let found = try chunks.find(key, endingAfter: time) { key, included in stored.last(before: key, included) }
                let wanted = all.filter { $0.group == group && $0.end > time }
                #expect(Set(found.map { Session(group: group, start: $0.start, end: $0.end, cell: $0.cell) }) == Set(wanted))
                #expect(found.count == wanted.count && found.allSatisfy { all[Int($0.revision)].start == $0.start })
                // One is taken out: at once, and once that is written.
                guard let gone = found.first else { continue }
                try chunks.remove(gone)
                all[Int(gone.revision)].group = []
                let rest = try chunks.find(key, endingAfter: time) { key, included in stored.last(before: key, included) }
                #expect(rest.count == wanted.count - 1)
                let changes = StateLog(capacity: 64)
                chunks.rewrite(changes)
                stored.apply(changes)
            }
        }
    }

    /// In memory, and in state.
    @Test func whatWasAppliedToIsForgottenWhenItIsPastItsKeep() throws {
        let plan = AggregatePlan(
            name: "o", window: .session(gap: .seconds(5)), allowedLateness: .zero, groupBy: [],
            measures: [MeasurePlan(name: "n", function: .count)], emit: .final, isKeyed: true)
        let log = ClosedLog(keep: .seconds(60))
        let fold = RowFold(CellLayout(plan, fields: []))
        func sessions() -> ClosedSessions { ClosedSessions(log, plan: plan, isBounded: false, stored: 7, fold: fold) }
        let kept = sessions()
        kept.begin(nil)
        let group = Array("g".utf8).withUnsafeBytes { GroupKey($0) }
        fold.begin()
        let cell = fold.bytes()
        cell.withUnsafeBytes { kept.put(0, 5_000, lane: 0, [], $0, group) }
        var rows: [Row] = []
        kept.emit(0, into: &rows, asOf: nil)
        kept.closed(by: 10_000, asOf: nil)
        #expect(rows.map(\.revision) == [1] && !kept.isUntouched && kept.memory > 0)
        let written = log.take()
        // A restore finds it.
        let restored = sessions()
        written.changes.replay { _, key, value in
            let isMark = key[0] == StateKey.closedMark
            #expect(isMark ? restored.restoreMark(value) : restored.restoreCell(key: key, value: value))
        }
        restored.begin(EventTime(milliseconds: 10_000))
        for one in [kept, restored] {
            #expect(!one.isUntouched)
            one.closed(by: 65_000, asOf: nil)
            #expect(one.isUntouched && one.memory == 0)
            one.closed(by: 130_000, asOf: nil)
            let past = log.take().past
            written.changes.replay { _, key, _ in
                if key[0] == StateKey.closedCell {
                    let key = Array(key)
                    #expect(past.contains { !key.lexicographicallyPrecedes($0.from) && key.lexicographicallyPrecedes($0.to) })
                }
            }
        }
    }

    @Test func whatIsNoChunkIsToldAsDamaged() {
        let chunks = ClosedSessionChunks(stored: 7)
        let key = Array("g".utf8).withUnsafeBytes { GroupKey($0) }
        let prefix = StateKey.windowKey(StateKey.closedChunk, output: 7, start: 0)
        for (name, value) in [(prefix, [UInt8]()), (prefix + [200, 0], []), (prefix + [0, 0], [1, 2, 3])] {
            #expect(throws: ClosedCells.damaged) {
                _ = try chunks.find(key, endingAfter: 0) { before, _ in
                    name.lexicographicallyPrecedes(before) ? (name, value) : nil
                }
            }
        }
    }
}
