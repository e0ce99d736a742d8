import Model
import Testing

@testable import Topology

@Suite struct FilesTests {
    @Test func anOverlayReplacesValuesAndMergesMaps() {
        let reading = read(
            small(more: "kafka: {bootstrap: a:1, client: {linger.ms: 5, client.id: x}}\nfilter: i > 1\n"),
            with: ["prod.yaml": "kafka: {bootstrap: \"b:2\", client: {linger.ms: 6}}\nsource: {topics: [other]}\nowner: we\n"])
        #expect(texts(reading) == [])
        #expect(reading.plan?.kafka == KafkaPlan(bootstrap: "b:2", client: ["linger.ms": "6", "client.id": "x"]))
        #expect(reading.plan?.source.kind == .kafka(topics: ["other"], group: "small", start: .earliest))
        #expect(reading.plan?.owner == "we")
        #expect(reading.plan?.filter == .compare(column: 3, .greater, .int(1)))
    }

    @Test func laterOverlaysLieAboveEarlierOnes() {
        let reading = read(
            small(), with: ["b.yaml": "owner: b\ndescription: b\n", "a.yaml": "owner: a\n"], order: ["b.yaml", "a.yaml"])
        #expect(reading.plan?.owner == "a")
        #expect(reading.plan?.description == "b")
    }

    @Test func problemsPointIntoTheFileTheyStandIn() {
        let reading = read(
            small(more: "filter: x > 1\n"),
            with: ["prod.yaml": "kafka:\n  bootstrap: nowhere\ncommit: {every: 5}\naggregates:\n  a:\n    where: y = 1\n"])
        #expect(
            texts(reading) == [
                "t.yaml:19:9: error: filter: no field is called `x`; did you mean `s`? [unknown_field]",
                "prod.yaml:2:14: error: kafka.bootstrap: `nowhere` does not fit; write brokers as `host:port`, with commas between them"
                    + " [bad_value]",
                "prod.yaml:3:17: error: commit.every: `5` does not fit; add the unit: ms, s, m, h or d [bad_value]",
                "prod.yaml:6:12: error: aggregates.a.where: no field is called `y`; did you mean `s`? [unknown_field]",
            ])
        #expect(reading.plan == nil)
        #expect(reading.exit == .topology)
    }

    @Test func problemsOfAllFilesAreTold() {
        let reading = read(small(more: "late: [\n"), with: ["a.yaml": "b: [1\n", "c.yaml": "x: 1\nx: 2\n"])
        #expect(reading.problems.map(\.place.file) == ["t.yaml", "a.yaml", "c.yaml"])
        #expect(reading.problems.map(\.code) == [.yaml, .yaml, .duplicateKey])
    }

    @Test func aFileThatCannotBeReadIsNoWrongTopology() {
        let reading = read(small(), order: ["nowhere.yaml"])
        #expect(
            texts(reading) == ["nowhere.yaml:1:1: error: the file can't be read; check the path [unreadable_file]"])
        #expect(reading.plan == nil)
        #expect(reading.exit == .usage)
    }

    @Test func aFileLargerThanTheBoundIsNotRead() {
        let bytes = [UInt8](repeating: 0x20, count: TopologyLimits.fileBytes + 1)
        let reading = read(bytes: ["t.yaml": bytes], order: ["t.yaml"])
        #expect(reading.problems.map(\.code) == [.tooLarge])
    }

    @Test func anAliasStandsForItsAnchor() {
        let reading = read(
            small(aggregate: "allowed_lateness: &l 5m\ngroup_by: &g [s, i]")
                + "\n  b: {window: {tumbling: 1h}, measures: {n: count()}, allowed_lateness: *l, group_by: *g}\n")
        #expect(texts(reading) == [])
        #expect(reading.plan?.aggregates.map(\.allowedLateness) == [.minutes(5), .minutes(5)])
        #expect(reading.plan?.aggregates.map(\.groupBy) == [[2, 3], [2, 3]])
    }

    @Test(arguments: [
        ("${A}", "eins"), ("${B:-zwei}", "zwei"), ("${EMPTY:-drei}", "drei"), ("${EMPTY}x", "x"), ("${B:-}x", "x"),
        ("a${A}b${A}", "aeinsbeins"), ("$${A}", "${A}"), ("$A 5$", "$A 5$"), ("${file:f}", "datei"),
        ("${A}-${file:f}", "eins-datei"),
    ])
    func variablesAndFilesArePutIn(written: String, text: String) {
        let reading = read(
            small(more: "owner: \"\(written)\"\n"), variables: ["A": "eins", "EMPTY": ""], files: ["f": "datei\n"])
        #expect(texts(reading) == [])
        #expect(reading.plan?.owner == text)
    }

    /// A brace inside would end at the first `}`, and the rest would stay as text.
    @Test(arguments: [
        ("${A:-${B}}", "a default can't hold `{`"), ("${A:-{x}}", "a default can't hold `{`"),
        ("${file:${A}}", "a path can't hold `{`"), ("${file:none}", "the file none can't be read"),
        ("${file:large}", "the file large has 65537 bytes"), ("${file:latin}", "the file latin is not UTF-8"),
        ("${}", "names no variable"), ("${A", "has no closing `}`"), ("${file:}", "the file  can't be read"),
    ])
    func whatCantBePutInIsToldOnce(written: String, what: String) {
        let reading = read(
            bytes: [
                "t.yaml": Array(small(more: "owner: \"\(written)\"\n").utf8), "large": [UInt8](repeating: 0x61, count: 65_537),
                "latin": [0x61, 0xe4],
            ], order: ["t.yaml"], variables: ["A": "eins", "B": "zwei"])
        #expect(reading.problems.map(\.code) == [.variable])
        #expect(reading.problems.first?.what.contains(what) == true, "\(texts(reading))")
    }

    @Test(arguments: [("secret", "secret"), ("secret\n", "secret"), ("secret\r\n", "secret"), ("secret\n\n", "secret\n")])
    func oneLineEndOfAFileIsNotPartOfIt(contents: String, text: String) {
        let reading = read(small(more: "owner: \"${file:f}\"\n"), files: ["f": contents])
        #expect(reading.plan?.owner == text)
    }

    @Test func aMarkOfByteOrderAndOtherLineEndsChangeNothing() {
        let lines = small(more: "owner: we\n")
        for text in ["\u{feff}" + lines, lines.replacing("\n", with: "\r\n"), "\u{feff}" + lines.replacing("\n", with: "\r\n")] {
            let reading = read(text)
            #expect(texts(reading) == [])
            #expect(reading.plan == read(lines).plan)
        }
        let wrong = read("\u{feff}nmae: x\r\nname: y\r\n").problems.first { $0.code == .unknownKey }?.text(caret: true)
        #expect(wrong?.hasPrefix("t.yaml:1:1: error: nmae: unknown key") == true)
        #expect(wrong?.hasSuffix("\n  1 | nmae: x\n    | ^") == true)
    }

    /// Lines are those of editors: a mark of byte order is no column, and only `\n`, `\r` and `\r\n` end a line.
    @Test(arguments: ["", "\u{feff}"], ["\n", "\r\n", "\r"])
    func aProblemStandsInItsLineAndColumn(mark: String, lineEnd: String) {
        let lines = ["name: n", "sourcee: {topics: [in]}", "fields:", "  ts: {type: timestamp, größe: 1}", "x: [1"]
        let text = mark + lines.prefix(4).joined(separator: lineEnd) + lineEnd
        let places = read(text).problems.filter { $0.code == .unknownKey }.map { "\($0.place.line):\($0.place.column)" }
        #expect(places == ["2:1", "4:25"])
        // libyaml ends lines at these too, but a text goes on behind them.
        let exotic = read(mark + "owner: \"x\u{2028}y\u{85}z\"\nnmae: n").problems.first { $0.code == .unknownKey }
        #expect(exotic?.place.description == "t.yaml:2:1")
        #expect(read(mark + "nmae: n").problems.first { $0.code == .unknownKey }?.place.column == 1)
        #expect(read(mark + "a: \u{1}").problems.map(\.place.description) == ["t.yaml:1:4"])
        #expect(read(text + lines[4]).problems.map { "\($0.place.line):\($0.code)" }.last == "5:yaml")
        let bytes = Array(mark.utf8) + Array("ä: ".utf8) + [0xff]
        #expect(read(bytes: ["t.yaml": bytes], order: ["t.yaml"]).problems.map(\.place.description) == ["t.yaml:1:4"])
    }

    @Test(arguments: [
        ("&f i > x", "19:16"), ("&f\n  # words\n  i >\n  x", "22:3"), ("! &f \"i > x\"", "19:19"), ("&f |\n  i > x", "20:7"),
    ])
    func insideAnExpressionBehindAnAnchorThePlaceIsRight(written: String, place: String) {
        let reading = read(small(more: "filter: \(written)\n"))
        #expect(reading.problems.map { "\($0.place.line):\($0.place.column) \($0.code)" } == ["\(place) unknownField"])
    }

    /// A promise stands where its value stands, in whichever file that is.
    @Test func aPromiseThatCannotBeKeptIsToldAtItsValue() {
        let promise = "freshness: {objective: 99%, within: 1m}"
        func places(_ reading: Topology.Reading) -> [String] {
            reading.problems.filter { $0.code == .freshnessUnmet }.map { "\($0.place) \($0.path)" }
        }
        let late = "event_time: {out_of_orderness: 20m}"
        let path = "aggregates.a.freshness.within"
        for mark in ["", "\u{feff}"] {
            #expect(places(read(mark + small(aggregate: promise), with: ["o.yaml": late])) == ["t.yaml:18:41 \(path)"])
        }
        let overlay = "# ü\naggregates: {a: {freshness: {within: 1m}}}\n" + late
        #expect(places(read(small(), with: ["o.yaml": "\u{feff}" + overlay])) == ["o.yaml:2:38 \(path)"])
        // Of an alias it is the value that the anchor holds.
        let aliased = small(aggregate: "freshness: {within: *w}").replacing("{tumbling: 1m}", with: "{tumbling: &w 1m}")
        #expect(places(read(aliased, with: ["o.yaml": late])) == ["t.yaml:16:27 \(path)"])
    }

    @Test(
        arguments: [
            ([], .yaml, "the file is empty"), (Array("# words\n".utf8), .yaml, "the file is empty"),
            ([0xff, 0xfe, 0x61, 0x00], .encoding, "the file is not UTF-8"), (Array("a: &a [*a]\n".utf8), .yaml, "no anchor `&a`"),
            (Array("---\n---\n".utf8), .yaml, "a second document"), ([0x61, 0x3a, 0x20, 0x00], .yaml, "control characters"),
        ] as [([UInt8], Problem.Code, String)])
    func whatIsNoTopologyAtAllIsToldOnce(bytes: [UInt8], code: Problem.Code, what: String) {
        let reading = read(bytes: ["t.yaml": bytes], order: ["t.yaml"])
        #expect(reading.problems.map(\.code) == [code])
        #expect(reading.problems.first?.what.contains(what) == true, "\(texts(reading))")
        #expect(reading.plan == nil && reading.exit == .topology)
    }

    @Test func anOverlaysListStandsInPlaceOfTheOneBelow() {
        let reading = read(
            small(aggregate: "group_by: [s, i]\nto: [{table: x}, {table: y}]\n"),
            with: ["o.yaml": "aggregates: {a: {group_by: [b], to: [{table: z}]}}\n"])
        #expect(texts(reading) == [])
        #expect(reading.plan?.aggregates.first?.groupBy == [5])
        #expect(reading.plan?.aggregates.first?.targets == [.table(name: "z", keep: nil)])
    }

    /// What excludes another key takes its place, and what says nothing without that one goes with it.
    @Test(arguments: [
        ("source: {generator: {rate: 9/s}}", "source: {generator: {rate: 9/s}}"),
        ("source: {files: [a.json]}", "source: {files: [a.json], max_record: 2MiB}"),
        ("source: {topics: [other]}", "source: {topics: [other], group: g, max_record: 2MiB}"),
        ("source: {start: latest}", "source: {topics: [in], group: g, start: latest, max_record: 2MiB}"),
    ])
    func anOverlaysAlternativeTakesThePlaceOfTheOther(over: String, same: String) {
        let base = small(source: "{topics: [in], group: g, max_record: 2MiB}")
        let reading = read(base, with: ["o.yaml": over])
        let wanted = read(base.replacing("source: {topics: [in], group: g, max_record: 2MiB}", with: same))
        #expect(texts(reading) == [])
        var kind = wanted.plan?.source
        if over.contains("generator") { kind?.maxRecord = .mebibytes(2) }
        #expect(reading.plan?.source == kind)
    }

    @Test func anOverlayChoosesOfWindowsTargetsTimesAndLedgersToo() {
        let reading = read(
            small(aggregate: "to: [{table: x}]", more: "dead_letters: {table: {keep: 1d}}\nlate: ledger")
                .replacing("{tumbling: 1m}", with: "{hopping: 2m, every: 1m, offset: 5s}"),
            with: [
                "o.yaml":
                    "aggregates: {a: {window: {tumbling: 1h}, to: [{kafka: {topic: y}}]}}\ndead_letters: {topic: d}\n"
                    + "late: {ledger: {keep: 1d}}\nevent_time: {record: timestamp}\n"
            ])
        #expect(texts(reading) == [])
        #expect(reading.plan?.aggregates.first?.window == .tumbling(size: .hours(1), offset: .seconds(5)))
        #expect(reading.plan?.aggregates.first?.targets == [.kafka(topic: "y")])
        #expect(reading.plan?.deadLetters == .topic("d"))
        #expect(reading.plan?.late == .ledger(keep: .days(1)))
        #expect(reading.plan?.eventTime.source == .recordTimestamp)
    }

    /// Every key of the language: an overlay can replace all that a topology says.
    @Test func anOverlayMaySetEveryKey() throws {
        let whole = read(small(more: "deduplicate: {key: [id], within: 1h}\nowner: we\nfilter: i > 1"))
        let other = read(
            small(source: "{generator: {}}", fields: "z: {type: int}", aggregate: "group_by: [z]", more: "late: count\nhttp: {}")
                .replacing("name: small", with: "name: other"))
        let over = read(whole.spelled, with: ["o.yaml": other.spelled])
        let plan = try #require(over.plan)
        let wanted = try #require(other.plan)
        #expect(plan.name == "other" && plan.source.kind == wanted.source.kind && plan.late == .count && plan.http == wanted.http)
        #expect(plan.aggregates.map(\.groupBy) == wanted.aggregates.map(\.groupBy) && plan.fields == wanted.fields)
        // What only the file below says stays.
        #expect(plan.deduplicate == whole.plan?.deduplicate && plan.owner == "we" && plan.filter == whole.plan?.filter)
    }

    @Test func twoAlternativesInOneFileStillExcludeEachOther() {
        let both = "source: {topics: [x], files: [y]}"
        #expect(read(small(), with: ["o.yaml": both]).problems.map(\.code) == [.contradiction])
        #expect(
            read(small(source: "{topics: [x], files: [y]}"), with: ["o.yaml": "owner: a"]).problems.map(\.code) == [
                .contradiction
            ])
    }

    @Test(arguments: ["${PW}", "\"${PW}\"", "${file:pw}"])
    func aSecretComesFromOutside(written: String) {
        let reading = read(
            small(
                more:
                    "kafka:\n  sasl: {mechanism: plain, user: u, password: \(written.contains("\"") ? written : "\"\(written)\"")}\n"
            ),
            variables: ["PW": "geheim"], files: ["pw": "geheim\n"])
        #expect(texts(reading) == [])
        #expect(reading.plan?.kafka.sasl == .init(mechanism: "PLAIN", user: "u", password: "geheim"))
    }

    @Test func aSecretInTheFileBelowIsRefusedThoughAnOverlayReplacesIt() {
        let reading = read(
            small(more: "kafka: {sasl: {mechanism: plain, user: u, password: geheim}}\n"),
            with: ["o.yaml": "kafka: {sasl: {password: \"${PW}\"}}\n"], variables: ["PW": "x"])
        #expect(reading.problems.map(\.code) == [.literalSecret])
    }

    @Test func problemsAreJSONForMachines() {
        let problem = Problem(
            place: Place(file: "a \"b\".yaml", line: 3, column: 7), path: "filter", code: .expression, severity: .error,
            what: "w", next: "n")
        #expect(
            Problem.json([problem])
                == #"{"problems":[{"file":"a \"b\".yaml","line":3,"column":7,"path":"filter","code":"expression","#
                + #""severity":"error","what":"w","next":"n"}]}"#)
        #expect(Problem.json([]) == #"{"problems":[]}"#)
    }

    @Test func whatAFileQuotesCannotSteerATerminal() {
        let problem = Problem(
            place: Place(file: "a.yaml", line: 1, column: 1), path: "\u{1b}[31m", code: .unknownKey, severity: .error,
            what: "w\nx\u{202e}",
            next: "n", sourceLine: "\u{1b}[31m: 1")
        #expect(
            problem.text(caret: true)
                == "a.yaml:1:1: error: \u{fffd}[31m: w\u{fffd}x\u{fffd}; n [unknown_key]\n  1 | \u{fffd}[31m: 1\n    | ^")
    }

    @Test func ofALongLineOnlyWhatIsAroundTheCaretIsShown() {
        func shown(_ line: String, column: Int) -> [Substring] {
            Array(
                Problem(
                    place: Place(file: "a.yaml", line: 1, column: column), path: "", code: .yaml, severity: .error, what: "w",
                    next: "n", sourceLine: line
                ).text(caret: true).split(separator: "\n").dropFirst())
        }
        let line = String((0..<100_000).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
        for column in [1, 90, 50_000, 99_990, 100_001] {
            let lines = shown(line, column: column)
            #expect(lines.first?.count ?? 0 <= 130)
            let caret = lines.last?.count ?? 0
            #expect(lines.last?.last == "^")
            let pointed = Array(lines.first ?? "").dropFirst(caret - 1).first
            #expect(pointed == (column > 100_000 ? nil : Array(line)[column - 1]), "\(column)")
        }
        // Wide characters take two columns, marks none.
        let wide = String(shown("s: 日本e\u{301} x", column: 9).last ?? "")
        #expect(Array(wide.utf8) == Array(("    | " + String(repeating: " ", count: 9) + "^").utf8))
    }

    @Test func theCaretStandsUnderItsCharacter() {
        let problem = Problem(
            place: Place(file: "a.yaml", line: 12, column: 4), path: "", code: .yaml, severity: .warning, what: "w", next: "n",
            sourceLine: "\tä: x")
        #expect(problem.text(caret: true) == "a.yaml:12:4: warning: w; n [yaml]\n  12 | \tä: x\n     | \t  ^")
    }
}
