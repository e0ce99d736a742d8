internal import CSys
import Glibc

/// A process that holds a view of state.db, so that its write-ahead log can't be cut.
public struct ForeignReader: Hashable, Sendable {
    public var process: Int32
    /// What the system calls its program; empty where it does not say.
    public var name: String

    public var words: String { name.isEmpty ? "process \(process)" : "\(name) (process \(process))" }
}

extension StateDirectory {
    /// The other processes that read state.db at this moment, as far as the system tells (`/proc/locks`). Cost: one pass over all file
    /// locks of the machine.
    public func logReaders() -> [ForeignReader] {
        var about = stat()
        guard stat("\(stateFile)-shm", &about) == 0 else { return [] }
        var found: Set<ForeignReader> = []
        for line in Self.read("/proc/locks").split(separator: "\n") {
            guard let process = Self.reader(line, inode: UInt64(about.st_ino)), process > 0, process != getpid() else { continue }
            found.insert(ForeignReader(process: process, name: String(Self.read("/proc/\(process)/comm").prefix { $0 != "\n" })))
        }
        return found.sorted { $0.process < $1.process }
    }

    /// Whose lock a line of `/proc/locks` tells, if it is that of a reader: `1: POSIX ADVISORY READ 1234 fd:01:5678 123 123`. SQLite's
    /// readers lock one of five bytes of the log's index each.
    static func reader(_ line: Substring, inode: UInt64) -> Int32? {
        let words = line.split(separator: " ")
        // One that waits for a lock holds none.
        guard words.count == 8, words[1] == "POSIX", let process = Int32(words[4]), let first = Int64(words[6]),
            LogReaders.bytes.contains(first), words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode
        else { return nil }
        return process
    }

    private static func read(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let got = Glibc.read(file, &buffer, buffer.count)
            if got < 0, errno == EINTR { continue }
            if got <= 0 || text.count > StateLimits.locksBytes { return String(decoding: text, as: UTF8.self) }
            text += buffer[0..<got]
        }
    }
}

private enum LogReaders {
    /// Where SQLite's readers put their locks in the `-shm` file.
    static let bytes: ClosedRange<Int64> = 123...127
}
