import Glibc
import Model
import Observe
import Runtime
import Topology

@main
enum Bench {
    nonisolated static func main() {
        let arguments = CommandLine.arguments
        let reading = Topology.read(files: [arguments[1]])
        for problem in reading.problems { print("\(problem)") }
        guard var plan = reading.plan else { exit(3) }
        if arguments.count > 2 { plan.state.directory = arguments[2] }
        let service = Service(
            plan: plan, options: RunOptions(until: .end), clock: SystemClock(), version: "bench",
            onEvent: { event in
                if event.code != "committed" { print("\(event)") }
            })
        do {
            let began = SystemClock().monotonic()
            let summary = try service.run()
            let took = SystemClock().monotonic() - began
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            print(summary)
            print(
                "ms", took.milliseconds, "cpu",
                Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
                    / 1e6, "rss MB", usage.ru_maxrss / 1024)
        } catch {
            print(error)
            exit(1)
        }
    }
}
