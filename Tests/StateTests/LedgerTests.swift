import Model
import Testing
import Testkit

@testable import State

struct LedgerTests {
    private func count(_ store: StateStore, _ table: String) throws -> Int64 {
        try store.database.number("SELECT count(*) FROM \(table)")
    }

    private func letters(_ count: Int, bytes: Int = 4) -> [DeadLetter] {
        (0..<count).map {
            DeadLetter(
                offset: Int64($0), reason: .missingField, field: 2, timestamp: 8, size: Int64(bytes),
                payload: bytes == 0 ? nil : [UInt8](repeating: 1, count: bytes))
        }
    }

    @Test func ledgersNameEverythingInWords() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        let entry = LateEntry(
            output: 0, offset: 5, eventTime: at(1), windowStart: at(0), windowEnd: at(60_000), watermark: at(99_000),
            lateBy: .milliseconds(39_000), identity: Identity(high: 0x0102_0304_0506_0708, low: 0xFF))
        try store.commit(
            commit(1, [lane(late: [entry], deadLetters: letters(1))], decisions: [.speaks(lane: 0, watermark: at(3))]))
        func line(_ table: String) -> String {
            shell("sqlite3 -readonly '\(scratch.path)/state.db' 'SELECT * FROM \(table)'")
        }
        #expect(
            shell("sqlite3 -readonly '\(scratch.path)/state.db' 'SELECT hex(identity) FROM late'").hasPrefix(
                "01020304050607080000"))
        #expect(line("late").hasPrefix("1|1000|usage|events|0|5|1|0|60000|99000|39000|"))
        #expect(line("dead_letters").hasPrefix("2|1000|missing_field|ms|events|0|0|8|4|"))
        #expect(line("decisions") == "3|1|1000|speaks|0|3||||\n")
    }

    private func copies(_ kinds: [CopyEntry.Kind]) -> SealedLane {
        var sealed = lane()
        sealed.duplicates = kinds.enumerated().map { at, kind in
            CopyEntry(
                offset: Int64(at) + 10, eventTime: StateTests.at(7), age: .milliseconds(3), kind: kind,
                field: kind == .conflicting ? "size" : nil, keptOffset: at == 0 ? nil : Int64(at),
                identity: Identity(high: 1, low: 2))
        }
        return sealed
    }

    private func deduplicating(_ duplicates: DuplicatesPlan) -> Plan {
        var some = plan()
        some.deduplicate = DeduplicatePlan(key: [0], within: .seconds(1), duplicates: duplicates)
        return some
    }

    @Test func copiesStandWithTheirPlacesAsLongAsTheyAreKept() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch, deduplicating(.ledger(keep: .seconds(5))))
        try store.commit(commit(1, [copies([.exact, .retimed, .conflicting, .uncompared])]))
        let columns =
            "sequence, recorded_at, topic, partition, \"offset\", kept_offset, event_time, age, kind, field, hex(identity)"
        let lines = shell("sqlite3 -readonly '\(scratch.path)/state.db' 'SELECT \(columns) FROM duplicates'").split(
            separator: "\n")
        let identity = "00000000000000010000000000000002"
        #expect(
            lines == [
                "1|1000|events|0|10||7|3|exact||\(identity)", "2|1000|events|0|11|1|7|3|retimed||\(identity)",
                "3|1000|events|0|12|2|7|3|conflicting|size|\(identity)", "4|1000|events|0|13|3|7|3|uncompared||\(identity)",
            ])
        try store.commit(commit(2, [copies([.exact])], at: 6_000))
        #expect(try count(store, "duplicates") == 5)
        try store.commit(commit(3, at: 6_001))
        #expect(try count(store, "duplicates") == 1)
    }

    @Test func copiesForATopicWaitWithItsRows() throws {
        let (_, store) = try open(Scratch(), deduplicating(.topic("copies")))
        try store.commit(commit(1, [copies([.exact, .conflicting])]))
        let waiting = try store.pendingTopicRows(after: 0, limit: 10)
        #expect(waiting.map(\.topic) == ["copies", "copies"] && waiting.map(\.output) == ["duplicates", "duplicates"])
        #expect(String(decoding: waiting[1].key, as: UTF8.self) == #"{"topic":"events","partition":0,"offset":11}"#)
        #expect(
            String(decoding: waiting[1].value, as: UTF8.self)
                == #"{"topic":"events","partition":0,"offset":11,"kept_offset":1,"event_time":7,"age_ms":3,"kind":"conflicting","field":"size"}"#
        )
        #expect(try count(store, "duplicates") == 0)
        store.topicRowsDelivered(through: waiting[1].sequence)
        try store.commit(commit(2))
        #expect(try store.pendingTopicRows(after: 0, limit: 10).isEmpty)
    }

    @Test func countingOnlyKeepsNoEntries() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch, plan(late: .count))
        let entry = LateEntry(
            output: 0, offset: 5, eventTime: at(1), windowStart: at(0), windowEnd: at(1), watermark: at(2), lateBy: .zero,
            identity: nil)
        try store.commit(commit(1, [lane(late: [entry])]))
        #expect(try count(store, "late") == 0)
    }

    @Test func entriesPastTheirKeepGoABoundedNumberAtATime() throws {
        let scratch = Scratch()
        let (_, store) = try open(
            scratch, plan(late: .ledger(keep: .seconds(1)), deadLetters: .table(keep: .seconds(2), limit: .mebibytes(9))))
        let entry = LateEntry(
            output: 0, offset: 5, eventTime: at(1), windowStart: at(0), windowEnd: at(1), watermark: at(2), lateBy: .zero,
            identity: nil)
        let many = StateLimits.deletesPerCommit + 200
        try store.commit(commit(1, [lane(late: Array(repeating: entry, count: many), deadLetters: letters(many))], at: 10_000))
        var left: [[Int64]] = []
        for (number, wall) in [(Int64(2), Int64(11_000)), (3, 11_001), (4, 11_002), (5, 12_001), (6, 12_001)] {
            try store.commit(commit(number, at: wall))
            left.append([try count(store, "late"), try count(store, "dead_letters"), try store.measurements().deadLetterBytes])
        }
        let each = 4 + StateLimits.deadLetterOverhead
        #expect(
            left == [
                [1_200, 1_200, 1_200 * each], [200, 1_200, 1_200 * each], [0, 1_200, 1_200 * each], [0, 200, 200 * each],
                [0, 0, 0],
            ])
    }

    @Test func fullDeadLettersStopTheInputUntilOldOnesGo() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch, plan(deadLetters: .table(keep: .seconds(1), limit: ByteCount(10_000))))
        try store.commit(commit(1, [lane(deadLetters: letters(1, bytes: 9_000))], at: 1_000))
        // Not full yet: one commit may go over, so that a large one is never stuck.
        try store.commit(commit(2, [lane(deadLetters: letters(1, bytes: 50_000))], at: 1_500))
        let next = commit(3, [lane(0, nextOffset: 9, deadLetters: letters(1, bytes: 0))], at: 2_000)
        let fault = #expect(throws: Fault.self) { try store.commit(next) }
        #expect(fault?.code == "dead_letters_full" && fault?.isTransient == true)
        #expect(store.head.number == 2)
        // Without dead letters it goes on.
        try store.commit(commit(3, [lane(0, nextOffset: 9)], at: 2_000))
        try store.commit(commit(4, [lane(deadLetters: letters(1))], at: 2_600))
        #expect(try count(store, "dead_letters") == 1)
    }

    @Test func lettersPastTheirKeepMakeRoomWhileACommitWaits() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch, plan(deadLetters: .table(keep: .seconds(1), limit: ByteCount(10_000))))
        try store.commit(commit(1, [lane(deadLetters: letters(StateLimits.deletesPerCommit + 200))], at: 1_000))
        var next = commit(2, [lane(0, nextOffset: 9, deadLetters: letters(1))], at: 1_500)
        var outcomes: [String] = []
        for wall in [Int64(1_500), 2_001, 2_002] {
            next.at = WallTime(milliseconds: wall)
            do throws(Fault) {
                try store.commit(next)
                outcomes.append("committed")
            } catch {
                outcomes.append(error.code)
            }
        }
        #expect(outcomes == ["dead_letters_full", "dead_letters_full", "committed"])
        #expect(try count(store, "dead_letters") == 1)
    }
}
