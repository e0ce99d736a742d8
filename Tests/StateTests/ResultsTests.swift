import Model
import Testing
import Testkit

@testable import State

struct ResultsTests {
    /// The rows of a table as the sqlite3 tool prints them.
    private func read(_ scratch: Scratch, _ sql: String, _ file: String = "results.db") -> [String] {
        shell("sqlite3 -readonly -batch -nullvalue NULL '\(scratch.path)/\(file)' \"\(sql)\"").split(separator: "\n").map(
            String.init)
    }

    @Test func rowsArriveTypedAndReadableWhileWeRun() throws {
        let scratch = Scratch()
        let (directory, store) = try open(scratch)
        let results = try ResultsStore(directory: directory, store: store)
        var wide = row("DE", start: -60_000, count: 3, revision: 2)
        wide.measures[1] = .wide(Int128(Int64.max) * 4)
        wide.asOf = nil
        try store.commit(commit(1, rows: [row("DE", count: 2), row(nil), wide]))
        #expect(try results.catchUp() == 3)
        #expect(
            read(scratch, "SELECT * FROM usage_utc") == [
                "1969-12-31T23:59:00.000Z|1970-01-01T00:00:00.000Z|DE|7|3|3.68934881474191e+19|0.5|2|0|NULL",
                "1970-01-01T00:00:00.000Z|1970-01-01T00:01:00.000Z|NULL|7|1|10|0.5|1|0|1970-01-01T00:00:00.000Z",
                "1970-01-01T00:00:00.000Z|1970-01-01T00:01:00.000Z|DE|7|2|20|0.5|1|0|1970-01-01T00:00:00.000Z",
            ])
        #expect(
            read(
                scratch,
                "SELECT window_start, typeof(country), typeof(size), typeof(total), typeof(mean) FROM usage WHERE country IS NULL"
            )
                == ["0|null|integer|integer|real"])
        #expect(read(scratch, "SELECT commit_number FROM head", "state.db") == ["1"])
    }

    @Test func aNullGroupIsOneRowAndTheHighestRevisionStays() throws {
        let scratch = Scratch()
        let (directory, store) = try open(scratch)
        let results = try ResultsStore(directory: directory, store: store)
        try store.commit(commit(1, rows: [row(nil, count: 1, revision: 1), row("", count: 9)]))
        try results.catchUp()
        try store.commit(commit(2, rows: [row(nil, count: 5, revision: 3)]))
        try results.catchUp()
        try store.commit(commit(3, rows: [row(nil, count: 4, revision: 2)]))
        try results.catchUp()
        #expect(read(scratch, "SELECT country, events, revision FROM usage") == ["NULL|5|3", "|9|1"])
    }

    /// Whatever of the two files a crash left behind, opening them brings each row into its table once.
    @Test func whatACrashLeavesBetweenTheFilesIsAppliedOnce() throws {
        let scratch = Scratch()
        let (directory, store) = try open(scratch)
        let results = try ResultsStore(directory: directory, store: store)
        var expected: [String] = []
        for number in Int64(1)...12 {
            expected.append("\(number * 60_000)|\(number)")
            try store.commit(commit(number, rows: [row("DE", start: number * 60_000, count: number)]))
            // Dies before the rows are applied; after; after the next commit took them from the outbox.
            for step in 0..<3 {
                let left = scratch.copy()
                let (again, reopened) = try open(left)
                let tables = try ResultsStore(directory: again, store: reopened)
                #expect(read(left, "SELECT window_start, events FROM usage") == expected)
                #expect(tables.applied == reopened.head.number)
                if step == 0 && number % 3 != 0 { try results.catchUp() }
                if step == 1 && number % 4 == 0 { try store.tend(quiet: true) }
            }
        }
    }

    @Test func theRowsOfTheEndArriveThoughAFreshStartFindsItOver() throws {
        let scratch = Scratch()
        do {
            let (directory, store) = try open(scratch)
            _ = try ResultsStore(directory: directory, store: store)
            // Killed here: the end is committed, its rows are in no table yet.
            try store.commit(commit(1, rows: [row("DE")], decisions: [.ended], time: CombinedTime(watermark: at(5), ended: true)))
        }
        let (directory, store) = try open(scratch)
        _ = try ResultsStore(directory: directory, store: store)
        #expect(read(scratch, "SELECT country FROM usage") == ["DE"])
        #expect(faultCode { try store.checkNotEnded() } == "input_ended")
    }

    @Test func anOutboxEmptiesOnceItsRowsAreDurable() throws {
        let scratch = Scratch()
        let (directory, store) = try open(scratch)
        let results = try ResultsStore(directory: directory, store: store)
        let first = try store.commit(commit(1, rows: [row("DE"), row("FR")]))
        #expect(first.outboxBytes > 0 && !first.holdInput)
        try results.catchUp()
        let second = try store.commit(commit(2, rows: [row("IT")]))
        #expect(second.outboxBytes < first.outboxBytes)
        #expect(read(scratch, "SELECT commit_number FROM table_outbox", "state.db") == ["2"])
        try results.catchUp()
        try store.tend(quiet: true)
        #expect(read(scratch, "SELECT count(*) FROM table_outbox", "state.db") == ["0"])
        #expect(try store.measurements().outboxBytes == 0)
    }

    @Test func filesThatDoNotBelongTogetherAreRefused() throws {
        let scratch = Scratch()
        let early: Scratch
        do {
            let (directory, store) = try open(scratch)
            let results = try ResultsStore(directory: directory, store: store)
            early = scratch.copy()
            try store.commit(commit(1, rows: [row("DE")]))
            try results.catchUp()
            try store.commit(commit(2))
            store.close()
            results.close()
        }
        func opened(_ prepare: (Scratch) -> String) -> String? {
            let copy = scratch.copy()
            shell(prepare(copy))
            return faultCode {
                let (directory, store) = try open(copy)
                _ = try ResultsStore(directory: directory, store: store)
            }
        }
        #expect(opened { _ in "true" } == nil)
        #expect(opened { "rm '\($0.path)/results.db'" } == "results_behind")
        #expect(opened { "cp '\(early.path)'/results.db* '\($0.path)/'" } == "results_behind")
        #expect(opened { "rm -f '\($0.path)'/state.db*; cp '\(early.path)'/state.db* '\($0.path)/'" } == "results_ahead")
        #expect(opened { "echo other > '\($0.path)/instance'" } == "results_of_other_state")
        #expect(opened { "echo no database at all, but long enough > '\($0.path)/results.db'" } == "state_not_a_database")
        #expect(opened { "sqlite3 '\($0.path)/results.db' 'PRAGMA user_version = 99'" } == "state_newer_format")
        #expect(
            opened { "rm '\($0.path)/results.db'; sqlite3 '\($0.path)/results.db' 'PRAGMA auto_vacuum=2; CREATE TABLE t(x)'" }
                == "state_not_ours")
    }

    @Test func aTableThatDoesNotFitIsRefused() throws {
        let scratch = Scratch()
        do {
            let (directory, store) = try open(scratch)
            _ = try ResultsStore(directory: directory, store: store)
            store.close()
        }
        func opened(_ aggregates: [AggregatePlan], accept: Bool = false) -> String? {
            let copy = scratch.copy()
            return faultCode {
                let (directory, store) = try open(copy, plan(aggregates: aggregates), accept: accept)
                _ = try ResultsStore(directory: directory, store: store)
            }
        }
        var other = usage("other")
        #expect(opened([usage()]) == nil)
        #expect(opened([other], accept: true) == "results_table_taken")
        other.measures.removeLast()
        #expect(opened([other], accept: true) == "results_table_differs")
        for name in ["weir_tables", "sqlite_x", "", "WEIR_x"] {
            #expect(opened([usage(), usage("b", targets: [.table(name: name, keep: nil)])]) == "results_table_name")
        }
        let odd = usage("b", targets: [.table(name: "a \"table\"; --", keep: nil)])
        #expect(opened([usage(), odd]) == nil)
    }

    @Test func rowsPastTheirKeepGoABoundedNumberAtATime() throws {
        let scratch = Scratch()
        let (directory, store) = try open(
            scratch, plan(aggregates: [usage(targets: [.table(name: "usage", keep: .minutes(10))])]))
        let results = try ResultsStore(directory: directory, store: store)
        let old = (0..<Int64(StateLimits.deletesPerCommit + 500)).map { row("c\($0)") }
        try store.commit(commit(1, rows: old, time: CombinedTime(watermark: at(0))))
        try results.catchUp()
        func left(_ number: Int64, watermark: Int64) throws -> [String] {
            try store.commit(
                commit(number, rows: [row("DE", start: 600_000)], time: CombinedTime(watermark: at(watermark))))
            try results.catchUp()
            return read(scratch, "SELECT count(*) FROM usage")
        }
        #expect(try left(2, watermark: 660_000) == ["1501"])
        #expect(try left(3, watermark: 660_001) == ["501"])
        #expect(try left(4, watermark: 660_001) == ["1"])
    }
}
