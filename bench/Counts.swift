import Glibc
import Inputs
import Model
import Testkit

/// What one more event costs on the file source, counted and not timed: the difference between a longer and a shorter run
/// under callgrind, so that start and end cancel out. Event time goes fast, so that both runs end with nearly the same rows: what
/// is left is the cost of records. The same on every machine of a kind, whatever else it does.
enum Counts {
    private static let short: Int64 = 150_000
    private static let long: Int64 = 300_000

    struct Gate {
        var name: String
        /// What is counted: calls of these functions, or instructions where there are none.
        var functions: [String]
        /// For one event.
        var most: Double
    }

    static let gates = [
        Gate(name: "instructions", functions: [], most: 5_600),
        Gate(name: "allocations", functions: ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"], most: 0.15),
        Gate(name: "objects", functions: ["swift_allocObject"], most: 0.03),
        Gate(name: "retains", functions: ["swift_retain", "swift_retain_n", "swift_bridgeObjectRetain"], most: 0.2),
        Gate(name: "releases", functions: ["swift_release", "swift_release_n", "swift_bridgeObjectRelease"], most: 0.25),
        Gate(name: "exclusivity checks", functions: ["swift_beginAccess"], most: 0.15),
        Gate(name: "locks", functions: ["pthread_mutex_lock"], most: 0.03),
    ]

    /// Instructions of the job with a filter and a derived field by those of the plain one.
    static let mostWithExpressions = 1.15

    /// True if every count is within its gate.
    static func run() throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        // Debian 12's valgrind gives up on the newer debug format in the binary; names of functions are enough.
        _ = try Figures.running(["strip", "--strip-debug", "-o", "\(directory)/bench", Figures.ownProgram])
        let plain = try perEvent(BenchOptions.topology, in: directory)
        let expressions = try perEvent(BenchOptions.expressions, in: directory)
        var isGood = true
        // Expressions cost instructions, and nothing else: all other gates are those of the plain job.
        for (job, counts) in [("", plain), (", with expressions", expressions)] {
            for (gate, value) in zip(gates, counts) {
                let most = job != "" && gate.functions.isEmpty ? plain[0] * mostWithExpressions : gate.most
                let holds = value <= most
                if !holds { isGood = false }
                say(
                    "\(holds ? "ok    " : "FAILED") \(gate.name) per event\(job): \(fixed(value, 4)), at most \(fixed(most, 4))")
            }
        }
        return isGood
    }

    /// What each gate counts, for one event.
    private static func perEvent(_ topology: String, in directory: String) throws(Fault) -> [Double] {
        let few = try profile(events: short, topology, in: directory)
        let many = try profile(events: long, topology, in: directory)
        return gates.map { ($0.value(in: many) - $0.value(in: few)) / Double(long - short) }
    }

    private static func profile(events: Int64, _ topology: String, in directory: String) throws(Fault) -> Profile {
        // One partition: how many commits the lanes' ends make does not depend on the order in which they end.
        var workload = ReferenceWorkload(rate: 100_000, partitions: 1, start: BenchOptions.start)
        let name = "\(directory)/\(events)"
        _ = try workload.write(events: events, to: "\(name)-events.ndjson", perPartition: true)
        let out = "\(name).callgrind"
        defer { removeTree("\(name)-state") }
        let figures = try Figures.running([
            "valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=\(out)", "\(directory)/bench", "child", "files-once",
            "\(name)-events-*.ndjson", "\(name)-state", topology,
        ])
        guard Int64(figures["read"]) == events else { throw failure("The counted run read \(Int64(figures["read"])) events.") }
        return try Profile(out)
    }
}

extension Counts.Gate {
    func value(in profile: Profile) -> Double {
        functions.isEmpty ? profile.instructions : functions.reduce(0) { $0 + (profile.calls[$1] ?? 0) }
    }
}

/// Callgrind's file: the sum of instructions, and how often each function was called.
struct Profile {
    private(set) var instructions = 0.0
    private(set) var calls: [String: Double] = [:]

    init(_ path: String) throws(Fault) {
        guard let file = fopen(path, "r") else { throw failure("Callgrind wrote nothing.", place: path) }
        defer { fclose(file) }
        var names: [Substring: String] = [:]
        var called = ""
        var buffer: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(buffer) }
        while getline(&buffer, &capacity, file) > 0 {
            guard let buffer else { break }
            // cfn= and fn= give names a number at their first appearance; calls= follows its cfn=.
            switch (buffer[0], buffer[1]) {
            case (0x63, 0x66), (0x66, 0x6e):
                let line = String(cString: buffer).dropLast()
                guard line.hasPrefix("cfn=") || line.hasPrefix("fn=") else { continue }
                let text = line[line.index(after: line.firstIndex(of: "=")!)...]
                guard let end = text.firstIndex(of: ")") else { continue }
                let number = text[...end]
                let rest = text[text.index(after: end)...].drop { $0 == " " }
                if !rest.isEmpty { names[Substring(String(number))] = Self.plain(rest) }
                if line.hasPrefix("cfn=") { called = names[number] ?? "" }
            case (0x63, 0x61):
                let words = String(cString: buffer).dropFirst(6).split(separator: " ")
                if let count = words.first.flatMap({ Double($0) }) { calls[called, default: 0] += count }
            case (0x74, 0x6f), (0x73, 0x75):
                let line = String(cString: buffer)
                if line.hasPrefix("totals:") || line.hasPrefix("summary:"),
                    let sum = Double(line.split { $0 == " " || $0 == "\n" }[1])
                {
                    instructions = max(instructions, sum)
                }
            default: continue
            }
        }
    }

    /// Without the version of a symbol and callgrind's mark of recursion.
    private static func plain(_ name: Substring) -> String { String(name.prefix { $0 != "@" && $0 != "'" }) }
}
