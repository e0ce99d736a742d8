import Model
import Testing

@testable import Pipeline
@testable import Topology

/// Whatever a record holds, an expression over it is a value, a null or an error: never a trap, and never a matter of what
/// other records stood beside it.
struct ExtremeValueTests {
    private static let fields = [
        FieldPlan(name: "i", type: .int), FieldPlan(name: "j", type: .int), FieldPlan(name: "d", type: .double),
        FieldPlan(name: "e", type: .double), FieldPlan(name: "s", type: .string), FieldPlan(name: "p", type: .string),
        FieldPlan(name: "t", type: .timestamp(.milliseconds)), FieldPlan(name: "u", type: .uuid),
        FieldPlan(name: "b", type: .bool),
    ]

    private static let ints = [
        "-9223372036854775808", "-9223372036854775807", "-1", "0", "1", "2147483648", "9223372036854775807",
    ]
    private static let doubles = ["-1.7976931348623157e308", "-0.0", "0", "5e-324", "1.7976931348623157e308"]
    private static let texts = [
        "", "a", "%", "%%%%_", "!", "\u{E9}\u{1F600}", "9223372036854775808", "-9223372036854775808", "1e308",
        "9999-12-31T23:59:59.999Z",
        "0000-01-01T00:00:00.000+23:59", "ffffffff-ffff-ffff-ffff-ffffffffffff", String(repeating: "ab", count: 5_000),
    ]

    /// Records that hold no value, the wrong kinds of values, and all extremes beside one another.
    private static let records: [String] = {
        var records = ["{}", #"{"i":"x","j":1.5,"d":true,"s":7,"t":"soon","u":"no","b":0}"#, "not json", #"{"i":null,"s":null}"#]
        for at in 0..<(ints.count * texts.count) {
            let (i, j) = (ints[at % ints.count], ints[(at / 2) % ints.count])
            let (d, e) = (doubles[at % doubles.count], doubles[(at / 3) % doubles.count])
            let (s, p) = (texts[at % texts.count], texts[(at / ints.count) % texts.count])
            records.append(
                #"{"i":\#(i),"j":\#(j),"d":\#(d),"e":\#(e),"s":"\#(s)","p":"\#(p)","t":\#(i),"u":"\#(texts[11])","b":\#(at % 2 == 0)}"#
            )
        }
        return records
    }()

    private static func stage(_ text: String, _ fields: [FieldPlan] = fields) throws -> (plans: [FieldPlan], stage: ComputeStage)
    {
        var typing = Typing(
            fields: FieldTable(fields), zone: { Zone(name: $0, transitions: [0, 1 << 40], offsets: [-43_200, 50_400, 3_600]) })
        let definition = typing.definition(try Parser.condition(text))
        let (computed, type) = try #require(definition, "\(text): \(typing.faults)")
        let plans = typing.fields.plans + [FieldPlan(name: "x", type: type, path: [], computed: computed)]
        return (plans, ComputeStage(plans))
    }

    @Test(
        arguments: [
            "i + j", "i - j", "i * j", "i / j", "i % j", "-i", "abs(i)", "d + e", "d - e", "d * e", "d / e", "i / d", "-d",
            "abs(d)", "round(d)",
            "round(d, 15)", "floor(d)", "ceil(d)", "least(i, j)", "greatest(d, e)", "least(s, p)", "greatest(s, p, '')", "t + j",
            "t - j",
            "t - cast(j AS timestamp)", "substr(s, i)", "substr(s, i, j)", "substr(s, j, i)", "replace(s, p, s)",
            "replace(s, '', p)",
            "replace(s, 'a', p)", "replace(s, 'ab', '')", "s || p", "lower(s) || upper(p)", "trim(' ' || s || ' ')", "length(s)",
            "s LIKE p",
            "s LIKE p ESCAPE '!'", "s LIKE '%' || p || '%'", "p LIKE '%a%b%_%!%%' ESCAPE '!'", "cast(s AS int)",
            "cast(s AS double)",
            "cast(s AS bool)", "cast(s AS uuid)", "cast(s AS timestamp)", "cast(d AS int)", "cast(i AS double)",
            "cast(i AS string)",
            "cast(d AS string)", "cast(t AS string)", "cast(u AS string)", "cast(b AS string)", "cast(b AS int)",
            "cast(t AS int)",
            "cast(i AS timestamp)", "coalesce(i / j, j, i)", "nullif(i, j)", "if(i > j, i + j, j)",
            "CASE s WHEN p THEN t ELSE t + 1 END",
            "i BETWEEN j AND d", "s IN (p, 'a', NULL)", "cast(s AS timestamp) > t", "cast(s AS uuid) = u",
        ]
            + DatePart.allCases.flatMap { unit in
                [
                    "date_trunc('\(unit)', t)", "date_part('\(unit)', t)", "date_trunc('\(unit)', t, 'Z')",
                    "date_part('\(unit)', t, 'Z')",
                ]
            })
    func noRecordTrapsAndNoneIsJudgedByItsNeighbours(_ text: String) throws {
        let all = try Self.outcomes(text, Self.records, together: true)
        #expect(all == (try Self.outcomes(text, Self.records, together: false)))
        // Records without the fields have no value, and are no error.
        #expect(all[0] == "null" || text.hasPrefix("nullif") || text.contains("WHEN"), "\(all[0])")
        #expect(Set(all).count > 1)
    }

    private static func outcomes(_ text: String, _ records: [String], together: Bool) throws -> [String] {
        let (plans, stage) = try stage(text)
        let decoder = try RecordDecoder(fields: plans)
        let batches = together ? [records] : records.map { [$0] }
        var found: [String] = []
        for batch in batches {
            // A stage may take fewer records than it is offered.
            var rest = batch[...]
            while !rest.isEmpty {
                let owned = OwnedBatch(rest.map { Array($0.utf8) })
                let columns = stage.run(decoder.decode(owned.batch, skip: nil))
                try #require(columns.count > 0)
                for row in 0..<columns.count { found.append(told(columns, plans, row)) }
                rest = rest.dropFirst(columns.count)
            }
        }
        return found
    }

    private static func told(_ columns: Columns, _ plans: [FieldPlan], _ row: Int) -> String {
        let column = plans.count - 1
        switch columns.state(column)[row] {
        case FieldState.ok.rawValue: break
        case FieldState.error.rawValue: return "error"
        default: return "null"
        }
        switch plans[column].type {
        case .double: return "\(columns.double(column)[row])"
        case .uuid: return "\(columns.uuid(column)[row])"
        case .string:
            let slice = columns.slices(column)[row]
            let bytes = UnsafeBufferPointer(start: columns.arena + Int(slice.offset), count: Int(slice.length))
            return String(decoding: bytes, as: UTF8.self)
        default: return "\(columns.int64(column)[row])"
        }
    }

    @Test(arguments: [
        ("substr(s, i)", "-9223372036854775808", "abcd"), ("substr(s, i, 9223372036854775807)", "-9223372036854775808", ""),
        ("substr(s, i, i)", "9223372036854775807", ""), ("substr(s, 2, i)", "9223372036854775807", "bcd"),
        ("substr(s, i, 9)", "-6", "ab"), ("cast(t + i AS string)", "9223372036854775807", "error"),
        ("t - cast(i AS timestamp)", "-9223372036854775808", "error"), ("date_trunc('week', t + i)", "8640000000000000", "error"),
        ("date_part('year', t + i - 1)", "8640000000000000", "275760"),
        ("date_part('year', t - 2 - i)", "8640000000000000", "error"),
    ])
    func theEndsOfARangeAreReckonedExactly(_ text: String, _ i: String, _ value: String) throws {
        #expect(try Self.outcomes(text, [#"{"i":\#(i),"s":"abcd","t":1}"#], together: true) == [value])
    }

    // MARK: - Room

    /// Records of 100 KB whose texts grow to 1 MB, and one whose text grows beyond what a record may have.
    @Test func aBatchWithMoreTextThanThereIsRoomForIsTakenInParts() throws {
        let long = String(repeating: "a", count: 100_000)
        let records = (0..<60).map { #"{"s":"\#(long)","p":"\#($0 == 7 ? String(repeating: "b", count: 200) : "0123456789")"}"# }
        let outcomes = try Self.outcomes("replace(s, 'a', p)", records, together: true).map {
            $0 == "error" ? $0 : "\($0.utf8.count)"
        }
        #expect(outcomes == (0..<60).map { $0 == 7 ? "error" : "1000000" })
    }

    // MARK: - LIKE

    private static func isLike(_ text: String, _ pattern: String, _ escape: Character? = nil) -> Bool? {
        var (text, pattern) = (text, pattern)
        return text.withUTF8 { text in
            pattern.withUTF8 { LikePattern.matches(text, $0, escape: escape?.asciiValue) }
        }
    }

    /// Tries every way; of short texts only.
    private static func reference(_ text: [Character], _ pattern: [Character], _ escape: Character) -> Bool {
        guard let sign = pattern.first else { return text.isEmpty }
        if sign == escape {
            guard pattern.count > 1, text.first == pattern[1] else { return false }
            return reference(Array(text.dropFirst()), Array(pattern.dropFirst(2)), escape)
        }
        if sign == "%" {
            return (0...text.count).contains { reference(Array(text.dropFirst($0)), Array(pattern.dropFirst()), escape) }
        }
        guard let first = text.first, sign == "_" || first == sign else { return false }
        return reference(Array(text.dropFirst()), Array(pattern.dropFirst()), escape)
    }

    @Test func likeIsWhatTryingEveryWayGives() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            let text = (0..<Int.random(in: 0...7, using: &random)).map { _ in "ab\u{E9}!".randomElement(using: &random)! }
            let pattern = (0..<Int.random(in: 0...7, using: &random)).map { _ in "ab\u{E9}%%_!".randomElement(using: &random)! }
            #expect(
                Self.isLike(String(text), String(pattern), "!") == Self.reference(text, pattern, "!"),
                "\(String(text)) LIKE \(String(pattern))")
        }
    }

    /// Each would take 10^9 steps and more if every way were tried.
    @Test func likeEndsSoonWhateverTheText() {
        let long = String(repeating: "a", count: 300_000)
        let pieces = String(repeating: "%a", count: 5_000)
        #expect(Self.isLike(long, pieces + "%") == true)
        #expect(Self.isLike(long, pieces + "b") == false)
        #expect(Self.isLike(long, "%" + String(repeating: "a", count: 100_000) + "b%") == false)
        #expect(Self.isLike(long, "%" + String(repeating: "_a", count: 30) + "b%") == false)
        // Only a long part with `_` takes too many steps to tell.
        #expect(Self.isLike(long, "%" + String(repeating: "_a", count: 60_000) + "b%") == nil)
        #expect(Self.isLike(long, "%" + String(repeating: "_a", count: 60_000) + "%") == true)
    }

    @Test func replaceEndsSoonWhateverTheText() throws {
        let long = String(repeating: "a", count: 600_000)
        let record = #"{"s":"\#(long)","p":"\#(String(repeating: "a", count: 200_000))b"}"#
        #expect(try Self.outcomes("length(replace(s, p, 'x'))", [record], together: true) == ["600000"])
    }
}
