internal import Glibc
internal import Model

/// TCP sockets by name and port, as far as a status server and its client need them.
enum Socket {
    /// A listening socket and the port that it got (port 0 asks for any).
    static func listen(host: String, port: UInt16) throws(Fault) -> (descriptor: Int32, port: UInt16) {
        let addresses = try resolve(host, port, passive: true)
        defer { freeaddrinfo(addresses) }
        let address = addresses.pointee
        let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw unavailable(host, port, errno) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, Glibc.listen(descriptor, ObserveLimits.backlog) == 0
        else {
            let error = errno
            close(descriptor)
            throw unavailable(host, port, error)
        }
        return (descriptor, boundPort(descriptor))
    }

    /// The addresses of a name, or of an address (IPv6 with or without brackets); the caller frees them. Asks the machine's
    /// resolver, which keeps its own time.
    static func resolve(_ host: String, _ port: UInt16, passive: Bool) throws(Fault) -> UnsafeMutablePointer<addrinfo> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)
        var found: UnsafeMutablePointer<addrinfo>?
        let isBracketed = host.first == "[" && host.last == "]"
        let code = getaddrinfo(isBracketed ? String(host.dropFirst().dropLast()) : host, String(port), &hints, &found)
        guard code == 0, let found else {
            throw Fault(
                "http_host_unknown", "\(host) is no address: \(String(cString: gai_strerror(code)))", place: "\(host):\(port)",
                next: "Name an address of this machine, such as 127.0.0.1.", exit: .usage)
        }
        return found
    }

    static func words(_ error: Int32) -> String { String(cString: strerror(error)) }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
            // The port stands at the same place for IPv4 and IPv6.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
        }
    }

    private static func unavailable(_ host: String, _ port: UInt16, _ error: Int32) -> Fault {
        let place = "\(host):\(port)"
        switch error {
        case EADDRINUSE:
            return Fault(
                "http_port_in_use", "another process listens on port \(port)", place: place,
                next: "Stop it, or choose another port with http: {listen: HOST:PORT}.", exit: .usage)
        case EACCES:
            return Fault(
                "http_port_not_permitted", "this user may not listen on port \(port)", place: place,
                next: "Choose a port above 1023.", exit: .usage)
        default:
            return Fault(
                "http_not_listening", "can't listen there: \(words(error))", place: place,
                next: "Name an address of this machine in http: {listen: HOST:PORT}.", exit: .usage)
        }
    }
}
