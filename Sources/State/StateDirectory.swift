import CSys
import Glibc
public import Model
import Synchronization

/// The directory that holds one topology's state, ours alone for the life of the process: `lock` (with our process id),
/// `instance`, `state.db`, `results.db`. Made by the runtime at start, before anything else is opened.
///
/// `@unchecked Sendable` is true because: nothing changes after `init`; the descriptor is only closed in `deinit`.
public final class StateDirectory: @unchecked Sendable {
    public let path: String
    /// Made once, kept as long as the directory: 16 hex digits.
    public let instance: String
    /// -1: in memory, where nobody else comes.
    private let lock: Int32
    /// What keeps databases in memory while no store has them open.
    private let keepers: [Database]
    private static let named = Atomic<Int>(0)

    /// A directory that is only in memory: the same databases with the same contents, gone with this object. For rehearsals,
    /// which open it again after each restart.
    public init(inMemory name: String) throws(Fault) {
        path = "/\(name)-\(Self.named.wrappingAdd(1, ordering: .relaxed).newValue)"
        instance = "0000000000000000"
        lock = -1
        keepers = [
            try Database("\(path)/state.db", .memory(pageSize: StateLimits.pageSize, cache: StateLimits.memoryCache)),
            try Database("\(path)/results.db", .memory(pageSize: StateLimits.pageSize, cache: StateLimits.memoryCache)),
        ]
    }

    /// How its databases are opened by those who write. `pages`: bytes of them that may stay in memory.
    func writing(pages: Int64, sync: Database.Sync = .full) -> Database.Access {
        let cache = Int(max(pages >> 10, StateLimits.leastCache))
        return keepers.isEmpty
            ? .write(pageSize: StateLimits.pageSize, cache: cache, sync: sync)
            : .memory(pageSize: StateLimits.pageSize, cache: cache)
    }

    /// Creates the directory (0700) where it is missing and takes its lock.
    /// Errors: `state_in_use`, `state_read_only`, `state_network_disk`, `state_no_right`, `state_no_directory`,
    /// `state_cannot_open` (exit 5), `disk_full` (exit 6).
    public init(_ path: String) throws(Fault) {
        self.path = path
        keepers = []
        try StateDirectory.create(path)
        var about = statfs()
        guard statfs(path, &about) == 0 else { throw FileSystemKind.fault(errno, path: path) }
        let readOnly = UInt64(bitPattern: Int64(about.f_flags)) & UInt64(ST_RDONLY) != 0
        let type = UInt64(bitPattern: Int64(about.f_type))
        if let fault = FileSystemKind.judge(type: type, readOnly: readOnly, errno: 0, path: path) { throw fault }
        let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw FileSystemKind.judge(type: type, readOnly: readOnly, errno: errno, path: path)
                ?? FileSystemKind.fault(EIO, path: path)
        }
        do {
            try StateDirectory.take(lock, path)
            instance = try StateDirectory.instance(in: path)
        } catch {
            Glibc.close(lock)
            throw error
        }
        self.lock = lock
    }

    /// Refuses a directory in which no state was ever made: `inspect_no_state` (exit 5).
    public static func checkHolds(_ path: String) throws(Fault) {
        let file = "\(path)/state.db"
        if access(file, F_OK) == 0 { return }
        let isThere = access(path, F_OK) == 0
        throw Fault(
            "inspect_no_state", isThere ? "There is no state here yet." : "There is no such directory.",
            place: isThere ? file : path, next: "Start `weir run` first, or name the directory with --state.", exit: .state)
    }

    deinit {
        guard lock >= 0 else { return }
        // A process that was forked from ours at the wrong moment may hold the descriptor too: unlocking works for all.
        flock(lock, LOCK_UN)
        Glibc.close(lock)
    }

    var isInMemory: Bool { lock < 0 }
    public var stateFile: String { "\(path)/state.db" }
    var resultsFile: String { "\(path)/results.db" }

    /// Bytes that this user can still write on the directory's disk; nil if the system does not say.
    public var freeBytes: Int64? {
        var about = statvfs()
        guard statvfs(path, &about) == 0 else { return nil }
        return Int64(clamping: UInt64(about.f_bavail) * UInt64(about.f_frsize))
    }

    private static func create(_ path: String) throws(Fault) {
        var at = path.startIndex
        while at < path.endIndex {
            let slash = path[path.index(after: at)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<slash])
            if mkdir(part, 0o700) != 0 && errno != EEXIST {
                let code = errno
                // A parent that we may not make but that is there is fine, whatever the refusal was.
                var about = stat()
                guard stat(part, &about) == 0 else { throw FileSystemKind.fault(code, path: part) }
            }
            at = slash
        }
        var about = stat()
        guard stat(path, &about) == 0 else { throw FileSystemKind.fault(errno, path: path) }
        guard about.st_mode & S_IFMT == S_IFDIR else { throw FileSystemKind.fault(ENOTDIR, path: path) }
    }

    private static func take(_ lock: Int32, _ path: String) throws(Fault) {
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw FileSystemKind.fault(errno, path: path) }
            let holder = read(lock)
            throw Fault(
                "state_in_use",
                "Another process uses the state directory\(holder.isEmpty ? "" : " (process \(holder))").", place: path,
                next: "Stop it first, or give this run a state directory of its own.", exit: .state)
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(lock, 0) == 0, pwrite(lock, text, text.count, 0) == text.count else {
            throw FileSystemKind.fault(errno, path: path)
        }
    }

    private static func read(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)).prefix { $0 > 0x20 && $0 < 0x7F }, as: UTF8.self)
    }

    private static func instance(in path: String) throws(Fault) -> String {
        let file = "\(path)/instance"
        let known = open(file, O_RDONLY | O_CLOEXEC)
        if known >= 0 {
            defer { Glibc.close(known) }
            let text = read(known)
            if !text.isEmpty { return text }
        }
        let digits = String(UInt64.random(in: 1...UInt64.max), radix: 16)
        let name = String(repeating: "0", count: 16 - digits.count) + digits
        // Written beside and renamed, so that a crash leaves either no name or a whole one.
        let draft = open("\(file).new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard draft >= 0 else { throw FileSystemKind.fault(errno, path: path) }
        let text = Array("\(name)\n".utf8)
        let written = write(draft, text, text.count) == text.count && fsync(draft) == 0
        let code = errno
        Glibc.close(draft)
        guard written else { throw FileSystemKind.fault(code, path: path) }
        guard rename("\(file).new", file) == 0 else { throw FileSystemKind.fault(errno, path: path) }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            Glibc.close(directory)
        }
        return name
    }
}
