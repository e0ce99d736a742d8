import Model

/// The keys by which a lane estimates what it can't recognise: one of 256, chosen by its bits, remembered 16 times longer (S9). A
/// record that the table takes for new although its key is here is a copy that came too late; it is counted, and goes on.
struct BlindSpot: ~Copyable {
    private var expiries: [Identity: Int64] = [:]
    private var fresh = FreshKeys(tag: StateKey.sample, capacity: 64)
    private let horizon: Int64
    private let bucket: Int64
    /// At so many keys the expired ones are swept out.
    private var limit = BlindSpot.leastSweep
    private static let leastSweep = 1_024

    init(within: Int64, bucket: Int64) {
        horizon = within * CopyFigures.reach
        self.bucket = bucket
    }

    var bytes: Int { expiries.capacity * 32 + fresh.bytes }
    var count: Int { expiries.count }

    /// Whether this is one of the keys. The bits that place a key in the table are not those that choose it.
    @inline(__always)
    static func isSampled(_ key: Identity) -> Bool {
        let mixed = (key.high ^ (key.low &* 0x9E37_79B9_7F4A_7C15)) &* 0xD6E8_FEB8_6659_FD93
        return ((mixed ^ (mixed &>> 29)) &* 0xBF58_476D_1CE4_E5B9) &>> 56 == 0
    }

    /// A key of the sample is remembered anew, at `moment` (the later of its time and the watermark before it). Where it was
    /// known, its range of moments then: it is not extended.
    @inline(never)
    mutating func remember(_ key: Identity, moment: Int64, now: Int64) -> Horizon? {
        if let expiry = expiries[key], expiry > now { return Horizon(expiry: expiry, bucket: bucket, within: horizon) }
        let expiry = -floorDivide(-(moment &+ horizon), bucket)
        expiries[key] = expiry
        fresh.append(key, bucket: expiry)
        if expiries.count > limit { sweep(now) }
        return nil
    }

    private mutating func sweep(_ now: Int64) {
        expiries = expiries.filter { $0.value > now }
        limit = max(Self.leastSweep, expiries.count * 2)
    }

    mutating func seal(into log: StateLog, now: Int64) { fresh.seal(into: log, now: now) }

    mutating func restore(bucket number: Int64, chunk: UInt32, keys: UnsafeRawBufferPointer, now: Int64) {
        fresh.restored(bucket: number, number: chunk, keys: keys)
        if number <= now { return }
        for at in stride(from: 0, to: keys.count - 15, by: 16) {
            expiries[keys.loadUnaligned(fromByteOffset: at, as: Identity.self)] = number
        }
    }
}

/// What an expiry bucket tells of when its key was remembered (S7): at a moment in `(end - bucket, end]`.
struct Horizon {
    let within: Int64
    private let first: Int64
    private let last: Int64

    init(expiry: Int64, bucket: Int64, within: Int64) {
        self.within = within
        last = expiry &* bucket &- within
        first = last &- bucket &+ 1
    }

    /// How far the watermark has moved since, at a copy with event time `time`: exact where the kept event had that time and came
    /// in order, else to a bucket.
    func age(time: Int64, watermark: Int64) -> Int64 {
        watermark == noWatermark ? 0 : max(0, watermark &- min(max(time, first), last))
    }
}
