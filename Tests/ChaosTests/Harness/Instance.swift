import Glibc
import Testing
import Testkit

/// One member of the fleet: a `weir run` that is started, killed, stopped and started again on its own state directory.
final class Instance {
    let name: String
    let directory: String
    private let log: String
    private var process: pid_t?
    private(set) var starts = 0
    private(set) var isPaused = false
    /// Exit codes and 128 + signals that nobody here asked for.
    private(set) var ownEnds: [Int32] = []
    /// It was asked to end.
    private(set) var isAwaited = false

    init(name: String, directory: String, log: String) {
        self.name = name
        self.directory = directory
        self.log = log
    }

    deinit {
        guard let process else { return }
        Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    var isUp: Bool { process != nil }

    func start(_ binary: String, _ arguments: [String], environment extra: [String: String] = [:]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let words: [UnsafeMutablePointer<CChar>?] = ([binary] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var at = environ
        while let variable = at.pointee {
            variables.append(strdup(variable))
            at += 1
        }
        variables += extra.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var started = pid_t()
        try #require(posix_spawn(&started, binary, &actions, nil, words, variables) == 0, "\(binary) does not start")
        process = started
        starts += 1
        isPaused = false
        isAwaited = false
    }

    /// kill -9, and waits until it is gone, so that its directory is free.
    func kill() {
        guard let process else { return }
        Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        self.process = nil
        isPaused = false
    }

    func pause() {
        if let process { Glibc.kill(process, SIGSTOP) }
        isPaused = process != nil
    }

    /// Whether it has stopped itself.
    var hasStopped: Bool {
        guard let process, !isPaused else { return false }
        let told = String(decoding: Disk.read("/proc/\(process)/stat"), as: UTF8.self)
        return told.split(separator: ")").last?.split(separator: " ").first == "T"
    }

    func resume() {
        if let process { Glibc.kill(process, SIGCONT) }
        isPaused = false
    }

    /// Asks it to end; its end is looked for with `end`.
    func terminate() {
        resume()
        // A second signal would end it at once.
        if let process, !isAwaited { Glibc.kill(process, SIGTERM) }
        isAwaited = true
    }

    /// How it ended, if it has since the last look: its exit code, or 128 + the signal.
    func end() -> Int32? {
        guard let process else { return nil }
        var raw: Int32 = 0
        guard waitpid(process, &raw, WNOHANG) == process else { return nil }
        self.process = nil
        let code = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + (raw & 0x7f)
        if !isAwaited { ownEnds.append(code) }
        return code
    }

    /// The last words of all its runs.
    func words(_ count: Int = 1_500) -> String { String(decoding: Disk.read(log).suffix(count), as: UTF8.self) }

    /// How often the log holds a text.
    func count(_ text: String) -> Int {
        let bytes = Disk.read(log)
        let wanted = Array(text.utf8)
        var (count, at) = (0, 0)
        while at + wanted.count <= bytes.count {
            if bytes[at] == wanted[0], bytes[at..<at + wanted.count].elementsEqual(wanted) {
                count += 1
                at += wanted.count
            } else {
                at += 1
            }
        }
        return count
    }

    /// The debug build beside the tests' own bundle, or the one that is asked for.
    static func binary(_ variable: String) -> String? {
        if let named = getenv(variable) { return String(cString: named) }
        guard let own = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(own) }
        let package = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let beside = ([String(cString: own)] + CommandLine.arguments).map { path in
            "/" + path.split(separator: "/").dropLast().joined(separator: "/") + "/weir"
        }
        return (beside + ["\(package)/.build/debug/weir"]).first { access($0, X_OK) == 0 }
    }
}

/// Files and folders of a run.
enum Disk {
    static func temporary() throws -> String {
        var template = Array("/tmp/weir-chaos-XXXXXX".utf8CString)
        return String(cString: try #require(mkdtemp(&template)))
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = fread(&bytes, 1, bytes.count, file)
            if got == 0 { return all }
            all += bytes[..<got]
        }
    }

    static func write(_ path: String, _ text: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try #require(fputs(text, file) >= 0)
    }

    static func append(_ path: String, _ text: String) {
        guard let file = fopen(path, "a") else { return }
        defer { fclose(file) }
        fputs(text, file)
    }

    /// A folder and what is in it. A mounted one keeps its root.
    static func remove(_ path: String) {
        if let inside = entries(path) {
            for entry in inside { remove(entry) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// Every file in a folder and the folders in it.
    static func files(_ path: String) -> [String] { entries(path)?.flatMap(files) ?? [path] }

    /// nil: it is no folder.
    private static func entries(_ path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var found: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { found.append("\(path)/\(name)") }
        }
        return found
    }
}
