import Inputs
import Model
import Testkit

/// What sketches cost: the reference job from files with `approx_distinct` and `quantile` beside its measures, and without them, in
/// turn, so that a change of the machine's load strikes both.
enum Sketches {
    /// Of the plain job's events per second.
    private static let least = 0.5

    /// True if every answer was right and the gate held.
    static func run(_ options: BenchOptions) throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        let files = try Traffic.write(into: directory, options)
        let truth = try truth(options)
        var rates: [String: [Run]] = [:]
        var problems = 0
        for number in 1...options.runs {
            for job in ["files", "files-sketches"] {
                let state = "\(directory)/\(job)-\(number)"
                defer { removeTree(state) }
                let figures = try Figures.of(["child", job, files, state])
                let run = Run(figures, events: options.events)
                say("\(job)-\(number): \(run.line)")
                rates[job, default: []].append(run)
                let wrong = try Answer.problems(in: state, figures: figures, truth: truth)
                for problem in wrong.prefix(5) { say("  WRONG \(problem)") }
                problems += wrong.count
            }
        }
        func median(_ job: String, _ value: (Run) -> Double) -> Double { (rates[job] ?? []).map(value).median }
        let share = median("files-sketches") { $0.rate } / max(median("files") { $0.rate }, 1)
        let cpu = median("files-sketches") { $0.cpu } / max(median("files") { $0.cpu }, 1e-9)
        let holds = share >= least && problems == 0
        say(
            "\(holds ? "ok    " : "FAILED") with approx_distinct and quantile: \(fixed(share, 2)) of the plain job's events/s, at least \(fixed(least, 2));"
                + " \(fixed(cpu, 2)) times its CPU")
        return holds
    }

    private static func truth(_ options: BenchOptions) throws(Fault) -> Truth {
        var truth = Truth(partitions: BenchOptions.partitions)
        var workload = Traffic.workload(options)
        let batch = WorkloadBatch()
        while batch.fill(from: &workload, end: options.events) > 0 {
            for at in 0..<batch.count {
                try truth.add(
                    UnsafeRawBufferPointer(start: batch.payloads[at], count: batch.lengths[at]), partition: batch.partitions[at])
            }
        }
        return truth
    }
}
