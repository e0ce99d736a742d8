public import Model

/// One event that the workload has decided on; `ReferenceWorkload.write` makes its bytes.
public struct WorkloadEvent: Sendable {
    /// The state of the random numbers before the event's first draw: all its text follows from it.
    var seed: UInt64
    /// The record's timestamp: event time's now when it was first sent, ms. A copy carries the one of its original.
    public var timestamp: Int64
    public var partition: Int32
    /// Its event time lies 2 s to 5 min before its timestamp; that of others, up to 2 s.
    public var isLate: Bool
    /// The same bytes were sent before, 1 to 30,000 events ago or somewhat more.
    public var isCopy: Bool
}

/// The reference workload: telemetry events, the same bytes for the same seed, on every machine. 8 partitions (unless said)
/// keyed by user with Kafka's murmur2 partitioner, 5 % byte-identical copies, 2 % up to 5 min late, the rest out of order by
/// up to 2 s, 293 bytes on average; users, events and countries are skewed.
///
/// A value: what it gives next depends on nothing else. Deciding on an event costs about 30 ns, writing it about 150 ns; in the
/// steady state nothing is allocated.
public struct ReferenceWorkload: Sendable {
    public let partitions: Int32
    public let users: Int32
    public let start: EventTime
    /// How many events were decided on so far, copies included: the position of the next.
    public private(set) var position: Int64 = 0

    private let rate: Double
    /// The rate if it is a whole number; else 0. Event time is then exact.
    private let wholeRate: Int64
    private var random: SplittableRandom
    private var copies = PendingCopies()

    /// - Parameters:
    ///   - rate: events per second of event time, more than 0.
    ///   - start: event time's now at the first event.
    public init(seed: UInt64 = 1, rate: Double = 2_000, users: Int32 = 200_000, partitions: Int32 = 8, start: EventTime) {
        precondition(rate > 0 && users > 0 && partitions > 0, "the reader of the topology refuses others")
        self.rate = rate
        wholeRate = rate == rate.rounded() && rate < 0x1p53 ? Int64(rate) : 0
        self.users = users
        self.partitions = partitions
        self.start = start
        random = SplittableRandom(seed: seed)
    }

    /// Event time's now at the next position, ms: in a paced run the moment when it is due.
    @inline(__always) public var nextDue: Int64 { due(at: position) }

    @inline(__always) func due(at position: Int64) -> Int64 {
        let scaled = position &* 1_000
        return start.milliseconds &+ (wholeRate > 0 ? scaled / wholeRate : Int64(Double(scaled) / rate))
    }

    /// Decides on the next event.
    public mutating func next() -> WorkloadEvent {
        if copies.soonest <= position {
            position &+= 1
            return copies.removeSoonest()
        }
        var event = WorkloadEvent(seed: random.seed, timestamp: nextDue, partition: 0, isLate: false, isCopy: false)
        event.isLate = random.next(below: 100) < 2
        if event.isLate { random.skip(below: 298_000) } else { random.skip(below: 2_000) }
        event.partition = partition(ofUser: user(random.nextDouble()))
        // The draws that `write` makes, in its order; here only those that could be rejected have to be looked at.
        random.skip(draws: 5)
        random.skip(below: 3)
        random.skip(below: 20)
        random.skip(below: 10)
        random.skip(below: 1_000_000)
        random.skip(below: 50)
        random.skip(draws: 1)
        random.skip(below: 1_000)
        random.skip(below: 100)
        if random.next(below: 95) < 5 {
            var copy = event
            copy.isCopy = true
            copies.insert(copy, due: position &+ 1 &+ Int64(random.next(below: 30_000)))
        }
        position &+= 1
        return event
    }

    /// The next event of `partition` before position `end`; nil if none was found among the next `budget` events.
    mutating func next(in partition: Int32, before end: Int64, budget: inout Int) -> WorkloadEvent? {
        while position < end && budget > 0 {
            budget &-= 1
            let event = next()
            if event.partition == partition { return event }
        }
        return nil
    }

    /// Low numbers are frequent: a tenth of the users send a third of the events.
    @inline(__always) func user(_ uniform: Double) -> UInt32 { UInt32(Double(users) * (uniform * uniform)) }

    private func partition(ofUser user: UInt32) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: InputLimits.keyBytes, alignment: 8) { room in
            var text = EventText(room.baseAddress!)
            text.key(user: user)
            return Int32(murmur2(room.baseAddress!, text.count(since: room.baseAddress!)) & 0x7fff_ffff) % partitions
        }
    }
}

/// Kafka's default partitioner hashes keys with this (Appleby's MurmurHash2, seed 0x9747b28c).
func murmur2(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt32 {
    let m: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: count)
    let whole = count & ~3
    var at = 0
    while at < whole {
        var k = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) &* m
        k = (k ^ (k &>> 24)) &* m
        hash = (hash &* m) ^ k
        at &+= 4
    }
    if whole < count {
        var tail: UInt32 = 0
        for i in whole..<count { tail |= UInt32(bytes.load(fromByteOffset: i, as: UInt8.self)) &<< UInt32(8 &* (i &- whole)) }
        hash = (hash ^ tail) &* m
    }
    hash = (hash ^ (hash &>> 13)) &* m
    return hash ^ (hash &>> 15)
}
