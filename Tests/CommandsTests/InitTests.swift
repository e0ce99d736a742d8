import Glibc
import Model
import Testing
import Testkit
import Topology

@testable import Commands

private func drafted(_ folder: Scratch, _ lines: [String], _ more: [String] = []) throws -> (said: Said, text: String) {
    let file = try folder.file("sample.ndjson", lines.joined(separator: "\n"))
    let said = said(["init", "--from-file", file, "--out", folder.path, "--name", "t"] + more)
    return (said, read("\(folder.path)/t.yaml"))
}

/// Three hundred events a second apart, every tenth sent again, every fiftieth 20 s old.
private func events(_ event: (_ id: String, _ seconds: Int) -> String) -> [String] {
    (0..<300).flatMap { i in
        let line = event("6b1e0c52-4f1d-4c7a-9a53-\(100_000_000_000 + i)", 1_767_225_600 + i - (i % 50 == 49 ? 20 : 0))
        return i % 10 == 0 ? [line, line] : [line]
    }
}

@Test(arguments: VendorShape.all.map(\.name))
func aVendorsDraftIsAsAgreedAndPassesTheStrictCheckAndItsTests(vendor: String) throws {
    let folder = Scratch()
    #expect(said("init", "--from", vendor, "--out", folder.path).exit == 0)
    expectGolden(read("\(folder.path)/\(vendor).yaml"), "init-\(vendor).yaml")
    expectGolden(read("\(folder.path)/\(vendor).test.yaml"), "init-\(vendor).test.yaml")
    let check = said("check", "--strict", "\(folder.path)/\(vendor).yaml")
    #expect(check.exit == 0 && check.out.count { $0 == "\n" } == 1, "\(check.out)")
    #expect(read("\(folder.path)/docker-compose.yml").contains("./\(vendor).yaml:"))
    let tested = said("test", "\(folder.path)/\(vendor).test.yaml")
    #expect(tested.exit == 0 && tested.out.contains("5 cases, 0 failed"), "\(tested.out)")
}

@Test func aSamplesFieldsTimesAndCopiesAreFoundAndItsValuesAreNotWritten() throws {
    let folder = Scratch()
    let lines = events { id, seconds in
        #"{"messageId":"\#(id)","occurredAt":\#(seconds * 1_000),"event":"play","user":{"email":"eve@secret.example"},"#
            + #""durationMs":\#(seconds % 70).5}"#
    }
    let draft = try drafted(folder, lines + ["not json", "[1]"], ["--json"])
    #expect(
        draft.said.exit == 0
            && draft.said.out.contains(#""records":330,"undecodable":2,"event_time":"occurred_at","key":["message_id"]"#))
    #expect(draft.text.contains("message_id: {type: uuid, path: messageId, required: true}"))
    #expect(draft.text.contains("occurred_at: {type: timestamp, unit: ms, path: occurredAt, required: true}"))
    #expect(draft.text.contains("email: {type: string, path: user.email, required: true, class: personal}"))
    #expect(draft.text.contains("30 copies") && draft.text.contains("the worst 19s"))
    #expect(!draft.text.contains("secret") && !read("\(folder.path)/t.test.yaml").contains("secret"))
    #expect(said("check", "--strict", "\(folder.path)/t.yaml").exit == 0)
}

@Test func aGeneratedStreamIsMeasuredAsItWasMade() throws {
    let folder = Scratch()
    var drafts: [String] = []
    for ending in ["", ".gz", ".zst"] {
        let file = "\(folder.path)/s.ndjson\(ending)"
        #expect(said("generate", "--file", file, "--events", "20000", "--seed", "7").exit == 0)
        let draft = said("init", "--from-file", file, "--out", "\(folder.path)/out", "--name", "t", "--force")
        #expect(draft.exit == 0 && draft.out.contains("event time: ts; copies by: event_id"), "\(draft.error)")
        drafts.append(read("\(folder.path)/out/t.yaml").replacing(file, with: "s.ndjson"))
    }
    #expect(drafts[0] == drafts[1] && drafts[0] == drafts[2])
    expectGolden(drafts[0], "init-reference.yaml")
    #expect(said("test", "\(folder.path)/out/t.test.yaml").exit == 0)
}

@Test func theComposeFileFindsWhatTheTopologyNames() throws {
    let folder = Scratch()
    #expect(said("init", "--from", "segment", "--out", folder.path).exit == 0)
    expectGolden(read("\(folder.path)/docker-compose.yml"), "init-compose.yaml")
    let file = try folder.file("a.ndjson", #"{"ts":1767225600000}"#)
    let pattern = "\(folder.path)/[ab]*.ndjson"
    let draft = said("init", "--from-file", file, "--from-file", pattern, "--name", "t", "--out", folder.path, "--force")
    #expect(draft.exit == 0, "\(draft.error)")
    let text = read("\(folder.path)/docker-compose.yml")
    #expect(text.contains("- \"\(file):\(file):ro\"") && text.contains("- \"\(folder.path):\(folder.path):ro\""), "\(text)")
    #expect(text.contains("working_dir: /data") && !text.contains("kafka"))
}

@Test func aVendorsFieldThatTheSampleHasNotIsToldAndLeftOut() throws {
    let folder = Scratch()
    let line = #"{"messageId":"a","timestamp":"2026-01-01T00:00:00Z","type":"track","userId":"u"}"#
    let draft = try drafted(folder, [line], ["--from", "segment"])
    #expect(draft.said.exit == 0 && draft.text.contains("# `event` is in no record of the sample and left out."))
    #expect(draft.text.contains("group_by: [type]") && said("test", "\(folder.path)/t.test.yaml").exit == 0)
}

@Test func anEventTimeThatOnlyItsValuesHintAtIsTold() throws {
    let draft = try drafted(Scratch(), (0..<50).map { #"{"n":\#(1_767_225_600 + $0),"v":\#($0)}"# })
    #expect(draft.said.exit == 0 && draft.text.contains("`n` was taken for the event time by its values only"))
}

@Test func whatIsThereIsNotOverwrittenUnlessForced() throws {
    let folder = Scratch()
    _ = try folder.file("segment.yaml", "mine")
    let refused = said("init", "--from", "segment", "--out", folder.path)
    #expect(refused.exit == 2 && refused.error.contains("file_exists") && refused.error.contains("segment.yaml"))
    #expect(read("\(folder.path)/segment.yaml") == "mine" && read("\(folder.path)/segment.test.yaml").isEmpty)
    #expect(said("init", "--from", "segment", "--out", folder.path, "--force").exit == 0)
}

@Test(arguments: [
    ([""], [], "sample_empty"), (["nonsense"], [], "sample_empty"), ([#"{"id":"a"}"#], [], "sample_without_time"),
    ([#"{"id":"a","ts":1767225600000}"#], ["--from", "segment"], "sample_unlike_vendor"),
    ([#"{"ts":1767225600000}"#], ["--from", "segmnt"], "did you mean `segment`?"),
    ([#"{"ts":1767225600000}"#], ["--bootstrap", "b:1"], "--bootstrap is for topics"),
    ([#"{"ts":"01.02.2026"}"#], [], "`ts` holds neither whole epoch numbers nor RFC 3339 times"),
    (["[", #"{"ts":1}"#, "]"].map { $0 + "," }, [], "one JSON object a line"),
    ([#"{"ts":1767225600000}"#], ["--from-topic", "t"], "--from-topic and --from-file don't go together"),
    ([#"{"ts":1767225600000}"#], ["--oldest"], "--oldest is for --from-topic"),
])
func whatCannotBeDraftedIsSaid(lines: [String], more: [String], words: String) throws {
    let folder = Scratch()
    let draft = try drafted(folder, lines, more)
    #expect(draft.said.exit == 2 && draft.said.error.contains(words) && draft.text.isEmpty, "\(draft.said.error)")
}

@Test(arguments: UInt64(0)..<60)
func whateverTheFieldsTheDraftPassesTheStrictCheckAndItsTests(seed: UInt64) throws {
    let folder = Scratch()
    var random = SplitMix(state: seed)
    let names = [
        "a.b", "Größe", "end", "revision", "eventId", "event_id", "geo", "$x", "${Y}", "1st", "quote\\\"", "null", "price",
        "line\\nbreak", "#", "email", "is", "country", "window_start", "", "tag: x",
    ].filter { _ in random.next() % 3 > 0 }
    let lines = (0..<80).map { i in
        let members = names.map { name in
            let values = [
                "\(i)", "\"v\(i % 4)\"", "\"6b1e0c52-4f1d-4c7a-9a53-\(100_000_000_000 + i)\"", "null", "\(i).5", "true", "[1]",
                "{\"id\":\(i),\"k\":\"z\"}",
            ]
            let kind = (UInt64(name.utf8.count) &* 7 &+ seed) % 8
            return "\"\(name)\":\(values[Int(random.next() % 12 == 0 ? random.next() % 8 : kind)])"
        }
        let time =
            seed % 2 == 0 ? "\(1_767_225_600_000 + Int64(random.next() % 400_000_000))" : "\"2026-01-01 00:00:\(10 + i % 50)\""
        return "{" + (["\"ts\":\(time)"] + members).joined(separator: ",") + "}"
    }
    let draft = try drafted(folder, lines)
    #expect(draft.said.exit == 0, "\(draft.said.error)")
    let check = said("check", "--strict", "\(folder.path)/t.yaml")
    #expect(check.exit == 0 && check.out.count { $0 == "\n" } == 1, "\(check.out)\(draft.text)")
    let tested = said("test", "\(folder.path)/t.test.yaml")
    #expect(tested.exit == 0, "\(tested.out)\(draft.text)")
}

private struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
