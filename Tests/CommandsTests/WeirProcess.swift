import Glibc
import Testing
import Testkit

/// The built program as a process of its own; what it says goes to files.
final class WeirProcess {
    let pid: pid_t
    private let folder: Folder
    private var exit: Int32?
    /// What it took of the processors, known at its end: the same on a busy machine, or nearly so.
    private(set) var cpuSeconds = 0.0

    /// Beside the bundle of the tests.
    static let binary: String? = {
        guard let own = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(own) }
        // The tests' runner is the toolchain's or the bundle itself; arguments name the bundle in either case.
        let candidates = ([String(cString: own)] + CommandLine.arguments).map { path in
            "/" + path.split(separator: "/").dropLast().joined(separator: "/") + "/weir"
        }
        return (candidates + ["\(packageFolder)/.build/debug/weir"]).first { access($0, X_OK) == 0 }
    }()

    /// - Parameter program: another program, by its path.
    init(_ arguments: [String], program: String? = nil) throws {
        let binary = try #require(program ?? Self.binary, "weir is not built")
        folder = try Folder()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "\(folder.path)/out", O_WRONLY | O_CREAT, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, "\(folder.path)/error", O_WRONLY | O_CREAT, 0o644)
        var words: [UnsafeMutablePointer<CChar>?] = ([binary] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var started = pid_t()
        try #require(posix_spawn(&started, binary, &actions, nil, words, environ) == 0)
        pid = started
    }

    deinit {
        guard exit == nil else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    var out: String { read("\(folder.path)/out") }
    var error: String { read("\(folder.path)/error") }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end.
    func end(within seconds: Double) throws -> Said {
        let exit = try eventually("weir's end", within: seconds) { () -> Int32? in
            var status: Int32 = 0
            var usage = rusage()
            guard wait4(pid, &status, WNOHANG, &usage) == pid else { return nil }
            cpuSeconds = usage.ru_utime.seconds + usage.ru_stime.seconds
            return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
        }
        self.exit = exit
        return Said(exit: exit, out: out, error: error)
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}
