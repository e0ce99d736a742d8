import Inputs
import Kafka
public import Model
public import State

/// Reads late records again by their place. Called on a thread that may wait for disks and brokers; never on a lane's or the
/// committer's queue.
public struct LateReader {
    /// An entry of the ledger with its record; nil: the log no longer has it.
    public struct Candidate: Sendable {
        public var entry: LateLedgerEntry
        public var record: ReadRecord?
        public init(entry: LateLedgerEntry, record: ReadRecord?) {
            self.entry = entry
            self.record = record
        }
    }

    private let plan: Plan
    private let ledger: LateLedger

    public init(_ plan: Plan, _ ledger: LateLedger) {
        self.plan = plan
        self.ledger = ledger
    }

    /// The selected entries with their records, in the order of their numbers; `next`: there are more, after this number. Errors: the
    /// broker's, `file_changed`, `late_no_ledger`.
    public func candidates(_ selection: LateSelection) throws(Fault) -> (candidates: [Candidate], next: Int64?) {
        let entries = try ledger.entries(selection)
        var records: [PartitionID: [Int64: ReadRecord]] = [:]
        // What was applied again is not needed again, nor is a copy.
        let wanted = entries.filter { $0.reapplied == nil && !$0.hasCounted }
        let places = Dictionary(grouping: wanted, by: \.partition).mapValues { Set($0.map(\.offset)).sorted() }
        var unread: Set<PartitionID> = []
        var left = RuntimeLimits.lateBytes
        for (partition, offsets) in places.sorted(by: { $0.key < $1.key }) {
            let (found, isAll) = try read(partition, offsets, bytes: max(left, 1))
            records[partition] = found
            left -= found.values.reduce(0) { $0 + ($1.payload?.count ?? 0) }
            if !isAll { unread.insert(partition) }
        }
        var candidates: [Candidate] = []
        for entry in entries {
            let record = records[entry.partition]?[entry.offset]
            // The next command reads on from here.
            if record == nil, unread.contains(entry.partition), !candidates.isEmpty {
                return (candidates, candidates.last?.entry.number)
            }
            candidates.append(Candidate(entry: entry, record: record))
        }
        return (candidates, entries.count == selection.limit ? entries.last?.number : nil)
    }

    /// One entry's record, whatever became of it; nil: the log no longer has it.
    public func record(of entry: LateLedgerEntry) throws(Fault) -> ReadRecord? {
        try read(entry.partition, [entry.offset], bytes: RuntimeLimits.lateBytes).found[entry.offset]
    }

    private func read(
        _ partition: PartitionID, _ offsets: [Int64], bytes: Int
    ) throws(Fault) -> (found: [Int64: ReadRecord], isAll: Bool) {
        switch plan.source.kind {
        case .kafka(_, let group, _):
            let queries = try KafkaQueries(KafkaSettings(plan.kafka), group: group)
            defer { queries.close(within: RuntimeLimits.closeLimit) }
            _ = try queries.partitions(of: [partition.topic], within: RuntimeLimits.questionLimit)
            let read = try queries.records(of: partition, at: offsets, bytes: bytes, within: RuntimeLimits.questionLimit)
            return (read.found, read.settled == offsets.count)
        case .files:
            let file = FileInput(path: partition.topic, maxRecord: plan.source.maxRecord)
            if let mark = try ledger.fileFingerprint(of: partition) { try file.check(against: mark) }
            return try Self.read(file, offsets, bytes: bytes)
        case .generator:
            // It makes records, and keeps none.
            return ([:], true)
        }
    }

    private static func read(
        _ file: FileInput, _ offsets: [Int64], bytes: Int
    ) throws(Fault) -> (found: [Int64: ReadRecord], isAll: Bool) {
        var found: [Int64: ReadRecord] = [:]
        guard let first = offsets.first else { return (found, true) }
        defer { file.close() }
        try file.open(at: first, wake: {})
        var wanted = offsets[...]
        var read = 0
        while !wanted.isEmpty {
            switch file.take(limit: RuntimeLimits.batch) {
            case .records(let batch):
                for row in 0..<batch.count where batch.offsets[row] == wanted.first {
                    let payload = Array(UnsafeRawBufferPointer(start: batch.payloads[row], count: batch.lengths[row]))
                    read += payload.count
                    if read > bytes, !found.isEmpty { return (found, false) }
                    found[batch.offsets[row]] = ReadRecord(payload: payload, timestamp: batch.timestamps[row])
                    wanted = wanted.dropFirst()
                }
                file.release()
            case .nothing, .end: return (found, true)
            case .failed(let fault): throw fault
            }
        }
        return (found, true)
    }
}
