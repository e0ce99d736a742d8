import Model
import Testing

@testable import Topology

/// What the generator of formulas never writes would never be compared.
struct ReachTests {
    private static let formulas = 6_000
    private static let least = 10

    /// How often each function's name, each operation, each pair of types of a cast and each unit of dates came.
    private static let counts: [String: Int] = {
        var counts: [String: Int] = [:]
        var generator = Generator(seed: 7)
        let kinds: [Formula.Kind] = [.int, .double, .string, .bool, .time]
        for number in 0..<formulas {
            let text = generator.formula(kinds[number % kinds.count], 1 + number % 3, isRead: true).text(.weir)
            for name in calls(text) { counts["\(name)()", default: 0] += 1 }
            var typing = Typing(fields: FieldTable(Fields.plans))
            guard let parsed = try? Parser.condition(text), typing.definition(parsed) != nil else { continue }
            for plan in typing.fields.plans { if let name = operation(plan, typing) { counts[name, default: 0] += 1 } }
        }
        return counts
    }()

    private static func operation(_ plan: FieldPlan, _ typing: Typing) -> String? {
        guard let computed = plan.computed else { return nil }
        switch computed.operation {
        case .cast:
            guard case .column(let column) = computed.operands[0] else { return nil }
            return "\(typing.fields.plans[column].type.word) to \(plan.type.word)"
        case .dateTrunc(let unit, _): return "truncated to \(unit)"
        case .datePart(let unit, _): return "part \(unit)"
        case let other: return String("\(other)".prefix { $0 != "(" })
        }
    }

    /// Names right before a parenthesis, but for SQL's words.
    private static func calls(_ text: String) -> [String] {
        var names: [String] = []
        var name = ""
        for character in text {
            if character == "(", !name.isEmpty { names.append(name) }
            if character.isLowercase || character == "_" { name.append(character) } else { name = "" }
        }
        return names
    }

    @Test func everyFunctionOfThePageIsCompared() throws {
        let page = try ReferenceTests.text("\(ReferenceTests.root)/docs/expressions.md")
        let lines = page.split(separator: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("| value | takes | gives | error") })
        let table = lines[start...].prefix { $0.hasPrefix("|") }
        let names = Set(table.flatMap { Self.calls($0.split(separator: " | ").first.map(String.init) ?? "") })
        #expect(names.count == 19, "\(names.sorted())")
        for name in names { #expect(Self.counts["\(name)()", default: 0] >= Self.least, "\(name): \(Self.counts)") }
    }

    @Test func everyCastThatIsTypedIsCompared() throws {
        var pairs: Set<String> = []
        for field in Fields.plans {
            for type in ["int", "double", "string", "bool", "uuid", "timestamp"] {
                var typing = Typing(fields: FieldTable(Fields.plans))
                let found = typing.value(try Parser.condition("cast(\(field.name) AS \(type))"))
                if found != nil, field.type.word != type { pairs.insert("\(field.type.word) to \(type)") }
            }
        }
        #expect(pairs.count == 15, "\(pairs.sorted())")
        for pair in pairs { #expect(Self.counts[pair, default: 0] >= Self.least, "\(pair): \(Self.counts)") }
    }

    @Test(
        arguments: [
            "add", "subtract", "multiply", "divide", "remainder", "negate", "abs", "round", "floor", "ceil", "roundPlaces",
            "least",
            "greatest", "concatenate", "lower", "upper", "length", "substr", "trim", "replace", "like", "coalesce", "choose",
            "truth",
        ] + DatePart.allCases.flatMap { ["truncated to \($0)", "part \($0)"] })
    func everyOperationIsCompared(_ name: String) {
        #expect(Self.counts[name, default: 0] >= Self.least, "\(name): \(Self.counts)")
    }
}
