internal import CMicrohttpd
internal import Glibc
public import Model
internal import Synchronization

/// `/metrics`, `/ready`, `/live`, `/status.json`, `/status.txt` and the status page, on one thread of libmicrohttpd's own. It
/// only reads: facts come from the closure, and nothing it does can hold a lane up. `stop` ends the thread and closes the port.
public final class HTTPServer: Sendable {
    /// Where it listens; the port that was chosen where port 0 was asked for.
    public let host: String
    public let port: UInt16

    private struct Handles {
        var daemon: OpaquePointer?
        var site: Unmanaged<Site>
    }
    /// Guards the library's handle against two stops at once.
    private let handles: Mutex<Handles>

    /// Listens at once. Throws `http_port_in_use` and others with exit code `usage`.
    public init(host: String, port: UInt16, facts: @escaping FactsSource) throws(Fault) {
        let listening = try Socket.listen(host: host, port: port)
        let isLocal = Site.isLocalName(host.contains(":") && host.first != "[" ? "[\(host)]" : host)
        let site = Unmanaged.passRetained(Site(isLocal: isLocal, facts: facts))
        guard let daemon = startDaemon(listening.descriptor, site.toOpaque()) else {
            close(listening.descriptor)
            site.release()
            throw Fault(
                "http_not_started", "the HTTP server could not start its thread", place: "\(host):\(listening.port)",
                next: "Check the limits for threads and open files.", exit: .usage)
        }
        self.host = host
        self.port = listening.port
        handles = Mutex(Handles(daemon: daemon, site: site))
    }

    deinit { stop() }

    /// Waits for the request at hand, then no more is answered. A second call does nothing.
    public func stop() {
        handles.withLock { handles in
            guard let daemon = handles.daemon else { return }
            MHD_stop_daemon(daemon)
            handles.daemon = nil
            handles.site.release()
        }
    }
}

/// The library takes the socket over and closes it when it stops.
private func startDaemon(_ descriptor: Int32, _ site: UnsafeMutableRawPointer) -> OpaquePointer? {
    func option(_ option: MHD_OPTION, _ value: Int) -> MHD_OptionItem {
        MHD_OptionItem(option: option, value: value, ptr_value: nil)
    }
    let options = [
        option(.LISTEN_SOCKET, Int(descriptor)),
        option(.CONNECTION_LIMIT, Int(ObserveLimits.connections)),
        option(.CONNECTION_TIMEOUT, Int(ObserveLimits.connectionTimeout)),
        option(.CONNECTION_MEMORY_LIMIT, ObserveLimits.connectionMemory),
        option(.END, 0),
    ]
    let flags = MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_USE_ITC.rawValue
    return weir_http_start(flags, answerRequest, site, options)
}

/// Called by the library on its thread: first with the headers, then, for a request without a body, to answer. A top-level
/// function, since the library's thread is no actor's.
private func answerRequest(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?,
    _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?, _ uploadSize: UnsafeMutablePointer<Int>?,
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context, let connection, let url, let method, let uploadSize, let state else { return .NO }
    let verb = String(cString: method)
    let reads = verb == "GET" || verb == "HEAD"
    if reads {
        // Answering at the first call would close a connection that scrapers want to keep.
        if state.pointee == nil {
            state.pointee = context
            return .YES
        }
        if uploadSize.pointee > 0 {
            uploadSize.pointee = 0
            return .YES
        }
    }
    let host = MHD_lookup_connection_value(connection, .HEADER_KIND, "Host").map { String(cString: $0) }
    let site = Unmanaged<Site>.fromOpaque(context).takeUnretainedValue()
    return queue(site.answer(method: verb, path: String(cString: url), host: host), on: connection)
}

private func queue(_ answer: HTTPAnswer, on connection: OpaquePointer) -> MHD_Result {
    let response = answer.body.withUnsafeBytes {
        MHD_create_response_from_buffer($0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let response else { return .NO }
    defer { MHD_destroy_response(response) }
    MHD_add_response_header(response, "Content-Type", answer.type.rawValue)
    MHD_add_response_header(response, "Cache-Control", "no-store")
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff")
    if answer.type == .html { MHD_add_response_header(response, "Content-Security-Policy", StatusPage.policy) }
    if answer.status == 405 { MHD_add_response_header(response, "Allow", "GET, HEAD") }
    return MHD_queue_response(connection, answer.status, response)
}
