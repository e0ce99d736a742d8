import Freshness
import Glibc
import Model
import Observe
import Runtime
import Testing
import Testkit

/// Commands, by the socket of a service and without one.
struct CommandTests {
    /// A service that commits by itself only every minute.
    private func job(_ scratch: Scratch, events: Int = 3) throws -> Plan {
        scratch.write("a.ndjson", (0..<events).map { event(Double($0)) }.joined(separator: "\n").utf8.map { $0 })
        var job = SmallJob(source: "{generator: {rate: 50/s, seed: 1, partitions: 2}}")
        job.fields = "  event_id: {type: uuid}"
        return try job.plan(scratch.file("state"))
    }

    @Test func aServiceThatIsToldToCommitsAndWritesItDown() throws {
        let scratch = Scratch()
        var plan = try job(scratch)
        plan.commitEvery = .seconds(60)
        let running = Running(plan)
        try running.until("it runs") { $0.state == .running }
        let answer = try RestingService.tell(.commit, plan, clock: SystemClock())
        #expect(answer.result == .object([]) && answer.commit >= 1)
        let decisions = try stored(
            plan.state.directory, "SELECT commit_number, kind, asked, result FROM decisions WHERE asked IS NOT NULL")
        #expect(decisions == [["\(answer.commit)", "'commit'", #"'{"command":"commit"}'"#, "'{}'"]])
        try running.stop()
        #expect(running.events.contains(.commanded("commit", asked: #"{"command":"commit"}"#, commit: answer.commit)))
    }

    @Test func withoutAServiceTheCommandTakesTheLockItself() throws {
        let scratch = Scratch()
        let plan = try job(scratch)
        let running = Running(plan)
        try running.until("a commit") { $0.commits.number > 0 }
        let commits = try running.stop().commits
        let answer = try RestingService.tell(.commit, plan, clock: SystemClock())
        #expect(answer.commit > commits)
        #expect(try stored(plan.state.directory, "SELECT kind FROM decisions WHERE asked IS NOT NULL") == [["'commit'"]])
        // The state goes on where it stood.
        let again = Running(plan)
        try again.until("a commit") { $0.commits.number > answer.commit }
        try again.stop()
    }

    /// An order stands over a restart, and `reset` ends it; who asks is told by whose word copies pass.
    @Test func copiesPassByOrderUntilTheNextOne() throws {
        let scratch = Scratch()
        var plan = try job(scratch)
        plan.deduplicate = DeduplicatePlan(key: [3], within: .hours(1))
        let running = Running(plan)
        try running.until("it runs") { $0.state == .running && $0.dedup?.isObserving == false && $0.dedup?.ordered == nil }
        let on = try RestingService.tell(.observe(.on), plan, clock: SystemClock())
        #expect(on.result == JSONTree(#"{"before":false,"observe":true}"#.utf8))
        let since = try #require(running.facts.dedup?.ordered)
        #expect(running.facts.dedup?.isObserving == true)
        try running.stop()
        let again = Running(plan)
        try again.until("it runs") { $0.state == .running }
        #expect(again.facts.dedup?.isObserving == true && again.facts.dedup?.ordered == since)
        #expect(again.events.contains(.observeOrdered(true, since: since)))
        let reset = try RestingService.tell(.observe(.reset), plan, clock: SystemClock())
        #expect(reset.result == JSONTree(#"{"before":true,"observe":false}"#.utf8) && reset.commit > on.commit)
        #expect(again.facts.dedup?.isObserving == false && again.facts.dedup?.ordered == nil)
        try again.stop()
        let last = Running(plan)
        try last.until("it runs") { $0.state == .running && $0.dedup?.isObserving == false }
        #expect(!last.events.contains(.observeOrdered(true, since: since)))
        try last.stop()
    }

    @Test func whereNoStateIsNothingIsMade() throws {
        let scratch = Scratch()
        let plan = try job(scratch)
        #expect { try RestingService.tell(.commit, plan, clock: SystemClock()) } throws: {
            ($0 as? Fault)?.code == "inspect_no_state"
        }
        #expect(access(plan.state.directory, F_OK) != 0)
    }

    @Test func aGroupIsRefused() throws {
        let scratch = Scratch()
        var plan = try job(scratch)
        plan.delivery = .exactlyOnce
        #expect { try RestingService.tell(.commit, plan, clock: SystemClock()) } throws: {
            ($0 as? Fault)?.code == "command_in_group"
        }
    }

    @Test func theSocketIsForItsOwnerAloneAndGoesWithTheService() throws {
        let scratch = Scratch()
        let plan = try job(scratch)
        let running = Running(plan)
        try running.until("it runs") { $0.state == .running }
        let path = "\(plan.state.directory)/control.sock"
        var about = stat()
        _ = try eventually("the socket") { stat(path, &about) == 0 ? true : nil }
        #expect(about.st_mode & 0o777 == 0o600 && about.st_mode & S_IFMT == S_IFSOCK)
        try running.stop()
        // Its file may lie there, but nobody answers: the command does it itself.
        #expect(try RestingService.tell(.commit, plan, clock: SystemClock()).commit > 0)
    }

    @Test(
        arguments: [
            ("", nil), (#"{"command":"commit"}"#, "result"), ("{", "command_unreadable"), ("[]", "command_unreadable"),
            (#"{"command":7}"#, "command_unreadable"), (#"{"command":"observe","observe":"maybe"}"#, "command_unreadable"),
            (#"{"command":"observe","observe":"on"}"#, "observe_no_deduplicate"), (#"{"command":"dance"}"#, "command_unknown"),
            (String(repeating: "x", count: 70_000), nil),
        ] as [(String, String?)])
    func oneLineIsAnsweredByOneLine(line: String, says: String?) throws {
        let scratch = Scratch()
        let plan = try job(scratch)
        let running = Running(plan)
        try running.until("it runs") { $0.state == .running }
        let answer = try eventually("an answer") { try? Self.ask(line.isEmpty ? "" : line + "\n", plan.state.directory) }
        if let says {
            #expect(answer.hasSuffix("}\n") && answer.contains("\"\(says)\""))
        } else {
            #expect(answer.isEmpty)
        }
        try running.stop()
    }

    /// What a client gets that writes `line` and then says that no more comes.
    static func ask(_ line: String, _ directory: String) throws -> String {
        let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        let opened = open(directory, O_RDONLY | O_DIRECTORY)
        defer { close(opened) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("/proc/self/fd/\(opened)/control.sock".utf8)) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(code == 0)
        _ = line.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        shutdown(connection, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while case let count = recv(connection, &chunk, chunk.count, 0), count > 0 { answer += chunk[..<count] }
        return String(decoding: answer, as: UTF8.self)
    }
}
