import Glibc
import Model
import Testkit

/// The broker that the comparison started: what it spends for a run, and the core it runs on.
struct Broker {
    private let processes: [Int32]

    /// nil: it is somebody else's.
    init?(_ cluster: KafkaCluster?) {
        guard let processes = cluster?.processes, !processes.isEmpty else { return nil }
        self.processes = processes
    }

    /// User and system seconds so far.
    var cpu: Double {
        processes.reduce(0) { sum, process in
            guard let file = fopen("/proc/\(process)/stat", "r") else { return sum }
            defer { fclose(file) }
            var line = [UInt8](repeating: 0, count: 4_096)
            let count = fread(&line, 1, line.count, file)
            // The name before the last parenthesis may hold anything.
            let words = String(decoding: line[..<count], as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            guard words.count > 12, let user = Double(words[11]), let system = Double(words[12]) else { return sum }
            return sum + (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// Lets the broker have these cores alone, such as `0` or `0-1`, with all its threads.
    func pin(to cores: String) throws(Fault) {
        for process in processes { _ = try Figures.running(["taskset", "-a", "-c", "-p", cores, "\(process)"]) }
    }

    static var cores: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
}
