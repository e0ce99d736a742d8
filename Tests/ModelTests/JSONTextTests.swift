import Model
import Testing

@Suite struct JSONTextTests {
    private func json(_ write: (inout JSONText) -> Void) -> String {
        var text = JSONText()
        write(&text)
        return text.text
    }

    @Test(arguments: [
        (Value.null, "null"),
        (.bool(true), "true"),
        (.bool(false), "false"),
        (.int(0), "0"),
        (.int(.min), "-9223372036854775808"),
        (.int(.max), "9223372036854775807"),
        (.wide(.min), "-170141183460469231731687303715884105728"),
        (.wide(.max), "170141183460469231731687303715884105727"),
        (.double(6), "6.0"),
        (.double(-0.1), "-0.1"),
        (.double(1e-7), "1e-07"),
        (.double(.greatestFiniteMagnitude), "1.7976931348623157e+308"),
        (.double(.nan), "null"),
        (.double(-.infinity), "null"),
        (.string(""), "\"\""),
        (.string("a\"b\\c/d"), #""a\"b\\c/d""#),
        (.string("\n\r\t\u{8}\u{C}\u{0}\u{1F}\u{7F}"), "\"\\n\\r\\t\\b\\f\\u0000\\u001f\u{7F}\""),
        (.string("Köln 🚋"), "\"Köln 🚋\""),
        (.uuid(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210), "\"01234567-89ab-cdef-fedc-ba9876543210\""),
        (.time(EventTime(milliseconds: -1)), "-1"),
    ])
    func everyValueHasOneText(value: Value, expected: String) {
        #expect(json { $0.value(value) } == expected)
    }

    @Test func commasStandBetweenMembersAndElementsOnly() {
        let text = json {
            $0.beginObject()
            $0.member("a", 1)
            $0.key("b")
            $0.beginArray()
            $0.beginObject()
            $0.endObject()
            $0.beginArray()
            $0.endArray()
            $0.null()
            $0.raw("{\"x\":1}".utf8)
            $0.bool(true)
            $0.endArray()
            $0.member("c\n", "d")
            $0.member("e", 1.5)
            $0.member("f", false)
            $0.member("g", Value.null)
            $0.endObject()
        }
        #expect(text == #"{"a":1,"b":[{},[],null,{"x":1},true],"c\n":"d","e":1.5,"f":false,"g":null}"#)
    }

    @Test func doublesReadBackAsTheyWere() {
        for value in [0.1, 1.0 / 3.0, Double.leastNonzeroMagnitude, 123_456_789.123, 1e21, -2.5e-10, 0x1p53] {
            #expect(Double(json { $0.double(value) }) == value)
        }
    }

    @Test func textThatWasForgottenLeavesNoComma() {
        var text = JSONText()
        text.int(1)
        text.removeAll()
        text.int(2)
        #expect(text.text == "2")
    }
}
