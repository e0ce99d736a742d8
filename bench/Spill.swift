import Glibc
import Model
import Testkit

/// State larger than memory: keys and groups that need several times `state.memory`, beside the same run with memory for all of them.
enum Spill {
    /// What one scene reads.
    struct Scene {
        var name: String
        var topology: String
        var events: Int64
        /// Of the run that has memory for everything.
        var leastOfInMemory: Double?
        var leastRate: Double?
        var value: (inout UInt64, Int64) -> (id: Int64, user: Int64)
    }

    private static let partitions: Int64 = 4
    private static let plenty = 64 << 10
    /// `state.memory`, MiB.
    private static let memory = 512

    /// True if all figures are within their gates. `share`: of the full size, in percent, of events and memory both.
    static func run(_ arguments: [String]) throws(Fault) -> Bool {
        let names = arguments.filter { Int($0) == nil }
        let share = Int64(arguments.compactMap { Int($0) }.first ?? 100)
        var isGood = true
        for scene in scenes(share) where names.isEmpty || names.contains(scene.name) {
            isGood = try run(scene, memory: memory * Int(share) / 100) && isGood
        }
        return isGood
    }

    private static func scenes(_ share: Int64) -> [Scene] {
        let keys = 50_000_000 * share / 100
        let groups = 10_000_000 * share / 100
        return [
            // Every fiftieth event is a copy of any before it.
            Scene(name: "keys", topology: "bench/keys.yaml", events: keys, leastOfInMemory: 0.25) { random, number in
                (next(&random) % 50 == 0 ? Int64(next(&random) % UInt64(number + 1)) : number, 0)
            },
            Scene(name: "zipf", topology: "bench/groups.yaml", events: groups * 2, leastOfInMemory: 0.25) { random, number in
                let even = Double(next(&random) >> 11) / Double(1 << 53)
                return (number, Int64(exp(even * log(Double(groups)))))
            },
            Scene(name: "uniform", topology: "bench/groups.yaml", events: groups * 2, leastRate: 60_000) { random, number in
                // Each partition has its share of the groups, all of them once before they come again.
                (number, number < groups / partitions ? number : Int64(next(&random) % UInt64(groups / partitions)))
            },
        ]
    }

    private static func run(_ scene: Scene, memory: Int) throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        for partition in 0..<partitions { try write(scene, partition, "\(directory)/events-\(partition).ndjson") }
        let whole = try child(scene, directory, plenty)
        say("\(scene.name)  in memory  \(whole.run.line)")
        let spilled = try child(scene, directory, memory)
        say("\(scene.name)  in \(memory) MiB  \(spilled.run.line), \(fixed(spilled.reads, 0)) reads of cold state")
        guard whole.duplicates == spilled.duplicates else {
            throw failure("\(scene.name): \(whole.duplicates) copies were found with memory for all, else \(spilled.duplicates).")
        }
        var isGood = true
        func judge(_ what: String, _ isMet: Bool) {
            say("\(isMet ? "ok    " : "FAILED") \(scene.name): \(what)")
            isGood = isGood && isMet
        }
        let part = spilled.run.rate / whole.run.rate
        if let least = scene.leastOfInMemory {
            judge("\(fixed(part, 2)) of the throughput in memory, at least \(fixed(least, 2))", part >= least)
        }
        if let least = scene.leastRate {
            judge("\(fixed(spilled.run.rate, 0)) events/s, at least \(fixed(least, 0))", spilled.run.rate >= least)
        }
        judge(
            "\(fixed(spilled.run.megabytes, 0)) MB at most, beside \(memory) MiB that it may take",
            spilled.run.megabytes <= Double(memory) * 1.25)
        return isGood
    }

    private static func child(
        _ scene: Scene, _ directory: String, _ memory: Int
    ) throws(Fault) -> (run: Run, duplicates: Int64, reads: Double) {
        defer { removeTree("\(directory)/state") }
        let figures = try Figures.running([
            Figures.ownProgram, "child", "files-spill", "\(directory)/events-*.ndjson", "\(directory)/state", scene.topology,
            "\(memory)",
        ])
        guard Int64(figures["read"]) == scene.events / partitions * partitions else {
            throw failure("The run read \(Int64(figures["read"])) events.")
        }
        return (Run(figures, events: scene.events), Int64(figures["duplicate"]), figures["cold_reads"])
    }

    // MARK: Events

    private static func next(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// All within a quarter of an hour of event time.
    private static func write(_ scene: Scene, _ partition: Int64, _ path: String) throws(Fault) {
        guard let file = fopen(path, "w") else { throw failure("Can't write events.", place: path) }
        defer { fclose(file) }
        var random = UInt64(partition)
        let count = scene.events / partitions
        var text: [UInt8] = []
        text.reserveCapacity(1 << 21)
        for number in 0..<count {
            let (id, user) = scene.value(&random, number)
            var own = UInt64(id &* partitions &+ partition) &* 0xD6E8_FEB8_6659_FD93
            text += Array("{\"id\":\"".utf8)
            append(next(&own), next(&own), to: &text)
            text += Array("\",\"ts\":\(BenchOptions.start.milliseconds + number * 900_000 / count),\"user\":\(user)}\n".utf8)
            if text.count > 1 << 20 {
                fwrite(text, 1, text.count, file)
                text.removeAll(keepingCapacity: true)
            }
        }
        fwrite(text, 1, text.count, file)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func append(_ high: UInt64, _ low: UInt64, to text: inout [UInt8]) {
        for place in 0..<32 {
            if place == 8 || place == 12 || place == 16 || place == 20 { text.append(UInt8(ascii: "-")) }
            let word = place < 16 ? high : low
            text.append(digits[Int(word >> UInt64(60 - place % 16 * 4) & 15)])
        }
    }
}
