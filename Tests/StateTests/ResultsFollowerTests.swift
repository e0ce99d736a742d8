import Model
import Testing
import Testkit

@testable import State

struct ResultsFollowerTests {
    private let kept = plan(aggregates: [usage(targets: [.table(name: "usage", keep: .minutes(10))])])

    private func opened(_ scratch: Scratch, _ plan: Plan) throws -> (StateDirectory, ResultsFollower) {
        let (directory, store) = try openGroup(scratch, plan)
        return (directory, try ResultsFollower(directory: directory, store: store))
    }

    private func give(
        _ follower: ResultsFollower, _ rows: [(Int64, Row?)], next: Int64, partition: Int32 = 0, watermark: EventTime? = nil
    ) throws {
        let bytes = rows.map { offset, row in
            (offset, ResultsRecord.key(row ?? deleted, table: "usage"), row.map(ResultsRecord.value))
        }
        try give(follower, bytes, next: next, partition: partition, watermark: watermark)
    }

    /// Of which a tombstone is written.
    private var deleted: Row { row("DE") }

    private func give(
        _ follower: ResultsFollower, _ records: [(Int64, [UInt8], [UInt8]?)], next: Int64, partition: Int32,
        watermark: EventTime? = nil
    ) throws {
        let held = records.map { ($0.1.copied(), $0.2?.copied()) }
        defer {
            for (key, value) in held {
                key.deallocate()
                value?.deallocate()
            }
        }
        try follower.apply(
            partition,
            zip(records, held).map { record, held in
                ChangelogRecord(
                    offset: record.0, timestamp: 1, key: UnsafeRawBufferPointer(held.0),
                    value: held.1.map { UnsafeRawBufferPointer($0) })
            }, next: next, watermark: watermark)
    }

    private func lines(_ scratch: Scratch) -> [String] {
        shell("sqlite3 -readonly '\(scratch.path)/results.db' 'SELECT window_start, country, events, revision FROM usage'")
            .split(separator: "\n").map(String.init)
    }

    @Test func rowsAreThereOnceWithThePositionBehindThem() throws {
        let scratch = Scratch()
        do {
            let (_, follower) = try opened(scratch, plan())
            #expect(follower.positions().isEmpty)
            try give(follower, [(4, row("DE", count: 1)), (5, row("FR", count: 7))], next: 7)
            try give(follower, [(2, row("DE", start: 60_000))], next: 3, partition: 1)
            try give(follower, [(7, row("DE", count: 3, revision: 3)), (8, row("DE", count: 2, revision: 2))], next: 10)
        }
        let (_, follower) = try opened(scratch, plan())
        #expect(lines(scratch) == ["0|DE|3|3", "0|FR|7|1", "60000|DE|1|1"])
        #expect(follower.positions().mapValues(\.next) == [0: 10, 1: 3])
        #expect(follower.positions()[0]?.last?.offset == 8)
        // Twice changes nothing; a row that was deleted goes.
        try give(follower, [(7, row("DE", count: 3, revision: 3))], next: 10)
        #expect(lines(scratch).count == 3)
        try give(follower, [(10, nil)], next: 11)
        #expect(lines(scratch) == ["0|FR|7|1", "60000|DE|1|1"])
        try follower.forgetPosition(of: 0)
        #expect(follower.positions().keys.sorted() == [1])
    }

    @Test func aBatchThatFailsAtAnyStepChangesNothing() throws {
        let scratch = Scratch()
        let (_, follower) = try opened(scratch, plan())
        try give(follower, [(0, row("DE"))], next: 1)
        for steps in 1...5 {
            var left = steps
            follower.beforeStep = { () throws(Fault) in
                left -= 1
                if left == 0 { throw SQLiteFault.diskFull("here") }
            }
            let code = faultCode { try give(follower, [(1, row("FR")), (2, row("IT"))], next: 3) }
            #expect((code == nil) == (steps == 5))
            #expect(lines(scratch).count == (steps == 5 ? 3 : 1))
            #expect(follower.positions()[0]?.next == (steps == 5 ? 3 : 1))
        }
    }

    @Test func rowsPastTheirKeepGoByTheCombinedWatermark() throws {
        let scratch = Scratch()
        let (_, follower) = try opened(scratch, kept)
        try give(follower, [(0, row("DE")), (1, row("FR", start: 600_000))], next: 2, watermark: at(660_000))
        #expect(lines(scratch).count == 2)
        try give(follower, [], next: 4, watermark: at(660_001))
        #expect(lines(scratch) == ["600000|FR|1|1"])
        #expect(follower.positions()[0]?.next == 4)
    }

    /// What is read later than it was written must not bring a second tombstone, nor keep one from a row that came after the first.
    @Test func aRowPastItsKeepGetsOneTombstone() throws {
        let scratch = Scratch()
        let (_, follower) = try opened(scratch, kept)
        defer { follower.close() }
        let late = row("DE").windowEnd + .hours(1)
        func expired() throws -> Int { try follower.expired(0, watermark: late).count }
        try give(follower, [(0, row("DE", revision: 1))], next: 1)
        let keys = try follower.expired(0, watermark: late)
        #expect(keys.count == 1)
        follower.bury(0, keys)
        #expect(try expired() == 0)
        // A revision from before the tombstone, which is read after it was committed.
        try give(follower, [(1, row("DE", revision: 2))], next: 2)
        #expect(try expired() == 0)
        try give(follower, [(2, nil)], next: 3)
        #expect(try expired() == 0)
        // One from behind it.
        try give(follower, [(3, row("DE", revision: 3))], next: 4)
        #expect(try expired() == 1)
    }

    @Test func aRecordThatIsNoRowIsRefusedAndOneOfAnotherTableIsLeftOut() throws {
        let scratch = Scratch()
        let (_, follower) = try opened(scratch, plan())
        let key = ResultsRecord.key(row("DE"), table: "usage")
        let value = ResultsRecord.value(row("DE"))
        let damaged: [([UInt8], [UInt8], String)] = [
            ([], value, "changelog_damaged"), ([0, 9, 1], value, "changelog_damaged"), (key, [], "changelog_damaged"),
            (key, Array(value.dropLast()), "changelog_damaged"), (key, [1], "changelog_damaged"),
            (key, [RecordWriter.version + 1] + value.dropFirst(), "state_newer_format"),
        ]
        for (key, value, code) in damaged {
            #expect(faultCode { try give(follower, [(3, key, value)], next: 4, partition: 0) } == code)
        }
        #expect(follower.positions().isEmpty)
        try give(follower, [(3, ResultsRecord.key(row("DE"), table: "gone"), value)], next: 4, partition: 0)
        #expect(lines(scratch) == [])
    }

    @Test func aFileOfTheOtherShapeIsRefusedAndADamagedOneIsMadeAgain() throws {
        let scratch = Scratch()
        do {
            let (directory, store) = try open(scratch)
            _ = try ResultsStore(directory: directory, store: store)
        }
        shell("rm -f '\(scratch.path)'/state.db*")
        #expect(faultCode { _ = try opened(scratch, plan()) } == "state_shape_differs")
        shell("echo no database at all, but long enough > '\(scratch.path)/results.db'; rm -f '\(scratch.path)'/results.db-*")
        let (_, follower) = try opened(scratch, plan())
        #expect(follower.notice?.code == "state_moved_aside")
        try give(follower, [(0, row("DE"))], next: 1)
        #expect(lines(scratch) == ["0|DE|1|1"])
    }
}

extension [UInt8] {
    fileprivate func copied() -> UnsafeMutableRawBufferPointer {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        buffer.copyBytes(from: self)
        return buffer
    }
}
