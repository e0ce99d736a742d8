import Freshness
import Glibc
import Model
import Synchronization
import Testing

@testable import Observe

/// The machine's clocks: deadlines of real sockets need them.
struct MachineClock: Clock {
    private func read(_ id: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    func wall() -> WallTime { WallTime(milliseconds: read(CLOCK_REALTIME) / 1_000_000) }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: read(CLOCK_MONOTONIC)) }
}

/// A connection that says what the test wants, whole or in part.
final class RawConnection {
    private let descriptor: Int32

    init(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What comes until the other side closes, or until `end` was seen.
    func receive(until end: String? = nil) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { break }
            bytes.append(contentsOf: chunk[0..<count])
            if let end, String(decoding: bytes, as: UTF8.self).contains(end) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private func serve(_ facts: Facts = busyFacts(), host: String = "127.0.0.1") throws -> HTTPServer {
    try HTTPServer(host: host, port: 0) { (facts, noon) }
}

private let hasIPv6 = {
    guard let listening = try? Socket.listen(host: "::1", port: 0) else { return false }
    close(listening.descriptor)
    return true
}()

private func get(_ server: HTTPServer, _ path: String) throws -> HTTPGet.Answer {
    try HTTPGet.get(host: "127.0.0.1", port: server.port, path: path, within: .seconds(10), clock: MachineClock())
}

private func ask(_ server: HTTPServer, _ request: String) -> String {
    let connection = RawConnection(port: server.port)
    connection.send(request)
    return connection.receive()
}

@Suite struct HTTPServerTests {
    @Test func everyAddressAnswers() throws {
        let server = try serve()
        defer { server.stop() }
        #expect(server.port != 0)
        let expected: [(String, [UInt8])] = [
            ("/", StatusPage.bytes), ("/live", Array("{\"live\":true}\n".utf8)),
            ("/metrics", Array(MetricsText.render(busyFacts(), at: noon).utf8)),
            ("/ready", Array("{\"ready\":true,\"reason\":\"running\",\"stopped_partitions\":1}\n".utf8)),
            ("/status.json", StatusJSON.render(busyFacts(), at: noon)),
            ("/status.txt", Array(StatusText.render(busyFacts(), at: noon).utf8)),
        ]
        for (path, body) in expected {
            let answer = try get(server, path)
            #expect(answer.status == 200 && answer.body == body, "\(path)")
        }
    }

    @Test func whoIsNotReadySaysWhy() throws {
        var facts = busyFacts()
        facts.state = .waiting(
            Fault("topic_missing", "the topic does not exist", place: "a.b", next: "Create it.", exit: .broker, isTransient: true)
        )
        let server = try serve(facts)
        defer { server.stop() }
        let answer = try get(server, "/ready")
        let reason =
            #"{"ready":false,"reason":"topic_missing","fault":{"code":"topic_missing","what":"the topic does not exist","#
            + #""place":"a.b","next":"Create it."},"stopped_partitions":1}"#
        #expect(answer.status == 503)
        #expect(String(decoding: answer.body, as: UTF8.self) == reason + "\n")
        #expect(try get(server, "/live").status == 200)
    }

    @Test func readinessFollowsTheState() {
        func readiness(_ state: RunState, brokerUp: Bool?) -> (Bool, String) {
            var facts = emptyFacts()
            facts.state = state
            facts.isBrokerUp = brokerUp
            let readiness = Readiness(facts)
            return (readiness.isReady, readiness.reason)
        }
        #expect(readiness(.starting, brokerUp: true) == (false, "starting"))
        #expect(readiness(.running, brokerUp: true) == (true, "running"))
        #expect(readiness(.running, brokerUp: nil) == (true, "running"))
        #expect(readiness(.running, brokerUp: false) == (false, "broker_away"))
        #expect(readiness(.stopping, brokerUp: true) == (false, "stopping"))
        #expect(readiness(.ended, brokerUp: nil) == (false, "ended"))
    }

    @Test func headSendsTheHeadersOnly() throws {
        let server = try serve()
        defer { server.stop() }
        let answer = ask(server, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        let length = MetricsText.render(busyFacts(), at: noon).utf8.count
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        #expect(answer.contains("Content-Length: \(length)\r\n") && answer.hasSuffix("\r\n\r\n"))
        #expect(answer.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"])
    func onlyReadingIsAnswered(method: String) throws {
        let server = try serve()
        defer { server.stop() }
        let answer = ask(
            server, "\(method) /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
        #expect(answer.hasPrefix("HTTP/1.1 405 ") && answer.contains("Allow: GET, HEAD\r\n"))
        #expect(answer.contains("{\"error\":\"method_not_allowed\","))
    }

    @Test func unknownAddressesAre404InJSON() throws {
        let server = try serve()
        defer { server.stop() }
        for path in ["/nothing", "/metrics/", "/../etc/passwd", "/%00", "/status.json%2f"] {
            let answer = try get(server, path)
            #expect(answer.status == 404 && String(decoding: answer.body, as: UTF8.self).hasPrefix("{\"error\":\"not_found\","))
        }
        #expect(try get(server, "/live?x=1").status == 200)
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:8080", true), ("127.0.0.1:8080", true), ("127.1.2.3", true), ("[::1]:8080", true),
        ("evil.example", false), ("localhost.evil.example", false), ("127.0.0.1.evil.example", false), ("127.0.0.999", false),
        ("", false), ("[::2]", false), ("10.0.0.1", false),
    ])
    func aLocalServerKnowsItsNames(host: String, isLocal: Bool) {
        #expect(Site.isLocalName(host) == isLocal)
        let answer = Site(isLocal: true) { (emptyFacts(), noon) }.answer(method: "GET", path: "/live", host: host)
        #expect(answer.status == (isLocal ? 200 : 403))
        let anywhere = Site(isLocal: false) { (emptyFacts(), noon) }.answer(method: "GET", path: "/live", host: host)
        #expect(anywhere.status == 200)
    }

    @Test func aForeignHostIsRefusedAndNothingIsSharedWithOtherSites() throws {
        let server = try serve()
        defer { server.stop() }
        let foreign = ask(server, "GET /status.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        #expect(foreign.hasPrefix("HTTP/1.1 403 ") && foreign.contains("host_refused") && !foreign.contains("product-usage"))
        let own = ask(
            server, "GET /status.json HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n")
        #expect(own.hasPrefix("HTTP/1.1 200 ") && !own.contains("Access-Control"))
    }

    @Test func aPortInUseIsAFaultThatSaysWhatToDo() throws {
        let server = try serve()
        defer { server.stop() }
        let fault = #expect(throws: Fault.self) {
            _ = try HTTPServer(host: "127.0.0.1", port: server.port) { (emptyFacts(), noon) }
        }
        #expect(fault?.code == "http_port_in_use" && fault?.exit == .usage && fault?.place == "127.0.0.1:\(server.port)")
    }

    @Test func anAddressOfAnotherMachineIsRefused() {
        for host in ["192.0.2.1", "no such host"] {
            let fault = #expect(throws: Fault.self) { _ = try HTTPServer(host: host, port: 0) { (emptyFacts(), noon) } }
            #expect(["http_not_listening", "http_host_unknown"].contains(fault?.code) && fault?.exit == .usage)
        }
    }

    @Test(.enabled(if: hasIPv6, "this machine has no ::1"), arguments: ["::1", "[::1]"])
    func addressesOfIPv6AreServedToo(host: String) throws {
        let server = try serve(host: host)
        defer { server.stop() }
        let answer = try HTTPGet.get(host: host, port: server.port, path: "/live", clock: MachineClock())
        #expect(answer.status == 200)
        let unknown = try HTTPGet.get(host: host, port: server.port, path: "/nothing", clock: MachineClock())
        #expect(unknown.status == 404)
    }

    @Test func aStoppedServerGivesItsPortBack() throws {
        let first = try serve()
        let port = first.port
        first.stop()
        first.stop()
        let second = try HTTPServer(host: "127.0.0.1", port: port) { (emptyFacts(), noon) }
        defer { second.stop() }
        #expect(try get(second, "/live").status == 200)
    }

    @Test func halfRequestsHoldNobodyUp() throws {
        let server = try serve()
        defer { server.stop() }
        let halves = (0..<20).map { _ in RawConnection(port: server.port) }
        for half in halves { half.send("GET /status.json HTTP/1.1\r\nHost: local") }
        #expect(try get(server, "/live").status == 200)
        halves[0].send("host\r\nConnection: close\r\n\r\n")
        #expect(halves[0].receive().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func aConnectionServesManyRequests() throws {
        let server = try serve()
        defer { server.stop() }
        let connection = RawConnection(port: server.port)
        for _ in 0..<3 {
            connection.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(connection.receive(until: "{\"live\":true}\n").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func aHeaderWithoutEndIsRefused() throws {
        let server = try serve()
        defer { server.stop() }
        let answer = ask(server, "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 1 << 20))\r\n\r\n")
        #expect(!answer.contains(" 200 "))
        #expect(try get(server, "/live").status == 200)
    }

    @Test func fiftyRequestsAtOnceAreAnswered() async throws {
        let server = try serve()
        defer { server.stop() }
        let body = StatusJSON.render(busyFacts(), at: noon)
        let right = Mutex(0)
        // Threads of their own: a blocking client must not take the test's thread pool.
        await withCheckedContinuation { continuation in
            let threads = (0..<50).map { _ in
                Worker { if let answer = try? get(server, "/status.json"), answer.body == body { right.withLock { $0 += 1 } } }
            }
            for thread in threads { thread.join() }
            continuation.resume()
        }
        #expect(right.withLock { $0 } == 50)
    }
}

@Suite struct HTTPGetTests {
    @Test func nobodyThereIsAFault() throws {
        let server = try serve()
        let port = server.port
        server.stop()
        let fault = #expect(throws: Fault.self) {
            _ = try HTTPGet.get(host: "127.0.0.1", port: port, path: "/live", clock: MachineClock())
        }
        #expect(fault?.code == "http_not_reachable" && fault?.place == "http://127.0.0.1:\(port)/live")
    }

    @Test func whoNeverAnswersTimesOut() throws {
        let silent = try Socket.listen(host: "127.0.0.1", port: 0)
        defer { close(silent.descriptor) }
        let fault = #expect(throws: Fault.self) {
            _ = try HTTPGet.get(host: "127.0.0.1", port: silent.port, path: "/", within: .milliseconds(50), clock: MachineClock())
        }
        #expect(fault?.code == "http_timeout" && fault?.isTransient == true)
    }

    @Test(arguments: ["hello\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\n", ""])
    func whatIsNotHTTPIsAFault(answer: String) throws {
        let listening = try Socket.listen(host: "127.0.0.1", port: 0)
        defer { close(listening.descriptor) }
        let server = Worker {
            var poll = pollfd(fd: listening.descriptor, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&poll, 1, 10_000)
            let connection = accept(listening.descriptor, nil, nil)
            var request = [UInt8](repeating: 0, count: 1_024)
            _ = recv(connection, &request, request.count, 0)
            let bytes = Array(answer.utf8)
            _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            close(connection)
        }
        let fault = #expect(throws: Fault.self) {
            _ = try HTTPGet.get(host: "127.0.0.1", port: listening.port, path: "/", within: .seconds(10), clock: MachineClock())
        }
        server.join()
        #expect(fault?.code == "http_malformed")
    }

    @Test func namesAreAskedForToo() throws {
        let server = try serve()
        defer { server.stop() }
        let answer = try HTTPGet.get(host: "localhost", port: server.port, path: "/live", clock: MachineClock())
        #expect(answer.status == 200)
    }
}

/// A thread of its own for calls that block.
final class Worker {
    private var thread = pthread_t()
    private final class Box {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    init(_ work: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Box(work))
        pthread_create(
            &thread, nil,
            { context in
                let box = Unmanaged<Box>.fromOpaque(context!).takeRetainedValue()
                box.work()
                return nil
            }, box.toOpaque())
    }

    func join() { pthread_join(thread, nil) }
}
