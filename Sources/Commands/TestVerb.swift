internal import CSys
internal import Glibc
internal import Model
internal import Rehearsal
internal import Runtime
internal import Synchronization
internal import Topology

extension Verbs {
    static let test = Verb(
        name: "test", summary: "test files with a virtual clock", usage: "[FILE…] [option…]", operands: 0...1_000,
        options: [
            .value("filter", "TEXT", "only cases whose name has TEXT in it"),
            .value("junit", "FILE", "the results as JUnit's XML too"),
            .flag("coverage", "what of each topology the cases reach, and what they miss"),
            .value("min", "PERCENT", "with --coverage: less of any topology ends with 1"),
            .flag("watch", "again when a test or its topology changes, until SIGINT"),
        ],
        notes: [
            "Without FILE: every *.test.yaml in this folder and below. No broker, no sleep. Ends with 0",
            "if every case passed, 1 if one failed, 2 if a file can't be read.",
        ],
        run: { arguments, console throws(Fault) in try TestVerb.run(arguments, console) })
}

enum TestVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let least = try least(arguments)
        let signals = arguments.has("watch") ? StopSignals() : nil
        while true {
            let files = try files(arguments)
            if signals != nil, console.isOutTerminal, !arguments.has("json") { console.out("\u{1B}[H\u{1B}[2J") }
            let all = files.map { test($0, filter: arguments.value("filter"), SystemClock()) }
            // A filter takes cases out, and files of which none is left.
            let tested = arguments.has("filter") ? all.filter { !$0.isReadable || !$0.results.isEmpty } : all
            let exit = try tell(tested, arguments, least, console)
            guard let signals, !console.isOutClosed else { return exit }
            repeat {
                if signals.wait(milliseconds: CommandsLimits.tick) { return exit }
            } while all.allSatisfy { $0.stamps.allSatisfy { $1 == FileStamp($0) } }
        }
    }

    /// What `--min` asks, 0…100; nil where it stands not.
    private static func least(_ arguments: Arguments) throws(Fault) -> Int? {
        guard let text = arguments.value("min") else { return nil }
        guard arguments.has("coverage") else { throw usageFault("--min says nothing without --coverage", of: "test") }
        guard let percent = Int(text), (0...100).contains(percent) else {
            throw usageFault("--min wants a whole number from 0 to 100, not `\(printableWord(text))`", of: "test")
        }
        return percent
    }

    private static func tell(
        _ tested: [TestedFile], _ arguments: Arguments, _ least: Int?, _ console: Console
    ) throws(Fault) -> ExitCode {
        let covered = arguments.has("coverage") ? CoveredTopology.of(tested) : nil
        let isTerminal = console.isOutTerminal
        if arguments.has("json") {
            console.out(TestReport.json(tested, covered))
        } else {
            for one in tested {
                console.out(TestReport.text(one, caret: isTerminal, hasColour: console.hasColour && isTerminal))
            }
            console.out(TestReport.summary(tested))
            for one in covered ?? [] { console.out(CoverageReport.text(one)) }
        }
        if let path = arguments.value("junit") { try write(TestReport.junit(tested), to: path) }
        if tested.contains(where: { !$0.isReadable }) { return .usage }
        if !tested.contains(where: { !$0.results.isEmpty }) {
            if !arguments.has("json") { console.error("weir: no case ran; change --filter, or see weir test --help\n") }
            return .answerIsNo
        }
        guard tested.allSatisfy(\.isOK) else { return .answerIsNo }
        return (covered ?? []).allSatisfy { $0.coverage.percent >= least ?? 0 } ? .done : .answerIsNo
    }

    static func test(_ file: String, filter: String?, _ clock: SystemClock) -> TestedFile {
        // Each file's stamp is taken before its bytes, so that no change is missed.
        let stamps = Mutex<[String: FileStamp?]>([:])
        var surroundings = Topology.Surroundings.machine
        let bytes = surroundings.bytes
        surroundings.bytes = { path throws(Fault) in
            let stamp = FileStamp(path)
            stamps.withLock { $0[path] = .some(stamp) }
            return try bytes(path)
        }
        let reading = TestFileReader.read(file, from: surroundings)
        // Warnings are for `weir check`.
        let errors = reading.problems.filter { $0.severity == .error }
        var tested = TestedFile(file: file, problems: errors, stamps: stamps.withLock { $0 })
        guard let test = reading.test else { return tested }
        tested.plan = test.plan
        tested.topology = test.topology
        for one in test.cases where filter.map({ one.name.contains($0) }) ?? true {
            let start = clock.monotonic()
            let result = CaseRunner.run(one, of: test)
            tested.results.append((result, clock.monotonic() - start))
        }
        return tested
    }

    private static func files(_ arguments: Arguments) throws(Fault) -> [String] {
        if !arguments.operands.isEmpty { return arguments.operands }
        let found = found(in: ".", depth: 0).sorted()
        guard found.isEmpty else { return found }
        throw usageFault("no *.test.yaml lies in this folder or below", of: "test", hint: "name a test file")
    }

    /// Hidden folders are left out, links are not followed.
    private static func found(in folder: String, depth: Int) -> [String] {
        guard depth < CommandsLimits.folders, let listing = opendir(folder) else { return [] }
        defer { closedir(listing) }
        var files: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            let path = folder == "." ? name : "\(folder)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR {
                files += found(in: path, depth: depth + 1)
            } else if name.hasSuffix(".test.yaml") {
                files.append(path)
            }
        }
        return files
    }

    private static func write(_ text: String, to path: String) throws(Fault) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw unwritable(path) }
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw unwritable(path) }
            rest = rest.dropFirst(count)
        }
    }

    private static func unwritable(_ path: String) -> Fault {
        let reason = String(cString: strerror(errno))
        return usageFault("\(printableWord(path)) can't be written: \(reason)", of: "test", hint: "name another file for --junit")
    }
}

/// What changes when a file is written or replaced.
struct FileStamp: Equatable {
    private var inode: UInt64
    private var seconds: Int
    private var nanoseconds: Int
    private var size: Int64

    /// nil: there is no such file, as while an editor replaces it.
    init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        inode = UInt64(info.st_ino)
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
        size = Int64(info.st_size)
    }
}
