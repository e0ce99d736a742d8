internal import Model
internal import Topology

/// Whether a scalar of a test file means the value that came.
extension ExpectedValue {
    func matches(_ value: Value) -> Bool {
        if isNull { return value == .null }
        if let items { return Self.match(items, value) }
        switch value {
        case .null: return false
        case .bool(let flag): return text == (flag ? "true" : "false")
        case .int(let number): return whole == Int128(number)
        case .wide(let number): return whole == number
        case .double(let number): return isNear(number)
        // By bytes: two spellings of an accent are two strings.
        case .string(let string): return text.utf8.elementsEqual(string.utf8)
        case .uuid(let high, let low): return text.lowercased() == UUIDText.text(high: high, low: low)
        case .time(let time): return instant == time.milliseconds
        case .list, .counted: return false
        }
    }

    /// Entry by entry: the order of a list is part of it.
    private static func match(_ items: [ExpectedItem], _ value: Value) -> Bool {
        switch value {
        case .list(let values):
            return items.count == values.count && zip(items, values).allSatisfy { $0.count == nil && $0.value.matches($1) }
        case .counted(let values):
            return items.count == values.count
                && zip(items, values).allSatisfy { $0.value.matches($1.value) && $0.count?.matches(.int($1.count)) == true }
        default: return false
        }
    }

    /// RFC 3339 or whole milliseconds; nil: neither, or finer than a millisecond.
    var instant: Int64? {
        if let number = Int64(text) { return RehearsalCaseLimits.instants.contains(number) ? number : nil }
        guard let instant = Instant.parse(text), !instant.isFiner else { return nil }
        return instant.milliseconds
    }

    /// A span with its unit, `-` before it where it is negative.
    var span: TimeSpan? {
        if text == "0" { return .zero }
        guard text.hasPrefix("-") else { return Topology.span(text) }
        return Topology.span(String(text.dropFirst())).map { TimeSpan(milliseconds: -$0.milliseconds) }
    }

    /// A decimal number as JSON and YAML write it; nil: no number.
    var number: Double? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }) else { return nil }
        return Double(text)
    }

    /// A whole number, exactly: 6 = 6.0; nil: none. Fractions of zeros are cut off as text, so that 2^53 + 1 is not its
    /// neighbour.
    var whole: Int128? {
        if let whole = Int128(text) { return whole }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].isEmpty, parts[1].utf8.allSatisfy({ $0 == 0x30 }) { return Int128(parts[0]) }
        // With an exponent: exact as far as a double is.
        guard text.utf8.contains(where: { $0 | 0x20 == 0x65 }), let number, number.magnitude < 0x1p53 else { return nil }
        return Int128(exactly: number)
    }

    /// Within 1e-9 relative of the larger one.
    private func isNear(_ value: Double) -> Bool {
        guard let number else { return false }
        if number == value { return true }
        guard number.isFinite, value.isFinite else { return false }
        return (number - value).magnitude <= 1e-9 * max(number.magnitude, value.magnitude)
    }

    /// As `matches` compares it: with its dashes.
    var isUUID: Bool { text.utf8.count == UUIDText.length && UUIDText.parse(text) != nil }
}
