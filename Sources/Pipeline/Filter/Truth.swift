/// SQL's three truth values, as bytes in a register.
enum Truth {
    static let no: UInt8 = 0
    static let yes: UInt8 = 1
    static let unknown: UInt8 = 2

    static func of(_ value: Bool?) -> UInt8 { value.map { $0 ? yes : no } ?? unknown }

    @inline(__always) static func of(_ value: Bool) -> UInt8 { value ? yes : no }

    /// False if either is false, else unknown if either is.
    @inline(__always) static func and(_ a: UInt8, _ b: UInt8) -> UInt8 { a == no || b == no ? no : min(a | b, unknown) }

    /// True if either is true, else unknown if either is.
    @inline(__always) static func or(_ a: UInt8, _ b: UInt8) -> UInt8 { a == yes || b == yes ? yes : a | b }

    @inline(__always) static func not(_ a: UInt8) -> UInt8 { a == unknown ? unknown : a ^ 1 }
}
