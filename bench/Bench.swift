import Glibc
import Model

/// Measures the product on the reference workload and holds it against a bare drain of the same topic in the same run.
///
///     weir-bench [group] [--long] [--runs N] [--events N] [--paced N] [--bootstrap HOST:PORT] [--out FILE]
///     weir-bench counts
///     weir-bench partitions [--runs N] [--events N] [--bootstrap HOST:PORT]
///     weir-bench restore
///     weir-bench sessions [--runs N] [--events N]
///     weir-bench sketches [--runs N] [--events N]
///     weir-bench spill [keys] [zipf] [uniform] [PERCENT]
@main
enum Bench {
    nonisolated static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do throws(Fault) {
            switch arguments.first {
            case "child": try Child.run(Array(arguments.dropFirst()))
            case "counts": exit(try Counts.run() ? 0 : 1)
            case "partitions": exit(try ManyPartitions.run(Array(arguments.dropFirst())) ? 0 : 1)
            case "restore": exit(try Restore.run() ? 0 : 1)
            case "sessions": exit(try Sessions.run(BenchOptions(Array(arguments.dropFirst()))) ? 0 : 1)
            case "spill": exit(try Spill.run(Array(arguments.dropFirst())) ? 0 : 1)
            case "sketches": exit(try Sketches.run(BenchOptions(Array(arguments.dropFirst()))) ? 0 : 1)
            default:
                let options = try BenchOptions(arguments)
                let comparison = Comparison(options)
                exit(try comparison.run() ? 0 : 1)
            }
        } catch {
            say("weir-bench: \(error.what) \(error.place)\n  \(error.next)")
            exit(error.exit.rawValue)
        }
    }
}

/// Standard output at once, also into a pipe.
func say(_ text: String) {
    print(text)
    fflush(nil)
}

func failure(_ what: String, place: String = "", next: String = "Look at the output above.") -> Fault {
    Fault("bench", what, place: place, next: next, exit: .answerIsNo)
}
