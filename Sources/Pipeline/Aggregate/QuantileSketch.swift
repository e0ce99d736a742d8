import Model

/// The distribution of numbers: all of them up to 64, then counts in buckets of 2 % width, so that any quantile is within
/// 1 % of the value of its rank (S18, DDSketch). One block of bytes, the same in memory, in state and on the way to the
/// merge; it depends on the numbers alone, not on their order or on how the input was cut.
///
/// Byte 0 is the format's version, byte 1 the form, bytes 2–3 are zero. Exact: ascending doubles. Buckets: ascending entries
/// of 12 bytes, a 32-bit key and a 64-bit count. Above `bucketLimit` buckets the lowest two become one: what lies more than
/// some thirty-five orders of magnitude under the largest is told too high, never lost.
/// Source: Masson, Rim and Lee, "DDSketch" (2019), with their cubic stand-in for the logarithm, which is a polynomial of the
/// bits and so the same on every machine.
enum QuantileSketch {
    static let version: UInt8 = 1
    static let exactValues = 64
    static let bucketLimit = 4_096
    private static let header = 4
    private static let entrySize = 12
    /// A little under the promised 1 %, so that rounding can't break it.
    private static let accuracy = 0.0099
    /// Keys of positive numbers are bucket numbers from here up, of negative ones mirrored; zero is 0.
    private static let origin: Int32 = 200_000
    /// Buckets per doubling of the stand-in logarithm: its slope against ln is never under 10/7.
    private static let perUnit: Double = 0.7 / 0.019_800_646_904_042_29
    private enum Form {
        static let exact: UInt8 = 0
        static let buckets: UInt8 = 1
    }

    // MARK: Taking values

    /// Adds a finite number; `word` holds the sketch's bytes as a `VariableText`. −0 counts as 0.
    static func add(_ value: Double, to word: inout UInt64) {
        if word == 0 { begin(&word) }
        let bytes = VariableText.bytes(word)
        if bytes[1] == Form.buckets { return addToBucket(key(of: value), 1, &word) }
        let count = (bytes.count &- header) / 8
        if count == exactValues {
            toBuckets(&word)
            return addToBucket(key(of: value), 1, &word)
        }
        let value = value == 0 ? 0 : value
        var at = count
        while at > 0, number(bytes, at &- 1) > value { at &-= 1 }
        let length = bytes.count
        let grown = VariableText.resize(&word, to: length + 8, room: max(header + 64, min(length * 2, header + exactValues * 8)))
        let place = grown.baseAddress! + header + at * 8
        place.advanced(by: 8).copyMemory(from: place, byteCount: (count - at) * 8)
        place.storeBytes(of: value.bitPattern.littleEndian, as: UInt64.self)
    }

    /// Adds all numbers of another sketch. False: those bytes are none of this format.
    static func merge(_ other: UnsafeRawBufferPointer, into word: inout UInt64) -> Bool {
        guard isWhole(other) else { return false }
        if word == 0 { begin(&word) }
        if other[1] == Form.exact {
            for at in 0..<((other.count - header) / 8) { add(number(other, at), to: &word) }
            return true
        }
        if VariableText.bytes(word)[1] == Form.exact { toBuckets(&word) }
        for at in 0..<bucketCount(other) { addToBucket(bucketKey(other, at), bucketValue(other, at), &word) }
        return true
    }

    /// The bytes are a sketch of this version, and whole.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= header, bytes[0] == version else { return false }
        switch bytes[1] {
        case Form.exact: return (bytes.count - header) % 8 == 0 && (bytes.count - header) / 8 <= exactValues
        case Form.buckets: return (bytes.count - header) % entrySize == 0 && bucketCount(bytes) <= bucketLimit
        default: return false
        }
    }

    // MARK: Answer

    /// The value of the nearest rank: the smallest that at least the share `q` of all numbers does not exceed; 0 asks for the
    /// smallest. nil of nothing.
    static func quantile(_ q: Double, of bytes: UnsafeRawBufferPointer) -> Double? {
        guard isWhole(bytes) else { return nil }
        if bytes[1] == Form.exact {
            let count = (bytes.count - header) / 8
            if count == 0 { return nil }
            return number(bytes, rank(q, of: UInt64(count)) - 1)
        }
        let total = (0..<bucketCount(bytes)).reduce(UInt64(0)) { $0 &+ bucketValue(bytes, $1) }
        if total == 0 { return nil }
        let wanted = UInt64(rank(q, of: total))
        var seen: UInt64 = 0
        for at in 0..<bucketCount(bytes) {
            seen &+= bucketValue(bytes, at)
            if seen >= wanted { return value(of: bucketKey(bytes, at)) }
        }
        return nil
    }

    private static func rank(_ q: Double, of count: UInt64) -> Int {
        let wanted = (q * Double(count)).rounded(.up)
        return wanted < 1 ? 1 : wanted >= Double(count) ? Int(clamping: count) : Int(wanted)
    }

    // MARK: Buckets

    /// `e + p(s)` of a positive number 2^e·(1+s): between the powers of two a cubic close to the logarithm.
    @inline(__always)
    private static func standIn(_ positive: Double) -> Double {
        let s = positive.significand - 1
        return Double(positive.exponent) + ((6.0 / 35 * s - 3.0 / 5) * s + 10.0 / 7) * s
    }

    @inline(__always)
    static func key(of value: Double) -> Int32 {
        if value == 0 { return 0 }
        let bucket = Int32((standIn(value.magnitude) * perUnit).rounded(.down)) &+ origin
        return value < 0 ? 0 &- bucket : bucket
    }

    /// What stands for all numbers of a bucket: no farther than `accuracy` from its lowest and from its highest.
    static func value(of key: Int32) -> Double {
        if key == 0 { return 0 }
        let unit = Double(key.magnitude) - Double(origin)
        let place = unit / perUnit
        let exponent = place.rounded(.down)
        let wanted = place - exponent
        // Newton's steps on a cubic without a turning point in 0…1; five give all digits.
        var s = wanted
        for _ in 0..<8 {
            let error = ((6.0 / 35 * s - 3.0 / 5) * s + 10.0 / 7) * s - wanted
            s -= error / ((18.0 / 35 * s - 6.0 / 5) * s + 10.0 / 7)
        }
        let lowest = Double(sign: .plus, exponent: Int(exponent), significand: 1 + s)
        let middle = min(lowest * (1 + accuracy), .greatestFiniteMagnitude)
        return key < 0 ? -middle : middle
    }

    private static func addToBucket(_ key: Int32, _ count: UInt64, _ word: inout UInt64) {
        let bytes = VariableText.mutableBytes(word)
        let buckets = bucketCount(UnsafeRawBufferPointer(bytes))
        var low = 0
        var high = buckets
        while low < high {
            let middle = (low &+ high) / 2
            if bucketKey(UnsafeRawBufferPointer(bytes), middle) < key { low = middle &+ 1 } else { high = middle }
        }
        if low < buckets, bucketKey(UnsafeRawBufferPointer(bytes), low) == key {
            let place = header &+ low &* entrySize &+ 4
            let sum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) &+ count
            bytes.storeBytes(of: sum.littleEndian, toByteOffset: place, as: UInt64.self)
            return
        }
        let length = bytes.count
        let grown = VariableText.resize(&word, to: length + entrySize, room: max(header + 40 * entrySize, length * 3 / 2))
        let place = grown.baseAddress! + header + low * entrySize
        place.advanced(by: entrySize).copyMemory(from: place, byteCount: (buckets - low) * entrySize)
        place.storeBytes(of: key.littleEndian, as: Int32.self)
        (place + 4).storeBytes(of: count.littleEndian, as: UInt64.self)
        if buckets + 1 > bucketLimit { joinLowest(&word) }
    }

    private static func joinLowest(_ word: inout UInt64) {
        let bytes = VariableText.mutableBytes(word)
        let lowest = bucketValue(UnsafeRawBufferPointer(bytes), 0)
        let next = header + entrySize + 4
        let sum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: next, as: UInt64.self)) &+ lowest
        bytes.storeBytes(of: sum.littleEndian, toByteOffset: next, as: UInt64.self)
        let rest = bytes.count - header - entrySize
        (bytes.baseAddress! + header).copyMemory(from: bytes.baseAddress! + header + entrySize, byteCount: rest)
        _ = VariableText.resize(&word, to: header + rest, room: header + rest)
    }

    private static func toBuckets(_ word: inout UInt64) {
        let old = VariableText.bytes(word)
        let numbers = (0..<((old.count - header) / 8)).map { number(old, $0) }
        let bytes = VariableText.resize(&word, to: header, room: header)
        bytes[1] = Form.buckets
        for value in numbers { addToBucket(key(of: value), 1, &word) }
    }

    private static func begin(_ word: inout UInt64) {
        let bytes = VariableText.resize(&word, to: header, room: header + 64)
        bytes[0] = version
        bytes[1] = Form.exact
        bytes[2] = 0
        bytes[3] = 0
    }

    @inline(__always)
    private static func number(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Double {
        Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: header &+ at &* 8, as: UInt64.self)))
    }

    @inline(__always)
    private static func bucketCount(_ bytes: UnsafeRawBufferPointer) -> Int { (bytes.count &- header) / entrySize }

    @inline(__always)
    private static func bucketKey(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int32 {
        Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: header &+ at &* entrySize, as: Int32.self))
    }

    @inline(__always)
    private static func bucketValue(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: header &+ at &* entrySize &+ 4, as: UInt64.self))
    }
}
