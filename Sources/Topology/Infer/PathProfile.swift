import Model

/// What a sample says of one path: types, presence, formats and about how many values. It keeps hashes, never a value.
struct PathProfile {
    let keys: [String]
    var integers = 0
    var fractions = 0
    var strings = 0
    var bools = 0
    var nulls = 0
    /// Objects and lists.
    var nested = 0
    var uuids = 0
    /// RFC 3339 with a zone.
    var zonedTimes = 0
    /// The same without one.
    var zonelessTimes = 0
    /// Integers that are a plausible time, by unit.
    var epochs: [EpochUnit: Int] = [:]
    var empties = 0
    private(set) var distinct = DistinctEstimate()

    init(keys: [String]) { self.keys = keys }

    var values: Int { integers + fractions + strings + bools }
    var seen: Int { values + nulls + nested }
    /// How many of the kinds number, text, truth and nested stand here.
    var kinds: Int { [integers + fractions, strings, bools, nested].count { $0 > 0 } }

    mutating func note(_ value: SampleValue) {
        switch value {
        case .null: nulls += 1
        case .bool: bools += 1
        case .list, .object: nested += 1
        case .number(let number, let integer):
            guard let integer else {
                fractions += 1
                distinct.note(number.description)
                return
            }
            integers += 1
            distinct.note(String(integer))
            if let unit = EpochUnit.of(integer) { epochs[unit, default: 0] += 1 }
        case .string(let text):
            strings += 1
            distinct.note(text)
            if text.isEmpty { empties += 1 }
            if UUIDText.parse(text) != nil { uuids += 1 }
            if Instant.parse(text) != nil {
                zonedTimes += 1
            } else if SampleTime.zoneless(text) != nil {
                zonelessTimes += 1
            }
        }
    }
}

/// The units of integer times; their plausible ranges (2000 to 2100) do not overlap.
enum EpochUnit: String, CaseIterable {
    case s, ms, us, ns

    /// Milliseconds since 1970 of a number in this unit.
    func milliseconds(_ number: Int64) -> Int64 {
        switch self {
        case .s: number.multipliedReportingOverflow(by: 1_000).partialValue
        case .ms: number
        case .us: number / 1_000
        case .ns: number / 1_000_000
        }
    }

    /// A number in this unit.
    func number(_ milliseconds: Int64) -> Int64 {
        switch self {
        case .s: milliseconds / 1_000
        case .ms: milliseconds
        case .us: milliseconds * 1_000
        case .ns: milliseconds * 1_000_000
        }
    }

    static func of(_ number: Int64) -> EpochUnit? {
        switch number {
        case 946_684_800..<4_102_444_800: .s
        case 946_684_800_000..<4_102_444_800_000: .ms
        case 946_684_800_000_000..<4_102_444_800_000_000: .us
        case 946_684_800_000_000_000..<4_102_444_800_000_000_000: .ns
        default: nil
        }
    }
}

/// How a time stands in records.
enum TimeForm: Equatable {
    case epoch(EpochUnit)
    case zoned
    /// Read as UTC, which the draft says.
    case zoneless

    func milliseconds(_ value: SampleValue) -> Int64? {
        switch (self, value) {
        case (.epoch(let unit), .number(_, let integer?)): EpochUnit.of(integer) == unit ? unit.milliseconds(integer) : nil
        case (.zoned, .string(let text)): Instant.parse(text)?.milliseconds
        case (.zoneless, .string(let text)): Instant.parse(text)?.milliseconds ?? SampleTime.zoneless(text)
        default: nil
        }
    }
}

enum SampleTime {
    /// RFC 3339 but for the missing zone, read as UTC; a space may stand for the `T`.
    static func zoneless(_ text: String) -> Int64? {
        var bytes = Array(text.utf8)
        guard bytes.count >= 19, bytes[10] == 0x20 || bytes[10] | 0x20 == 0x74 else { return nil }
        bytes[10] = 0x54
        return Instant.parse(String(decoding: bytes, as: UTF8.self) + "Z")?.milliseconds
    }
}

/// About how many different texts were seen: exact up to `InferLimits.hashes`, later from the smallest hashes.
struct DistinctEstimate {
    private var hashes: Set<UInt64> = []
    private var bound = UInt64.max

    mutating func note(_ text: String) {
        let hash = Self.hash(text)
        guard hash < bound, hashes.insert(hash).inserted, hashes.count >= 2 * InferLimits.hashes else { return }
        hashes = Set(hashes.sorted().prefix(InferLimits.hashes))
        bound = hashes.max() ?? .max
    }

    var count: Int {
        guard bound != .max else { return hashes.count }
        let share = Double(bound) / Double(UInt64.max)
        return Int(Double(hashes.count { $0 <= bound }) / share)
    }

    static func hash(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { Hash64.of($0) } }
}
