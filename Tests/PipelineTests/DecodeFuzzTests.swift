import Model
import Testing
import Testkit

@testable import Pipeline

struct DecodeFuzzTests {
    private static let fields = [
        FieldPlan(name: "event", type: .string), FieldPlan(name: "id", type: .uuid),
        FieldPlan(name: "ts", type: .timestamp(.seconds)),
        FieldPlan(name: "n", type: .int), FieldPlan(name: "d", type: .double), FieldPlan(name: "raw", type: .json),
        FieldPlan(name: "ok", type: .bool), FieldPlan(name: "at", type: .timestamp(.text(zone: nil))),
        FieldPlan(name: "country", type: .string, path: ["geo", "country"]),
        FieldPlan(name: "lat", type: .double, path: ["geo", "point", "lat"]),
    ]

    private static let seeds: [[UInt8]] = [
        #"{"id":"0b2d7b9a-30ff-4a3e-9a51-7f3a8a6f1c11","event":"play","ts":1767225600.5,"geo":{"country":"DE","point":{"lat":-1.5e1}},"ok":true}"#,
        #"{"event":"a\"\\\u00e9\ud83d\ude00","n":-12,"d":0.25,"raw":[1,[2,{"x":null}],"s\n"],"x":[true,false,null,0,-0.0,1E+2]}"#,
        #" { "at" : "2026-01-01T00:00:00.123+01:00" , "geo" : { "country" : null , "point" : [ ] } , "n" : 6.0 } "#,
        "\u{FEFF}{\"é\":\"日本\",\"raw\":{\"😀\":[]},\"event\":\"é😀\",\"unknown\":{\"deep\":[[[{}]]]}}",
        #"{"n":9007199254740993,"n":1,"geo":1,"geo":{"country":"x\ty"},"":"","\u0065vent":"z"}"#,
    ].map { Array($0.utf8) }

    /// What mutations put in: the bytes that mean something, and those that break something.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud800", "\\q", "0", "1", "-", "+", ".", "e", "E", "t", "true",
            "null", "nul", "x", " ", "\n", "\t",
        ]
        .map { Array($0.utf8) } + [
            [0], [1], [0x0C], [0x1A], [0x1F], [0x7F], [0x80], [0xC0, 0x80], [0xC3], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF],
            [0xFF],
        ]

    private static func mutated(_ random: inout SplitMix) -> [UInt8] {
        func below(_ n: Int) -> Int { Int(random.next() % UInt64(max(n, 1))) }
        var document = seeds[below(seeds.count)]
        for _ in 0...below(3) {
            let at = below(document.count + 1)
            switch below(7) {
            case 0 where at < document.count: document.remove(at: at)
            case 1 where at < document.count: document[at] = UInt8(truncatingIfNeeded: random.next())
            case 2: document.removeSubrange(at..<min(document.count, at + below(20)))
            case 3:
                // A piece of the document once more, elsewhere.
                let other = below(document.count + 1)
                document.insert(
                    contentsOf: Array(document[min(at, other)..<max(at, other)].prefix(40)), at: below(document.count + 1))
            case 4 where at < document.count: document[at] ^= 1 << UInt8(below(8))
            default: document.insert(contentsOf: pieces[below(pieces.count)], at: at)
            }
        }
        return document
    }

    @Test(arguments: FuzzSeeds.of(Array(1...8)))
    func acceptsWhatAPlainReaderAcceptsAndNothingElse(_ seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let documents = (0..<5_000).map { _ in Self.mutated(&random) }
        let decoder = try RecordDecoder(fields: Self.fields)
        let outcomes = decoder.all(documents, Self.fields)
        var accepted = 0
        for (document, outcome) in zip(documents, outcomes) {
            let isFine = StrictJSON.accepts(document)
            accepted += isFine ? 1 : 0
            #expect((outcome != .undecodable) == isFine, "\(String(decoding: document, as: UTF8.self)) \(document)")
        }
        // The mutations must reach both sides.
        #expect((500...4_500).contains(accepted), "\(accepted)")
    }
}
