import Glibc
import Inputs
import Model

/// The right answer, computed from the generated events in the plainest way: none of the product's code but the generator.
struct Truth {
    struct Key: Hashable {
        var high: UInt64
        var low: UInt64
    }
    struct Cell: Equatable {
        var count: Int64 = 0
        var sum = 0.0
        var max = -Double.infinity
    }

    private(set) var events: Int64 = 0
    private(set) var duplicates: Int64 = 0
    private(set) var late: Int64 = 0
    /// By `event|country|window start`.
    private(set) var cells: [String: Cell] = [:]

    private var watermarks: [Int64?]
    /// By partition: until which watermark a key is remembered.
    private var known: [[Key: Int64]]

    // As topologies/reference.yaml says.
    private static let outOfOrderness: Int64 = 120_000
    private static let within: Int64 = 600_000
    private static let bucket: Int64 = 600_000 / 16
    private static let window: Int64 = 60_000
    private static let lateness: Int64 = 1_800_000

    init(partitions: Int32) {
        watermarks = Array(repeating: nil, count: Int(partitions))
        known = Array(repeating: [:], count: Int(partitions))
    }

    var unique: Int64 { events - duplicates - late }

    mutating func add(_ payload: UnsafeRawBufferPointer, partition: Int32) throws(Fault) {
        events += 1
        let lane = Int(partition)
        guard let time = Int64(try Self.text("\"ts\":", payload)),
            let duration = Double(try Self.text("\"duration_ms\":", payload)),
            let key = Self.key(try Self.text("\"event_id\":\"", payload))
        else { throw failure("A generated event can't be read.") }
        let before = watermarks[lane]
        let moved = time - Self.outOfOrderness
        watermarks[lane] = before.map { max($0, moved) } ?? moved
        let start = floorTo(time, Self.window)
        let isLate = before.map { start + Self.window + Self.lateness <= $0 } ?? false
        if let until = known[lane][key], before.map({ $0 < until }) ?? true {
            duplicates += 1
            return
        }
        if isLate {
            late += 1
            return
        }
        let end = max(time, before ?? time) + Self.within
        known[lane][key] = -floorTo(-end, Self.bucket)
        let name = "\(try Self.text("\"event\":\"", payload))|\(try Self.text("\"country\":\"", payload))|\(start)"
        var cell = cells[name] ?? Cell()
        cell.count += 1
        cell.sum += duration
        cell.max = max(cell.max, duration)
        cells[name] = cell
    }

    private func floorTo(_ time: Int64, _ step: Int64) -> Int64 { time - ((time % step) + step) % step }

    /// What follows `name`, up to the next quote, comma or brace.
    private static func text(_ name: StaticString, _ payload: UnsafeRawBufferPointer) throws(Fault) -> String {
        let length = name.utf8CodeUnitCount
        var from = 0
        while from + length <= payload.count, memcmp(payload.baseAddress! + from, name.utf8Start, length) != 0 { from += 1 }
        from += length
        guard from <= payload.count else { throw failure("A generated event has no \(name).") }
        var to = from
        while to < payload.count, !([0x22, 0x2c, 0x7d] as [UInt8]).contains(payload[to]) { to += 1 }
        return String(decoding: payload[from..<to], as: UTF8.self)
    }

    private static func key(_ uuid: String) -> Key? {
        let parts = uuid.split(separator: "-").joined()
        guard parts.utf8.count == 32, let high = UInt64(parts.prefix(16), radix: 16),
            let low = UInt64(parts.suffix(16), radix: 16)
        else { return nil }
        return Key(high: high, low: low)
    }
}
