import Model

/// Values as a topology would write them, one way each: for messages, descriptions and fingerprints.
enum CanonicalText {
    /// The largest unit that divides: `90m`, never `1h30m`.
    static func span(_ milliseconds: Int64) -> String {
        for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] as [(String, Int64)]
        where milliseconds != 0 && milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }

    static func size(_ bytes: Int64) -> String {
        for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)]
        where bytes != 0 && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return "\(bytes)B"
    }

    /// As an expression writes a literal.
    static func literal(_ value: Value) -> String {
        switch value {
        case .null: "NULL"
        case .bool(let bool): bool ? "TRUE" : "FALSE"
        case .int(let int): String(int)
        case .wide(let wide): String(wide)
        case .double(let double): String(double)
        case .string(let text): "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
        case .uuid(let high, let low): "uuid \(hex(high))\(hex(low))"
        case .time(let time): "time \(time.milliseconds)"
        case .list(let values): "[" + values.map(literal).joined(separator: ", ") + "]"
        case .counted(let values): "[" + values.map { "\(literal($0.value)): \($0.count)" }.joined(separator: ", ") + "]"
        }
    }

    private static func hex(_ half: UInt64) -> String {
        let digits = String(half, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    static func type(_ type: FieldType) -> String {
        switch type {
        case .string: "string"
        case .int: "int"
        case .double: "double"
        case .bool: "bool"
        case .uuid: "uuid"
        case .json: "json"
        case .timestamp(let form):
            switch form {
            case .seconds: "timestamp s"
            case .milliseconds: "timestamp ms"
            case .microseconds: "timestamp us"
            case .nanoseconds: "timestamp ns"
            case .text(let zone): zone.map { "timestamp text \($0.name)" } ?? "timestamp text"
            }
        }
    }

    /// A field as a fingerprint tells it: what would change the meaning of stored values.
    static func field(_ field: FieldPlan, _ fields: [FieldPlan]) -> String {
        if let computed = field.computed, !field.isHidden {
            return "\(field.name) \(type(field.type)) is \(self.computed(computed, field.type, fields))"
        }
        let path = field.path.map { $0.contains(".") ? "\"\($0)\"" : $0 }.joined(separator: ".")
        return "\(field.name) \(type(field.type)) at \(path)" + (field.fallback.map { " default \(literal($0))" } ?? "")
    }

    /// What a computed column is, one way whatever way it was written.
    static func computed(_ computed: Computed, _ result: FieldType, _ fields: [FieldPlan]) -> String {
        let operands = computed.operands.map { operand in
            switch operand {
            case .column(let column): fields[column].name
            case .literal(let value): literal(value)
            }
        }
        func call(_ name: String, _ more: [String] = []) -> String {
            "\(name)(\((operands + more).joined(separator: ", ")))"
        }
        switch computed.operation {
        case .roundPlaces(let places): return call("round", [String(places)])
        case .like(let escape): return call("like", escape.map { ["escape \($0)"] } ?? [])
        case .cast: return call("cast", [type(result)])
        case .dateTrunc(let part, let zone): return call("date_trunc", [part.rawValue, zone.name])
        case .datePart(let part, let zone): return call("date_part", [part.rawValue, zone.name])
        case .choose(let conditions):
            let choices = zip(conditions, operands).map { "WHEN \(predicate($0, fields)) THEN \($1)" }
            return "CASE \(choices.joined(separator: " ")) ELSE \(operands.last ?? "NULL") END"
        case .truth(let condition): return "(\(predicate(condition, fields)))"
        default: return call(String(describing: computed.operation))
        }
    }

    /// `sum(duration_ms) where country = 'DE'`.
    static func measure(_ measure: MeasurePlan, _ fields: [FieldPlan]) -> String {
        let column = measure.column.map { fields[$0].name } ?? ""
        let share = measure.share.map { ", \($0)" } ?? measure.limit.map { ", \($0)" } ?? ""
        let admits = measure.admits.map { " where \(predicate($0, fields))" } ?? ""
        return "\(measure.function.rawValue)(\(column)\(share))\(admits)"
    }

    /// A condition with names for columns. Redundant parentheses, spelling and letter case are gone.
    static func predicate(_ predicate: Predicate, _ fields: [FieldPlan]) -> String {
        func name(_ column: Int) -> String { fields[column].name }
        func joined(_ parts: [Predicate], _ word: String) -> String {
            parts.map { part in
                let text = self.predicate(part, fields)
                switch part {
                case .and, .or, .not: return "(\(text))"
                default: return text
                }
            }.joined(separator: " \(word) ")
        }
        switch predicate {
        case .compare(let column, let comparison, let value): return "\(name(column)) \(comparison.rawValue) \(literal(value))"
        case .compareColumns(let a, let comparison, let b): return "\(name(a)) \(comparison.rawValue) \(name(b))"
        case .isIn(let column, let values, let negated):
            return "\(name(column)) \(negated ? "NOT IN" : "IN") (\(values.map(literal).joined(separator: ", ")))"
        case .isNull(let column, let negated): return "\(name(column)) \(negated ? "IS NOT NULL" : "IS NULL")"
        case .truth(let column): return name(column)
        case .constant(let value): return value.map { $0 ? "TRUE" : "FALSE" } ?? "NULL"
        case .and(let parts): return joined(parts, "AND")
        case .or(let parts): return joined(parts, "OR")
        case .not(let part): return "NOT (\(self.predicate(part, fields)))"
        }
    }
}

extension CanonicalText {
    /// `hopping 10m every 1m`, without its offset: what a fingerprint tells of a window.
    static func window(_ window: AggregatePlan.Window) -> String {
        func span(_ span: TimeSpan) -> String { self.span(span.milliseconds) }
        switch window {
        case .tumbling(let size, _): return "tumbling \(span(size))"
        case .hopping(let size, let every, _): return "hopping \(span(size)) every \(span(every))"
        case .cumulative(let size, let step, _): return "cumulative \(span(size)) by \(span(step))"
        case .calendar(let unit, let zone, let weekStarts):
            return "calendar \(unit.rawValue) in \(zone.name)" + (unit == .week && weekStarts == 7 ? " from Sunday" : "")
        case .session(let gap): return "session \(span(gap))"
        }
    }

    /// The same for people.
    static func windows(_ window: AggregatePlan.Window) -> String {
        func span(_ span: TimeSpan) -> String { self.span(span.milliseconds) }
        switch window {
        case .tumbling(let size, _): return "windows of \(span(size))"
        case .hopping(let size, let every, _): return "windows of \(span(size)) every \(span(every))"
        case .cumulative(let size, let step, _): return "windows that grow by \(span(step)) up to \(span(size))"
        case .calendar(let unit, let zone, let weekStarts):
            return "each \(unit.rawValue) in \(zone.name)" + (unit == .week && weekStarts == 7 ? ", from Sunday" : "")
        case .session(let gap): return "sessions that end with a gap of \(span(gap))"
        }
    }
}
