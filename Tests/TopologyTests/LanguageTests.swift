import Model
import Testing

@testable import Topology

@Suite struct LanguageTests {
    /// Every section with its path, also those inside lists and named maps.
    private static func sections(_ shape: Shape, _ path: String) -> [(path: String, section: Section)] {
        switch shape {
        case .section(let section), .short(_, let section):
            [(path, section)] + section.keys.flatMap { sections($0.shape, path.key($0.name)) }
        case .list(let inner, _), .named(let inner, _, _): sections(inner, path)
        default: []
        }
    }

    private static let all = sections(.section(Language.topology), "")

    @Test func everyKeyIsDeclaredWhole() {
        for (path, section) in Self.all {
            let names = section.keys.map(\.name)
            #expect(Set(names).count == names.count, "\(path)")
            #expect(Set(names).isSuperset(of: section.oneOf), "\(path)")
            for key in section.keys {
                #expect(key.doc.hasSuffix(".") && key.doc.count > 10, "\(path).\(key.name)")
                #expect(!key.doc.contains("default:") && !(key.fallback != nil && key.absent.words != nil), "\(path).\(key.name)")
                #expect(key.goesWith.map(names.contains) ?? true, "\(path).\(key.name)")
                #expect(!(key.isRequired && key.fallback != nil), "\(path).\(key.name)")
                #expect(!(key.notBuilt != nil && (key.isRequired || key.fallback != nil)), "\(path).\(key.name)")
            }
        }
        #expect(Self.all.count >= 25)
    }

    /// What a key's default says is readable by the key's own declaration.
    @Test func everyDefaultFitsItsKey() {
        for (path, section) in Self.all {
            for key in section.keys where key.fallback != nil {
                let problems = ProblemList()
                var key = key
                key.goesWith = nil
                let alone = Section([key])
                let item = DeclarationReader(problems: problems).section(
                    alone, Node(content: .map([]), place: Place(file: "f", line: 1, column: 1)), path: path)
                #expect(item?[key.name]?.isDefault == true, "\(path).\(key.name)")
                #expect(problems.all.isEmpty, "\(path).\(key.name)")
            }
        }
    }

    /// A key that isn't built is refused wherever it stands, with anything as its value.
    @Test func noKeyThatIsNotBuiltIsIgnored() {
        var refused: Set<String> = []
        for (path, section) in Self.all {
            for key in section.keys where key.notBuilt != nil {
                let problems = ProblemList()
                let place = Place(file: "f", line: 1, column: 1)
                let entry = Node.Entry(key: key.name, keyPlace: place, value: Node(content: .map([]), place: place))
                _ = DeclarationReader(problems: problems).section(section, Node(content: .map([entry]), place: place), path: path)
                #expect(problems.all.contains { $0.code == .notBuilt }, "\(path).\(key.name)")
                refused.insert("\(path).\(key.name)")
            }
        }
        // All of them, so that none is built, or given up, unseen.
        #expect(refused == ["source.registry"])
    }

    /// Files that were cut, or in which a character was changed, are read or refused, never a crash; and a plan comes
    /// exactly where there is no error.
    @Test func damagedFilesAreReadOrRefused() {
        let whole = Array(
            """
            name: t
            kafka: {bootstrap: "${B:-a:1}", client: {linger.ms: 5}}
            source: {topics: [in], start: 2026-01-01T00:00:00Z, keyed_by: [s]}
            fields:
              ts: {type: timestamp, unit: ms}
              s: {type: string, path: a.b, default: 'it''s'}
              d: {type: double}
            event_time: {field: ts, out_of_orderness: 5m}
            filter: >-
              s != 'x' AND
              (d < 2.5e3 OR NOT d IS NULL)
            deduplicate: {key: [s, d], within: 1h}
            aggregates:
              a:
                window: {hopping: 10m, every: 1m}
                group_by: &g [s]
                measures: {n: count(), m: "sum(d) where s IN ('a', 'b')"}
                emit: {every: 5s}
                to: [{table: {name: t, keep: 1d}}, {kafka: {topic: out}}]
              b: {window: {tumbling: 1h}, group_by: *g, measures: {n: "max(\\"d\\")"}}
            late: {ledger: {keep: 1d}}
            """.utf8)
        #expect(read(bytes: ["t": whole], order: ["t"]).plan != nil)
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let signs = Array("{}[]:,'\"#&*!|>-\n\t $%@`()=<0x\u{7}".utf8) + [0xff, 0x00, 0xc3]
        var plans = 0
        for round in 0..<600 {
            var bytes = whole
            switch round % 3 {
            case 0: bytes.removeLast(random(whole.count))
            case 1: bytes[random(whole.count)] = signs[random(signs.count)]
            default:
                for _ in 0...random(4) { bytes.insert(signs[random(signs.count)], at: random(bytes.count)) }
            }
            let reading = read(bytes: ["t": bytes], order: ["t"])
            #expect((reading.plan == nil) == reading.problems.contains { $0.severity == .error })
            if reading.plan != nil { plans += 1 }
            let lines = bytes.count { $0 == 0x0a || $0 == 0x0d } + 2
            for problem in reading.problems {
                #expect((1...lines).contains(problem.place.line) && problem.place.column >= 1)
                _ = problem.text(caret: true)
            }
        }
        #expect((5..<590).contains(plans))
    }
}
