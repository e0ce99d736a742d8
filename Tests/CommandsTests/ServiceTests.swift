import Glibc
import Model
import Testing
import Testkit

@testable import Commands

private func topology(_ folder: Scratch, source: String) throws -> String {
    let text = BuiltInTopologies.reference.replacing("  topics: [events]", with: "  \(source)")
    return try folder.file("t.yaml", text + "state: {directory: \(folder.path)/state}\nhttp: {listen: 127.0.0.1:0}\n")
}

@Test func theDemoEndsByItselfAndItsBooksAddUp() throws {
    let answer = try WeirProcess(["demo", "--seconds", "3", "--port", "0", "--json"]).end(within: 20)
    #expect(answer.exit == 0)
    #expect(answer.out.hasPrefix(#"{"topology":"demo","records":"#))
    #expect(answer.out.contains(#""balances":true"#) && !answer.out.contains(#""records":0,"#))
    #expect(answer.error.contains("dashboard: http://127.0.0.1:"))
}

@Test func theDemoShowsRowsAndEndsCleanlyWhenItIsTold() throws {
    let process = try WeirProcess(["demo", "--port", "0"])
    _ = try eventually("a row", within: 20) { process.out.contains("  usage_per_10s  event=") ? true : nil }
    process.signal(SIGINT)
    let answer = try process.end(within: 5)
    #expect(answer.exit == 0)
    #expect(answer.out.contains("  books   read "))
    #expect(!answer.out.contains("DO NOT ADD UP"))
}

@Test func aPortThatIsTakenIsReplaced() throws {
    let first = try WeirProcess(["demo", "--port", "0"])
    let port = try eventually("its address", within: 20) { () -> String? in
        guard let line = first.out.split(separator: "\n").first, line.hasPrefix("dashboard: ") else { return nil }
        return line.split(separator: ":").last.map { String($0.prefix { $0.isNumber }) }
    }
    let second = try WeirProcess(["demo", "--seconds", "1", "--port", port, "--json"]).end(within: 20)
    #expect(second.exit == 0)
    #expect(second.error.hasPrefix("weir: port \(port) is taken, the dashboard gets another one\n"))
    let status = try WeirProcess(["status", "--url", "http://127.0.0.1:\(port)"]).end(within: 10)
    #expect(status.exit == 0 && status.out.hasPrefix("demo  running"))
    first.signal(SIGTERM)
    #expect(try first.end(within: 5).exit == 0)
}

@Test func aBoundedRunReadsItsFilesOnceAndIsRefusedAfterwards() throws {
    let folder = Scratch()
    let made = try WeirProcess(["generate", "--file", "\(folder.path)/e.ndjson", "--events", "20k", "--json"]).end(within: 30)
    #expect(made.exit == 0)
    let file = try topology(folder, source: "files: [\"\(folder.path)/e.ndjson\"]")
    let now = try WeirProcess(["run", file, "--until", "now", "--json", "--quiet"]).end(within: 30)
    #expect(now.exit == 0 && now.out.contains(#""records":20000,"#) && now.out.contains(#""rows":0,"#))
    let end = try WeirProcess(["run", file, "--until", "end", "--json"]).end(within: 30)
    #expect(end.exit == 0 && end.out.contains(#""records":0,"#) && end.out.contains(#""balances":true"#))
    #expect(!end.out.contains(#""rows":0,"#))
    let again = try WeirProcess(["run", file, "--until", "end", "--json"]).end(within: 30)
    #expect(again.exit == 5 && again.out.hasPrefix(#"{"error":{"code":"input_ended""#))
}

@Test(arguments: [SIGTERM, SIGINT])
func aSignalEndsTheServiceWithinFiveSeconds(number: Int32) throws {
    let folder = Scratch()
    let file = try topology(folder, source: "generator: {rate: 3000/s, seed: 1}")
    let process = try WeirProcess(["run", file])
    _ = try eventually("the start", within: 20) { process.error.contains(#""event":"started""#) ? true : nil }
    process.signal(number)
    let answer = try process.end(within: 5)
    #expect(answer.exit == 0)
    #expect(answer.error.contains(#""event":"stopped""#) && answer.out.contains("  books   read "))
}

@Test func aSignalIsHeardWhileNoBrokerAnswers() throws {
    let folder = Scratch()
    let text = BuiltInTopologies.reference.replacing("localhost:9092", with: "127.0.0.1:1")
    let file = try folder.file("t.yaml", text + "state: {directory: \(folder.path)/state}\nhttp: {listen: 127.0.0.1:0}\n")
    let process = try WeirProcess(["run", file])
    _ = try eventually("its page", within: 20) { process.error.contains(#""event":"listening""#) ? true : nil }
    process.signal(SIGTERM)
    #expect(try process.end(within: 5).exit == 0)
}

@Test func benchMeasuresWhatItMade() throws {
    let answer = try WeirProcess(["bench", "--events", "20k", "--json"]).end(within: 60)
    #expect(answer.exit == 0)
    #expect(answer.out.hasPrefix(#"{"topology":"reference","records":20000,"#))
    #expect(answer.out.contains(#""state_bytes_per_event":"#))
}
