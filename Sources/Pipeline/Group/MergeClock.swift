public import Model

/// What a merge lane may act on: the log of time as far as the partials that it tells of were read. Each record of the log
/// says where its commit's partials end; the state behind it counts once the lane has come so far (S6, S12). The same for a re-keyed
/// lane and what was handed on to it.
public struct MergeClock: Sendable {
    /// What a merge emits and closes by.
    public struct Moment: Equatable, Sendable {
        public var closable: EventTime?
        public var combined: EventTime?
        /// The bounded input is over, everything was shipped, and rows are as of this (S6).
        public var end: End?
        public struct End: Equatable, Sendable {
            public var asOf: EventTime?
        }
        /// Every input has read all that a bounded run asks for.
        public var isInputOver = false
        public init(closable: EventTime? = nil, combined: EventTime? = nil, end: End? = nil, isInputOver: Bool = false) {
            self.closable = closable
            self.combined = combined
            self.end = end
            self.isInputOver = isInputOver
        }
    }

    /// What counts now.
    public private(set) var moment = Moment()
    /// The next offset of the partition to read.
    public private(set) var position: Int64
    /// Later moments, each with the position that it needs: both grow.
    private var waiting: [(needs: Int64, moment: Moment)] = []
    private let partition: Int

    /// `partition`: as `GroupLayout.end(of:)` counts them.
    public init(partition: Int32, position: Int64) {
        self.partition = Int(partition)
        self.position = position
    }

    /// The log's state after each record, once it is exact, in order.
    public mutating func note(_ state: TimeState) {
        let needs = Mutant.endsIgnored.isOn ? 0 : state.ends[partition]
        let moment = Moment(
            closable: state.closable, combined: state.combined,
            end: state.isAllClosed ? Moment.End(asOf: state.asOf) : nil, isInputOver: state.isEnded)
        if let last = waiting.last, last.needs >= needs {
            waiting[waiting.count - 1].moment = moment
        } else if needs <= position {
            self.moment = moment
        } else {
            waiting.append((needs, moment))
        }
    }

    /// The lane has taken everything below `position`.
    public mutating func reach(_ position: Int64) {
        self.position = max(self.position, position)
        var passed = 0
        while passed < waiting.count, waiting[passed].needs <= self.position { passed += 1 }
        guard passed > 0 else { return }
        moment = waiting[passed - 1].moment
        waiting.removeFirst(passed)
    }
}
