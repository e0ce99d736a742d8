internal import Glibc
public import Model

/// A program that a test starts, and ends at the latest when nothing holds it any more. Used by one thread at a time.
public final class Child {
    public let pid: Int32
    /// What it took of the processors, known at its end: the same on a busy machine, or nearly so.
    public private(set) var cpuSeconds = 0.0
    private var ended: Int32?

    /// What it says is appended to files; without `error` all of it goes to `out`.
    public init(
        _ program: String, _ arguments: [String], environment extra: [String: String] = [:], out: String, error: String? = nil
    ) throws(Fault) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        if let error {
            posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var at = environ
        while let variable = at.pointee {
            variables.append(strdup(variable))
            at += 1
        }
        variables += extra.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var started = pid_t()
        guard posix_spawn(&started, program, &actions, nil, words, variables) == 0 else {
            throw Fault("test_program", "\(program) does not start.", next: "Build it.", exit: .usage)
        }
        pid = started
    }

    deinit { if ended == nil { killNow() } }

    public func signal(_ number: Int32) { if ended == nil { kill(pid, number) } }

    /// kill -9, and waits until it is gone, so that what it held is free.
    public func killNow() {
        signal(SIGKILL)
        while exit == nil { rest(milliseconds: 1) }
    }

    /// Its exit code once it is over, or 128 + the signal that ended it; nil while it runs.
    public var exit: Int32? {
        if let ended { return ended }
        var status: Int32 = 0
        var usage = rusage()
        guard wait4(pid, &status, WNOHANG, &usage) == pid else { return nil }
        cpuSeconds = usage.ru_utime.seconds + usage.ru_stime.seconds
        ended = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
        return ended
    }

    public func end(within seconds: Double = 60) throws -> Int32 { try eventually("the program's end", within: seconds) { exit } }

    /// The built `weir`: the one that the environment's `variable` names, else the one beside the bundle of the tests.
    public static func weir(orFrom variable: String? = nil) -> String? {
        if let named = variable.flatMap(environment) { return named }
        guard let own = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(own) }
        // The tests' runner is the toolchain's or the bundle itself; arguments name the bundle in either case.
        let beside = ([String(cString: own)] + CommandLine.arguments).map { path in
            "/" + path.split(separator: "/").dropLast().joined(separator: "/") + "/weir"
        }
        return (beside + ["\(packageFolder)/.build/debug/weir"]).first(where: isExecutable)
    }
}

/// The folder of the package.
public let packageFolder = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}
