/// A number as it was written, without rounding: `[-]digits * 10^exponent`.
struct DecimalNumber {
    private var isNegative: Bool
    private var digits: [UInt8] = []
    private var exponent = 0
    /// Neither a point nor an exponent was written.
    let isWholeText: Bool
    let text: String

    /// Takes what the lexer calls a number, with a sign.
    init(_ text: String) {
        self.text = text
        isNegative = text.hasPrefix("-")
        let unsigned = text.utf8.drop { $0 == 0x2d }
        let parts = unsigned.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 | 0x20 == 0x65 }
        var isFraction = false
        for byte in parts[0] {
            if byte == 0x2e {
                isFraction = true
                continue
            }
            if isFraction { exponent -= 1 }
            if byte != 0x30 || !digits.isEmpty { digits.append(byte - 0x30) }
        }
        isWholeText = parts.count == 1 && !isFraction
        if parts.count == 2 {
            // Past these exponents every number is zero or out of all ranges: an expression has fewer digits.
            let bound = 1_000_000
            let written = Int(String(decoding: parts[1], as: UTF8.self)) ?? (parts[1].first == 0x2d ? -bound : bound)
            exponent += max(-bound, min(bound, written))
        }
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        if digits.isEmpty { exponent = 0 }
    }

    enum Floor: Equatable {
        case below, above
        /// The largest whole number not above it, and whether it is it.
        case within(Int64, isExact: Bool)
    }

    /// Where the number lies among the 64-bit integers.
    var floor: Floor {
        if digits.isEmpty { return .within(0, isExact: true) }
        guard digits.count + exponent <= 19 else { return isNegative ? .below : .above }
        let isExact = exponent >= 0
        var whole = wholePart
        if isNegative { whole = isExact ? -whole : -whole - 1 }
        guard let value = Int64(exactly: whole) else { return isNegative ? .below : .above }
        return .within(value, isExact: isExact)
    }

    /// The nearest double; infinite where the number is out of range.
    var nearestDouble: Double { Double(text) ?? .nan }

    /// -1, 0 or 1: how a whole number compares with a double; nil where it has more digits than 128 bits hold, or a fraction.
    func compare(to double: Double) -> Int? {
        guard digits.count + exponent <= 38, exponent >= 0, let other = Int128(exactly: double) else { return nil }
        let whole = isNegative ? -wholePart : wholePart
        return whole < other ? -1 : whole == other ? 0 : 1
    }

    private var wholePart: Int128 {
        var whole: Int128 = 0
        for place in 0..<max(0, digits.count + exponent) { whole = whole * 10 + Int128(place < digits.count ? digits[place] : 0) }
        return whole
    }
}
