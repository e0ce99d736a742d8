/// Whether an instance's bounded run is over. A value that decides.
public struct GroupEnd {
    /// What the run knows after a commit.
    public struct Look {
        /// Every window of the group was closed when this run began; nil: it is not known yet.
        public var wasAllClosed: Bool?
        /// So it is now.
        public var isAllClosed: Bool
        /// It is a member, and the state of all its units is here.
        public var isSettled: Bool
        /// Each of its units, of which there are some, has committed its end.
        public var isEnded: Bool
        /// Its lanes have taken all that they were asked for.
        public var isRead: Bool
        public init(wasAllClosed: Bool?, isAllClosed: Bool, isSettled: Bool, isEnded: Bool, isRead: Bool) {
            self.wasAllClosed = wasAllClosed
            self.isAllClosed = isAllClosed
            self.isSettled = isSettled
            self.isEnded = isEnded
            self.isRead = isRead
        }
    }

    public enum Verdict: Equatable, Sendable {
        case goOn
        /// Of what was asked for nothing is left but a last commit.
        case commitAndStop
        /// The input of the whole group is over, and everything of it is committed here.
        case ended
        /// It was over before this run began (S6).
        case wasEnded
    }

    private let until: RunOptions.Until

    public init(until: RunOptions.Until) { self.until = until }

    /// What the group is told of a lane: nothing of it is still to come. In a run until now windows stay open, so nobody is told that.
    public func isFinished(isRead: Bool, isEnded: Bool) -> Bool { until == .end && isRead || isEnded }

    public func judge(_ look: Look) -> Verdict {
        // While some units restore, others can bring the end about themselves.
        guard look.isSettled else { return .goOn }
        if look.wasAllClosed == true, look.isEnded { return .wasEnded }
        switch until {
        case .stopped: return .goOn
        case .now: return look.isRead ? .commitAndStop : .goOn
        case .end: return look.isAllClosed && look.isEnded ? .ended : .goOn
        }
    }
}
