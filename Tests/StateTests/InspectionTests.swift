import CSQLite
import Glibc
import Model
import Synchronization
import Testing
import Testkit

@testable import State

/// A clock that goes on by a step with each look at it.
private final class SteppingClock: Clock {
    private let now = Mutex(Int64(0))
    private let step: Int64
    init(step: Int64 = 1) { self.step = step }
    func wall() -> WallTime { WallTime(milliseconds: 0) }
    func monotonic() -> MonotonicTime {
        now.withLock { now in
            now += step
            return MonotonicTime(nanoseconds: now)
        }
    }
}

private func code<T>(_ body: () throws(Fault) -> T) -> String? {
    do throws(Fault) {
        _ = try body()
        return nil
    } catch {
        #expect(!error.next.isEmpty && !error.what.isEmpty)
        return error.code
    }
}

struct InspectionTests {
    private let scratch = Scratch()

    /// A state file with one topology and nothing in it, and a writer that stays open beside the reader.
    private func opened(clock: any Clock = SteppingClock()) throws -> (store: StateStore, inspection: Inspection) {
        let directory = try StateDirectory(scratch.path)
        let store = try StateStore(directory: directory, plan: plan(), clock: StillClock())
        return (store, try Inspection(directory: scratch.path, clock: clock))
    }

    private func plan() -> Plan {
        Plan(
            name: "t", source: SourcePlan(kind: .files([])), fields: [FieldPlan(name: "a", type: .int)],
            eventTime: EventTimePlan(source: .recordTimestamp),
            aggregates: [
                AggregatePlan(
                    name: "counts", window: .tumbling(size: .seconds(1), offset: .zero), groupBy: [],
                    measures: [MeasurePlan(name: "n", function: .count)])
            ])
    }

    @Test func valuesOfAllTypesComeAsTheyAre() throws {
        let (store, inspection) = try opened()
        defer { store.close() }
        let answer = try inspection.run("SELECT NULL, -5, 2.5, 'é', x'00ff', '' AS empty, zeroblob(0)")
        #expect(answer.columns.count == 7 && answer.columns[5] == "empty")
        #expect(answer.rows == [[.null, .int(-5), .double(2.5), .text("é"), .blob([0, 255]), .text(""), .blob([])]])
        #expect(answer.moment == Inspection.Moment(commit: 0, committedAt: nil, watermark: nil, results: nil))
        #expect(try inspection.topology() == "t")
        #expect(try inspection.outputs().keys.sorted() == [])
        #expect(try inspection.run("SELECT 1 -- a remark\n ;  /* and another */").rows == [[.int(1)]])
    }

    @Test(arguments: [
        "INSERT INTO meta VALUES ('a', 'b')", "DELETE FROM books", "UPDATE head SET commit_number = 7", "DROP TABLE books",
        "CREATE TABLE x(a)", "CREATE TEMP TABLE x(a)", "ATTACH ':memory:' AS other", "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = 0", "VACUUM", "BEGIN", "COMMIT", "REINDEX", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)",
        "SELECT load_extension('x')", "DETACH main", "WITH x AS (SELECT 1) DELETE FROM books", "SAVEPOINT a",
    ])
    func whatDoesNotReadIsRefused(_ query: String) throws {
        let (store, inspection) = try opened()
        defer { store.close() }
        #expect(code { () throws(Fault) in try inspection.run(query) } == "inspect_not_a_query")
        // And it was not done: the file is as it was, and the next query runs.
        #expect(try inspection.run("SELECT commit_number FROM head").rows == [[.int(0)]])
    }

    @Test(arguments: [
        "", " ; ", "-- nothing", "SELEC 1", "SELECT nothing FROM books", "SELECT * FROM nothing", "SELECT 1; SELECT 2",
        "SELECT 1 WHERE", "SELECT nothing(1)", "SELECT 'open",
    ])
    func aWrongQueryIsToldWithWhereAndWhatNext(_ query: String) throws {
        let (store, inspection) = try opened()
        defer { store.close() }
        #expect(code { () throws(Fault) in try inspection.run(query) } == "inspect_sql")
    }

    @Test func aQueryThatTakesTooLongGivesItsSnapshotUp() throws {
        // Three seconds between two looks: the second look is too late.
        let (store, inspection) = try opened(clock: SteppingClock(step: 3_000_000_000))
        defer { store.close() }
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        #expect(code { () throws(Fault) in try inspection.run(endless) } == "inspect_too_long")
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        #expect(code { () throws(Fault) in try inspection.run(rows) } == "inspect_too_long")
        // No transaction is left open: the writer can cut its log to nothing.
        try store.tend(quiet: true)
        #expect(try store.measurements().walBytes == 0)
    }

    @Test func anAnswerThatIsTooLargeIsNotCutShortInSilence() throws {
        let (store, inspection) = try opened()
        defer { store.close() }
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(1000000) FROM n"
        #expect(code { () throws(Fault) in try inspection.run(many) } == "inspect_too_large")
        #expect(code { () throws(Fault) in try inspection.run("SELECT zeroblob(500000000)") } == "inspect_too_large")
        #expect(try inspection.run("SELECT length(zeroblob(1000000))").rows == [[.int(1_000_000)]])
    }

    @Test func functionsAndViewsAreThoseOfTheConnection() throws {
        let (store, inspection) = try opened()
        defer { store.close() }
        try inspection.add(
            SQLFunction("twice", arguments: 1) { (values) throws(SQLFunction.Refusal) in
                guard case .int(let number) = values[0] else { throw SQLFunction.Refusal("twice takes a number") }
                return .int(number * 2)
            })
        try inspection.add(
            SQLAggregate("longest") { (total, value) throws(SQLFunction.Refusal) in
                guard case .text(let text) = value else { return total ?? .null }
                guard case .text(let held)? = total, held.count >= text.count else { return value }
                return .text(held)
            })
        try inspection.add(view: "numbers", as: "SELECT 1 AS g, 'a' AS t UNION SELECT 1, 'bcd' UNION SELECT 2, 'xy'")
        #expect(try inspection.run("SELECT twice(21)").rows == [[.int(42)]])
        #expect(
            try inspection.run("SELECT g, longest(t) FROM numbers GROUP BY g ORDER BY g").rows
                == [[.int(1), .text("bcd")], [.int(2), .text("xy")]])
        #expect(try inspection.run("SELECT longest(t) FROM numbers WHERE g = 3").rows == [[.null]])
        #expect(code { () throws(Fault) in try inspection.run("SELECT twice('a')") } == "inspect_sql")
        #expect(try inspection.tables("temp").map(\.name) == ["numbers"])
        #expect(try inspection.tables("main").contains { $0.name == "books" && $0.columns.contains("aggregated") })
        #expect(try inspection.tables("results").map(\.name) == [])
    }

    @Test func whatIsNotThereOrNotOursIsToldSo() throws {
        let path = scratch.path
        func open(_ path: String) -> String? { code { () throws(Fault) in try Inspection(directory: path, clock: StillClock()) } }
        #expect(open("\(path)/nowhere") == "inspect_no_state")
        #expect(open(path) == "inspect_no_state")
        shell("sqlite3 '\(path)/state.db' 'CREATE TABLE a(b)'")
        #expect(open(path) == "state_not_ours")
        shell("printf 'this is no database, but it is long enough to look' > '\(path)/state.db'")
        #expect(open(path) == "inspect_unreadable")
        shell("rm '\(path)/state.db'")
        do {
            let directory = try StateDirectory(path)
            try StateStore(directory: directory, plan: plan(), clock: StillClock()).close()
        }
        shell("sqlite3 '\(path)/state.db' 'PRAGMA user_version = 99'")
        #expect(open(path) == "state_newer_format")
    }
}
