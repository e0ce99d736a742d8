import Glibc

/// Numbers as texts of records and expressions write them. Called on any queue; allocates nothing.
public enum DecimalText {
    /// Digits, with a sign or without; nothing around them.
    public static func integer(utf8 text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var at = text.first == 0x2d || text.first == 0x2b ? 1 : 0
        let isNegative = text.first == 0x2d
        guard at < text.count else { return nil }
        var value: Int64 = 0
        while at < text.count {
            let digit = text[at] &- 0x30
            guard digit < 10 else { return nil }
            let (product, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isAlsoOver) =
                isNegative
                ? product.subtractingReportingOverflow(Int64(digit)) : product.addingReportingOverflow(Int64(digit))
            if isOver || isAlsoOver { return nil }
            value = sum
            at += 1
        }
        return value
    }

    /// A decimal number of at most 63 characters, such as `-1.5e3`; nothing around it.
    public static func double(utf8 text: UnsafeBufferPointer<UInt8>) -> Double? {
        guard let first = text.first, text.count < 64, first != 0x65, first != 0x45 else { return nil }
        for byte in text {
            switch byte {
            case 0x30...0x39, 0x2b, 0x2d, 0x2e, 0x45, 0x65: break
            default: return nil
            }
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { copy in
            for at in 0..<text.count { copy[at] = CChar(bitPattern: text[at]) }
            copy[text.count] = 0
            guard let start = copy.baseAddress else { return nil }
            var end: UnsafeMutablePointer<CChar>?
            let value = strtod(start, &end)
            return end == start + text.count && value.isFinite ? value : nil
        }
    }

    public static func integer(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { integer(utf8: $0) }
    }

    public static func double(_ text: String) -> Double? {
        var text = text
        return text.withUTF8 { double(utf8: $0) }
    }
}
