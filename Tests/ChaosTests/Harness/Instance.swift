import Glibc
import Testing
import Testkit

/// One member of the fleet: a `weir run` that is started, killed, stopped and started again on its own state directory.
final class Instance {
    let name: String
    let directory: String
    private let log: String
    private var process: Child?
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

    var isUp: Bool { process != nil }

    func start(_ binary: String, _ arguments: [String], environment extra: [String: String] = [:]) throws {
        process = try Child(binary, arguments, environment: extra, out: log)
        starts += 1
        isPaused = false
        isAwaited = false
    }

    /// kill -9, and waits until it is gone, so that its directory is free.
    func kill() {
        process?.killNow()
        process = nil
        isPaused = false
    }

    func pause() {
        process?.signal(SIGSTOP)
        isPaused = process != nil
    }

    /// Whether it has stopped itself.
    var hasStopped: Bool {
        guard let process, !isPaused else { return false }
        let told = String(decoding: Disk.read("/proc/\(process.pid)/stat"), as: UTF8.self)
        return told.split(separator: ")").last?.split(separator: " ").first == "T"
    }

    func resume() {
        process?.signal(SIGCONT)
        isPaused = false
    }

    /// Asks it to end; its end is looked for with `end`.
    func terminate() {
        resume()
        // A second signal would end it at once.
        if !isAwaited { process?.signal(SIGTERM) }
        isAwaited = true
    }

    /// How it ended, if it has since the last look: its exit code, or 128 + the signal.
    func end() -> Int32? {
        guard let code = process?.exit else { return nil }
        process = nil
        // One that was killed from here has no end left to be seen: an order may strike after it was asked to end.
        if !isAwaited || code == 128 + SIGKILL { ownEnds.append(code) }
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
}

/// Files of a run.
enum Disk {
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
