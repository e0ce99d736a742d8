import CSQLite
import Model
import Testing
import Testkit

@testable import Pipeline
@testable import Topology

/// Whole expressions, as the compute stage gives them, beside SQLite's values.
struct ValueTests {
    private static let formulasPerSeed = 120
    private static let rowsPerSeed = 40

    @Test(arguments: FuzzSeeds.of([1, 2, 3, 4]))
    func everyDifferenceOfValuesIsListed(_ seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let rows = (0..<Self.rowsPerSeed).map { _ in generator.row() }
        let (weir, sqlite) = (try Weir(rows), try SQLite(rows))
        let ours = { (formula: Formula) in try weir.values(formula.text(.weir)) }
        let theirs = { (formula: Formula) in try sqlite.values(formula.text(.sqlite)) }
        let kinds: [Formula.Kind] = [.int, .double, .string, .bool, .time]
        var known = 0
        var refused = 0
        for number in 0..<Self.formulasPerSeed {
            let formula = generator.formula(kinds[number % kinds.count], 1 + number % 3, isRead: true)
            let a: [Outcome]
            do { a = try ours(formula) } catch is RefusedConstant {
                refused += 1
                continue
            }
            for row in rows.indices {
                if a[row] != .null, a[row] != .error { known += 1 }
                guard let cause = try Outcome.cause(of: formula, in: row, ours, theirs) else { continue }
                let parts = try cause.parts.map { try ours($0)[row] }
                let (x, y) = (try ours(cause)[row], try theirs(cause)[row])
                guard ListedValue.of(cause, parts: parts, ours: x, theirs: y) == nil else { continue }
                Issue.record(
                    """
                    seed \(seed): \(cause.text(.weir))
                      for SQLite: \(cause.text(.sqlite))
                      in the row \(rows[row])
                      Weir: \(x), SQLite: \(y), of \(parts)
                      found in: \(formula.text(.weir))
                    """)
                return
            }
        }
        // A generator of which nearly all is null would find nothing.
        #expect(known > Self.formulasPerSeed * Self.rowsPerSeed / 3)
        #expect(refused < Self.formulasPerSeed / 4)
    }
}

extension Weir {
    /// What a derived field with this expression holds in each row.
    func values(_ text: String) throws -> [Outcome] {
        var typing = Typing(fields: FieldTable(Fields.plans))
        guard let (computed, type) = typing.definition(try Parser.condition(text)) else {
            if typing.faults.allSatisfy({ $0.code == .constantError }) { throw RefusedConstant() }
            throw Refused(what: "Weir: \(text): \(typing.faults.map(\.what))")
        }
        let plans = typing.fields.plans + [FieldPlan(name: "derived", type: type, path: [], computed: computed)]
        // It holds the columns' memory until the values are read.
        let stage = ComputeStage(plans)
        let columns = stage.run(decoded)
        let column = plans.count - 1
        defer { withExtendedLifetime(stage) {} }
        return (0..<columns.count).map { row in
            switch columns.state(column)[row] {
            case FieldState.ok.rawValue: break
            case FieldState.error.rawValue: return .error
            default: return .null
            }
            switch type {
            case .double: return .double(columns.double(column)[row])
            case .string:
                let slice = columns.slices(column)[row]
                return .text(Array(UnsafeBufferPointer(start: columns.arena + Int(slice.offset), count: Int(slice.length))))
            default: return .int(columns.int64(column)[row])
            }
        }
    }
}

/// Some part of the text is an error in every row.
struct RefusedConstant: Error {}

extension SQLite {
    func values(_ text: String) throws -> [Outcome] {
        try select(text) { statement in
            switch sqlite3_column_type(statement, 0) {
            case SQLITE_INTEGER: return .int(sqlite3_column_int64(statement, 0))
            case SQLITE_FLOAT: return .double(sqlite3_column_double(statement, 0))
            case SQLITE_TEXT:
                let start = sqlite3_column_text(statement, 0)
                return .text(Array(UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, 0)))))
            default: return .null
            }
        }
    }
}
