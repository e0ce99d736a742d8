public import Model

/// How fresh one output is (S25) and, where it is late, why.
public struct OutputFreshness: Equatable, Sendable {
    public enum Verdict: String, Sendable {
        /// Within its target.
        case fresh
        case late
        /// It has no target to be judged by.
        case untargeted
        /// No window is complete yet.
        case nothingYet = "nothing_yet"
        /// The input is over.
        case ended
    }
    /// now - complete_through; nil: nothing is complete yet.
    public var freshness: TimeSpan?
    public var within: TimeSpan?
    public var verdict: Verdict
    /// For a late output always; nil for all others.
    public var cause: Cause?
    public init(freshness: TimeSpan?, within: TimeSpan?, verdict: Verdict, cause: Cause? = nil) {
        self.freshness = freshness
        self.within = within
        self.verdict = verdict
        self.cause = cause
    }
}

/// The closed list of causes of S25.
public enum Cause: Equatable, Sendable {
    /// Everything is read; no newer event came. nil: none ever had an event time.
    case producerSilent(newest: EventTime?)
    /// Records wait to be read; nil: how many is not known.
    case behind(records: Int64?)
    /// One partition, or a few, keep the others' results back.
    case heldBack([Holder])
    case sinkFailing(Fault)
    /// Weir itself does not move; nil: it was told to stop, or has not begun.
    case stopped(Fault?)

    public var code: String {
        switch self {
        case .producerSilent: "producer_silent"
        case .behind: "behind"
        case .heldBack: "held_back"
        case .sinkFailing: "sink_failing"
        case .stopped: "stopped"
        }
    }

    public static let codes = ["producer_silent", "behind", "held_back", "sink_failing", "stopped"]
}

extension Facts {
    /// `output` is an index into `outputs`.
    public func freshness(of output: Int, at now: WallTime) -> OutputFreshness {
        let facts = outputs[output]
        let freshness = facts.progress.completeThrough.map { now - $0 }
        func verdict(_ verdict: OutputFreshness.Verdict, _ cause: Cause? = nil) -> OutputFreshness {
            OutputFreshness(freshness: freshness, within: facts.within, verdict: verdict, cause: cause)
        }
        if state == .ended { return verdict(.ended) }
        guard let freshness else { return verdict(.nothingYet) }
        guard let within = facts.within else { return verdict(.untargeted) }
        if freshness <= within { return verdict(.fresh) }
        return verdict(.late, cause(lateBy: TimeSpan(milliseconds: freshness.milliseconds - within.milliseconds), facts))
    }

    /// From the cause that hides all others to the one that is left: a stopped process reads nothing, a failing sink shows nothing,
    /// a single partition is worth naming only if the output would be fresh without it.
    private func cause(lateBy: TimeSpan, _ output: OutputFacts) -> Cause {
        switch state {
        case .waiting(let fault): return .stopped(fault)
        case .starting, .stopping, .ended: return .stopped(nil)
        case .running: break
        }
        if let fault = output.sinkFault { return .sinkFailing(fault) }
        if isBrokerUp == false { return .stopped(Facts.brokerAway) }
        if let blamed = blamed(lateBy: lateBy) { return .heldBack(blamed) }
        let reading = partitions.filter { !$0.isIdle }
        if let fault = reading.compactMap(\.fault).first, reading.allSatisfy({ $0.fault != nil }) { return .stopped(fault) }
        let waiting = reading.filter { !$0.isCaughtUp }
        if waiting.isEmpty { return .producerSilent(newest: newestEventTime) }
        let lags = waiting.compactMap(\.lag)
        return .behind(records: lags.isEmpty ? nil : lags.reduce(0, +))
    }

    /// The holders, if one of them can't go on, or if the output would be in time had they stood where the next partition stands.
    private func blamed(lateBy: TimeSpan) -> [Holder]? {
        let holders = holders
        let holding = Set(holders.map(\.partition))
        let others =
            partitions.filter { !$0.isIdle && !holding.contains($0.id) }.compactMap(\.watermark)
            + elsewhere.filter { !$0.isIdle && !holding.contains($0.id) }.compactMap(\.watermark)
        guard let held = holders.first, let next = others.min() else { return nil }
        if holders.contains(where: \.isStopped) { return holders }
        guard let stands = held.watermark ?? watermark else { return holders }
        return next - stands >= lateBy ? holders : nil
    }

    private static let brokerAway = Fault(
        "broker_away", "the broker does not answer", next: "Check the broker and the way to it; reading goes on by itself.",
        exit: .broker, isTransient: true)
}
