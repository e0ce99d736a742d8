import Model
import Testkit

/// Random rows and conditions of the right types: the same for the same seed. Values come from short lists that hold the
/// extremes, so that sides are often equal or neighbours.
struct Generator {
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    mutating func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
    mutating func one<T>(_ list: [T]) -> T { list[below(list.count)] }
    private mutating func coin() -> Bool { below(2) == 0 }

    // MARK: - Rows

    static let ints: [Int64] = [
        0, 1, -1, 2, 3, -2, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, (1 << 62) + 1, .max, .max - 1, .min, .min + 1,
    ]
    private static let doubles = [
        0, -0.0, 1, -1, 0.5, 2.5, -2.5, 3, 0.1, 0x1p53, 0x1p62, 0x1p63, -0x1p63, 1e300, -1e300, Double.leastNonzeroMagnitude,
        0x1.fffffffffffffp1023,
    ]
    /// What can also stand in an expression.
    static let texts = [
        "", "a", "A", "ab", "b", "it's", "\"", "é", "e\u{301}", "ß", "日本", "😀", "\u{FFFD}", "%", "a_", " a", "1", "NULL",
        "abcdefghijklmnopq", "abcdefghijklmnopr",
    ]
    private static let rawTexts = ["a\u{0}", "a\u{0}b", "\n", "\t", "\u{7F}", "\\"]
    private static let times: [Int64] = [0, -1, 1, 999, 1_000, 1_767_225_600_000, 1_767_225_600_001, -2_208_988_800_000]
    private static let halves: [UInt64] = [0, 1, .max, 1 << 63, 0xabcd_ef01_2345_6789]

    mutating func row() -> Row {
        var cells: [Value] = []
        for field in Fields.plans { cells.append(below(6) == 0 ? .null : value(field.type)) }
        return Row(cells)
    }

    private mutating func value(_ type: FieldType) -> Value {
        switch type {
        case .int: .int(below(5) == 0 ? Int64(bitPattern: random.next()) : one(Self.ints))
        case .double: .double(below(5) == 0 ? Double(Int64(bitPattern: random.next())) / 1_024 : one(Self.doubles))
        case .string, .json: .string(below(5) == 0 ? one(Self.rawTexts) : one(Self.texts))
        case .bool: .bool(coin())
        case .uuid: .uuid(high: one(Self.halves), low: one(Self.halves))
        case .timestamp: .time(EventTime(milliseconds: one(Self.times)))
        }
    }

    // MARK: - Conditions

    mutating func condition(_ depth: Int) -> Condition {
        switch depth == 0 ? below(8) : below(14) {
        case 0...2: return comparison()
        case 3:
            let pairs = [("i", "j"), ("i", "d"), ("d", "j"), ("d", "e"), ("s", "t"), ("at", "seen")]
            let equals = [("u", "v"), ("b", "c")]
            let isOrdered = below(4) > 0
            let (a, b) = isOrdered ? one(pairs) : one(equals)
            return .compare(Term(.field, a), sign(isOrdered), Term(.field, b))
        case 4, 5:
            let field = one(Fields.plans)
            var terms: [Term] = []
            for _ in 0...below(4) { terms.append(literal(field.type)) }
            return .isIn(field.name, terms, negated: coin())
        case 6: return .isNull(one(Fields.plans).name, negated: coin())
        case 7: return coin() ? .truth(one(["b", "c"])) : .constant(one(["TRUE", "FALSE", "NULL"]))
        case 8, 9: return .not(condition(depth - 1))
        case 10, 11: return .and(condition(depth - 1), condition(depth - 1))
        default: return .or(condition(depth - 1), condition(depth - 1))
        }
    }

    private mutating func comparison() -> Condition {
        let field = one(Fields.plans)
        let isOrdered = field.type != .bool && field.type != .uuid
        let sides = (Term(.field, field.name), literal(field.type))
        let sign = sign(isOrdered)
        return coin() ? .compare(sides.0, sign, sides.1) : .compare(sides.1, sign, sides.0)
    }

    private mutating func sign(_ isOrdered: Bool) -> String {
        isOrdered ? one(["=", "!=", "<>", "<", "<=", ">", ">="]) : one(["=", "!=", "<>"])
    }

    private mutating func literal(_ type: FieldType) -> Term {
        if below(14) == 0 { return Term(.word, "NULL") }
        switch type {
        case .int, .double: return Term(.number, number())
        case .string, .json:
            let text = one(Self.texts).split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
            return Term(.text, "'\(text)'")
        case .bool: return Term(.word, one(["TRUE", "FALSE"]))
        case .uuid:
            let text = uuidText(one(Self.halves), one(Self.halves))
            return Term(.uuid, "'\(below(4) == 0 ? text.uppercased() : text)'")
        case .timestamp:
            let time = one(Self.times)
            return Term(.instant, "'\(instantText(time, hours: one([0, 0, 1, -5])))'", sqlite: "\(time)")
        }
    }

    private mutating func number() -> String {
        switch below(8) {
        case 0, 1, 2: "\(one(Self.ints))"
        case 3: "\(one(Self.ints)).0"
        case 4:
            one(["9223372036854775808", "-9223372036854775809", "1e19", "-1e19", "1e3", "2E0", "0.1", ".5", "9007199254740993e0"])
        case 5: "\(one(["", "-", "- "]))\(below(5)).\(below(10))"
        default: "\(one([0.0, 1, -1, 0.5, 2.5, -2.5, 3, 1e300, -1e300]))"
        }
    }
}
