import Model

extension Generator {
    /// `isRead`: no literal, which some places refuse.
    mutating func formula(_ kind: Formula.Kind, _ depth: Int, isRead: Bool = false) -> Formula {
        guard depth > 0, below(8) > 0 else { return atom(kind, isRead) }
        func pick(_ kind: Formula.Kind, _ isRead: Bool = false) -> Formula { formula(kind, depth - 1, isRead: isRead) }
        switch below(7) {
        case 0: return Formula("coalesce", kind, "coalesce($0, $1)", [pick(kind), pick(kind)])
        case 1: return Formula("if", kind, "if($0, $1, $2)", sqlite: "iif($0, $1, $2)", [pick(.bool), pick(kind), pick(kind)])
        case 2:
            let text = "CASE WHEN $0 THEN $1 WHEN $2 THEN $3 ELSE $4 END"
            return Formula("case", kind, text, [pick(.bool), pick(kind), pick(.bool), pick(kind), pick(kind)])
        case 3 where kind != .time:
            return Formula("case", kind, "CASE $0 WHEN $1 THEN $2 END", [pick(.int, true), pick(.int), pick(kind)])
        case 4 where kind != .time: return Formula("nullif", kind, "nullif($0, $1)", [pick(kind, true), pick(kind)])
        default: break
        }
        switch kind {
        case .int: return int(depth - 1)
        case .double: return double(depth - 1)
        case .string: return string(depth - 1)
        case .bool: return bool(depth - 1)
        case .time:
            switch below(6) {
            case 0: return Formula("+", .time, "$0 + $1", [pick(.time, true), pick(.int)])
            case 1: return Formula("-", .time, "$0 - $1", [pick(.time, true), pick(.int)])
            case 2: return Formula("cast", .time, "cast($0 AS timestamp)", sqlite: "$0", [pick(.int)])
            case 3: return readTime(depth - 1)
            default:
                let unit = one(DatePart.allCases)
                let sqlite = SQLiteCalendar.truncated("$0", unit)
                return Formula("date_trunc", .time, "date_trunc('\(unit)', $0)", sqlite: sqlite, [atom(.time, true)])
            }
        }
    }

    private mutating func atom(_ kind: Formula.Kind, _ isRead: Bool) -> Formula {
        if !isRead, below(2) == 0 {
            switch kind {
            case .int: return Formula("", .int, "\(one(Self.ints.filter { $0 != .min }))")
            case .double: return Formula("", .double, one(["0.0", "0.5", "2.5", "-2.5", "3.0", "0.1", "1e300", "-1e300"]))
            case .string:
                let text = one(Self.texts).split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
                return Formula("", .string, "'\(text)'")
            case .bool: return Formula("", .bool, one(["TRUE", "FALSE"]))
            case .time: break
            }
        }
        switch kind {
        case .int: return Formula("", .int, one(["i", "j"]))
        case .double: return Formula("", .double, one(["d", "e"]))
        case .string: return Formula("", .string, one(["s", "t"]))
        case .bool: return Formula("", .bool, one(["b", "c"]))
        case .time: return Formula("", .time, one(["at", "seen"]))
        }
    }

    private mutating func int(_ depth: Int) -> Formula {
        let number = Formula.Kind.int
        switch below(11) {
        case 0...3:
            let sign = one(["+", "-", "*", "/", "%"])
            return Formula(sign, number, "$0 \(sign) $1", [formula(number, depth), formula(number, depth)])
        case 4: return Formula("negate", number, "-$0", sqlite: "- $0", [formula(number, depth, isRead: true)])
        case 5:
            // SQLite gives up the whole query at the smallest number.
            let sqlite = "CASE WHEN $0 > -9223372036854775808 THEN abs($0) END"
            return Formula("abs", number, "abs($0)", sqlite: sqlite, [formula(number, depth, isRead: true)])
        case 6: return Formula("length", number, "length($0)", [formula(.string, depth)])
        case 7:
            let (from, isText) = below(2) == 0 ? (Formula.Kind.string, true) : (.double, false)
            return Formula("cast-int", number, "cast($0 AS int)", [formula(from, depth, isRead: isText)])
        case 8:
            let unit = one(DatePart.allCases)
            let text = below(2) == 0 ? "date_part('\(unit)', $0)" : "extract(\(unit) FROM $0)"
            return Formula("date_part", number, text, sqlite: SQLiteCalendar.part("$0", unit), [atom(.time, true)])
        case 9:
            let from = one([Formula.Kind.bool, .time])
            return Formula("cast", number, "cast($0 AS int)", sqlite: "$0", [formula(from, depth, isRead: true)])
        default:
            return below(3) == 0
                ? Formula("-", number, "$0 - $1", [formula(.time, depth, isRead: true), formula(.time, depth, isRead: true)])
                : extreme(number, depth)
        }
    }

    private mutating func double(_ depth: Int) -> Formula {
        let number = Formula.Kind.double
        switch below(9) {
        case 0...3:
            let sign = one(["+", "-", "*", "/"])
            let mixed = below(3) == 0 ? Formula.Kind.int : number
            return Formula(sign, number, "$0 \(sign) $1", [formula(number, depth), formula(mixed, depth)])
        case 4:
            let name = one(["round", "abs"])
            return Formula(name, number, "\(name)($0)", [formula(number, depth)])
        case 5:
            let (name, beyond, sign) = one([("floor", ">", "-"), ("ceil", "<", "+")])
            let whole = "CAST($0 AS INTEGER)"
            let sqlite = """
                CASE WHEN abs($0) >= 4503599627370496 THEN $0 WHEN \(whole) \(beyond) $0 THEN \(whole) \(sign) 1.0 \
                ELSE \(whole) * 1.0 END
                """
            return Formula(name, number, "\(name)($0)", sqlite: sqlite, [formula(number, depth)])
        case 6: return Formula("round-places", number, "round($0, 2)", [formula(number, depth)])
        case 7:
            let from = below(2) == 0 ? Formula.Kind.string : .int
            return Formula("cast-double", number, "cast($0 AS double)", [formula(from, depth)])
        default: return extreme(number, depth)
        }
    }

    private mutating func extreme(_ kind: Formula.Kind, _ depth: Int) -> Formula {
        let (name, sqlite) = one([("least", "min"), ("greatest", "max")])
        return Formula(name, kind, "\(name)($0, $1)", sqlite: "\(sqlite)($0, $1)", [formula(kind, depth), formula(kind, depth)])
    }

    private mutating func string(_ depth: Int) -> Formula {
        func pick() -> Formula { formula(.string, depth) }
        switch below(12) {
        case 0, 1: return Formula("||", .string, "$0 || $1", [pick(), pick()])
        case 2:
            let name = one(["lower", "upper", "trim"])
            return Formula(name, .string, "\(name)($0)", [pick()])
        case 3, 4:
            let start = below(4) == 0 ? formula(.int, depth) : Formula("", .int, "\(below(5))")
            guard below(2) == 0 else { return Formula("substr", .string, "substr($0, $1)", [pick(), start]) }
            return Formula("substr", .string, "substr($0, $1, $2)", [pick(), start, Formula("", .int, "\(below(4) - 1)")])
        case 5: return Formula("replace", .string, "replace($0, $1, $2)", [pick(), pick(), pick()])
        case 6: return Formula("cast-digits", .string, "cast($0 AS string)", sqlite: "CAST($0 AS TEXT)", [formula(.int, depth)])
        case 7: return Formula("cast-text", .string, "cast($0 AS string)", sqlite: "CAST($0 AS TEXT)", [formula(.double, depth)])
        case 8: return Formula("cast", .string, "cast($0 AS string)", sqlite: SQLiteCalendar.text("$0"), [atom(.time, true)])
        case 9:
            let sqlite = "CASE $0 WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
            return Formula("cast", .string, "cast($0 AS string)", sqlite: sqlite, [formula(.bool, depth)])
        case 10: return uuidText()
        default: return extreme(.string, depth)
        }
    }

    private mutating func uuidText() -> Formula {
        let field = one(["u", "v"])
        let text = Formula("cast", .string, "cast(\(field) AS string)", sqlite: field)
        return below(2) == 0 ? text : Formula("upper", .string, "upper($0)", [text])
    }

    /// Of a text that is an instant's, or of any.
    private mutating func readTime(_ depth: Int) -> Formula {
        let written = Formula("cast", .string, "cast($0 AS string)", sqlite: SQLiteCalendar.text("$0"), [atom(.time, true)])
        let sqlite = "strftime('%s', substr($0, 1, 19)) * 1000 + CAST(substr($0, 21, 3) AS INTEGER)"
        let from = below(3) > 0 ? written : formula(.string, depth, isRead: true)
        return Formula("cast-time", .time, "cast($0 AS timestamp)", sqlite: sqlite, [from])
    }

    private mutating func bool(_ depth: Int) -> Formula {
        let kind = one([Formula.Kind.int, .double, .string, .time])
        func read(_ kind: Formula.Kind) -> Formula { formula(kind, depth, isRead: true) }
        let not = one(["", "NOT "])
        switch below(11) {
        case 9:
            let sqlite = "CASE $0 WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
            return Formula("cast-bool", .bool, "cast($0 AS bool)", sqlite: sqlite, [formula(.string, depth)])
        case 10: return Formula("compare", .bool, "cast($0 AS uuid) = u", sqlite: "lower($0) = u", [uuidText()])
        case 0, 1:
            let sign = one(["=", "!=", "<>", "<", "<=", ">", ">="])
            return Formula("compare", .bool, "$0 \(sign) $1", [read(kind), kind == .time ? read(.time) : formula(kind, depth)])
        case 2: return Formula("compare", .bool, "$0 < $1", [read(.int), read(.double)])
        case 3: return Formula("between", .bool, "$0 \(not)BETWEEN $1 AND $2", [read(kind), read(kind), formula(kind, depth)])
        case 4:
            return Formula("in", .bool, "$0 \(not)IN ($1, $2, $3)", [read(kind), read(kind), formula(kind, depth), read(kind)])
        case 5:
            let pattern =
                below(2) == 0
                ? formula(.string, depth) : Formula("", .string, one(["'%'", "'_'", "'a%'", "'%b'", "'%_a%'", "'é'"]))
            let escape = one(["", "", " ESCAPE '\\'", " ESCAPE 'a'"])
            return Formula("like", .bool, "$0 \(not)LIKE $1\(escape)", [formula(.string, depth), pattern])
        case 6: return Formula("is null", .bool, "$0 IS \(not)NULL", [read(kind)])
        case 7: return Formula("not", .bool, "NOT $0", [formula(.bool, depth)])
        default:
            let sign = one(["AND", "OR"])
            return Formula(sign, .bool, "$0 \(sign) $1", [formula(.bool, depth), formula(.bool, depth)])
        }
    }
}
