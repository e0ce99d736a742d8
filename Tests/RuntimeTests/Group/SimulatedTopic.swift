import Model

/// One partition of an internal topic as brokers keep it: records in the order in which they were appended, of transactions whose
/// outcome is known to the partition only once its marker has come. Readers see no aborted record, and nothing at or past the
/// first one that is undecided.
struct SimulatedTopic<Value> {
    private enum Outcome {
        case open, committed, aborted
    }

    private struct Entry {
        var transaction: Int
        /// nil: a marker.
        var value: Value?
        var outcome: Outcome
    }

    private var entries: [Entry] = []
    /// What nobody should ever need: reads as if nothing were undecided, and what was aborted.
    var readsUncommitted = false

    /// The next offset to be written.
    var end: Int64 { Int64(entries.count) }

    private(set) var lastStable: Int64 = 0

    mutating func append(_ value: Value, transaction: Int) -> Int64 {
        entries.append(Entry(transaction: transaction, value: value, outcome: .open))
        return end - 1
    }

    /// The transaction's marker arrives.
    mutating func mark(_ transaction: Int, committed: Bool) {
        for at in entries.indices where entries[at].transaction == transaction && entries[at].outcome == .open {
            entries[at].outcome = committed ? .committed : .aborted
        }
        entries.append(Entry(transaction: transaction, value: nil, outcome: .committed))
        lastStable = entries.firstIndex { $0.outcome == .open }.map(Int64.init) ?? end
    }

    /// Up to `limit` records from `offset` on, and the position behind them.
    func read(from offset: Int64, limit: Int) -> (records: [(offset: Int64, value: Value)], next: Int64) {
        var records: [(offset: Int64, value: Value)] = []
        var at = offset
        let bound = readsUncommitted ? end : lastStable
        while at < bound, records.count < limit {
            let entry = entries[Int(at)]
            if let value = entry.value, readsUncommitted || entry.outcome == .committed { records.append((at, value)) }
            at += 1
        }
        return (records, max(at, offset))
    }
}
