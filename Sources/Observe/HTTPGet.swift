internal import Glibc
public import Model

/// One GET over plain HTTP, for asking a running Weir for its status.
public enum HTTPGet {
    public struct Answer: Equatable, Sendable {
        public var status: Int
        public var body: [UInt8]
    }

    /// Blocks the calling thread for `within` at most (asking the resolver for a name aside). Faults: `http_host_unknown`,
    /// `http_not_reachable`, `http_timeout`, `http_malformed`.
    public static func get(
        host: String, port: UInt16, path: String, within: TimeSpan = ObserveLimits.getTimeout, clock: some Clock
    ) throws(Fault) -> Answer {
        let place = "http://\(host):\(port)\(path)"
        let deadline = clock.monotonic() + within
        let descriptor = try connect(host, port, place, deadline, clock)
        defer { close(descriptor) }
        let name = host.contains(":") && host.first != "[" ? "[\(host)]" : host
        // HTTP/1.0: the end of the connection is the end of the answer.
        let request = Array("GET \(path) HTTP/1.0\r\nHost: \(name):\(port)\r\nConnection: close\r\n\r\n".utf8)
        try send(request, descriptor, place, deadline, clock)
        return try parse(try receive(descriptor, place, deadline, clock), place)
    }

    private static func connect(
        _ host: String, _ port: UInt16, _ place: String, _ deadline: MonotonicTime, _ clock: some Clock
    ) throws(Fault) -> Int32 {
        let addresses = try Socket.resolve(host, port, passive: false)
        defer { freeaddrinfo(addresses) }
        var last = ECONNREFUSED
        var next: UnsafeMutablePointer<addrinfo>? = addresses
        while let address = next?.pointee {
            next = address.ai_next
            let descriptor = socket(
                address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else {
                last = errno
                continue
            }
            if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
            last = errno
            if last == EINPROGRESS {
                do {
                    try wait(descriptor, POLLOUT, place, deadline, clock)
                } catch {
                    close(descriptor)
                    throw error
                }
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &last, &length)
                if last == 0 { return descriptor }
            }
            close(descriptor)
        }
        throw unreachable(place, last)
    }

    private static func send(
        _ bytes: [UInt8], _ descriptor: Int32, _ place: String, _ deadline: MonotonicTime, _ clock: some Clock
    ) throws(Fault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(descriptor, POLLOUT, place, deadline, clock)
            let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if errno != EAGAIN && errno != EINTR {
                throw unreachable(place, errno)
            }
        }
    }

    private static func receive(
        _ descriptor: Int32, _ place: String, _ deadline: MonotonicTime, _ clock: some Clock
    ) throws(Fault) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= ObserveLimits.answer {
            try wait(descriptor, POLLIN, place, deadline, clock)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { return bytes }
            if count > 0 {
                bytes.append(contentsOf: chunk[0..<count])
            } else if errno != EAGAIN && errno != EINTR {
                throw unreachable(place, errno)
            }
        }
        throw malformed(place, "the answer is larger than \(ObserveLimits.answer) bytes")
    }

    private static func wait(
        _ descriptor: Int32, _ events: Int32, _ place: String, _ deadline: MonotonicTime, _ clock: some Clock
    ) throws(Fault) {
        while true {
            let left = (deadline - clock.monotonic()).milliseconds
            if left <= 0 { break }
            var poll = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let ready = Glibc.poll(&poll, 1, Int32(clamping: left))
            if ready > 0 { return }
            if ready < 0 && errno != EINTR { throw unreachable(place, errno) }
        }
        throw Fault(
            "http_timeout", "no answer in time", place: place, next: "Check that a Weir answers there and is not overloaded.",
            exit: .answerIsNo, isTransient: true)
    }

    /// The status line's number, and what follows the empty line.
    private static func parse(_ bytes: [UInt8], _ place: String) throws(Fault) -> Answer {
        let end: [UInt8] = [13, 10, 13, 10]
        let blank = bytes.indices.first { bytes[$0...].starts(with: end) }
        guard let blank, bytes.starts(with: "HTTP/1.".utf8) else {
            throw malformed(place, "what answers there does not speak HTTP")
        }
        let statusLine = bytes.prefix { $0 != 13 }.split(separator: UInt8(ascii: " "))
        guard statusLine.count >= 2, let status = Int(String(decoding: statusLine[1], as: UTF8.self)) else {
            throw malformed(place, "the answer has no status")
        }
        return Answer(status: status, body: Array(bytes[(blank + end.count)...]))
    }

    private static func unreachable(_ place: String, _ error: Int32) -> Fault {
        Fault(
            "http_not_reachable", "nothing answers there: \(Socket.words(error))", place: place,
            next: "Start the topology with http: {listen: …}, or name its address.", exit: .answerIsNo, isTransient: true)
    }

    private static func malformed(_ place: String, _ what: String) -> Fault {
        Fault("http_malformed", what, place: place, next: "Check that a Weir listens at this address.", exit: .answerIsNo)
    }
}
