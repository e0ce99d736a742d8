import Foundation
import Glibc
import Model
import Testing
import Testkit
import Topology

@testable import Commands

@Test func theTopologiesInTheBinaryAreThoseOfTheRepository() {
    #expect(BuiltInTopologies.demo == read("\(packageFolder)/topologies/demo.yaml"))
    #expect(BuiltInTopologies.reference == read("\(packageFolder)/topologies/reference.yaml"))
}

@Test func checkTellsAllProblemsAndEndsWithThree() throws {
    let folder = Scratch()
    let good = try folder.file("good.yaml", BuiltInTopologies.reference)
    let bad = try folder.file("bad.yaml", BuiltInTopologies.reference.replacing("emit", with: "emitt") + "typo: 1\nnmae: x\n")
    #expect(said("check", good) == Said(exit: 0, out: "\(good): ok, 5 fields, 1 output\n", error: ""))
    let answer = said("check", good, bad)
    #expect(answer.exit == 3 && answer.error == "")
    #expect(answer.out.contains("\(bad):") && answer.out.contains("unknown_key"))
    #expect(answer.out.hasSuffix("\(bad): 2 errors\n"))
    #expect(said("check", "\(folder.path)/none.yaml").exit == 2)
    #expect(said("check", bad, "\(folder.path)/none.yaml").exit == 2)
    let json = said("check", bad, "--json")
    #expect(json.exit == 3 && json.out.hasPrefix("{\"files\":[{\"file\":\"\(bad)\",\"ok\":false,\"problems\":[{"))
}

@Test func schemaWritesItsTwoDocuments() throws {
    let folder = Scratch()
    #expect(said("schema") == Said(exit: 0, out: Topology.schema, error: ""))
    #expect(said("schema", "--json").out == Topology.schema)
    #expect(said("schema", "--markdown").out == Topology.reference)
    #expect(said("schema", "--markdown", "--json").out.hasPrefix(##"{"markdown":"# The topology file\n"##))
    let path = "\(folder.path)/topology.schema.json"
    let bytes = Topology.schema.utf8.count
    #expect(said("schema", "--out", path) == Said(exit: 0, out: "\(path): \(bytes) bytes\n", error: ""))
    #expect(read(path) == Topology.schema)
    #expect(said("schema", "--out", path, "--json").out == "{\"file\":\"\(path)\",\"bytes\":\(bytes)}\n")
    let nowhere = said("schema", "--out", "\(folder.path)/none/a.json")
    #expect(nowhere.exit == 2 && nowhere.error.contains("file_unwritable"))
}

@Test(arguments: ["demo", "product-usage", "reference"])
func aPlanIsDescribedAsAgreed(name: String) {
    let file = "\(packageFolder)/topologies/\(name).yaml"
    let answer = said("describe", file)
    #expect(answer.exit == 0 && answer.error == "")
    expectGolden(answer.out, "describe-\(name).txt")
    expectGolden(said("describe", file, "--json").out, "describe-\(name).json")
}

/// YAML, JSON and the first part of the text hold the same plan; what is assumed can be said.
@Test func yamlAndJSONDescribeTheSame() throws {
    let file = "\(packageFolder)/topologies/demo.yaml"
    let yaml = said("describe", file, "--yaml").out
    let parsed = try #require(
        try JSONSerialization.jsonObject(with: Data(said("describe", file, "--json").out.utf8)) as? [String: Any])
    #expect(parsed["yaml"] as? String == yaml && said("describe", file).out.hasPrefix(yaml))
    let folder = Scratch()
    let plan = try JSONSerialization.data(withJSONObject: try #require(parsed["plan"]))
    let again = try folder.file("again.yaml", String(decoding: plan, as: UTF8.self))
    // Maps of the topology's own names have lost their order in between.
    #expect(
        said("describe", again, "--yaml").out.replacing("  # default", with: "").count
            == yaml.replacing("  # default", with: "").count)
    let standing = said("describe", file, "--rate", "9000/s", "--groups", "7", "--partitions", "3", "--keys-per-million", "900k")
    #expect(standing.out.contains("held at 9,000/s"))
    #expect(
        standing.out.hasSuffix(
            "Assumed: 900,000 keys among a million events, 7 groups a window, 3 partitions, 16 bytes a text.\n"))
    #expect(said("describe", file, "--rate", "x").exit == 2 && said("describe", file, "--groups", "0").exit == 2)
}

@Test func aRateThatIsSaidJudgesTheMemory() throws {
    let folder = Scratch()
    let file = try folder.file("t.yaml", BuiltInTopologies.reference.replacing("within: 10m", with: "within: 24h"))
    #expect(said("check", file, "--strict").exit == 3)  // late_copies is accepted where nothing is late any more
    let quiet = said("check", file)
    #expect(quiet.exit == 0 && !quiet.out.contains("memory_"))
    let small = said("check", file, "--rate", "190/s")
    #expect(small.exit == 0 && !small.out.contains("memory_"))
    let large = said("check", file, "--rate", "5000/s")
    #expect(large.out.contains("24h bring 432000000 keys") || large.out.contains("1d bring 432000000 keys"))
    #expect(large.out.contains("[memory_short]") && said("check", file, "--rate", "0").exit == 2)
}

@Test func aWrongTopologyIsDescribedAsCheckTellsIt() throws {
    let folder = Scratch()
    let bad = try folder.file("bad.yaml", BuiltInTopologies.reference + "typo: 1\n")
    #expect(said("describe", bad) == said("check", bad))
    let none = said("describe", "\(folder.path)/none.yaml")
    #expect(none.exit == 2 && none.out.contains("unreadable_file"))
}

@Test func onlyStrictMakesAWarningAnError() throws {
    let folder = Scratch()
    let text = BuiltInTopologies.reference.split(separator: "\ncheck:")[0] + "\n"
    let file = try folder.file("warned.yaml", String(text))
    let lax = said("check", file)
    #expect(lax.exit == 0 && lax.out.hasSuffix("\(file): ok, 5 fields, 1 output, 1 warning\n"))
    #expect(said("check", file, "--strict").exit == 3)
}

@Test func problemsGoToAFileOrToStdoutAsSARIF() throws {
    let folder = Scratch()
    let bad = try folder.file("bad.yaml", BuiltInTopologies.reference + "typo: 1\n")
    let log = "\(folder.path)/log.sarif"
    let beside = said("check", bad, "--sarif", log)
    #expect(beside.exit == 3 && beside.error == "" && beside.out.contains("[unknown_key]"))
    let written = read(log)
    let alone = said("check", bad, "--sarif", "-")
    #expect(alone == Said(exit: 3, out: written, error: ""))
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String: Any])
    let run = try #require((parsed["runs"] as? [[String: Any]])?.first)
    let results = try #require(run["results"] as? [[String: Any]])
    #expect(results.map { $0["ruleId"] as? String } == ["unknown_key"])
    // Beside --json too, and without problems the log is there all the same.
    let json = said("check", bad, "--json", "--sarif", log)
    #expect(json.exit == 3 && json.out.hasPrefix("{\"files\":[") && read(log) == written)
    let good = try folder.file("good.yaml", BuiltInTopologies.reference)
    #expect(said("check", good, "--sarif", log).exit == 0 && read(log).contains("\"results\":[]"))
}

@Test func aSARIFLogThatCannotBeWrittenIsToldWithoutTouchingTheAnswer() throws {
    let folder = Scratch()
    let good = try folder.file("good.yaml", BuiltInTopologies.reference)
    let nowhere = try WeirProcess(["check", good, "--sarif", "\(folder.path)/none/log.sarif"]).end(within: 10)
    #expect(nowhere.exit == 2 && nowhere.error.contains("the SARIF log can't be written"))
    #expect(nowhere.error.contains("\(folder.path)/none/log.sarif"))
    // With --json one document tells both.
    let told = try WeirProcess(["check", good, "--json", "--sarif", "\(folder.path)/none/log.sarif"]).end(within: 10)
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(told.out.utf8)) as? [String: Any])
    #expect(told.exit == 2 && told.error == "" && (parsed["files"] as? [[String: Any]])?.first?["ok"] as? Bool == true)
    #expect((parsed["error"] as? [String: Any])?["code"] as? String == "sarif_unwritable")
    let both = try WeirProcess(["check", good, "--json", "--sarif", "-"]).end(within: 10)
    #expect(both.exit == 2 && both.out.contains("--json and --sarif - both write to stdout"))
}

@Test func theJSONOfAProblemHasAllOfIt() throws {
    let folder = Scratch()
    let file = try folder.file(
        "a.yaml", BuiltInTopologies.reference.replacing("\nfields:\n", with: "\nfields:\n  spare: {type: int}\n"))
    let answer = said("check", file, "--json")
    let parsed = try #require(try JSONSerialization.jsonObject(with: Data(answer.out.utf8)) as? [String: Any])
    let first = try #require((parsed["files"] as? [[String: Any]])?.first)
    #expect(Set(first.keys) == ["file", "ok", "name", "fields", "outputs", "problems"])
    #expect(first["ok"] as? Bool == true && first["fields"] as? Int == 6 && first["outputs"] as? Int == 1)
    let problem = try #require((first["problems"] as? [[String: Any]])?.first)
    #expect(Set(problem.keys) == ["severity", "code", "file", "line", "column", "path", "what", "next"])
    #expect(problem["severity"] as? String == "note" && problem["code"] as? String == "unused_field")
    #expect(problem["file"] as? String == file && problem["path"] as? String == "fields.spare" && problem["column"] as? Int == 3)
    let lines = read(file).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[try #require(problem["line"] as? Int) - 1] == "  spare: {type: int}")
    #expect(said("check", file, "--strict").exit == 0)
    #expect(said("check", file).out.hasSuffix("\(file): ok, 6 fields, 1 output, 1 note\n"))
    let wrong = try folder.file("b.yaml", read(file) + "typo: 1\n")
    let strict = said("check", wrong, "--json", "--strict")
    #expect(strict.exit == 3 && strict.out.contains("\"ok\":false") && !strict.out.contains("\"name\""))
}

@Test func aReplayNeedsAStateOfItsOwn() throws {
    let folder = Scratch()
    let file = try folder.file("a.yaml", BuiltInTopologies.reference + "state: {directory: \(folder.path)/state}\n")
    let bounds = ["--from", "t:0:0", "--until", "t:0:9"]
    let without = try WeirProcess(["run", file] + bounds).end(within: 10)
    #expect(without.exit == 2 && without.error.contains("a replay needs --state"))
    let roundabout = "\(folder.path)/../\(folder.path.split(separator: "/").last ?? "")/state/"
    let own = try WeirProcess(["run", file] + bounds + ["--state", roundabout]).end(within: 10)
    #expect(own.exit == 2 && own.error.contains("the topology's own state directory"))
}

@Test(
    arguments: [
        (["check", "/nonexistent.yaml"], 2), (["run", "/nonexistent.yaml"], 2), (["runn"], 2), (["describe"], 2), (["schema"], 0),
        (["schema", "x"], 2), (["help"], 0),
        (["generate"], 2), (["status", "--url", "http://127.0.0.1:1"], 1), (["demo", "--seconds", "x"], 2),
    ] as [([String], Int32)])
func theProcessEndsWithTheDocumentedCode(words: [String], code: Int32) throws {
    #expect(try WeirProcess(words).end(within: 10).exit == code)
}

@Test func whatIsGeneratedIsWhatIsTold() throws {
    let folder = Scratch()
    let answer = try WeirProcess(["generate", "--file", "\(folder.path)/e.ndjson", "--events", "20k", "--json"]).end(within: 30)
    #expect(answer.exit == 0)
    #expect(answer.out.hasPrefix(#"{"events":20000,"unique":"#))
    let lines = read("\(folder.path)/e.ndjson").split(separator: "\n")
    #expect(lines.count == 20_000)
    #expect(answer.out.contains(#""unique":\#(Set(lines).count),"copies":\#(20_000 - Set(lines).count),"#))
    let bytes = lines.reduce(0) { $0 + $1.utf8.count }
    #expect(answer.out.contains(#""bytes":\#(bytes),"#))
}

@Test func generatingEndsCleanlyWhenItIsTold() throws {
    let folder = Scratch()
    let process = try WeirProcess(["generate", "--file", "\(folder.path)/e.ndjson", "--events", "2000M", "--json"])
    _ = try eventually("the first block", within: 20) { access("\(folder.path)/e.ndjson.part", F_OK) == 0 ? true : nil }
    process.signal(SIGTERM)
    let answer = try process.end(within: 20)
    #expect(answer.exit == 0)
    #expect(answer.out.hasPrefix(#"{"events":"#))
    #expect(read("\(folder.path)/e.ndjson").last == "\n")
}

@Test(
    arguments: [
        ([:], nil), (["to": "kafka://h:1/t"], .topic("t", bootstrap: "h:1")),
        (["topic": "t"], .topic("t", bootstrap: "localhost:9092")),
        (["topic": "t", "bootstrap": "a:1,b:2"], .topic("t", bootstrap: "a:1,b:2")),
        (["file": "x"], .file("x", perPartition: false)),
        (["file": "x", "topic": "t"], nil), (["to": "h:1/t"], nil), (["to": "kafka://h:1"], nil),
        (["to": "kafka://h:1/t/u"], nil),
        (["file": "x", "bootstrap": "h:1"], nil), (["file": "x", "rate": "0"], nil), (["file": "x", "events": "-1"], nil),
        (["file": "x", "start": "yesterday"], nil),
    ] as [([String: String], GenerateJob.Target?)])
func trafficHasOneTarget(options: [String: String], target: GenerateJob.Target?) throws {
    let arguments = try Arguments.parse(options.sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" }, for: Verbs.generate)
    let job = try? GenerateJob(arguments, now: WallTime(milliseconds: 0))
    #expect(job?.target == target)
}
