import Glibc
import Model
import Runtime
import Testing
import Testkit

/// kill -9 at random moments of runs to the end of their input.
struct Kills {
    var count: Int
    /// Each comes this many milliseconds after a start at most.
    var spread: UInt64
    var seed: UInt64

    /// Runs the topology in `file`; who was killed is started again on its state. A run that came to its end is looked at, and another one
    /// begins, until there were so many kills; returns how many.
    func strike(_ file: String, in scratch: Scratch, look: (_ state: String) throws -> Void) throws -> Int {
        let clock = SystemClock()
        var random = SplitMix(seed: seed)
        var killed = 0
        var cycle = 0
        while killed < count {
            cycle += 1
            let state = scratch.file("state-\(cycle)")
            while true {
                let process = try WeirProcess(
                    ["run", file, "--state", state, "--http", "off", "--until", "end"], log: scratch.file("log"))
                // Once it has had its kills it may come to the end.
                let after = killed < count ? Int64(random.next() % spread) : 120_000
                let moment = clock.monotonic() + .milliseconds(after)
                let exit = try eventually("the end of weir: \(process.log.suffix(500))", within: 150) { () -> Int32? in
                    if clock.monotonic() >= moment { process.signal(SIGKILL) }
                    return process.exit
                }
                if exit == 0 { break }
                // Killed between the commit of the end and its own end: the next start brings the rows home and says that it is over.
                if killed > 0, exit == ExitCode.state.rawValue, process.log.contains("input_ended") { break }
                try #require(exit == 128 + SIGKILL, "\(process.log.suffix(2_000))")
                killed += 1
            }
            try look(state)
        }
        return killed
    }
}
