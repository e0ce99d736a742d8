public import Model

/// Forms the combined watermark and takes the idle decisions (S5, S6). A value that decides: it is told the time.
public struct Timekeeper: Sendable {
    /// What a lane says of itself at a commit.
    public struct Report: Sendable {
        public var lane: LaneNumber
        public var watermark: EventTime?
        public var newestEventTime: EventTime?
        /// When a record last passed the stage event time, or when the lane began to listen.
        public var silentSince: MonotonicTime
        /// During this silence it was confirmed that the next offset is the end of the log.
        public var isFullyRead: Bool
        /// An idle lane whose next record was let through: it passed the stage event time.
        public var spoke: Bool
        public init(
            lane: LaneNumber, watermark: EventTime?, newestEventTime: EventTime?, silentSince: MonotonicTime, isFullyRead: Bool,
            spoke: Bool
        ) {
            self.lane = lane
            self.watermark = watermark
            self.newestEventTime = newestEventTime
            self.silentSince = silentSince
            self.isFullyRead = isFullyRead
            self.spoke = spoke
        }
    }

    public private(set) var time: CombinedTime
    /// Since when all lanes are idle, and the event time that the combined watermark moves on from.
    private var allIdle: (since: MonotonicTime, from: EventTime)?
    private let idleAfter: TimeSpan

    public init(restored: CombinedTime = CombinedTime(), idleAfter: TimeSpan) {
        time = restored
        self.idleAfter = idleAfter
    }

    /// Which lanes have been silent long enough, fully read, to be left out.
    public func candidates(_ reports: [Report], now: MonotonicTime) -> [LaneNumber] {
        reports.filter { report in
            !time.idle.contains(report.lane) && report.isFullyRead && now - report.silentSince >= idleAfter
        }.map(\.lane)
    }

    /// When the next lane could become idle, if nothing else happens; nil: none can.
    public func nextDecision(_ reports: [Report]) -> MonotonicTime? {
        reports.filter { !time.idle.contains($0.lane) && $0.isFullyRead }.map { $0.silentSince + idleAfter }.min()
    }

    /// When silence would bring the combined watermark to `time`, if nothing else happens; nil: not all lanes are idle.
    public func moment(of time: EventTime) -> MonotonicTime? { allIdle.map { $0.since + (time - $0.from) } }

    /// One commit's decisions. `leaving` are candidates that confirmed they took nothing since; `granted` are idle lanes
    /// that were let take records from the combined watermark on, and hold it until they are known not to speak.
    /// `lastOpenClose` is what closes the last window that holds data in any output.
    public mutating func step(
        _ reports: [Report], leaving: [LaneNumber], granted: Set<LaneNumber>, now: MonotonicTime, lastOpenClose: EventTime?
    ) -> [Decision] {
        var decisions: [Decision] = []
        for report in reports where report.spoke && time.idle.contains(report.lane) {
            time.idle.remove(report.lane)
            decisions.append(.speaks(lane: report.lane, watermark: time.watermark))
        }
        for lane in leaving where !time.idle.contains(lane) {
            time.idle.insert(lane)
            decisions.append(.idle(lane: lane))
        }
        let speaking = reports.filter { !time.idle.contains($0.lane) }
        if !speaking.isEmpty {
            allIdle = nil
            // A lane without a watermark yet holds the others back until it is idle.
            if granted.isSubset(of: Set(speaking.map(\.lane))), speaking.allSatisfy({ $0.watermark != nil }) {
                advance(to: speaking.compactMap(\.watermark).min()!)
            }
        } else if !reports.isEmpty, granted.isEmpty {
            if let decision = moveWithSilence(reports, now: now, lastOpenClose: lastOpenClose) { decisions.append(decision) }
        }
        return decisions
    }

    /// A bounded input is over: nothing holds anything back any more.
    public mutating func end(_ reports: [Report]) -> EventTime? {
        time.ended = true
        let newest = reports.compactMap(\.newestEventTime).max()
        time.watermark = [time.watermark, newest].compactMap { $0 }.max()
        return time.watermark
    }

    private mutating func moveWithSilence(_ reports: [Report], now: MonotonicTime, lastOpenClose: EventTime?) -> Decision? {
        if allIdle == nil {
            guard let newest = reports.compactMap(\.newestEventTime).max() else { return nil }
            allIdle = (now, max(newest, time.watermark ?? newest))
        }
        guard let allIdle, let lastOpenClose else { return nil }
        let target = min(allIdle.from + (now - allIdle.since), lastOpenClose)
        guard target > time.watermark ?? EventTime(milliseconds: .min) else { return nil }
        time.watermark = target
        return .advanced(to: target)
    }

    private mutating func advance(to watermark: EventTime) {
        time.watermark = max(time.watermark ?? watermark, watermark)
    }
}
