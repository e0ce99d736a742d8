extension UnsafeMutableRawPointer {
    /// A longer place for bytes instead of this one, which is given back: `capacity` doubles until it holds `needed`. The first `used` bytes
    /// come along.
    public func grown(_ capacity: inout Int, to needed: Int, keeping used: Int, alignment: Int = 8) -> UnsafeMutableRawPointer {
        while capacity < needed { capacity *= 2 }
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: alignment)
        bigger.copyMemory(from: self, byteCount: used)
        deallocate()
        return bigger
    }
}
