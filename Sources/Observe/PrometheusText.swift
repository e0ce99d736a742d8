/// Writes Prometheus' text format, version 0.0.4: a family's HELP and TYPE once, then its samples. A family without samples is
/// left out, so what is absent is absent.
/// Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
struct PrometheusText {
    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""
    private var pendingHeader = ""
    private var name = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        pendingHeader = "# HELP \(name) \(PrometheusText.escape(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// What is nil has no sample.
    mutating func sample(_ value: Int64?, _ labels: Labels = []) {
        if let value { line("", labels, String(value)) }
    }

    mutating func flag(_ value: Bool, _ labels: Labels = []) { line("", labels, value ? "1" : "0") }

    /// Milliseconds, told in seconds: the format's base unit. nil has no sample.
    mutating func seconds(_ milliseconds: Int64?, _ labels: Labels = []) {
        if let milliseconds { line("", labels, PrometheusText.decimal(milliseconds)) }
    }

    /// One histogram of milliseconds: cumulative buckets, then +Inf, sum and count.
    mutating func histogram(_ labels: Labels, buckets: [(bound: Int64, count: Int64)], sum: Int64, count: Int64) {
        for bucket in buckets { line("_bucket", labels + [("le", PrometheusText.decimal(bucket.bound))], String(bucket.count)) }
        line("_bucket", labels + [("le", "+Inf")], String(count))
        line("_sum", labels, PrometheusText.decimal(sum))
        line("_count", labels, String(count))
    }

    private mutating func line(_ suffix: String, _ labels: Labels, _ value: String) {
        text += pendingHeader
        pendingHeader = ""
        text += name + suffix
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(PrometheusText.escape($0.value, quotes: true))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " " + value + "\n"
    }

    /// Exact decimal seconds, without the rounding of a division.
    static func decimal(_ milliseconds: Int64) -> String {
        let magnitude = milliseconds.magnitude
        let whole = (milliseconds < 0 ? "-" : "") + String(magnitude / 1_000)
        let rest = magnitude % 1_000
        if rest == 0 { return whole }
        var digits = String(rest + 1_000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }

    static func escape(_ text: String, quotes: Bool) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": escaped.append(contentsOf: "\\n".unicodeScalars)
            case "\"" where quotes: escaped.append(contentsOf: "\\\"".unicodeScalars)
            default: escaped.append(scalar)
            }
        }
        return String(escaped)
    }
}
