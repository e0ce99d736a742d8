import Model

extension Typing {
    /// Name, number of arguments, and how it is written.
    private static let functions: [(name: String, count: ClosedRange<Int>, form: String)] = [
        ("lower", 1...1, "lower(text)"), ("upper", 1...1, "upper(text)"), ("length", 1...1, "length(text)"),
        ("trim", 1...1, "trim(text)"), ("substr", 2...3, "substr(text, start, length)"),
        ("replace", 3...3, "replace(text, what, by)"), ("coalesce", 1...64, "coalesce(a, b)"), ("nullif", 2...2, "nullif(a, b)"),
        ("if", 3...3, "if(condition, a, b)"), ("abs", 1...1, "abs(x)"), ("round", 1...2, "round(x, places)"),
        ("floor", 1...1, "floor(x)"), ("ceil", 1...1, "ceil(x)"), ("least", 2...64, "least(a, b)"),
        ("greatest", 2...64, "greatest(a, b)"), ("date_trunc", 2...3, "date_trunc('hour', t, 'Europe/Berlin')"),
        ("date_part", 2...3, "date_part('hour', t, 'Europe/Berlin')"), ("extract", 2...3, "extract(hour FROM t)"),
    ]

    mutating func call(_ name: String, _ arguments: [Expression], _ place: Expression) -> TypedValue? {
        guard let function = Self.functions.first(where: { $0.name == name }) else {
            if MeasurePlan.Function(rawValue: name) != nil {
                return fault(
                    .expression, place, "`\(name)` is a measure and can't stand inside an expression", "use it in `measures`")
            }
            let names = Self.functions.map(\.name) + ["cast"]
            return fault(
                .expression, place, "no function is called `\(name)`",
                Spelling.nearest(to: name, among: names).map { "did you mean `\($0)`?" } ?? "use \(Spelling.list(names))")
        }
        guard function.count.contains(arguments.count) else {
            return fault(
                .expression, place, "`\(name)` doesn't take \(arguments.count) values", "write `\(function.form)`")
        }
        switch name {
        case "lower": return text(arguments[0], name).flatMap { add(.lower, [$0], .string, place) }
        case "upper": return text(arguments[0], name).flatMap { add(.upper, [$0], .string, place) }
        case "trim": return text(arguments[0], name).flatMap { add(.trim, [$0], .string, place) }
        case "length": return text(arguments[0], name).flatMap { add(.length, [$0], .int, place) }
        case "substr":
            guard let subject = text(arguments[0], name) else { return nil }
            var values = [subject]
            for expression in arguments.dropFirst() {
                guard let value = argument(expression, [.int], of: name, "ints for start and length") else { return nil }
                if values.count == 2, case .literal(.int(let length)) = value.operand, length < 0 {
                    return fault(.constantError, expression, "the length is negative", "write how many characters to take")
                }
                values.append(value)
            }
            return add(.substr, values, .string, place)
        case "replace":
            let values = arguments.compactMap { text($0, name) }
            return values.count == 3 ? add(.replace, values, .string, place) : nil
        case "coalesce":
            guard let (values, type) = all(arguments, name, place) else { return nil }
            return add(.coalesce, values, type, place)
        case "least", "greatest": return extreme(name, arguments, place)
        case "nullif":
            guard let column = column(arguments[0], name) else { return nil }
            let first = Expression(kind: .column(column), offset: arguments[0].offset)
            let equal = Expression(kind: .compare(first, .equal, arguments[1]), offset: place.offset)
            return choose(nil, [equal], [Expression(kind: .null, offset: place.offset)], first, place)
        case "if": return choose(nil, [arguments[0]], [arguments[1]], arguments[2], place)
        case "abs": return number(arguments[0], name).flatMap { add(.abs, [$0], $0.type ?? .int, place) }
        case "round", "floor", "ceil": return rounded(name, arguments, place)
        default: return calendar(name, arguments, place)
        }
    }

    private mutating func all(_ arguments: [Expression], _ name: String, _ place: Expression) -> (
        values: [TypedValue], type: FieldType
    )? {
        let values = arguments.compactMap { value($0) }
        guard values.count == arguments.count else { return nil }
        return unified(values, name, place)
    }

    private mutating func extreme(_ name: String, _ arguments: [Expression], _ place: Expression) -> TypedValue? {
        guard let (values, type) = all(arguments, name, place) else { return nil }
        guard [.int, .double, .timestamp, .string].contains(Self.kind(type)) else {
            return mismatch(place, "\(type.words) has no order", "`\(name)` takes numbers, timestamps or strings")
        }
        var found = values[0]
        for value in values.dropFirst() {
            guard let next = add(name == "least" ? .least : .greatest, [found, value], type, place) else { return nil }
            found = next
        }
        return found
    }

    /// An int is whole already.
    private mutating func rounded(_ name: String, _ arguments: [Expression], _ place: Expression) -> TypedValue? {
        guard let value = number(arguments[0], name) else { return nil }
        var operation: Computed.Operation = name == "round" ? .round : name == "floor" ? .floor : .ceil
        if arguments.count == 2 {
            guard case .number(let digits) = arguments[1].kind, let places = Int(digits), 0...15 ~= places else {
                return mismatch(arguments[1], "the number of places is a whole number from 0 to 15", "write `round(x, 2)`")
            }
            operation = .roundPlaces(places)
        }
        guard value.type == .double else { return value }
        return add(operation, [value], .double, place)
    }

    private mutating func calendar(_ name: String, _ arguments: [Expression], _ place: Expression) -> TypedValue? {
        let units = DatePart.allCases.map(\.rawValue)
        guard case .text(let word) = arguments[0].kind, let unit = DatePart(rawValue: word.lowercased()) else {
            return fault(.expression, arguments[0], "`\(name)` needs a unit", "use \(Spelling.list(units))")
        }
        guard let time = argument(arguments[1], [.timestamp], of: name, "a timestamp") else { return nil }
        var zone = Zone.utc
        if arguments.count == 3 {
            guard case .text(let wanted) = arguments[2].kind else {
                return mismatch(arguments[2], "the time zone is a name in quotes", "write 'Europe/Berlin'")
            }
            guard let found = self.zone(wanted) else {
                return fault(
                    .badValue, arguments[2], "the time zone `\(wanted)` is not known on this machine",
                    "write an IANA name such as `Europe/Berlin`; the package tzdata brings them")
            }
            zone = found
        }
        if name == "date_trunc" { return add(.dateTrunc(unit, zone), [time], .timestamp(.milliseconds), place) }
        return add(.datePart(unit, zone), [time], .int, place)
    }
}
