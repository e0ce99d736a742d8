import Model
import Testing

@testable import Pipeline

struct DecodeTests {
    @Test func theReferenceRecordDecodes() throws {
        let fields = [
            FieldPlan(name: "event_id", type: .uuid, required: true), FieldPlan(name: "ts", type: .timestamp(.milliseconds)),
            FieldPlan(name: "event", type: .string), FieldPlan(name: "country", type: .string),
            FieldPlan(name: "duration_ms", type: .double),
        ]
        let decoder = try RecordDecoder(fields: fields)
        let record = #"""
            {"event_id":"0b2d7b9a-30ff-4a3e-9a51-7f3a8a6f1c11","event":"track_play","user_id":"u-1","ts":1767225600123,"country":"DE","duration_ms":1234.56,"properties":{"a":[1,2,{"b":null}],"c":true}}
            """#
        #expect(
            decoder.all([Array(record.utf8), Array(record.utf8)], fields)[1]
                == .fields([
                    .value(.uuid(high: 0x0b2d_7b9a_30ff_4a3e, low: 0x9a51_7f3a_8a6f_1c11)),
                    .value(.time(EventTime(milliseconds: 1_767_225_600_123))), .value(.string("track_play")),
                    .value(.string("DE")), .value(.double(1234.56)),
                ]))
    }
}
