internal import Glibc

/// Writes the text of generated events: digits and words straight into memory that the caller keeps large enough
/// (`InputLimits.eventBytes`).
struct EventText {
    private var at: UnsafeMutablePointer<UInt8>

    init(_ start: UnsafeMutableRawPointer) { at = start.assumingMemoryBound(to: UInt8.self) }

    func count(since start: UnsafeRawPointer) -> Int { UnsafeRawPointer(at) - start }

    @inline(__always) mutating func word(_ text: StaticString) {
        memcpy(at, text.utf8Start, text.utf8CodeUnitCount)
        at += text.utf8CodeUnitCount
    }

    @inline(__always) mutating func byte(_ value: UInt8) {
        at.pointee = value
        at += 1
    }

    @inline(__always) mutating func number(_ value: UInt32) {
        if value < 10 { return byte(0x30 &+ UInt8(truncatingIfNeeded: value)) }
        if value < 100 { return pair(value) }
        var digits = 3
        var power: UInt32 = 1_000
        while digits < 10 && value >= power {
            digits += 1
            power = power &* 10
        }
        var rest = value
        var place = at + digits
        at = place
        while rest >= 10 {
            place -= 2
            place.pair(rest % 100)
            rest /= 100
        }
        if rest > 0 && digits & 1 == 1 { (place - 1).pointee = 0x30 &+ UInt8(truncatingIfNeeded: rest) }
    }

    @inline(__always) private mutating func pair(_ value: UInt32) {
        at.pair(value)
        at += 2
    }

    /// Any number; times have 13 digits, which go as 5 and 8.
    @inline(__always) mutating func time(_ value: Int64) {
        guard value >= 100_000_000 else {
            if value < 0 { byte(0x2d) }
            let magnitude = value.magnitude
            if magnitude >= 100_000_000 { long(magnitude) } else { number(UInt32(magnitude)) }
            return
        }
        long(UInt64(value))
    }

    @inline(__always) private mutating func long(_ value: UInt64) {
        let head = value / 100_000_000
        if head > UInt64(UInt32.max) { long(head) } else { number(UInt32(truncatingIfNeeded: head)) }
        let tail = UInt32(truncatingIfNeeded: value % 100_000_000)
        at.pair(tail / 1_000_000)
        (at + 2).pair(tail / 10_000 % 100)
        (at + 4).pair(tail / 100 % 100)
        (at + 6).pair(tail % 100)
        at += 8
    }

    /// `value / 100` as the shortest decimal with at least one place: 86.8, 3.0, 0.07.
    @inline(__always) mutating func hundredths(_ value: UInt32) {
        number(value / 100)
        byte(0x2e)
        let rest = value % 100
        if rest % 10 == 0 { byte(0x30 &+ UInt8(truncatingIfNeeded: rest / 10)) } else { pair(rest) }
    }

    @inline(__always) mutating func key(user: UInt32) {
        byte(0x75)
        number(user)
    }

    /// A random (version 4) UUID in its usual form.
    @inline(__always) mutating func uuid(_ a: UInt64, _ b: UInt64) {
        let high = a & ~0xf000 | 0x4000
        let low = b & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        let room = UnsafeMutableRawPointer(at)
        // Overlapping stores: each later one puts right what the one before wrote too far.
        let first = hexadecimal(UInt32(truncatingIfNeeded: high &>> 32))
        let second = hexadecimal(UInt32(truncatingIfNeeded: high))
        let third = hexadecimal(UInt32(truncatingIfNeeded: low &>> 32))
        let fourth = hexadecimal(UInt32(truncatingIfNeeded: low))
        room.storeBytes(of: first.littleEndian, as: UInt64.self)
        room.storeBytes(of: second.littleEndian, toByteOffset: 9, as: UInt64.self)
        room.storeBytes(of: (second &>> 32).littleEndian, toByteOffset: 14, as: UInt64.self)
        room.storeBytes(of: third.littleEndian, toByteOffset: 19, as: UInt64.self)
        room.storeBytes(of: (third &>> 32).littleEndian, toByteOffset: 24, as: UInt64.self)
        room.storeBytes(of: fourth.littleEndian, toByteOffset: 28, as: UInt64.self)
        at[8] = 0x2d
        at[13] = 0x2d
        at[18] = 0x2d
        at[23] = 0x2d
        at += 36
    }

    /// Eight digits, the first in the lowest byte: all eight nibbles at once.
    @inline(__always) private func hexadecimal(_ value: UInt32) -> UInt64 {
        var v = UInt64(value.byteSwapped)
        v = (v | v &<< 16) & 0x0000_ffff_0000_ffff
        v = (v | v &<< 8) & 0x00ff_00ff_00ff_00ff
        v = (v &>> 4 | v &<< 8) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = ((v &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
        return v &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}

extension UnsafeMutablePointer<UInt8> {
    /// Two digits of a number below 100.
    @inline(__always) fileprivate func pair(_ value: UInt32) {
        self[0] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10)
        self[1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
    }
}

private let eventWords: [StaticString] = [
    "page_view", "click", "search", "add_to_cart", "checkout", "login", "logout", "video_play", "share", "error",
]
private let countryWords: [StaticString] = [
    "US", "DE", "FR", "GB", "JP", "BR", "IN", "CA", "AU", "NL", "SE", "ES", "IT", "PL", "MX", "KR", "ZA", "TR", "AR", "CH", "BE",
    "AT", "DK", "NO", "FI", "PT", "GR", "CZ", "IE", "NZ", "SG", "IL",
]
private let platformWords: [StaticString] = ["ios", "android", "web"]

extension ReferenceWorkload {
    /// Writes an event's key (at most `keyBytes`) and value (at most `eventBytes`); gives their lengths.
    func write(
        _ event: WorkloadEvent, key keyRoom: UnsafeMutableRawPointer, value room: UnsafeMutableRawPointer
    ) -> (key: Int, value: Int) {
        var random = SplittableRandom(seed: event.seed)
        random.skip(below: 100)
        let behind = event.isLate ? 2_000 &+ random.next(below: 298_000) : random.next(below: 2_000)
        let user = user(random.nextDouble())
        var key = EventText(keyRoom)
        key.key(user: user)

        var text = EventText(room)
        text.word("{\"event_id\":\"")
        let high = random.nextUInt64()
        text.uuid(high, random.nextUInt64())
        text.word("\",\"event\":\"")
        text.word(eventWords[Int(Double(eventWords.count) * pow(random.nextDouble(), 1.7))])
        text.word("\",\"user_id\":\"")
        text.key(user: user)
        text.word("\",\"session_id\":\"s")
        text.number(random.next(below: 1 << 30))
        text.word("\",\"ts\":")
        text.time(event.timestamp &- Int64(behind))
        text.word(",\"country\":\"")
        let country = random.nextDouble()
        text.word(countryWords[Int(Double(countryWords.count) * (country * country))])
        text.word("\",\"platform\":\"")
        text.word(platformWords[Int(random.next(below: 3))])
        text.word("\",\"app_version\":\"5.")
        text.number(random.next(below: 20))
        text.byte(0x2e)
        text.number(random.next(below: 10))
        text.word("\",\"duration_ms\":")
        text.hundredths(random.next(below: 1_000_000))
        text.word(",\"properties\":{\"screen\":\"screen_")
        text.number(random.next(below: 50))
        text.word("\",\"ab\":\"")
        text.byte(0x41 &+ UInt8(truncatingIfNeeded: random.next(below: 4)))
        text.word("\",\"referrer\":\"campaign-")
        text.number(random.next(below: 1_000))
        text.word("\",\"scroll\":")
        text.number(random.next(below: 100))
        text.word("}}")
        return (key.count(since: keyRoom), text.count(since: room))
    }
}
