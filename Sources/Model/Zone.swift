/// A time zone's history: which offset from UTC held when. Made by `Topology`'s reader of the system's zone files; used where
/// a text states a local time only (S3). Copying it is two retains; nothing here is called per record but `utcMilliseconds`.
public struct Zone: Hashable, Sendable {
    /// The IANA name, such as `Europe/Berlin`.
    public var name: String
    /// When the offset changed, in UTC seconds, strictly growing.
    public var transitions: [Int64]
    /// `offsets[0]` held before the first transition, `offsets[i + 1]` from `transitions[i]` on. Seconds east of UTC.
    /// After the last transition its offset holds for ever; the reader expands a zone's rule to `ZoneLimits.lastYear`.
    public var offsets: [Int32]

    /// Takes one offset more than transitions.
    public init(name: String, transitions: [Int64], offsets: [Int32]) {
        precondition(offsets.count == transitions.count + 1, "a zone has one offset more than transitions")
        self.name = name
        self.transitions = transitions
        self.offsets = offsets
    }

    public static let utc = Zone(name: "UTC", transitions: [], offsets: [0])

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// The instant at which clocks of this zone show `local` (milliseconds since 1970 as if the zone were UTC). A local time
    /// that exists twice is the earlier one; one that never was is shifted forward by what the clocks skipped (S3). Costs a
    /// binary search; callable from anywhere.
    public func utcMilliseconds(local: Int64) -> Int64 {
        let seconds = floorDivide(local, 1_000)
        var segment = firstSegment(endingAfter: seconds - ZoneLimits.widestOffset)
        var skipped: Int32?
        while true {
            let offset = offsets[segment]
            let instant = seconds - Int64(offset)
            let starts = segment == 0 || transitions[segment - 1] <= instant
            let lasts = segment == transitions.count || instant < transitions[segment]
            if starts && lasts { return local - Int64(offset) * 1_000 }
            if segment == transitions.count || transitions[segment] > seconds + ZoneLimits.widestOffset { break }
            // Past the end of this segment and before the start of the next: no clock ever showed it.
            if skipped == nil && !lasts && seconds - Int64(offsets[segment + 1]) < transitions[segment] { skipped = offset }
            segment += 1
        }
        return local - Int64(skipped ?? offsets[segment]) * 1_000
    }

    /// Seconds east of UTC at an instant (UTC seconds).
    public func offset(at instant: Int64) -> Int32 { offsets[firstSegment(endingAfter: instant)] }

    private func firstSegment(endingAfter instant: Int64) -> Int {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] > instant { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

public enum ZoneLimits {
    /// A zone's rule is written out as transitions up to the end of this year; later instants keep the last offset.
    public static let lastYear: Int64 = 2_200
    /// No zone is farther from UTC than this, in seconds (RFC 8536 asks for less than 26 hours).
    public static let widestOffset: Int64 = 93_600
}
