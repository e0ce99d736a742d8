public import Model

/// How far the restores of an instance have come, for those who wait. A value.
public struct RestoreProgress: Equatable, Sendable {
    /// Units whose state is still to come, of all that are the instance's.
    public var left: Int
    public var units: Int
    /// Offsets of the changelog that were read since the first of these restores began, of all that they have to read.
    public var done: Int64
    public var total: Int64
    /// Since the first of them began.
    public var elapsed: TimeSpan
    public init(left: Int, units: Int, done: Int64, total: Int64, elapsed: TimeSpan) {
        self.left = left
        self.units = units
        self.done = done
        self.total = total
        self.elapsed = elapsed
    }

    /// Of what these units lack; nil: it is not known yet.
    public var percent: Int64? { total > 0 ? min(max(done, 0), total) * 100 / total : nil }

    /// At the pace so far; nil: there is none to go by.
    public var timeLeft: TimeSpan? {
        guard done > 0, total >= done else { return nil }
        let left = Double(elapsed.milliseconds) * Double(total - done) / Double(done)
        return .milliseconds(Int64(min(left, 1e15).rounded(.up)))
    }

    public var missing: Int64 { max(total - done, 0) }

    /// One sentence.
    public var words: String {
        var words = "State is being restored: \(left) of \(units) units are to come"
        if let percent { words += ", \(percent) % of what they lack is here" }
        if let timeLeft { words += ", about \((timeLeft.milliseconds + 999) / 1_000) s left" }
        return words + "."
    }
}
