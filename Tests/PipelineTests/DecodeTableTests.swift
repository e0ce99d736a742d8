import Model
import Testing

@testable import Pipeline

private let fields = [
    FieldPlan(name: "s", type: .string), FieldPlan(name: "i", type: .int), FieldPlan(name: "d", type: .double),
    FieldPlan(name: "b", type: .bool), FieldPlan(name: "u", type: .uuid), FieldPlan(name: "j", type: .json),
    FieldPlan(name: "ms", type: .timestamp(.milliseconds)), FieldPlan(name: "sec", type: .timestamp(.seconds)),
    FieldPlan(name: "us", type: .timestamp(.microseconds)), FieldPlan(name: "ns", type: .timestamp(.nanoseconds)),
    FieldPlan(name: "t", type: .timestamp(.text(zone: nil))),
    FieldPlan(name: "country", type: .string, path: ["geo", "country"]),
    FieldPlan(name: "lat", type: .double, path: ["geo", "at", "lat"]),
]

private typealias Cell = Decoded.Cell
private let wrong = Cell.wrongType
private let bad = Cell.badTime

private func text(_ value: String) -> Cell { .value(.string(value)) }
private func int(_ value: Int64) -> Cell { .value(.int(value)) }
private func double(_ value: Double) -> Cell { .value(.double(value)) }
private func time(_ value: Int64) -> Cell { .value(.time(EventTime(milliseconds: value))) }
private func uuid(_ high: UInt64, _ low: UInt64) -> Cell { .value(.uuid(high: high, low: low)) }

/// nil: undecodable. Fields that are not named are missing.
private typealias Case = (json: String, cells: [String: Cell]?)

private func outcome(_ cells: [String: Cell]?) -> Decoded {
    guard let cells else { return .undecodable }
    return .fields(fields.map { cells[$0.name] ?? .missing })
}

private let nilUUID = uuid(0, 0)
private let someUUID = uuid(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)

private let structureCases: [Case] = [
    ("{}", [:]), (" \t\r\n{ \n} \t\r\n", [:]), ("\u{FEFF}{}", [:]), ("\u{FEFF}\u{FEFF}{}", nil), (" \u{FEFF}{}", nil),
    ("\u{FEFF}", nil),
    ("", nil), ("   ", nil), ("[]", nil), ("[{}]", nil), ("null", nil), ("1", nil), ("\"s\"", nil), ("true", nil), ("{", nil),
    ("}", nil),
    ("{}}", nil), ("{}{}", nil), ("{} x", nil), ("{},", nil), ("{}\u{0}", nil), ("{}\u{0C}", nil), ("{\u{0C}}", nil),
    ("{\u{1A}}", nil),
    (#"{"s"}"#, nil), (#"{"s":}"#, nil), (#"{"s":"a",}"#, nil), (#"{,"s":"a"}"#, nil), (#"{"s":"a" "i":1}"#, nil),
    (#"{"s" "a"}"#, nil),
    (#"{"s":"a":1}"#, nil), (#"{"s":"a"]"#, nil), (#"{s:"a"}"#, nil), (#"{'s':1}"#, nil), (#"{1:2}"#, nil), (#"{"s":"a""#, nil),
    (#"{"s":"a"#, nil), (#"{"s":"a"x}"#, nil), (#"{"s":"a""b"}"#, nil), (#"{"s"x:"a"}"#, nil), (#"{"x":1"y":2}"#, nil),
    (#"{"x":true"y":2}"#, nil),
    (#"{"x":[1,2}"#, nil), (#"{"x":[1,2]]"#, nil), (#"{"x":[1 2]}"#, nil), (#"{"x":[,]}"#, nil), (#"{"x":[1,]}"#, nil),
    (#"{"x":{"y":1,}}"#, nil),
    (#"{"x":{"y"}}"#, nil), (#"{"x":{y:1}}"#, nil), (#"{"x":[{]}}"#, nil), (#"{"x":/**/1}"#, nil), (#"{"x":1\n}"#, nil),
    (#"{"x":[[],{},[{}],{"a":[]},[[[1]]]],"i":1}"#, ["i": int(1)]), (#"{"x":{"s":"inner"},"s":"outer"}"#, ["s": text("outer")]),
    (#"{"":1,"s":""}"#, ["s": text("")]), (#"{ "s" : "a" , "i" : 1 }"#, ["s": text("a"), "i": int(1)]),
]

private let scalarCases: [Case] = [
    (#"{"x":tru}"#, nil), (#"{"x":truex}"#, nil), (#"{"x":TRUE}"#, nil), (#"{"x":nul}"#, nil), (#"{"x":nullnull}"#, nil),
    (#"{"x":falsey}"#, nil),
    (#"{"b":truee}"#, nil), (#"{"s":nulls}"#, nil), (#"{"x":NaN}"#, nil), (#"{"x":Infinity}"#, nil), (#"{"x":-Infinity}"#, nil),
    (#"{"x":01}"#, nil), (#"{"x":-}"#, nil), (#"{"x":-01}"#, nil), (#"{"x":+1}"#, nil), (#"{"x":1.}"#, nil), (#"{"x":.5}"#, nil),
    (#"{"x":1e}"#, nil),
    (#"{"x":1e+}"#, nil), (#"{"x":0x1}"#, nil), (#"{"x":1_0}"#, nil), (#"{"x":1.2.3}"#, nil), (#"{"x":1e5.5}"#, nil),
    (#"{"x":1,2}"#, nil),
    (#"{"i":01}"#, nil), (#"{"i":-}"#, nil), (#"{"d":1.}"#, nil), (#"{"d":1.e5}"#, nil), (#"{"ms":1e}"#, nil),
    (#"{"i":1a}"#, nil),
    (#"{"x":1e999,"y":-1E+999,"z":123456789012345678901234567890}"#, [:]), (#"{"b":true}"#, ["b": .value(.bool(true))]),
    (#"{"b":false}"#, ["b": .value(.bool(false))]), (#"{"b":null}"#, ["b": .null]), (#"{"b":1}"#, ["b": wrong]),
    (#"{"b":"true"}"#, ["b": wrong]),
    (#"{"b":[true]}"#, ["b": wrong]), (#"{"i":true}"#, ["i": wrong]), (#"{"s":1}"#, ["s": wrong]), (#"{"s":{}}"#, ["s": wrong]),
    (#"{"s":[]}"#, ["s": wrong]),
    (
        #"{"s":null,"i":null,"d":null,"u":null,"j":null,"ms":null,"t":null}"#,
        ["s": .null, "i": .null, "d": .null, "u": .null, "j": .null, "ms": .null, "t": .null]
    ),
    (#"{"i":0}"#, ["i": int(0)]), (#"{"i":-0}"#, ["i": int(0)]), (#"{"i":-7}"#, ["i": int(-7)]), (#"{"i":6.0}"#, ["i": int(6)]),
    (#"{"i":6e0}"#, ["i": int(6)]), (#"{"i":60e-1}"#, ["i": int(6)]), (#"{"i":0.6E1}"#, ["i": int(6)]),
    (#"{"i":6.5}"#, ["i": wrong]), (#"{"i":"6"}"#, ["i": wrong]),
    (#"{"i":9007199254740993}"#, ["i": int(9_007_199_254_740_993)]),
    (#"{"i":9007199254740993.0}"#, ["i": int(9_007_199_254_740_993)]),
    (#"{"i":9223372036854775807}"#, ["i": int(.max)]), (#"{"i":-9223372036854775808}"#, ["i": int(.min)]),
    (#"{"i":9223372036854775808}"#, ["i": wrong]),
    (#"{"i":-9223372036854775809}"#, ["i": wrong]), (#"{"i":99999999999999999999999}"#, ["i": wrong]),
    (#"{"i":1e18}"#, ["i": int(1_000_000_000_000_000_000)]),
    (#"{"i":1e19}"#, ["i": wrong]), (#"{"i":1e999}"#, ["i": wrong]), (#"{"i":0e999999999999999999999}"#, ["i": int(0)]),
    (#"{"i":1e-999999999999999999999}"#, ["i": wrong]),
    (#"{"i":1.00000000000000000000000000000000}"#, ["i": int(1)]), (#"{"i":1.00000000000000000000000000000001}"#, ["i": wrong]),
    (#"{"d":1}"#, ["d": double(1)]), (#"{"d":-0.0}"#, ["d": double(-0.0)]), (#"{"d":1234.56}"#, ["d": double(1234.56)]),
    (#"{"d":0.1}"#, ["d": double(0.1)]),
    (#"{"d":1.7976931348623157e308}"#, ["d": double(.greatestFiniteMagnitude)]),
    (#"{"d":5e-324}"#, ["d": double(.leastNonzeroMagnitude)]),
    (#"{"d":2.2250738585072011e-308}"#, ["d": double(Double.leastNormalMagnitude.nextDown)]), (#"{"d":1e999}"#, ["d": wrong]),
    (#"{"d":-1e999}"#, ["d": wrong]),
    (#"{"d":1e-999}"#, ["d": double(0)]), (#"{"d":0e999}"#, ["d": double(0)]),
    (#"{"d":9007199254740993}"#, ["d": double(9_007_199_254_740_992)]),
    (#"{"d":123456789012345678901234567890}"#, ["d": double(123_456_789_012_345_677_877_719_597_056)]),
    (#"{"d":"1.5"}"#, ["d": wrong]), (#"{"d":1.5e3}"#, ["d": double(1500)]),
    (#"{"d":0.000000000000000000000000000001}"#, ["d": double(1e-30)]),
    (#"{"d":100000000000000000000000.0e-23}"#, ["d": double(1)]),
]

private let stringCases: [Case] = [
    (#"{"s":"\q"}"#, nil), (#"{"x":"\q"}"#, nil), (#"{"x":"\u12G4"}"#, nil), (#"{"x":"\u12"}"#, nil), (#"{"x":["\x"]}"#, nil),
    (#"{"\q":1}"#, nil),
    (#"{"x":{"\q":1}}"#, nil), ("{\"s\":\"a\u{1}b\"}", nil), ("{\"x\":\"a\nb\"}", nil), ("{\"x\":\"a\tb\"}", nil),
    ("{\"x\":\"a\u{0}b\"}", nil), ("{\"a\u{1F}\":1}", nil),
    ("{\"s\":\"\u{7F}\"}", ["s": text("\u{7F}")]), (#"{"s":"\"\\\/\b\f\n\r\t"}"#, ["s": text("\"\\/\u{8}\u{C}\n\r\t")]),
    (#"{"s":"a\u0000b"}"#, ["s": text("a\u{0}b")]),
    (#"{"s":"\u00e9\u20AC\ud83d\ude00"}"#, ["s": text("é€😀")]), (#"{"s":"é€😀"}"#, ["s": text("é€😀")]),
    (#"{"s":"\ud83d"}"#, ["s": wrong]),
    (#"{"s":"\ude00"}"#, ["s": wrong]), (#"{"s":"\ud83dx"}"#, ["s": wrong]), (#"{"s":"\ud83d\n"}"#, ["s": wrong]),
    (#"{"s":"\ud83d\ud83d"}"#, ["s": wrong]),
    (#"{"s":"\ude00\ud83d"}"#, ["s": wrong]), (#"{"x":"\ud83d","\ude00":"\udfff","i":1}"#, ["i": int(1)]),
    (#"{"\u0073":"a"}"#, ["s": text("a")]),
    (#"{"s":"a\\"}"#, ["s": text("a\\")]), (#"{"s":"a\\\""}"#, ["s": text("a\\\"")]), (#"{"x":"\\","s":"b"}"#, ["s": text("b")]),
    (#"{"s" :"a" ,"t" : "1970-01-01T00:00:00Z" }"#, ["s": text("a"), "t": time(0)]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": someUUID]),
    (#"{"u":"01234567-89AB-CDEF-FEDC-BA9876543210"}"#, ["u": someUUID]),
    (#"{"u":"{01234567-89ab-cdef-fedc-ba9876543210}"}"#, ["u": someUUID]),
    (#"{"u":"urn:uuid:01234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": someUUID]),
    (#"{"u":"URN:UUID:01234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": someUUID]),
    (#"{"u":"00000000-0000-0000-0000-000000000000"}"#, ["u": nilUUID]),
    (#"{"u":"\u00301234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": someUUID]),
    (#"{"u":"0123456789abcdeffedcba9876543210"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba987654321"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba98765432100"}"#, ["u": wrong]),
    (#"{"u":"0123456789-ab-cdef-fedc-ba9876543210"}"#, ["u": wrong]),
    (#"{"u":"g1234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba987654321:"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba987654321/"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba987654321@"}"#, ["u": wrong]),
    (#"{"u":"01234567-89ab-cdef-fedc-ba987654321`"}"#, ["u": wrong]),
    (#"{"u":"\u00111234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": wrong]),
    (#"{"u":"é1234567-89ab-cdef-fedc-ba987654321"}"#, ["u": wrong]),
    (#"{"u":"(01234567-89ab-cdef-fedc-ba9876543210)"}"#, ["u": wrong]),
    (#"{"u":" 01234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": wrong]),
    (#"{"u":""}"#, ["u": wrong]), (#"{"u":1}"#, ["u": wrong]),
    (#"{"u":"urn:guid:01234567-89ab-cdef-fedc-ba9876543210"}"#, ["u": wrong]),
    (#"{"j":"a\n\ud83d"}"#, ["j": text(#""a\n\ud83d""#)]), (#"{"j": { "a" : [1, 2] } }"#, ["j": text(#"{ "a" : [1, 2] }"#)]),
    (#"{"j":[ ]}"#, ["j": text("[ ]")]),
    (#"{"j":1e999 }"#, ["j": text("1e999")]), (#"{"j":true}"#, ["j": text("true")]), (#"{"j":"" }"#, ["j": text(#""""#)]),
    (#"{"j":{"a":01}}"#, nil),
]

private let timeCases: [Case] = [
    (#"{"ms":0}"#, ["ms": time(0)]), (#"{"ms":-1}"#, ["ms": time(-1)]),
    (#"{"ms":1767225600123}"#, ["ms": time(1_767_225_600_123)]),
    (#"{"ms":253402300799999}"#, ["ms": time(253_402_300_799_999)]), (#"{"ms":1.9}"#, ["ms": time(1)]),
    (#"{"ms":-0.5}"#, ["ms": time(-1)]), (#"{"ms":-1.0}"#, ["ms": time(-1)]),
    (#"{"ms":1.767225600123e12}"#, ["ms": time(1_767_225_600_123)]), (#"{"ms":"0"}"#, ["ms": wrong]),
    (#"{"ms":true}"#, ["ms": wrong]), (#"{"ms":{}}"#, ["ms": wrong]),
    (#"{"ms":9223372036854775808}"#, ["ms": bad]), (#"{"ms":1e999}"#, ["ms": bad]), (#"{"ms":9223372036854775807}"#, ["ms": bad]),
    (#"{"ms":-1e30}"#, ["ms": bad]),
    (#"{"ms":2305843009213693951}"#, ["ms": time(2_305_843_009_213_693_951)]), (#"{"ms":-2305843009213693952}"#, ["ms": bad]),
    (#"{"ms":1e-999}"#, ["ms": time(0)]),
    (#"{"ms":-1e-999}"#, ["ms": time(-1)]), (#"{"sec":1767225600}"#, ["sec": time(1_767_225_600_000)]),
    (#"{"sec":1767225600.123}"#, ["sec": time(1_767_225_600_123)]),
    (#"{"sec":1767225600.1239}"#, ["sec": time(1_767_225_600_123)]), (#"{"sec":-0.0001}"#, ["sec": time(-1)]),
    (#"{"sec":-1.001}"#, ["sec": time(-1_001)]),
    (#"{"sec":4.35}"#, ["sec": time(4_350)]), (#"{"sec":1.0049999999999999999999}"#, ["sec": time(1_004)]),
    (#"{"sec":9223372036854775}"#, ["sec": bad]),
    (#"{"sec":1e3}"#, ["sec": time(1_000_000)]), (#"{"us":1767225600123456}"#, ["us": time(1_767_225_600_123)]),
    (#"{"us":-1}"#, ["us": time(-1)]), (#"{"us":-1000}"#, ["us": time(-1)]),
    (#"{"us":999}"#, ["us": time(0)]), (#"{"us":1767225600123456.7}"#, ["us": time(1_767_225_600_123)]),
    (#"{"ns":1767225600123456789}"#, ["ns": time(1_767_225_600_123)]),
    (#"{"ns":-1}"#, ["ns": time(-1)]), (#"{"ns":-1000000}"#, ["ns": time(-1)]),
    (#"{"ns":253402300799999999999}"#, ["ns": time(253_402_300_799_999)]),
    (#"{"ns":1.767225600123456789e18}"#, ["ns": time(1_767_225_600_123)]), (#"{"t":0}"#, ["t": wrong]),
    (#"{"t":"x"}"#, ["t": bad]), (#"{"t":""}"#, ["t": bad]),
    (#"{"t":"1970-01-01T00:00:00"}"#, ["t": bad]), (#"{"t":"9999-12-31T23:59:59.999Z"}"#, ["t": time(253_402_300_799_999)]),
    (#"{"t":"1970\u002d01-01T00:00:00Z"}"#, ["t": time(0)]), (#"{"t":"\ud83d"}"#, ["t": wrong]), (#"{"t":null}"#, ["t": .null]),
]

private let pathCases: [Case] = [
    (#"{"geo":{"country":"DE"}}"#, ["country": text("DE")]),
    (#"{"geo":{"at":{"lat":1.5},"country":"DE"}}"#, ["country": text("DE"), "lat": double(1.5)]),
    (#"{"geo":{}}"#, [:]), (#"{"geo":null}"#, [:]), (#"{"geo":1}"#, ["country": wrong, "lat": wrong]),
    (#"{"geo":[{"country":"DE"}]}"#, ["country": wrong, "lat": wrong]),
    (#"{"geo":"DE"}"#, ["country": wrong, "lat": wrong]), (#"{"geo":true}"#, ["country": wrong, "lat": wrong]),
    (#"{"geo":{"at":false,"country":null}}"#, ["country": .null, "lat": wrong]),
    (#"{"geo":{"at":null}}"#, [:]), (#"{"geo.country":"DE"}"#, [:]), (#"{"country":"DE"}"#, [:]),
    (#"{"geo":{"geo":{"country":"DE"}}}"#, [:]),
    (#"{"geo":{"country":"DE"},"geo":{"at":{"lat":1}}}"#, ["lat": double(1)]), (#"{"geo":{"country":"DE"},"geo":null}"#, [:]),
    (#"{"geo":{"country":"DE"},"geo":7}"#, ["country": wrong, "lat": wrong]),
    (#"{"geo":7,"geo":{"country":"DE"}}"#, ["country": text("DE")]),
    (#"{"geo":{"at":{"lat":1},"at":{}}}"#, [:]), (#"{"g\u0065o":{"countr\u0079":"DE"}}"#, ["country": text("DE")]),
    (#"{"geo":{"country":"DE"}"#, nil), (#"{"geo":{"country":"DE"]}"#, nil),
    (#"{"geo":{"country" "DE"}}"#, nil), (#"{"geo":{"country":"DE",}}"#, nil), (#"{"s":"a","s":"b"}"#, ["s": text("b")]),
    (#"{"s":"a","s":null}"#, ["s": .null]),
    (#"{"s":"a","s":1}"#, ["s": wrong]), (#"{"s":1,"s":"a"}"#, ["s": text("a")]), (#"{"s":"a","\u0073":"b"}"#, ["s": text("b")]),
    (#"{"s":"a\n","s":"b\n","s":"c"}"#, ["s": text("c")]),
    (#"{"ms":"x","ms":5}"#, ["ms": time(5)]), (#"{"i":1e999,"i":2}"#, ["i": int(2)]),
    (#"{"ss":1,"s":"a","sss":2}"#, ["s": text("a")]),
]

struct DecodeTableTests {
    enum Table: CaseIterable {
        case structure, scalars, strings, times, paths
        fileprivate var cases: [Case] {
            switch self {
            case .structure: structureCases
            case .scalars: scalarCases
            case .strings: stringCases
            case .times: timeCases
            case .paths: pathCases
            }
        }
    }

    @Test(arguments: Table.allCases)
    func everyDocumentHasItsOutcome(_ table: Table) throws {
        let cases = table.cases
        let decoder = try RecordDecoder(fields: fields)
        let together = decoder.all(cases.map { Array($0.json.utf8) }, fields)
        for (index, one) in cases.enumerated() {
            #expect(together[index] == outcome(one.cells), "\(one.json)")
            let alone = try RecordDecoder(fields: fields).all([Array(one.json.utf8)], fields)
            #expect(alone == [outcome(one.cells)], "alone: \(one.json)")
        }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func badUTF8IsUndecodableWhereverItStands(_ bytes: [UInt8]) throws {
        let decoder = try RecordDecoder(fields: fields)
        let places = [(#"{"s":""#, #""}"#), (#"{"x":""#, #""}"#), (#"{"x"#, #"":1}"#), ("{", "}"), ("{}", "")]
        let records = places.map { Array($0.0.utf8) + bytes + Array($0.1.utf8) }
        #expect(decoder.all(records, fields) == places.map { _ in .undecodable })
    }

    @Test func depthIsBoundedAndCostsNoStack() throws {
        let decoder = try RecordDecoder(fields: fields)
        func nested(_ open: String, _ close: String, _ depth: Int) -> [UInt8] {
            Array((#"{"x":"# + String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth) + "}").utf8)
        }
        let records = [
            nested("[", "]", 1_023), nested("[", "]", 1_024), nested(#"{"a":"#, "}", 1_023), nested(#"{"a":"#, "}", 1_024),
            nested("[", "]", 100_000), nested(#"[{"a":"#, "}]", 100_000), Array(String(repeating: "[", count: 100_000).utf8),
            Array((#"{"x":"# + String(repeating: "[", count: 100_000)).utf8), nested(#"[{"a":"#, "}]", 511),
            nested(#"[{"a":"#, "]}", 511),
        ]
        let fine = outcome([:])
        let broken = Decoded.undecodable
        #expect(decoder.all(records, fields) == [fine, broken, fine, broken, broken, broken, broken, broken, fine, broken])
    }
}
