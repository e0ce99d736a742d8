import Freshness
import Glibc
import Model
import Observe
import Runtime
import Testing
import Testkit

/// A foreign reader that keeps its view of state.db lets the write-ahead log grow to a limit, and no further.
struct HeldLogTests {
    @Test func aReaderThatStaysIsNamedStopsInputAtALimitAndTheLogShrinksWhenItGoes() throws {
        let scratch = Scratch()
        let limit: Int64 = 17 << 20
        var options = RunOptions()
        options.heldLog = limit
        let running = Running(
            try ReferenceJob(source: "{generator: {rate: 30000/s, seed: 1}}").plan(scratch.file("state")), options)
        try running.until("commits") { $0.commits.number > 5 }
        let reader = try #require(popen("sqlite3 -readonly '\(scratch.file("state"))/state.db' > '\(scratch.file("seen"))'", "w"))
        fputs("BEGIN; SELECT count(*) FROM state;\n", reader)
        fflush(reader)
        try running.until("input to stop") {
            if case .waiting(let fault) = $0.state { fault.code == "log_held" && fault.what.contains("sqlite3") } else { false }
        }
        #expect(running.facts.commits.walHolders.contains { $0.hasPrefix("sqlite3 (process ") })
        let longest = running.facts.commits.walBytes?.bytes ?? 0
        let read = running.facts.books.read
        pclose(reader)
        try running.until("input to go on") { $0.state == .running && $0.books.read > read }
        try running.until("the log to be cut") { ($0.commits.walBytes?.bytes ?? .max) < longest }
        #expect(longest > limit && longest < limit * 8, "\(longest)")
        #expect(running.events.contains { $0.code == "commit_back" })
        #expect(try running.stop().books.balances)
    }
}
