import Model
import Testing
import Testkit

@testable import State

/// State of an earlier format is brought to the present one, with what it holds.
struct FormatTests {
    @Test func stateOfTheFirstFormatIsReadAndGoesOn() throws {
        let scratch = Scratch()
        let entry = LateEntry(
            output: 0, offset: 5, eventTime: EventTime(milliseconds: 1), windowStart: EventTime(milliseconds: 0),
            windowEnd: EventTime(milliseconds: 60_000), watermark: EventTime(milliseconds: 99_000), lateBy: .milliseconds(39_000),
            identity: nil)
        do {
            let (_, store) = try open(scratch)
            try store.commit(commit(1, [lane(late: [entry])], decisions: [.advanced(to: EventTime(milliseconds: 3))]))
            store.close()
        }
        // As the first format had it.
        _ = shell(
            """
            sqlite3 '\(scratch.path)/state.db' 'DROP INDEX late_reapplied; ALTER TABLE late DROP COLUMN reapplied_as;
            ALTER TABLE late DROP COLUMN reapplied_in; DROP TABLE reapplied; ALTER TABLE decisions DROP COLUMN asked;
            ALTER TABLE decisions DROP COLUMN result; DROP TABLE late_outbox; ALTER TABLE books DROP COLUMN rekeyed;
            DROP TABLE duplicates; PRAGMA user_version = 1'
            """)
        let (_, store) = try open(scratch)
        #expect(store.head.number == 1)
        #expect(try store.decisions() == [.advanced(to: EventTime(milliseconds: 3))])
        let found = try store.late(LateSelection())
        #expect(found.map(\.offset) == [5] && found[0].reapplied == nil)
        let told = Decision.commanded(word: "late_reapply", asked: "{}", result: "{}")
        try store.commit(
            Commit(
                number: 2, at: WallTime(milliseconds: 2_000), lanes: [], merge: StateLog(), rows: [], decisions: [told],
                time: CombinedTime(), progress: [OutputProgress()],
                reapplied: [ReappliedEntry(entry: found[0].number, lane: 0, output: 0, kind: .counted)]))
        #expect(try store.decisions().last == told)
        #expect(try store.late(LateSelection()).isEmpty && store.reapplied() == [0: [1]])
        let all = try store.late(LateSelection(includesReapplied: true))
        #expect(all.map(\.reapplied) == [.counted] && all.map(\.reappliedIn) == [2])
    }

    @Test func rowsThatTheThirdFormatLeftOneByOneReachTheirTable() throws {
        let scratch = Scratch()
        var gone = row("FR")
        gone.retracted = true
        do {
            let (directory, store) = try open(scratch)
            let results = try ResultsStore(directory: directory, store: store)
            try store.commit(commit(1, rows: [row("FR")]))
            try results.catchUp()
            try store.commit(commit(2, rows: [row("IT")]))
            store.close()
            results.close()
        }
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let entries = [row("DE"), gone].enumerated().map { at, row in
            let key = CanonicalKey.bytes(windowStart: row.windowStart, windowEnd: row.windowEnd, group: row.group)
            let values = row.retracted ? [] : RowBytes.encode(RowBytes.columns(row))
            return "INSERT INTO table_outbox VALUES (\(1_000 + at), 2, 'usage', x'\(hex(key))', x'\(hex(values))');"
        }
        _ = shell(
            "sqlite3 '\(scratch.path)/state.db' \"DELETE FROM table_outbox; \(entries.joined(separator: " ")) PRAGMA user_version = 3\""
        )
        let (directory, store) = try open(scratch)
        let results = try ResultsStore(directory: directory, store: store)
        #expect(try results.holds(exactly: [row("DE")], in: "usage"))
        #expect(try store.database.number("PRAGMA user_version") == StateSchema.format)
    }
}
