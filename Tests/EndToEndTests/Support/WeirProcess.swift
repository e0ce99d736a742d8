import Glibc
import Testing
import Testkit

/// The built program at work on a topology file, to be killed.
final class WeirProcess {
    let pid: pid_t
    private let said: String
    private var status: Int32?

    /// Beside the bundle of the tests.
    private static let binary: String? = {
        guard let own = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(own) }
        let package = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let beside = ([String(cString: own)] + CommandLine.arguments).map { path in
            "/" + path.split(separator: "/").dropLast().joined(separator: "/") + "/weir"
        }
        let chosen = getenv("WEIR_BINARY").map { [String(cString: $0)] } ?? []
        return (chosen + beside + ["\(package)/.build/debug/weir"]).first { access($0, X_OK) == 0 }
    }()

    init(_ arguments: [String], log: String) throws {
        let binary = try #require(Self.binary, "weir is not built")
        said = log
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var words: [UnsafeMutablePointer<CChar>?] = ([binary] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var started = pid_t()
        try #require(posix_spawn(&started, binary, &actions, nil, words, environ) == 0)
        pid = started
    }

    deinit {
        guard status == nil else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// What it wrote so far.
    var log: String {
        guard let file = fopen(said, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Its exit code once it is over, 128 + the signal that ended it, or nil.
    var exit: Int32? {
        if let status { return status }
        var raw: Int32 = 0
        guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
        status = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + (raw & 0x7f)
        return status
    }

    func end(within seconds: Double = 60) throws -> Int32 { try eventually("weir's end", within: seconds) { exit } }
}
