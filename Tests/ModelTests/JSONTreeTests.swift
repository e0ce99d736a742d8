import Model
import Testing

struct JSONTreeTests {
    @Test(
        arguments: [
            (
                #"{"a":[1,-2.5e3,true,false,null,"x"]}"#,
                .object([("a", .array([.number("1"), .number("-2.5e3"), .bool(true), .bool(false), .null, .string("x")]))])
            ),
            (#" "a\"\\\/\b\f\n\r\té😀ß" "#, .string("a\"\\/\u{08}\u{0C}\n\r\té😀ß")),
            ("{}", .object([])), ("[ ]", .array([])), ("0", .number("0")),
        ] as [(String, JSONTree)])
    func whatIsJSONIsRead(text: String, tree: JSONTree) { #expect(JSONTree(text.utf8) == tree) }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "-", "1.", "1e", ".5", "tru", "\"a", "\"\\x\"", "\"\\ud83d\"",
        "\"\\udc00\"",
        "\"\u{01}\"", "1 2", "{} x", "- 1", String(repeating: "[", count: 17) + String(repeating: "]", count: 17),
    ])
    func whatIsNoneIsNone(text: String) { #expect(JSONTree(text.utf8) == nil) }

    @Test func bytesThatAreNoTextAreNone() { #expect(JSONTree([0x22, 0xFF, 0x22]) == nil) }

    @Test func ofAKeyThatComesTwiceTheLastCounts() {
        let tree = JSONTree(#"{"n":1,"n":2,"s":"t","f":true,"l":[3]}"#.utf8)
        #expect(
            tree?["n"]?.int == 2 && tree?["s"]?.text == "t" && tree?["f"]?.flag == true && tree?["l"]?.items == [.number("3")])
        #expect(tree?["none"] == nil && tree?["s"]?.int == nil)
    }

    @Test func whatIsWrittenIsReadBack() {
        var json = JSONText()
        json.beginObject()
        json.member("text", "quote \" slash \\ line \n é 😀")
        json.member("number", Int64.min)
        json.endObject()
        let tree = JSONTree(json.bytes)
        #expect(tree?["text"]?.text == "quote \" slash \\ line \n é 😀" && tree?["number"]?.int == .min)
    }
}
