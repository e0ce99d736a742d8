import Model
import Testing
import Testkit

@testable import Pipeline

struct DecodeBatchTests {
    @Test func fieldsMayShareAPathOrAPrefix() throws {
        let fields = [
            FieldPlan(name: "text", type: .string, path: ["a"]), FieldPlan(name: "same", type: .string, path: ["a"]),
            FieldPlan(name: "raw", type: .json, path: ["a"]), FieldPlan(name: "inner", type: .int, path: ["a", "b"]),
            FieldPlan(name: "time", type: .timestamp(.seconds), path: ["a", "b"]),
        ]
        let records = [#"{"a":"x\ty"}"#, #"{"a":{"b":7, "c":[]} }"#, #"{"a":7}"#, #"{"a":null}"#, "{}"].map { Array($0.utf8) }
        #expect(
            try RecordDecoder(fields: fields).all(records, fields) == [
                .fields([.value(.string("x\ty")), .value(.string("x\ty")), .value(.string(#""x\ty""#)), .wrongType, .wrongType]),
                .fields([
                    .wrongType, .wrongType, .value(.string(#"{"b":7, "c":[]}"#)), .value(.int(7)),
                    .value(.time(EventTime(milliseconds: 7_000))),
                ]),
                .fields([.wrongType, .wrongType, .value(.string("7")), .wrongType, .wrongType]),
                .fields([.null, .null, .null, .missing, .missing]), .fields([.missing, .missing, .missing, .missing, .missing]),
            ])
    }

    @Test func fallbacksStandInForWhatIsMissingOrNull() throws {
        let values: [(FieldType, Value)] = [
            (.string, .string("unknown")), (.string, .string("")), (.int, .int(-3)), (.double, .double(2.5)),
            (.bool, .bool(true)),
            (.uuid, .uuid(high: 1, low: 2)), (.json, .string("{}")),
            (.timestamp(.milliseconds), .time(EventTime(milliseconds: 9))),
        ]
        let fields = values.enumerated().map { FieldPlan(name: "f\($0)", type: $1.0, path: ["o", "f\($0)"], fallback: $1.1) }
        let filled = Decoded.fields(values.map { .value($0.1) })
        let nulls = #"{"o":{"# + fields.map { "\"\($0.name)\":null" }.joined(separator: ",") + "}}"
        let records = ["{}", nulls, #"{"o":null}"#, #"{"o":1}"#, "{", #"{"o":{"f0":"x","f2":4}}"#].map { Array($0.utf8) }
        var partly = values.map { Decoded.Cell.value($0.1) }
        partly[0] = .value(.string("x"))
        partly[2] = .value(.int(4))
        #expect(
            try RecordDecoder(fields: fields).all(records, fields) == [
                filled, filled, filled, .fields(values.map { _ in .wrongType }), .undecodable, .fields(partly),
            ])
    }

    @Test func skippedRecordsAreNotRead() throws {
        let fields = [FieldPlan(name: "i", type: .int)]
        let records: [[UInt8]?] = [nil, Array(#"{"i":1}"#.utf8), Array("garbage".utf8), nil, Array(#"{"i":2}"#.utf8)]
        let decoder = try RecordDecoder(fields: fields)
        #expect(
            decoder.all(records, fields, skip: [1, 0, 1, 0, 0]) == [
                nil, .fields([.value(.int(1))]), nil, .undecodable, .fields([.value(.int(2))]),
            ])
        #expect(decoder.all([nil], fields, skip: [1]) == [nil])
        #expect(decoder.all([], fields) == [])
    }

    @Test func noFieldsAtAllStillMeansStrict() throws {
        let decoder = try RecordDecoder(fields: [])
        #expect(
            decoder.all(["{}", "{\"a\":1}", "{", ""].map { Array($0.utf8) }, []) == [
                .fields([]), .fields([]), .undecodable, .undecodable,
            ])
    }

    /// A batch that does not fit comes back in parts, a large record comes back whole, and the memory goes again.
    @Test func outsizedRecordsAreReadAndTheirMemoryGivenBack() throws {
        let fields = [FieldPlan(name: "s", type: .string), FieldPlan(name: "i", type: .int)]
        let decoder = try RecordDecoder(fields: fields, maxRecord: .mebibytes(24))
        let small = Array(#"{"s":"a","i":1}"#.utf8)
        _ = decoder.all([small], fields)
        let before = decoder.memory

        let escaped = String(repeating: #"\n"#, count: 5 << 20)
        let large = Array(#"{"s":"\#(escaped)","i":2}"#.utf8)
        let lines = Decoded.fields([.value(.string(String(repeating: "\n", count: 5 << 20))), .value(.int(2))])
        let one = Decoded.fields([.value(.string("a")), .value(.int(1))])
        #expect(decoder.all([small, large, large, large, small], fields) == [one, lines, lines, lines, one])
        #expect(decoder.memory > 20 << 20)

        let oversize = Array(#"{"s":""#.utf8) + [UInt8](repeating: 0x61, count: 24 << 20) + Array(#""}"#.utf8)
        #expect(decoder.all([small, oversize, small], fields) == [one, .undecodable, one])
        #expect(decoder.memory - before <= 8 << 20)
    }

    @Test func aHundredMebibytesInOneRecordAreRead() throws {
        let fields = [FieldPlan(name: "i", type: .int), FieldPlan(name: "j", type: .string)]
        let decoder = try RecordDecoder(fields: fields, maxRecord: .mebibytes(100))
        let record = Array(#"{"x":""#.utf8) + [UInt8](repeating: 0x61, count: (100 << 20) - 32) + Array(#"","i":5,"j":"e"}"#.utf8)
        #expect(decoder.all([record], fields) == [.fields([.value(.int(5)), .value(.string("e"))])])
    }

    @Test func impossiblePlansAreFaults() {
        #expect(throws: Fault.self) { try RecordDecoder(fields: [FieldPlan(name: "a", type: .int, path: [])]) }
        let deep = FieldPlan(name: "a", type: .int, path: Array(repeating: "a", count: 65))
        #expect(throws: Fault.self) { try RecordDecoder(fields: [deep]) }
        #expect(throws: Fault.self) { try RecordDecoder(fields: [], maxRecord: .mebibytes(1_025)) }
    }

    /// S17: the outcome of a record does not depend on its neighbours.
    @Test(arguments: [UInt64(1), 2, 3])
    func howABatchIsCutChangesNothing(_ seed: UInt64) throws {
        let fields = [
            FieldPlan(name: "s", type: .string), FieldPlan(name: "n", type: .int, path: ["o", "n"]),
            FieldPlan(name: "j", type: .json),
        ]
        var random = SplitMix(seed: seed)
        let shapes = [
            #"{"s":"plain","o":{"n":1},"j":[1]}"#, #"{"o":{"n":2},"s":"esc\u0041ped","j":{}}"#, #"{"j":null,"s":1}"#, "{", "",
            #"{"s":"\ud800"}"#,
            #"{"a":1,"b":2,"c":{"s":"no"},"s":"a rather longer key order","key_of_more_than_sixteen_bytes":1}"#,
            #"{"key_of_more_than_sixteen_bytez":1,"s":"b"}"#, "{}trailing", "\u{FEFF}{\"s\":\"bom\"}",
        ].map { Array($0.utf8) }
        let records = (0..<600).map { _ in shapes[Int(random.next() % UInt64(shapes.count))] }
        let whole = try RecordDecoder(fields: fields).all(records, fields)
        let decoder = try RecordDecoder(fields: fields)
        var cut: [Decoded?] = []
        while cut.count < records.count {
            let size = Int(random.next() % 7) + 1
            cut += decoder.all(Array(records[cut.count..<min(cut.count + size, records.count)]), fields)
        }
        #expect(cut == whole)
    }
}
