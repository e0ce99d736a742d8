import Glibc
import Model
import Testing

@testable import Topology

/// docs/expressions.md, whose tables say what is true.
struct ReferenceTests {
    private struct Example {
        var group: String
        var expression: String
        var row: Row
        var weir: String
        var sqlite: String?
    }

    private static func word(_ answer: Bool?) -> String { answer.map { $0 ? "true" : "false" } ?? "null" }

    @Test func everyExampleOfThePageHolds() throws {
        let examples = try Self.examples()
        #expect(examples.count > 40)
        for example in examples {
            // Through a whole file, as a person would write it.
            let answer: String
            if let plan = Weir.reading(example.expression).plan, let filter = plan.filter {
                answer = Self.word(try Weir([example.row]).answers(filter, plan.fields)[0])
            } else {
                answer = "refused"
            }
            #expect(answer == example.weir, "\(example.expression) of \(example.row)")
            if let expected = example.sqlite {
                let theirs = Self.word(try SQLite([example.row]).answers(example.expression)[0])
                #expect(theirs == expected, "SQLite: \(example.expression) of \(example.row)")
                #expect(expected != example.weir, "\(example.expression) is no difference")
            }
        }
    }

    @Test func everyValueOfThePageIsTheOneGiven() throws {
        let examples = try Self.examples(of: "value")
        #expect(examples.count > 60)
        for example in examples {
            let found = try Weir([example.row]).values(example.expression)[0].word
            #expect(found == example.weir, "\(example.expression) of \(example.row)")
            if let expected = example.sqlite {
                let theirs = try SQLite([example.row]).values(example.expression)[0].word
                #expect(theirs == expected, "SQLite: \(example.expression) of \(example.row)")
                #expect(expected != example.weir, "\(example.expression) is no difference")
            }
        }
    }

    /// One is written with a letter of its own, the other with an accent behind the `e`.
    @Test func textsThatOnlyLookAlikeAreTwoValues() throws {
        let rows = ["\u{E9}", "e\u{301}", "e"].map { Row(["s": .string($0)]) }
        let text = "s IN ('\u{E9}', 'e\u{301}')"
        #expect(try Weir(rows).answers(text) == [true, true, false])
        #expect(try SQLite(rows).answers(text) == [true, true, false])
    }

    @Test func everyListedDifferenceHasItsExample() throws {
        let groups = try Set(Self.examples().map(\.group))
        for difference in ListedDifference.allCases { #expect(groups.contains(difference.rawValue)) }
        let values = try Set(Self.examples(of: "value").map(\.group))
        // No cell of a table can hold a zero byte.
        for listed in ListedValue.allCases where listed != .zeroBytes { #expect(values.contains(listed.rawValue)) }
    }

    @Test func sqliteEndsATextAtAZeroByte() throws {
        let row = Row(["s": .string("a\u{0}b")])
        #expect(try Weir([row]).values("length(s)") == [.int(3)])
        #expect(try SQLite([row]).values("length(s)") == [.int(1)])
    }

    @Test(arguments: [
        "i + 1 > 2", "i - 1 > 2", "-i > 2", "i * 2 > 2", "i / 2 > 2", "i % 2 = 0", "s || t = 'x'", "i BETWEEN 1 AND 2",
        "s LIKE 'a%'",
        "CASE WHEN b THEN c END", "lower(s) = 'a'", "cast(s, int) = 1",
    ])
    func whatThePageCallsBuiltIsRead(_ text: String) throws {
        let reading = Weir.reading(text)
        #expect(reading.plan != nil, "\(text): \(reading.problems.map { $0.text() })")
    }

    // MARK: - Reading the page

    /// `result`: the column that says what an expression gives.
    private static func examples(of result: String = "result") throws -> [Example] {
        var examples: [Example] = []
        var columns: [String] = []
        for line in try text("\(root)/docs/expressions.md").split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("| ") else {
                if !line.hasPrefix("|") { columns = [] }
                continue
            }
            let cells = cells(line)
            if columns.isEmpty {
                columns = cells
                continue
            }
            func cell(_ name: String) -> String? { columns.firstIndex(of: name).map { cells[$0] } }
            guard let expression = cell("expression"), let row = cell("row"),
                let weir = cell(result) ?? (result == "result" ? cell("Weir") : nil)
            else { continue }
            examples.append(
                Example(
                    group: cell("class") ?? "", expression: expression, row: try Self.row(row),
                    weir: weir, sqlite: cell("SQLite")))
        }
        return examples
    }

    /// Without the code marks; a bar inside them does not end a cell.
    private static func cells(_ line: Substring) -> [String] {
        var cells: [String] = []
        var cell = ""
        var isCode = false
        for character in line.dropFirst() {
            switch character {
            case "`": isCode.toggle()
            case "|" where !isCode:
                cells.append(String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
                cell = ""
            default: cell.append(character)
            }
        }
        return cells
    }

    private static func row(_ text: String) throws -> Row {
        var named: [String: Value] = [:]
        for part in text.split(separator: ",") {
            let sides = part.drop { $0 == " " }.split(separator: ":", maxSplits: 1)
            let name = String(sides[0])
            let value = String(sides[1].drop { $0 == " " })
            named[name] =
                switch Fields.plans[Fields.named(name)].type {
                case .int: .int(try #require(Int64(value)))
                case .double: .double(try #require(Double(value)))
                case .bool: .bool(value == "true")
                case .uuid: try uuid(value)
                case .timestamp: .time(EventTime(milliseconds: try #require(Int64(value))))
                case .string, .json: .string(value)
                }
        }
        return Row(named)
    }

    private static func uuid(_ text: String) throws -> Value {
        let digits = text.filter { $0 != "-" }
        return .uuid(
            high: try #require(UInt64(digits.prefix(16), radix: 16)), low: try #require(UInt64(digits.dropFirst(16), radix: 16)))
    }

    static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    static func text(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"), "\(path)")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let got = fread(&buffer, 1, buffer.count, file), got > 0 { bytes += buffer[0..<got] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
