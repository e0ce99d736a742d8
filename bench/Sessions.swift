import Glibc
import Inputs
import Model
import Testkit

/// What sessions cost: their throughput beside the plain job's on the same files, and the memory of a million that are open.
enum Sessions {
    private static let open = 1_000_000
    private static let partitions = 8
    private static let leastOfPlain = 0.5
    private static let mostMegabytes = 400.0

    /// True if both figures are within their gates.
    static func run(_ options: BenchOptions) throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        var workload = ReferenceWorkload(
            seed: options.seed, rate: options.rate, partitions: BenchOptions.partitions, start: BenchOptions.start)
        _ = try workload.write(events: options.events, to: "\(directory)/events.ndjson", perPartition: true)
        var plain: [Run] = []
        var sessions: [Run] = []
        for number in 1...options.runs {
            plain.append(try child("files", "\(directory)/events-*.ndjson", "\(directory)/state", options.events))
            say("plain     \(number)  \(plain[number - 1].line)")
            sessions.append(try child("files-sessions", "\(directory)/events-*.ndjson", "\(directory)/state", options.events))
            say("sessions  \(number)  \(sessions[number - 1].line)")
        }
        let share = sessions.map(\.rate).median / plain.map(\.rate).median
        let cpu = plain.map(\.cpu).median / sessions.map(\.cpu).median
        try writeOpen("\(directory)/open")
        let held = try child("open-sessions", "\(directory)/open-*.ndjson", "\(directory)/open-state", Int64(open))
        say(
            "\(share >= leastOfPlain ? "ok    " : "FAILED") sessions by the plain job: \(fixed(share, 2)) of its events per second, \(fixed(cpu, 2)) by CPU, at least \(fixed(leastOfPlain, 2))"
        )
        say(
            "\(held.megabytes <= mostMegabytes ? "ok    " : "FAILED") a million open sessions: \(fixed(held.megabytes, 0)) MB, at most \(fixed(mostMegabytes, 0))"
        )
        return share >= leastOfPlain && held.megabytes <= mostMegabytes
    }

    private static func child(_ mode: String, _ files: String, _ state: String, _ events: Int64) throws(Fault) -> Run {
        defer { removeTree(state) }
        let figures = try Figures.running([Figures.ownProgram, "child", mode, files, state])
        guard Int64(figures["read"]) == events else { throw failure("The run read \(Int64(figures["read"])) events.") }
        return Run(figures, events: events)
    }

    /// An event each of a million users, within a minute of event time, so that every session stays open.
    private static func writeOpen(_ prefix: String) throws(Fault) {
        for partition in 0..<partitions {
            guard let file = fopen("\(prefix)-\(partition).ndjson", "w") else {
                throw failure("Can't write events.", place: prefix)
            }
            defer { fclose(file) }
            for number in stride(from: partition, to: open, by: partitions) {
                let digits = String(number, radix: 16)
                let id = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
                let time = BenchOptions.start.milliseconds + Int64(number) * 60_000 / Int64(open)
                fputs(#"{"event_id":"\#(id)","user_id":"user-\#(number)","ts":\#(time),"duration_ms":1.5}"# + "\n", file)
            }
        }
    }
}
