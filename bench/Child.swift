import CSys
import Glibc
import Model
import Runtime

/// What is measured runs in a process of its own, so that its CPU time and memory are its own. It tells its figures as lines
/// `name=number`.
enum Child {
    static func run(_ arguments: [String]) throws(Fault) {
        let rest = Array(arguments.dropFirst())
        // As the program itself: a drain is measured without.
        if arguments.first != "drain" { AllocatorSettings.apply() }
        switch (arguments.first, rest.count) {
        case ("drain", 4):
            try Drain.run(
                bootstrap: rest[0], topic: rest[1], events: Int64(rest[2]) ?? 0, style: Drain.Style(rawValue: rest[3]) ?? .one)
        case ("kafka", 3): try PipelineRun.run(.kafka(bootstrap: rest[0], topic: rest[1]), directory: rest[2])
        case ("group", 5):
            try PipelineRun.run(
                .group(bootstrap: rest[0], topic: rest[1], group: rest[2]), directory: rest[3],
                until: rest[4] == "now" ? .now : .end)
        case ("group-live", 5):
            try GroupLive.run(bootstrap: rest[0], topic: rest[1], group: rest[2], rows: rest[3], directory: rest[4])
        case ("files", 2): try PipelineRun.run(.files(rest[0]), directory: rest[1])
        case ("files-expressions", 2):
            try PipelineRun.run(.files(rest[0]), directory: rest[1], topology: BenchOptions.expressions)
        case ("files-sessions", 2): try PipelineRun.run(.files(rest[0]), directory: rest[1], topology: BenchOptions.sessions)
        case ("open-sessions", 2):
            try PipelineRun.run(.files(rest[0]), directory: rest[1], topology: BenchOptions.sessions, until: .now)
        case ("files-sketches", 2):
            try PipelineRun.run(.files(rest[0]), directory: rest[1], topology: BenchOptions.sketches)
        case ("files-spill", 4):
            try PipelineRun.run(
                .files(rest[0]), directory: rest[1], topology: rest[2], until: .now, memory: .mebibytes(Int64(rest[3]) ?? 512))
        case ("files-once", 3):
            try PipelineRun.run(.files(rest[0]), directory: rest[1], topology: rest[2], commitEvery: .seconds(3))
        default: throw Fault("usage", "Not a child's arguments.", next: "Run weir-bench without them.", exit: .usage)
        }
        tell("peak_kb", Double(peakKilobytes))
    }

    static func tell(_ name: String, _ value: Double) { print("\(name)=\(value)") }

    /// The process's own high-water mark: what `wait4` says of a child includes the memory of who started it.
    private static var peakKilobytes: Int64 {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            if text.hasPrefix("VmHWM:") { return text.split(separator: " ").compactMap { Int64($0) }.first ?? 0 }
        }
        return 0
    }
}

/// What a child told, and what the system says of it.
struct Figures {
    var told: [String: Double] = [:]
    /// User and system time, seconds.
    var cpu: Double = 0
    var began: MonotonicTime
    var wall: Double = 0
    subscript(_ name: String) -> Double { told[name] ?? 0 }

    /// Starts this program again with `arguments` and waits for it.
    static func of(_ arguments: [String]) throws(Fault) -> Figures { try running([ownProgram] + arguments) }

    /// Starts any program and waits for it.
    static func running(_ words: [String]) throws(Fault) -> Figures {
        let clock = SystemClock()
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw failure("No pipe.") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_addclose(&actions, pipes[0])
        posix_spawn_file_actions_addclose(&actions, pipes[1])
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var figures = Figures(began: clock.monotonic())
        var process = pid_t()
        let failed = posix_spawnp(&process, pointers[0]!, &actions, nil, &pointers, environ)
        close(pipes[1])
        guard failed == 0 else { throw failure("\(words[0]) could not be started.", next: "Install it.") }
        let said = readAll(pipes[0])
        var status: Int32 = 0
        var usage = rusage()
        while wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
        figures.wall = Double((clock.monotonic() - figures.began).milliseconds) / 1e3
        figures.cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        guard status == 0 else {
            throw failure("A child failed (status \(status)): \(words.joined(separator: " "))\n\(said)")
        }
        for line in said.split(separator: "\n") {
            let sides = line.split(separator: "=", maxSplits: 1)
            if sides.count == 2, let value = Double(sides[1]) { figures.told[String(sides[0])] = value }
        }
        return figures
    }

    static var ownProgram: String {
        var path = [CChar](repeating: 0, count: 4_096)
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        return length > 0 ? path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } : CommandLine.arguments[0]
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func readAll(_ file: Int32) -> String {
        defer { close(file) }
        var said: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let got = read(file, &buffer, buffer.count)
            if got < 0, errno == EINTR { continue }
            if got <= 0 { return String(decoding: said, as: UTF8.self) }
            said += buffer[0..<got]
        }
    }
}
