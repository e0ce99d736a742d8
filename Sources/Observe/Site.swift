public import Freshness
public import Model

/// What one request gets.
struct HTTPAnswer: Equatable {
    enum ContentType: String {
        case html = "text/html; charset=utf-8"
        case json = "application/json"
        case plain = "text/plain; charset=utf-8"
        case metrics = "text/plain; version=0.0.4; charset=utf-8"
    }
    var status: UInt32
    var type: ContentType
    var body: [UInt8]
}

/// Where a server gets the facts from. Called on the HTTP thread for each request that shows them; it must not wait for a lane.
public typealias FactsSource = @Sendable () -> (Facts, WallTime)

/// Answers requests: only reading, nothing that changes anything.
final class Site: Sendable {
    private let facts: FactsSource
    /// Bound to this machine only: then a browser's page from elsewhere must not read it under a name of its own (DNS rebinding).
    private let isLocal: Bool

    init(isLocal: Bool, facts: @escaping FactsSource) {
        self.isLocal = isLocal
        self.facts = facts
    }

    func answer(method: String, path: String, host: String?) -> HTTPAnswer {
        if isLocal, let host, !Site.isLocalName(host) {
            return error(403, "host_refused", "This address is served to this machine only: use localhost as host name.")
        }
        guard method == "GET" || method == "HEAD" else {
            return error(405, "method_not_allowed", "Only GET and HEAD are answered.")
        }
        switch path {
        case "/": return HTTPAnswer(status: 200, type: .html, body: StatusPage.bytes)
        case "/live": return HTTPAnswer(status: 200, type: .json, body: Array("{\"live\":true}\n".utf8))
        case "/metrics":
            let (facts, now) = facts()
            return HTTPAnswer(status: 200, type: .metrics, body: Array(MetricsText.render(facts, at: now).utf8))
        case "/ready":
            let readiness = Readiness(facts().0)
            return HTTPAnswer(status: readiness.isReady ? 200 : 503, type: .json, body: readiness.json)
        case "/status.json":
            let (facts, now) = facts()
            return HTTPAnswer(status: 200, type: .json, body: StatusJSON.render(facts, at: now))
        case "/status.txt":
            let (facts, now) = facts()
            return HTTPAnswer(status: 200, type: .plain, body: Array(StatusText.render(facts, at: now).utf8))
        default:
            return error(404, "not_found", "Here are /, /metrics, /ready, /live, /status.json and /status.txt.")
        }
    }

    private func error(_ status: UInt32, _ code: String, _ message: String) -> HTTPAnswer {
        var text = JSONText()
        text.beginObject()
        text.member("error", code)
        text.member("message", message)
        text.endObject()
        return HTTPAnswer(status: status, type: .json, body: text.bytes + [UInt8(ascii: "\n")])
    }

    /// The Host header's name, port aside.
    static func isLocalName(_ host: String) -> Bool {
        let name: Substring
        if host.first == "[" {
            name = host.dropFirst().prefix { $0 != "]" }
        } else {
            name = host.prefix { $0 != ":" }
        }
        return name.lowercased() == "localhost" || name == "::1" || isLoopback(name)
    }

    /// 127.0.0.0/8.
    private static func isLoopback(_ name: Substring) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
