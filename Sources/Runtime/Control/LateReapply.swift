public import Model
public import Pipeline
import State

/// Where late events that are applied again find their windows: the commit that is formed next, or one lane of a group.
protocol LateWindows {
    func fit(output: Int, time: EventTime) -> MergeCore.Fit
    /// Of one event, or of none: what it adds, and what becomes of its entry.
    mutating func reapply(
        _ partials: [(output: Int, log: StateLog)], entries: [ReappliedEntry], _ lookup: ClosedLookup
    ) throws(Fault)
}

extension CommitCycle: LateWindows {}

/// Late events applied again (S13): each is read once more by the stages that refused it, as if its windows were open, and what comes of
/// it goes to the merge, which has them. Nothing here waits; the caller commits.
public struct LateReapply {
    /// What became of an entry.
    public enum Became: String, CaseIterable, Sendable {
        case counted
        /// An event with its identity was applied again before it.
        case copy
        /// It was applied again by an earlier command.
        case already
        /// A window of it closed longer ago than `state.keep_closed`.
        case past
        /// The log no longer has its record.
        case gone
        /// Another record lies in its place.
        case changed

        /// It is not in its windows, and was not before.
        public var isRefused: Bool {
            switch self {
            case .counted, .copy, .already: false
            case .past, .gone, .changed: true
            }
        }
    }

    public typealias Outcome = [(entry: Int64, became: Became)]

    private let plan: Plan
    private let storedOutputs: [UInt16]
    private let lanes: [PartitionID: (lane: LaneNumber, order: Int64)]
    /// With deduplication on, copies are recognised by their identity: in their partition, or in all.
    private let knowsCopies: Bool
    private let isAcrossPartitions: Bool

    public init(_ plan: Plan, storedOutputs: [UInt16], lanes: [PartitionID: (lane: LaneNumber, order: Int64)]) {
        knowsCopies = plan.deduplicate.map { !$0.observe } ?? false
        isAcrossPartitions = plan.isRekeyed
        var plain = plan
        plain.deduplicate = nil
        plain.late = .count
        self.plan = plain
        self.storedOutputs = storedOutputs
        self.lanes = lanes
    }

    private struct Event: Hashable {
        var output: String
        /// nil: of any.
        var partition: PartitionID?
        var identity: [UInt8]
    }

    /// Applies them in the commit that `cycle` forms next. `lookup`: of the committed state. Error: `state_damaged`; then the cycle can't
    /// be used any more.
    public func run(
        _ candidates: [LateReader.Candidate], in cycle: inout CommitCycle, _ lookup: ClosedLookup
    ) throws(Fault) -> Outcome {
        try apply(candidates, to: &cycle, lookup)
    }

    func apply(
        _ candidates: [LateReader.Candidate], to windows: inout some LateWindows, _ lookup: ClosedLookup
    ) throws(Fault) -> Outcome {
        var outcome: Outcome = []
        var counted: Set<Event> = []
        var cores: [PartitionID: LaneCore] = [:]
        for candidate in candidates {
            let entry = candidate.entry
            guard let output = plan.aggregates.firstIndex(where: { $0.name == entry.output }), let place = lanes[entry.partition]
            else {
                outcome.append((entry.number, .gone))
                continue
            }
            var event: Event?
            if knowsCopies, let identity = entry.identity {
                event = Event(
                    output: entry.output, partition: isAcrossPartitions ? nil : entry.partition, identity: identity)
            }
            func mark(_ kind: ReappliedEntry.Kind) -> ReappliedEntry {
                ReappliedEntry(entry: entry.number, lane: place.lane, output: output, kind: kind)
            }
            let became: Became
            if entry.reapplied != nil {
                became = .already
            } else if let event, entry.hasCounted || counted.contains(event) {
                became = .copy
                try windows.reapply([], entries: [mark(.copy)], lookup)
            } else {
                switch windows.fit(output: output, time: entry.eventTime) {
                case .past: became = .past
                case .fits:
                    if let record = candidate.record {
                        let core: LaneCore
                        if let made = cores[entry.partition] { core = made } else { core = try self.core(entry.partition, place) }
                        cores[entry.partition] = core
                        let sealed = try cells(of: record, at: entry.offset, core)
                        if sealed.books.aggregated == 1, sealed.newestEventTime == entry.eventTime {
                            try windows.reapply([(output, sealed.partials)], entries: [mark(.counted)], lookup)
                            if let event { counted.insert(event) }
                            became = .counted
                        } else {
                            became = .changed
                        }
                    } else {
                        became = .gone
                    }
                }
            }
            outcome.append((entry.number, became))
        }
        return outcome
    }

    private func core(_ partition: PartitionID, _ place: (lane: LaneNumber, order: Int64)) throws(Fault) -> LaneCore {
        try LaneCore(
            LaneConfiguration(
                plan: plan, lane: place.lane, partition: partition, partitionOrder: place.order, storedOutputs: storedOutputs))
    }

    /// What the record alone leaves in the lane's cells.
    private func cells(of record: ReadRecord, at offset: Int64, _ core: LaneCore) throws(Fault) -> SealedLane {
        core.restore(
            books: Books(outputs: plan.aggregates.count), watermark: nil, newestEventTime: nil, nextOffset: offset,
            lastRecord: nil)
        try core.process([record.payload], offsets: [offset], timestamps: [record.timestamp])
        return core.seal(SealRequest(due: plan.aggregates.map { _ in false }, closesAll: true))
    }
}

extension LateReapply {
    /// How many became what, as JSON; with `entries`, each of them too.
    static func result(_ outcome: Outcome, next: Int64?, entries: Bool) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        for became in Became.allCases {
            let count = outcome.count { $0.became == became }
            if count > 0 || became == .counted { json.member(became.rawValue, count) }
        }
        if entries {
            json.key("entries")
            json.beginArray()
            for (entry, became) in outcome {
                json.beginObject()
                json.member("entry", entry)
                json.member("became", became.rawValue)
                json.endObject()
            }
            json.endArray()
            json.key("next")
            if let next { json.int(next) } else { json.null() }
        }
        json.endObject()
        return json.bytes
    }
}

extension LaneCore {
    /// Records that lie in arrays, as one batch: for tests, rehearsals and single records.
    public func process(_ payloads: [[UInt8]?], offsets: [Int64], timestamps: [Int64]) throws(Fault) {
        let bytes = payloads.flatMap { $0 ?? [] }
        let lengths = payloads.map { $0?.count ?? 0 }
        var fault: Fault?
        bytes.withUnsafeBytes { bytes in
            // An empty payload is not a tombstone, so it needs an address.
            let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 16)!
            var at = 0
            let starts = payloads.map { payload -> UnsafeRawPointer? in
                defer { at += payload?.count ?? 0 }
                return payload == nil ? nil : base + at
            }
            func run(
                _ starts: UnsafePointer<UnsafeRawPointer?>, _ lengths: UnsafePointer<Int>, _ offsets: UnsafePointer<Int64>,
                _ timestamps: UnsafePointer<Int64>
            ) {
                do throws(Fault) {
                    try process(
                        RecordBatch(
                            count: payloads.count, payloads: starts, lengths: lengths, offsets: offsets, timestamps: timestamps))
                } catch { fault = error }
            }
            run(starts, lengths, offsets, timestamps)
        }
        if let fault { throw fault }
    }
}
