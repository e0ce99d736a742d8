import Kafka
import Model
import Pipeline

/// This instance's reading of the group's log of time: begins where a snapshot probably stands, and goes further back until it
/// found one. Used on the run's thread.
final class TimeReplica {
    private let log: KafkaLog
    private let queries: KafkaQueries
    private let layout: GroupLayout
    private var reader: LogReader?
    private var attempt = 0
    private var begin: Int64 = 0
    private var end: Int64 = 0
    private(set) var time: TimeLog
    /// The end of the log when this instance first looked.
    private var firstEnd: Int64?
    /// Every window of the group was closed when this instance first looked; nil: it is not known yet.
    private(set) var wasAllClosed: Bool?
    /// Under which this instance's own records are known again.
    private(set) var writer = UInt64.random(in: 1 ... .max)

    init(log: KafkaLog, queries: KafkaQueries, layout: GroupLayout) {
        self.log = log
        self.queries = queries
        self.layout = layout
        time = Self.log(layout, start: 0, writer)
    }

    private static func log(_ layout: GroupLayout, start: Int64, _ writer: UInt64) -> TimeLog {
        TimeLog(
            lanes: layout.inputs.count, mergeLanes: layout.mergeLanes, rekeyed: layout.rekeyed.count, start: start, writer: writer
        )
    }

    /// Everything that lay in the log when the reading began was applied.
    var isCurrent: Bool { reader != nil && time.isExact && time.position >= end }

    /// Takes what has come and hands the state after each record to `note`, once it is exact. Never waits for more.
    func poll(_ note: (TimeState) -> Void) throws(Fault) {
        if reader == nil { try open() }
        guard let reader else { return }
        let (lanes, merges, rekeyed) = (layout.inputs.count, layout.mergeLanes, layout.rekeyed.count)
        while try reader.next(
            within: .zero,
            { batch throws(Fault) in
                for index in 0..<batch.count {
                    guard let value = batch.value(index),
                        let record = TimeCodec.decode(value, lanes: lanes, mergeLanes: merges, rekeyed: rekeyed)
                    else { throw damaged(batch.offset(index)) }
                    lookBack(batch.offset(index))
                    let wasExact = time.isExact
                    time.apply(record, at: batch.offset(index))
                    if time.isExact { note(time.state) }
                    if !wasExact, time.isExact { attempt = 0 }
                }
            })
        {}
        time.reach(reader.position)
        lookBack(reader.position)
        if !time.isExact, reader.position >= end { try reopen() }
    }

    /// `next`: nothing before it is still to come. Later records are of this run, or of others beside it.
    private func lookBack(_ next: Int64) {
        guard wasAllClosed == nil, time.isExact, let firstEnd, next >= firstEnd else { return }
        wasAllClosed = time.state.isAllClosed
    }

    /// Reads anew, as another writer.
    func restart() {
        close()
        writer = UInt64.random(in: 1 ... .max)
        time = Self.log(layout, start: 1, writer)
    }

    func close() {
        reader?.close()
        reader = nil
    }

    /// Refuses to go on where a unit has worked and the log is empty: its topic was made anew, and nobody knows any more whose
    /// windows were closed by what.
    func checkNotLost() throws(Fault) {
        guard time.position == 0 else { return }
        // Its end with open transactions: a commit whose marks are still on their way has written there.
        let range = try queries.watermarks(of: [layout.watermarks], within: RuntimeLimits.questionLimit)[layout.watermarks]
        guard range?.upperBound == 0 else { return }
        throw Fault(
            "time_log_lost", "The group's log of time is empty, but the group has worked before: the topic was deleted.",
            place: "\(layout.watermarks)",
            next: "Bring the topic back, or read the input again under another source.group.", exit: .state)
    }

    private func open() throws(Fault) {
        let range = try queries.watermarks(of: [layout.watermarks], within: RuntimeLimits.questionLimit)[layout.watermarks]
        begin = range?.lowerBound ?? 0
        end = range?.upperBound ?? 0
        firstEnd = firstEnd ?? end
        let start = TimeLog.start(begin: begin, end: end, attempt: attempt)
        time = Self.log(layout, start: start, writer)
        reader = try log.reader(of: layout.watermarks, from: start)
    }

    /// No snapshot among the last records: one stands further back, since each stretch of the log carries one.
    private func reopen() throws(Fault) {
        if TimeLog.start(begin: begin, end: end, attempt: attempt) <= begin {
            throw Fault(
                "time_log_cut", "The group's log of time begins at \(begin) and holds no whole state of it.",
                place: "\(layout.watermarks)",
                next: "Its first records were deleted. Replay the input into a group of another name.", exit: .state)
        }
        attempt += 1
        close()
        try open()
    }

    private func damaged(_ offset: Int64) -> Fault {
        Fault(
            "time_log_damaged", "A record of the group's log of time can't be read.", place: "\(layout.watermarks)@\(offset)",
            next: "See that nothing else writes to this topic; instances of different versions must not share a group.",
            exit: .state
        )
    }
}
