import Dispatch
import Glibc
import Model
import Synchronization

/// The socket in the state directory by which a running service is told what to do: one connection, one line of JSON, one line
/// back. Only the directory's owner may connect (0600). Connections are answered one after the other on a queue of its own.
final class ControlSocket: Sendable {
    static let name = "control.sock"

    private typealias Answer = @Sendable (_ line: ArraySlice<UInt8>) -> [UInt8]
    /// Let go when it stops, with all that it holds.
    private final class Answerer: Sendable {
        let answer: Mutex<Answer?>
        init(_ answer: @escaping Answer) { self.answer = Mutex(answer) }
    }
    private let answerer: Answerer
    private let isClosed = DispatchSemaphore(value: 0)
    private let source: Mutex<(any DispatchSourceRead)?>
    private let queue = DispatchQueue(label: "weir.control")

    /// Listens at once. The caller holds the directory's lock, so a socket that lies there is a dead process's. `answer` may block:
    /// the next connection waits. Error: `control_not_listening` (exit 5).
    init(
        directory: String, clock: any Clock, answer: @escaping @Sendable (_ line: ArraySlice<UInt8>) -> [UInt8]
    ) throws(Fault) {
        let descriptor = try Self.listen(directory)
        let answerer = Answerer(answer)
        self.answerer = answerer
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { @Sendable in
            while case let connection = accept(descriptor, nil, nil), connection >= 0 {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                _ = fcntl(connection, F_SETFL, O_NONBLOCK)
                if let answer = answerer.answer.withLock({ $0 }) { ControlLine(connection, clock).serve(answer) }
                close(connection)
            }
        }
        let isClosed = isClosed
        source.setCancelHandler { @Sendable in
            close(descriptor)
            isClosed.signal()
        }
        source.resume()
        self.source = Mutex(source)
    }

    deinit { stop() }

    /// Waits for the connection at hand, then answers no more and holds on to nothing.
    func stop() {
        let source = source.withLock { source in
            defer { source = nil }
            return source
        }
        guard let source else { return }
        source.cancel()
        answerer.answer.withLock { $0 = nil }
        // Whoever connects from now on must find nobody, and take the lock itself.
        isClosed.wait()
    }

    private static func listen(_ directory: String) throws(Fault) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw refused(directory, errno) }
        var code: Int32 = 0
        withAddress(directory) { address, length in
            guard let address else {
                code = errno
                return
            }
            unlink("\(directory)/\(name)")
            // Before it has a name, so that nobody meets it with other rights.
            if fchmod(descriptor, 0o600) != 0 || bind(descriptor, address, length) != 0
                || Glibc.listen(descriptor, RuntimeLimits.controlBacklog) != 0
            {
                code = errno
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        throw refused(directory, code)
    }

    /// A socket's address holds 107 bytes, which a directory's path may exceed: it is named through an open descriptor.
    static func withAddress(_ directory: String, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Void) {
        let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else { return body(nil, 0) }
        defer { close(opened) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("/proc/self/fd/\(opened)/\(name)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// One instance can't decide for a group: what a group takes goes through its control topic.
    static let inGroup = Fault(
        "command_in_group", "The instances of a group don't take this command.", place: "delivery",
        next: "A group takes `observe` and `late_reapply`; all others only a topology without `delivery`.", exit: .answerIsNo)

    private static func refused(_ directory: String, _ code: Int32) -> Fault {
        Fault(
            "control_not_listening", "The socket for commands can't be opened: \(String(cString: strerror(code))).",
            place: "\(directory)/\(name)", next: "Put the state directory on a local disk of this machine.", exit: .state)
    }
}

/// One line each way on a connection that does not block, with a bound for its length and for the time that it takes.
struct ControlLine {
    private let connection: Int32
    private let clock: any Clock

    init(_ connection: Int32, _ clock: any Clock) {
        self.connection = connection
        self.clock = clock
    }

    func serve(_ answer: (ArraySlice<UInt8>) -> [UInt8]) {
        guard let line = read(limit: RuntimeLimits.commandBytes, within: RuntimeLimits.commandLineWait) else { return }
        _ = write(answer(line) + [0x0A])
    }

    /// A whole line without its end; nil: it was too long, too slow, or the other side is gone.
    func read(limit: Int, within: TimeSpan) -> ArraySlice<UInt8>? {
        let deadline = clock.monotonic() + within
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while bytes.count <= limit {
            let count = recv(connection, &chunk, chunk.count, 0)
            if count > 0 {
                let searched = bytes.count
                bytes += chunk[..<count]
                if let end = bytes[searched...].firstIndex(of: 0x0A) { return end <= limit ? bytes[..<end] : nil }
            } else if count == 0 || !(errno == EAGAIN || errno == EINTR) || !wait(POLLIN, deadline) {
                return nil
            }
        }
        return nil
    }

    func write(_ bytes: [UInt8]) -> Bool {
        let deadline = clock.monotonic() + RuntimeLimits.commandLineWait
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if !(errno == EAGAIN || errno == EINTR) || !wait(POLLOUT, deadline) {
                return false
            }
        }
        return true
    }

    private func wait(_ events: Int32, _ deadline: MonotonicTime) -> Bool {
        let left = (deadline - clock.monotonic()).milliseconds
        guard left > 0 else { return false }
        var ready = pollfd(fd: connection, events: Int16(events), revents: 0)
        return poll(&ready, 1, Int32(clamping: left)) >= 0
    }
}
