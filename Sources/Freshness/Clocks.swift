public import Model

/// The four clocks of S24 at one moment. What is not known is nil, never zero; a time ahead of the clock gives a negative lag.
public struct Clocks: Equatable, Sendable {
    /// now - combined watermark.
    public var watermarkLag: TimeSpan?
    /// now - newest event time.
    public var eventLag: TimeSpan?
    /// now - timestamp of the oldest record not yet committed; zero when everything is.
    public var queueAge: TimeSpan?
    /// Event time to emission over all outputs.
    public var latencyFromEvent: Latency?
    /// Record timestamp to emission over all outputs.
    public var latencyFromRecord: Latency?

    public init(
        watermarkLag: TimeSpan? = nil, eventLag: TimeSpan? = nil, queueAge: TimeSpan? = nil, latencyFromEvent: Latency? = nil,
        latencyFromRecord: Latency? = nil
    ) {
        self.watermarkLag = watermarkLag
        self.eventLag = eventLag
        self.queueAge = queueAge
        self.latencyFromEvent = latencyFromEvent
        self.latencyFromRecord = latencyFromRecord
    }
}

/// A distribution in three numbers.
public struct Latency: Equatable, Sendable {
    public var median: TimeSpan
    public var p99: TimeSpan
    public var count: Int64

    public init(median: TimeSpan, p99: TimeSpan, count: Int64) {
        self.median = median
        self.p99 = p99
        self.count = count
    }

    /// nil: nothing was recorded.
    public init?(_ histogram: Histogram) {
        guard let median = histogram.quantile(0.5), let p99 = histogram.quantile(0.99) else { return nil }
        self.init(median: .milliseconds(median), p99: .milliseconds(p99), count: histogram.count)
    }
}

extension Facts {
    /// Called by whoever shows or judges; cost: the partitions and the outputs' histograms once.
    public func clocks(at now: WallTime) -> Clocks {
        var fromEvent = Histogram()
        var fromRecord = Histogram()
        for output in outputs {
            fromEvent.merge(output.latencyFromEvent)
            fromRecord.merge(output.latencyFromRecord)
        }
        return Clocks(
            watermarkLag: watermark.map { now - $0 }, eventLag: newestEventTime.map { now - $0 }, queueAge: queueAge(at: now),
            latencyFromEvent: Latency(fromEvent), latencyFromRecord: Latency(fromRecord))
    }

    /// The oldest of the partitions' ages. One that is not known hides a zero, but not a real age: that is a lower bound at least.
    private func queueAge(at now: WallTime) -> TimeSpan? {
        let ages = partitions.map { $0.queueAge(at: now) }
        guard let oldest = ages.compactMap(\.self).max() else { return nil }
        return oldest <= .zero && ages.contains(nil) ? nil : oldest
    }
}

extension PartitionFacts {
    /// Zero when caught up; nil where the oldest waiting record is not known.
    public func queueAge(at now: WallTime) -> TimeSpan? {
        if let oldestUncommitted { return now - oldestUncommitted }
        return isCaughtUp ? .zero : nil
    }

    /// Records between the next offset and the end of the partition, as far as it is known. Offsets need not be dense, so this is
    /// an upper bound.
    public var lag: Int64? { endOffset.map { max(0, $0 - nextOffset) } }

    /// One word for a table.
    public var mark: PartitionMark {
        if fault != nil { return .stopped }
        if isIdle { return .idle }
        return isCaughtUp ? .caughtUp : .behind
    }
}

public enum PartitionMark: String, CaseIterable, Sendable {
    case caughtUp = "caught_up"
    case behind, idle, stopped
}
