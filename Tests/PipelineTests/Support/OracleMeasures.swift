import Model

extension Oracle {
    /// One line of the result: the values of the last revision.
    struct Final: Equatable {
        var measures: [Value]
    }

    var finals: [CellKey: [Value]] {
        var rows: [CellKey: [Value]] = [:]
        for (key, taken) in cells.merging(sessions.cells(plan), uniquingKeysWith: { $1 }) {
            rows[key] = plan.aggregates[key.output].measures.map { measure($0, taken) }
        }
        return rows
    }

    private func measure(_ plan: MeasurePlan, _ taken: [Taken]) -> Value {
        let admitted = taken.filter { record in plan.admits.map { holds($0, record.values) == true } ?? true }
        guard let column = plan.column else { return .int(Int64(admitted.count)) }
        let values = admitted.map { $0.values[column] }.filter { $0 != .null }
        // By partition, each in the order of its records.
        let parts = Dictionary(grouping: admitted, by: \.partition).sorted { $0.key < $1.key }.map { part in
            part.value.map { $0.values[column] }.filter { $0 != .null }
        }.filter { !$0.isEmpty }
        switch plan.function {
        case .count: return .int(Int64(values.count))
        case .sum:
            if values.isEmpty { return .null }
            if case .int = values[0] {
                let sum = values.reduce(Int128(0)) { $0 + Int128(int($1)) }
                return Int64(exactly: sum).map(Value.int) ?? .wide(sum)
            }
            return finite(sum(parts))
        case .avg:
            if values.isEmpty { return .null }
            if case .int = values[0] {
                return .double(Double(values.reduce(Int128(0)) { $0 + Int128(int($1)) }) / Double(values.count))
            }
            return finite(sum(parts) / Double(values.count))
        case .approxDistinct: return .int(Int64(Set(values.map(plain)).count))
        case .exactDistinct:
            let different = Set(values.map(plain)).count
            return different > (plan.limit ?? 0) ? .null : .int(Int64(different))
        case .top:
            let counts = Dictionary(grouping: values.map(plain)) { $0 }.map { ValueCount($0.key, Int64($0.value.count)) }
            let order = counts.sorted { $0.count != $1.count ? $0.count > $1.count : isBefore($0.value, $1.value) }
            return .counted(Array(order.prefix(plan.limit ?? 0)))
        case .largest:
            return .list(Array(values.map(plain).sorted { precedes($1, $0) }.prefix(plan.limit ?? 0)))
        case .largestDistinct:
            return .list(Array(Set(values.map(plain)).sorted { precedes($1, $0) }.prefix(plan.limit ?? 0)))
        case .quantile:
            let numbers = values.map(number).sorted()
            if numbers.isEmpty { return .null }
            return .double(numbers[max(1, min(numbers.count, Int(((plan.share ?? 0) * Double(numbers.count)).rounded(.up)))) - 1])
        case .min: return values.min(by: precedes) ?? .null
        case .max: return values.max(by: precedes) ?? .null
        case .first: return admitted.min(by: comesBefore)?.values[column] ?? .null
        case .last: return admitted.max(by: comesBefore)?.values[column] ?? .null
        case .stddev:
            if values.count < 2 { return .null }
            let numbers = values.map(number)
            let mean = numbers.reduce(0, +) / Double(numbers.count)
            return finite((numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(numbers.count - 1)).squareRoot())
        }
    }

    private func plain(_ value: Value) -> Value { value == .double(-0.0) ? .double(0) : value }

    /// Equal counts stand by value, whatever its type.
    private func isBefore(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.bool(let a), .bool(let b)): !a && b
        case (.uuid(let high, let low), .uuid(let otherHigh, let otherLow)): (high, low) < (otherHigh, otherLow)
        default: precedes(a, b)
        }
    }

    private func comesBefore(_ a: Taken, _ b: Taken) -> Bool {
        (a.time, a.partition, a.offset) < (b.time, b.partition, b.offset)
    }

    private func sum(_ parts: [[Value]]) -> Double {
        let sums = parts.map { part in part.reduce(0.0) { $0 + number($1) } }
        return sums.dropFirst().reduce(sums[0], +)
    }

    private func finite(_ number: Double) -> Value { number.isFinite ? .double(number) : .null }

    private func int(_ value: Value) -> Int64 { if case .int(let number) = value { number } else { 0 } }

    private func number(_ value: Value) -> Double {
        switch value {
        case .double(let number): number
        case .int(let number): Double(number)
        default: 0
        }
    }
}

/// SQL's three truth values; nil is null. Only what the workloads use.
func holds(_ predicate: Predicate, _ values: [Value]) -> Bool? {
    switch predicate {
    case .constant(let truth): return truth
    case .truth(let column): if case .bool(let truth) = values[column] { return truth } else { return nil }
    case .isNull(let column, let negated): return (values[column] == .null) != negated
    case .not(let inner): return holds(inner, values).map { !$0 }
    case .and(let parts):
        let truths = parts.map { holds($0, values) }
        return truths.contains(false) ? false : truths.contains(nil) ? nil : true
    case .or(let parts):
        let truths = parts.map { holds($0, values) }
        return truths.contains(true) ? true : truths.contains(nil) ? nil : false
    case .compare(let column, let comparison, let literal): return compare(values[column], comparison, literal)
    case .compareColumns(let a, let comparison, let b): return compare(values[a], comparison, values[b])
    case .isIn(let column, let list, let negated):
        if values[column] == .null { return nil }
        if list.contains(values[column]) { return !negated }
        return list.contains(.null) ? nil : negated
    }
}

private func compare(_ a: Value, _ comparison: Comparison, _ b: Value) -> Bool? {
    if a == .null || b == .null { return nil }
    switch comparison {
    case .equal: return a == b
    case .notEqual: return a != b
    case .less: return precedes(a, b)
    case .lessOrEqual: return !precedes(b, a)
    case .greater: return precedes(b, a)
    case .greaterOrEqual: return !precedes(a, b)
    }
}

func precedes(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.int(let a), .int(let b)): a < b
    case (.double(let a), .double(let b)): a < b
    case (.time(let a), .time(let b)): a < b
    case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    default: false
    }
}
