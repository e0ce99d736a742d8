import Kafka
import Model
import Pipeline
import State

/// Brings one unit's state here: judges what SQLite has of it, and reads the rest of its changelog, a piece at a time so that the
/// other units' commits go on meanwhile (S20). Used on the run's thread.
final class UnitRestore {
    let lane: LaneNumber
    /// The high watermark of the changelog when the restore began, open transactions counted in.
    let target: Int64
    /// Where the reading began.
    let from: Int64
    /// What was found wrong with the local copy; nil: it was good, or there was none.
    let wiped: RestoreVerdict.Reason?
    private let reader: LogReader
    private let store: GroupStore
    /// Since when nothing came, though the end is not reached.
    private var silentSince: MonotonicTime?
    private let clock: any Clock
    let began: MonotonicTime

    /// What all restores of an instance share.
    struct Context {
        var layout: GroupLayout
        var store: GroupStore
        var log: KafkaLog
        var queries: KafkaQueries
        var clock: any Clock
        /// Partitions of the changelog topic.
        var partitions: Int
        var deleteRetention: TimeSpan?
    }

    init(_ lane: LaneNumber, _ context: Context) throws(Fault) {
        self.lane = lane
        store = context.store
        clock = context.clock
        began = clock.monotonic()
        let id = context.layout.changelog(of: lane)
        let limit = RuntimeLimits.questionLimit
        guard let range = try context.queries.watermarks(of: [id], within: limit)[id] else {
            throw Fault(
                "partition_missing", "The broker does not tell this partition's offsets.", place: "\(id)",
                next: "Check that the topic still has this partition.", exit: .broker, isTransient: true)
        }
        target = range.upperBound
        let stored = store.positions()[lane]
        var facts = RestoreFacts(
            changelog: id, stored: stored, low: range.lowerBound, high: range.upperBound, reread: .nothing,
            deleteRetention: context.deleteRetention, now: clock.wall(), partitions: context.partitions,
            units: context.layout.units)
        if let last = stored?.last, range.contains(last.offset) {
            facts.reread = try Self.reread(id, last.offset, end: range.upperBound, context)
        }
        switch RestoreVerdict.judge(facts) {
        case .goOn(let offset):
            from = offset
            wiped = nil
        case .wipeAndRestore(let offset, let reason):
            if Mutant.statePastEndKept.isOn, reason == .pastTheEnd {
                from = range.upperBound
                wiped = nil
                break
            }
            try store.wipe(lane)
            from = offset
            // Of aborted records there is a position, and nothing that could be lost.
            wiped = stored?.last == nil ? nil : reason
        case .refuse(let fault): throw fault
        }
        reader = try context.log.reader(of: id, from: from)
    }

    /// Reads what has come, and waits at most `limit` for the first of it. True: everything is here.
    func step(within limit: TimeSpan) throws(Fault) -> Bool {
        if reader.position >= target || Mutant.staleCopyTrusted.isOn { return true }
        if Mutant.resumeBeforeRestore.isOn, reader.position > from { return true }
        let lane = lane
        let store = store
        let position = reader.position
        _ = try reader.next(within: limit) { batch throws(Fault) in
            try store.applyChangelog(lane, batch.records, next: batch.next)
            FaultPoint.hit(.duringRestore)
        }
        if Mutant.restoreToStableOffset.isOn, reader.position == position { return true }
        let now = clock.monotonic()
        if reader.position > position {
            silentSince = nil
        } else if let since = silentSince {
            if now - since > RuntimeLimits.restorePatience { throw stalled(now - since) }
        } else {
            silentSince = now
        }
        return reader.position >= target
    }

    /// How far the reading is: records' places, of all that are to be read.
    var progress: (done: Int64, total: Int64) { (max(min(reader.position, target) - from, 0), max(target - from, 0)) }

    /// The last word: what the local copy holds may be used. Gives the changelog's end as far as this unit has taken it.
    func finish() throws(Fault) {
        close()
        // Past the marks behind the last record, which no record shows.
        try store.applyChangelog(lane, [], next: max(reader.position, from))
        try store.finishRestore(of: lane)
    }

    func close() { reader.close() }

    private static func reread(_ id: PartitionID, _ offset: Int64, end: Int64, _ context: Context) throws(Fault)
        -> RestoreFacts.Reread
    {
        let reader = try context.log.reader(of: id, from: offset)
        defer { reader.close() }
        var found: RestoreFacts.Reread?
        let deadline = context.clock.monotonic() + RuntimeLimits.questionLimit
        while found == nil, reader.position <= offset, context.clock.monotonic() < deadline {
            _ = try reader.next(within: RuntimeLimits.stopLook) { batch throws(Fault) in
                guard found == nil, batch.count > 0 else { return }
                guard batch.offset(0) == offset, let key = batch.key(0) else {
                    found = .nothing
                    return
                }
                found = .record(
                    ChangelogRecord(offset: offset, timestamp: batch.timestamp(0), key: key, value: batch.value(0)).fingerprint)
            }
        }
        return found ?? .nothing
    }

    private func stalled(_ silence: TimeSpan) -> Fault {
        Fault(
            "restore_stalled",
            "The changelog gives nothing at \(reader.position) of \(target) for \(silence.milliseconds / 1_000) s: a transaction on it is open, or its leader is away.",
            place: "\(reader.id)", next: "Look at the brokers, and for hanging transactions with kafka-transactions.",
            exit: .broker,
            isTransient: true)
    }
}
