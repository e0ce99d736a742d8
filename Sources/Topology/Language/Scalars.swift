import Model

/// Texts to numbers with units: one way to write each.
enum Scalars {
    /// `500ms`, `30s`, `5m`, `24h`, `7d`: one whole number and one unit.
    static func span(_ text: String) -> TimeSpan? {
        guard let (number, unit) = numberAndUnit(text) else { return nil }
        let factors: [String: Int64] = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let factor = factors[unit] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : TimeSpan(milliseconds: product)
    }

    /// `64MiB`: one whole number and one binary unit.
    static func size(_ text: String) -> ByteCount? {
        guard let (number, unit) = numberAndUnit(text) else { return nil }
        let factors: [String: Int64] = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40]
        guard let factor = factors[unit] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : ByteCount(product)
    }

    /// `5000/s`, `0.5/s`: events per second.
    static func rate(_ text: String) -> Double? {
        guard text.hasSuffix("/s"), let rate = decimal(text.dropLast(2)), rate > 0, rate <= TopologyLimits.rate else {
            return nil
        }
        return rate
    }

    /// `99%`, `99.9%`, as a share of 1.
    static func percent(_ text: String) -> Double? {
        guard text.hasSuffix("%"), let number = decimal(text.dropLast()), number > 0, number <= 100 else { return nil }
        return number / 100
    }

    /// A whole number as JSON writes it.
    static func integer(_ text: String) -> Int64? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
        guard isWhole(digits) else { return nil }
        return Int64(text)
    }

    /// A number as JSON writes it, if a double can be near it.
    static func double(_ text: String) -> Double? {
        let parts = (text.hasPrefix("-") ? text.dropFirst() : Substring(text)).split(
            maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { $0 == "e" || $0 == "E" })
        guard decimal(parts[0]) != nil, let number = Double(text), number.isFinite else { return nil }
        if parts.count == 2 {
            let digits = parts[1].first == "+" || parts[1].first == "-" ? parts[1].dropFirst() : parts[1]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        }
        return number
    }

    /// `host:port`; an IPv6 host stands in brackets.
    static func listen(_ text: String) -> (host: String, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let port = text[text.index(after: colon)...]
        guard isWhole(port), let port = UInt16(port) else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.utf8.allSatisfy({ $0 == 0x3a || $0 == 0x2e || $0 == 0x25 || isAlphanumeric($0) }) else { return nil }
        } else {
            guard host.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2e || $0 == 0x2d || $0 == 0x5f }) else { return nil }
        }
        return host.isEmpty ? nil : (String(host), port)
    }

    static func isWhole(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (text.count == 1 || text.first != "0")
    }

    private static func decimal(_ text: Substring) -> Double? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard isWhole(parts[0]) else { return nil }
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        }
        return Double(text)
    }

    private static func numberAndUnit(_ text: String) -> (Int64, String)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard isWhole(digits), let number = Int64(digits) else { return nil }
        return (number, String(text.dropFirst(digits.count)))
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
