import Testkit

extension SplitMix {
    mutating func chance(_ perMille: Int) -> Bool { Int.random(in: 0..<1_000, using: &self) < perMille }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// A record on its way into the input topic.
struct Outgoing: Sendable {
    var partition: Int32
    var key: [UInt8]
    var value: [UInt8]?
    var timestamp: Int64
}

/// Events of the chaos job, the same for the same seed: copies, late ones, some out of order, some that cannot be read.
struct Traffic: Sendable {
    let partitions: Int32
    /// Copies come in any partition.
    let isScattered: Bool
    /// Sums are the same in any order.
    let isExact: Bool
    /// 2026-01-01T00:00:00Z.
    static let start: Int64 = 1_767_225_600_000
    /// Event time runs this many times as fast as the clock, so that windows close while a scenario runs.
    static let pace: Int64 = 40

    private var random: SplitMix
    private var made = 0
    /// Of late, to be sent again.
    private var recent: [Outgoing] = []

    init(seed: UInt64, partitions: Int32, isScattered: Bool = false, isExact: Bool = false) {
        self.partitions = partitions
        self.isScattered = isScattered
        self.isExact = isExact
        random = SplitMix(seed: seed)
    }

    /// The next record, `elapsed` milliseconds after the start.
    mutating func next(elapsed: Int64) -> Outgoing {
        let now = Self.start + elapsed * Self.pace
        if recent.count == 400, random.chance(60) {
            var copy = recent[random.number(0...399)]
            if isScattered { copy.partition = Int32(random.number(0...Int(partitions) - 1)) }
            return copy
        }
        made += 1
        let user = random.number(0...59)
        let record = Outgoing(
            partition: Int32(user) % partitions, key: Array("u\(user)".utf8), value: value(user, now), timestamp: now)
        if recent.count < 400 { recent.append(record) } else { recent[made % 400] = record }
        return record
    }

    private mutating func value(_ user: Int, _ now: Int64) -> [UInt8]? {
        if random.chance(6) {
            return [
                nil, Array("{\"ts\":".utf8), Array("{\"user\":\"u\(user)\",\"kind\":\"a\"}".utf8),
                Array("{\"ts\":\(now),\"user\":\"u\(user)\",\"kind\":\"a\",\"n\":\"seven\"}".utf8),
                Array("{\"ts\":\(now + 3_600_000),\"user\":\"u\(user)\",\"kind\":\"a\"}".utf8),
            ].randomElement(using: &random) ?? nil
        }
        var time = now - Int64(random.number(0...2_000))
        if random.chance(30) { time -= Int64(random.number(0...300_000)) }
        let kind = random.chance(60) ? "skip" : ["a", "b", "c", "d"][random.number(0...3)]
        var text = "{\"id\":\"\(random.chance(5) ? "" : "e\(made)")\",\"ts\":\(time),\"user\":\"u\(user)\",\"kind\":\"\(kind)\""
        if !random.chance(100) { text += ",\"place\":\"\(["x", "y", "z"][random.number(0...2)])\"" }
        if !random.chance(50) { text += ",\"n\":\(random.number(-20...100))" }
        if !random.chance(50) { text += ",\"x\":\(Double(random.number(0...1_000_000)) / (isExact ? 1_024 : 1_000))" }
        return Array((text + "}").utf8)
    }
}
