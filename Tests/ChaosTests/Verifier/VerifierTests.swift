import Testing

/// The verifier against hand-made logs: what it computes, and that it sees each kind of wrong output.
struct VerifierTests {
    private static let minute = Subject.Output(
        name: "minute", size: 60_000, every: 60_000, lateness: 60_000, group: ["kind", "place"],
        measures: [
            .init(name: "events", fold: .count), .init(name: "n", fold: .sum("n")), .init(name: "x", fold: .sum("x")),
            .init(name: "top", fold: .max("x")),
        ], emission: .onTime)

    private static func subject(_ delivery: Subject.Delivery = .once) -> Subject {
        Subject(
            fields: [
                .init(name: "id", kind: .text), .init(name: "kind", kind: .text, isRequired: true),
                .init(name: "place", kind: .text), .init(name: "n", kind: .int), .init(name: "x", kind: .double),
            ],
            time: "ts", outOfOrderness: 10_000, skips: ("kind", "skip"), identity: "id", within: 32_000,
            outputs: [minute], delivery: delivery)
    }

    private static func logged(_ texts: [String?], partition: Int32 = 0) -> [Logged] {
        texts.enumerated().map { offset, text in
            Logged(partition: partition, offset: Int64(offset), timestamp: 1_000_000, value: text.map { Array($0.utf8) })
        }
    }

    @Test func everyOutcomeIsWhatTheContractSays() {
        let log = Self.logged([
            #"{"id": "1", "ts": 5000, "kind": "a", "n": 2, "x": 0.5}"#,
            // A copy; the watermark stands at -5000.
            #"{"id": "1", "ts": 5000, "kind": "a", "n": 2, "x": 0.5}"#,
            #"{"id": "2", "ts": 130000, "kind": "a", "place": "p", "n": 1}"#,
            // W = 120000 = the close of the first window: late, and its key is not remembered.
            #"{"id": "3", "ts": 59000, "kind": "a"}"#,
            #"{"id": "3", "ts": 60000, "kind": "a", "x": 1e2}"#,
            // The key of id 1 was kept until 38000; 1's copy finds its window closed.
            #"{"id": "1", "ts": 5000, "kind": "a"}"#,
            #"{"id": "", "ts": 125000, "kind": "a", "place": "p", "n": 3}"#,
            #"{"id": "", "ts": 125000, "kind": "skip"}"#,
            "[1]", "{\"ts\": 1", nil, #"{"kind": "a"}"#, #"{"ts": 1, "kind": null}"#, #"{"ts": 1, "kind": "a", "n": 1.5}"#,
            #"{"ts": 1600001, "kind": "a"}"#, #"{"ts": 1600000, "kind": "skip"}"#,
        ])
        let found = Expectation(Self.subject(), log: log)
        let books = Ledger(counts: [
            "read": 16, "aggregated": 4, "duplicate": 1, "late": 2, "filtered": 2, "unidentified": 1,
            "rejected undecodable": 2, "rejected tombstone": 1, "rejected missing_field": 2, "rejected wrong_type": 1,
            "rejected future_time": 1,
        ])
        #expect(found.books == [0: books])
        #expect(found.newest == 1_600_000)
        let rows: [RowName: [String: JSON]] = [
            RowName(start: 0, group: [.text("a"), .null]): [
                "events": .int(1), "n": .int(2), "x": .double(0.5), "top": .double(0.5),
            ],
            RowName(start: 60_000, group: [.text("a"), .null]): [
                "events": .int(1), "n": .null, "x": .double(100), "top": .double(100),
            ],
            RowName(start: 120_000, group: [.text("a"), .text("p")]): [
                "events": .int(2), "n": .int(4), "x": .null, "top": .null,
            ],
        ]
        #expect(found.rows == ["minute": rows])
        #expect(found.letters.count == 7)
        #expect(found.letters.contains(Letter(partition: 0, offset: 14, reason: "future_time")))
    }

    @Test func hoppingWindowsCanTakeARecordInPart() {
        var subject = Self.subject()
        subject.outputs = [
            Subject.Output(
                name: "hop", size: 60_000, every: 30_000, lateness: 0, group: [], measures: [.init(name: "n", fold: .count)],
                emission: .final)
        ]
        // The second finds [30, 90) open and [0, 60) closed; negative times work.
        let found = Expectation(
            subject,
            log: Self.logged([
                #"{"id": "1", "ts": 70000, "kind": "a"}"#, #"{"id": "2", "ts": 31000, "kind": "a"}"#,
            ]) + Self.logged([#"{"id": "1", "ts": -1, "kind": "a"}"#], partition: 3))
        #expect(found.books[0] == Ledger(counts: ["read": 2, "aggregated": 2, "partly late": 1]))
        let counts = (found.rows["hop"] ?? [:]).map { ($0.key.start, $0.value["n"]) }.sorted { $0.0 < $1.0 }
        #expect(counts.map(\.0) == [-60_000, -30_000, 30_000, 60_000])
        #expect(counts.map(\.1) == [.int(1), .int(1), .int(2), .int(1)])
    }

    /// Doubles fold in record order within a partition and then in the order of partitions.
    @Test func doublesAreAddedInTheContractsOrder() {
        let one = Self.logged([#"{"ts": 0, "kind": "a", "x": 0.1}"#, #"{"ts": 0, "kind": "a", "x": 0.2}"#], partition: 0)
        let two = Self.logged([#"{"ts": 0, "kind": "a", "x": 0.3}"#], partition: 1)
        let found = Expectation(Self.subject(), log: two + one)
        #expect(found.rows["minute"]?.values.first?["x"] == .double(0.1 + 0.2 + 0.3))
        #expect(found.rows["minute"]?.values.first?["x"] != .double(0.1 + (0.2 + 0.3)))
    }

    private static let input = logged([
        #"{"id": "1", "ts": 5000, "kind": "a", "n": 2}"#, #"{"id": "3", "ts": 6000, "kind": "a", "n": 5}"#,
        #"{"id": "2", "ts": 130000, "kind": "a"}"#, "bad",
    ])

    private static func row(
        _ start: Int64, _ events: Int, _ n: String, revision: Int, final: Bool, asOf: Int64, at offset: Int64, end: Int64? = nil
    ) -> Logged {
        let window = #""window_start":\#(start),"window_end":\#(end ?? start + 60_000),"kind":"a","place":null"#
        let value =
            #"{\#(window),"events":\#(events),"n":\#(n),"x":null,"top":null,"revision":\#(revision),"final":\#(final),"as_of":\#(asOf)}"#
        return Logged(
            partition: 1, offset: offset, timestamp: 0, key: Array("{\(window)}".utf8), value: Array(value.utf8),
            headers: ["weir-output": "minute"])
    }

    private static let right = [
        row(0, 1, "2", revision: 1, final: false, asOf: 70_000, at: 0),
        row(0, 2, "7", revision: 2, final: false, asOf: 80_000, at: 1),
        row(120_000, 1, "null", revision: 1, final: true, asOf: 130_000, at: 2),
    ]

    private static func verdict(_ rows: [Logged], _ delivery: Subject.Delivery = .once, isComplete: Bool = true) -> [String] {
        let subject = subject(delivery)
        var judgement = Judgement(subject, Expectation(subject, log: input))
        judgement.rows(of: "minute", rows, isComplete: isComplete)
        return judgement.problems
    }

    @Test func aRightOutputPasses() {
        #expect(Self.verdict(Self.right) == [])
        // Not all rows are there while it runs.
        #expect(Self.verdict([Self.right[0]], isComplete: false) == [])
    }

    @Test(arguments: [
        (
            "a row is missing", Array(right.prefix(2)),
            "minute, window 120000, group [ChaosTests.JSON.text(\"a\"), ChaosTests.JSON.null]: missing"
        ),
        (
            "a row that nothing belongs to", right + [row(60_000, 1, "1", revision: 1, final: true, asOf: 200_000, at: 3)],
            "extra"
        ),
        ("a revision twice", right + [row(0, 2, "7", revision: 2, final: false, asOf: 80_000, at: 3)], "and again at 3"),
        ("the first revision again", right + [row(0, 1, "2", revision: 1, final: false, asOf: 70_000, at: 3)], "and again at 3"),
        ("a revision left out", [row(0, 2, "7", revision: 2, final: false, asOf: 80_000, at: 1), right[2]], "expected 1"),
        ("a revision too early in the log", [right[1], right[0], right[2]], "expected 1"),
        (
            "a wrong value", [right[0], row(0, 2, "8", revision: 2, final: false, asOf: 80_000, at: 1), right[2]],
            "n is int(8) in revision 2, expected int(7)"
        ),
        (
            "a record counted twice", [right[0], row(0, 3, "7", revision: 2, final: false, asOf: 80_000, at: 1), right[2]],
            "events is int(3)"
        ),
        ("a last revision missing", [right[0], right[2]], "events is int(1) in revision 1, expected int(2)"),
        (
            "a revision without a new record",
            [right[0], right[1], row(0, 2, "7", revision: 3, final: false, asOf: 80_000, at: 2), right[2]],
            "revision 3 holds 2 records, the one before 2"
        ),
        (
            "final too early", [right[0], row(0, 2, "7", revision: 2, final: true, asOf: 80_000, at: 1), right[2]],
            "final as of 80000, closes at 120000"
        ),
        (
            "final too late", [right[0], row(0, 2, "7", revision: 2, final: false, asOf: 120_000, at: 1), right[2]],
            "not final as of 120000"
        ),
        (
            "before its window's end", [row(0, 1, "2", revision: 1, final: false, asOf: 59_999, at: 0)] + right.dropFirst(),
            "as of 59999, ends at 60000"
        ),
        (
            "time going back", [right[0], row(0, 2, "7", revision: 2, final: false, asOf: 65_000, at: 1), right[2]],
            "as of 65000, the one before as of 70000"
        ),
        (
            "a wrong end", [right[0], right[1], row(120_000, 1, "null", revision: 1, final: true, asOf: 130_000, at: 2, end: 1)],
            "the window ends at 1"
        ),
        (
            "rows of a key in two partitions",
            [right[0], right[2]]
                + [right[1]].map { row in
                    var row = row
                    row.partition = 0
                    return row
                }, "in partition"
        ),
        ("no JSON", right + [Logged(partition: 1, offset: 9, timestamp: 0, key: nil, value: [1])], "not a row"),
    ])
    func everyWrongOutputIsSeen(what: String, rows: [Logged], sentence: String) {
        #expect(Self.verdict(rows).contains { $0.contains(sentence) }, "\(what): \(Self.verdict(rows))")
    }

    /// At least once a row may come again, but never another one under its name.
    @Test func copiesMustBeIdentical() {
        let again = Self.right + [Self.row(0, 1, "2", revision: 1, final: false, asOf: 70_000, at: 3)]
        #expect(Self.verdict(again, .copies) == [])
        let other = Self.right + [Self.row(0, 1, "3", revision: 1, final: false, asOf: 70_000, at: 3)]
        #expect(Self.verdict(other, .copies).count == 1)
    }

    private static func letter(_ offset: Int, _ reason: String = "undecodable") -> Logged {
        Logged(
            partition: 0, offset: 0, timestamp: 0,
            headers: ["weir-partition": "0", "weir-offset": "\(offset)", "weir-reason": reason])
    }

    @Test(arguments: [
        ([letter(3)], 0), ([], 1), ([letter(3), letter(3)], 1), ([letter(3), letter(2)], 1), ([letter(3, "tombstone")], 2),
    ])
    func deadLettersComeOnceEach(letters: [Logged], count: Int) {
        let subject = Self.subject()
        var judgement = Judgement(subject, Expectation(subject, log: Self.input))
        judgement.letters(letters)
        #expect(judgement.problems.count == count)
    }

    @Test func booksMustBeEqual() {
        let subject = Self.subject()
        let expected = Expectation(subject, log: Self.input)
        var right = Judgement(subject, expected)
        right.books(expected.books)
        #expect(right.problems == [])
        for (outcome, change) in [("read", 1), ("duplicate", 1), ("aggregated", -1), ("rejected undecodable", -1)] {
            var books = expected.books
            books[0]?[outcome] += change
            var judgement = Judgement(subject, expected)
            judgement.books(books)
            #expect(judgement.problems.count == 1, "\(outcome)")
        }
        var judgement = Judgement(subject, expected)
        judgement.books([:])
        #expect(judgement.problems.count == 1)
    }

    @Test(arguments: [
        ("{\"a\": [1, -2.5e1, true, null], \"b\": \"x\\n\\u00e9\\\\\"}", true), ("", false), ("{", false), ("{\"a\" 1}", false),
        ("[1,]", false), ("{} {}", false), ("\"a", false), ("nul", false), ("--1", false), ("\"\u{01}\"", false),
    ])
    func jsonIsReadStrictly(text: String, isJSON: Bool) {
        #expect((JSON(Array(text.utf8)) != nil) == isJSON)
    }

    @Test func jsonValuesAreWhatTheTextSays() {
        let value = JSON(Array(#"{"a": [1, -2.5e1, true, null], "b": "x\n\u00e9", "b": "y", "c": 9007199254740993}"#.utf8))
        #expect(value?["a"] == .list([.int(1), .double(-25), .bool(true), .null]))
        #expect(value?["b"] == .text("y"))
        #expect(value?["c"] == .int(9_007_199_254_740_993))
    }
}
