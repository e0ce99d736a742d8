import Model
import Testkit

@testable import Pipeline

/// What a run came to, whole: to compare with the oracle's, or with that of the same input cut otherwise.
struct Result: Equatable {
    var books: [Books]
    var watermarks: [Int64?]
    var late: Set<Oracle.Late>
    var dead: Set<Oracle.Dead>
    var rows: [Oracle.CellKey: [Value]]

    init(_ oracle: Oracle) {
        books = oracle.partitions.map(\.books)
        watermarks = oracle.partitions.map(\.watermark)
        late = oracle.late
        dead = oracle.dead
        rows = oracle.finals
    }

    /// Of what was committed.
    init(_ bench: LaneBench) {
        books = []
        watermarks = []
        late = []
        dead = []
        rows = [:]
        for at in bench.log.indices {
            let lane = LaneNumber(at)
            let sealed = bench.durable.lanes[lane]
            books.append(sealed?.books ?? Books(outputs: bench.plan.aggregates.count))
            watermarks.append(sealed?.watermark?.milliseconds)
            for entry in bench.durable.late[lane] ?? [] {
                late.insert(
                    Oracle.Late(
                        partition: at, output: entry.output, offset: entry.offset, time: entry.eventTime.milliseconds,
                        start: entry.windowStart.milliseconds, end: entry.windowEnd.milliseconds,
                        watermark: entry.watermark.milliseconds, by: entry.lateBy.milliseconds))
            }
            for letter in bench.durable.deadLetters[lane] ?? [] {
                dead.insert(Oracle.Dead(partition: at, offset: letter.offset, reason: letter.reason, field: letter.field))
            }
        }
        var revisions: [Oracle.CellKey: Int64] = [:]
        for row in bench.durable.rows {
            let key = Oracle.CellKey(
                output: row.output, start: row.windowStart.milliseconds, end: row.windowEnd.milliseconds, group: row.group)
            if row.revision > revisions[key, default: 0] {
                revisions[key] = row.revision
                rows[key] = row.retracted ? nil : row.measures
            }
        }
    }

    /// Where two results differ, in words short enough for a failed test; empty: nowhere. With `plan`, `stddev` may differ in
    /// its last digits: the oracle takes another formula.
    func differences(_ other: Result, formulas plan: Plan? = nil) -> [String] {
        var found: [String] = []
        for at in books.indices where books[at] != other.books[at] {
            found.append("books of \(at): \(books[at]) | \(other.books[at])")
        }
        if watermarks != other.watermarks { found.append("watermarks: \(watermarks) | \(other.watermarks)") }
        for entry in late.symmetricDifference(other.late).prefix(3) {
            found.append("late \(late.contains(entry) ? "<" : ">"): \(entry)")
        }
        for entry in dead.symmetricDifference(other.dead).prefix(3) {
            found.append("dead \(dead.contains(entry) ? "<" : ">"): \(entry)")
        }
        for key in Set(rows.keys).union(other.rows.keys) where found.count < 10 {
            let a = rows[key]
            let b = other.rows[key]
            if let a, let b, let measures = plan?.aggregates[key.output].measures {
                let isSame = measures.indices.allSatisfy { at in
                    // A session that was joined of several has folded each by itself.
                    let isJoined = plan?.aggregates[key.output].window.isSession ?? false
                    return switch measures[at].function {
                    case .sum where isJoined, .avg where isJoined: a[at] == b[at] || Self.isNear(a[at], b[at])
                    case .stddev: Self.isNear(a[at], b[at])
                    case .quantile: Self.isWithinOnePerCent(a[at], b[at])
                    default: a[at] == b[at]
                    }
                }
                if isSame { continue }
            } else if a == b {
                continue
            }
            found.append("row \(key): \(a.map { "\($0)" } ?? "none") | \(b.map { "\($0)" } ?? "none")")
        }
        return found
    }

    private static func isWithinOnePerCent(_ a: Value, _ b: Value) -> Bool {
        guard case .double(let a) = a, case .double(let b) = b else { return a == b }
        return abs(a - b) <= 0.01 * max(abs(a), abs(b))
    }

    private static func isNear(_ a: Value, _ b: Value) -> Bool {
        guard case .double(let a) = a, case .double(let b) = b else { return a == b }
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 1e-3
    }
}
