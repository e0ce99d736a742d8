internal import Dispatch
internal import Glibc
public import Model
import Synchronization

/// A port in front of a broker's, on which what comes back can be lost: a partition of the network in one direction. Requests arrive and are
/// carried out, and nobody hears of it. A connection that lost an answer is reset when answers come through again.
public final class Relay: Sendable {
    public let port: UInt16
    private let listener: Int32
    private let broker = Atomic<UInt16>(0)
    private let isLosing = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let lost = Atomic<Int>(0)
    private let ended = DispatchSemaphore(value: 0)

    /// Listens on a free port; connections wait until `lead` says where to.
    public init() throws(Fault) {
        let listener = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isBound else { throw KafkaCluster.broken("No port for a relay: \(String(cString: strerror(errno)))") }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
    }

    /// From now on connections go to this port of this machine.
    public func lead(to port: UInt16) {
        broker.store(port, ordering: .relaxed)
        DispatchQueue(label: "relay").async { [self] in
            carry()
            ended.signal()
        }
    }

    public func loseAnswers() { isLosing.store(true, ordering: .relaxed) }
    public func heal() { isLosing.store(false, ordering: .relaxed) }
    /// Bytes of answers that nobody got.
    public var lostBytes: Int { lost.load(ordering: .relaxed) }

    /// Ends all connections.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .relaxed) else { return }
        if broker.load(ordering: .relaxed) != 0 { ended.wait() }
        close(listener)
    }

    // MARK: The carrying queue

    /// One direction of a connection. What was read is handed on before more is read.
    private struct Way {
        var from: Int32
        var to: Int32
        var held: [UInt8] = []
        var sent = 0
        var isEmpty: Bool { sent == held.count }
    }

    private struct Connection {
        var requests: Way
        var answers: Way
        var hasLost = false
        var isOver = false
    }

    /// How long a change of mind may take to be heeded, milliseconds.
    private static let look: Int32 = 20
    private static let chunk = 256 << 10

    private func carry() {
        var connections: [Connection] = []
        while !isStopping.load(ordering: .relaxed) {
            let isLosing = isLosing.load(ordering: .relaxed)
            for at in connections.indices where connections[at].hasLost && !isLosing { connections[at].isOver = true }
            for over in connections where over.isOver { Self.reset(over) }
            connections.removeAll(where: \.isOver)

            var waits = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for connection in connections {
                for way in [connection.requests, connection.answers] {
                    waits.append(
                        way.isEmpty
                            ? pollfd(fd: way.from, events: Int16(POLLIN), revents: 0)
                            : pollfd(fd: way.to, events: Int16(POLLOUT), revents: 0))
                }
            }
            guard poll(&waits, nfds_t(waits.count), Self.look) > 0 else { continue }
            for at in connections.indices {
                if waits[1 + 2 * at].revents != 0 { connections[at].isOver = !Self.move(&connections[at].requests) }
                if waits[2 + 2 * at].revents != 0, !connections[at].isOver {
                    let isOpen = isLosing ? lose(&connections[at]) : Self.move(&connections[at].answers)
                    connections[at].isOver = !isOpen
                }
            }
            if waits[0].revents != 0, let fresh = accepted() { connections.append(fresh) }
        }
        for connection in connections { Self.reset(connection) }
    }

    private func accepted() -> Connection? {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return nil }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.address(broker.load(ordering: .relaxed))
        let isThere = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(server, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isThere, fcntl(server, F_SETFL, O_NONBLOCK) == 0, fcntl(client, F_SETFL, O_NONBLOCK) == 0 else {
            close(client)
            close(server)
            return nil
        }
        var one: Int32 = 1
        for end in [client, server] {
            setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        return Connection(requests: Way(from: client, to: server), answers: Way(from: server, to: client))
    }

    /// False: the connection is over.
    private static func move(_ way: inout Way) -> Bool {
        if way.isEmpty {
            guard let bytes = read(way.from) else { return false }
            (way.held, way.sent) = (bytes, 0)
        }
        while !way.isEmpty {
            let count = way.held.withUnsafeBytes {
                send(way.to, $0.baseAddress! + way.sent, $0.count - way.sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            way.sent += count
        }
        return true
    }

    private func lose(_ connection: inout Connection) -> Bool {
        guard let bytes = Self.read(connection.answers.from) else { return false }
        let held = connection.answers.held.count - connection.answers.sent
        lost.add(bytes.count + held, ordering: .relaxed)
        (connection.answers.held, connection.answers.sent) = ([], 0)
        if bytes.count + held > 0 { connection.hasLost = true }
        return true
    }

    /// nil: nothing will come any more.
    private static func read(_ end: Int32) -> [UInt8]? {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, initialized in
            count = recv(end, buffer.baseAddress, buffer.count, 0)
            initialized = max(0, count)
        }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        return count == 0 ? nil : bytes
    }

    private static func reset(_ connection: Connection) {
        var now = linger(l_onoff: 1, l_linger: 0)
        for end in [connection.requests.from, connection.requests.to] {
            setsockopt(end, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            close(end)
        }
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
