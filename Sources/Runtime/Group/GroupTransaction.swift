import Kafka
import Model
import Pipeline
import State

/// One commit of an instance: one Kafka transaction with everything in it, in the order that the crash matrix counts on
/// (S19, S20). SQLite follows when it is done. Called on the run's thread, which may wait for brokers.
struct GroupTransaction {
    /// What is committed together.
    struct Content {
        var units: [UnitCommit] = []
        var partials: [Partials.Record] = []
        /// What input lanes hand on to re-keyed ones.
        var handedOn: [Partials.Record] = []
        /// Rows for topics (unless they are owed) and for tables, dead letters.
        var records: [OutgoingRecord] = []
        /// What the log of time is told, by where the partials ended.
        var time: TimeRecord?
        var at: WallTime
    }

    let layout: GroupLayout
    let producer: KafkaTransactions
    let store: GroupStore

    /// Where each unit's last changelog record lies. A fault: nothing of it may count as committed, and nothing in memory may be
    /// used any more.
    func run(_ content: Content, as identity: GroupIdentity) throws(Fault) -> [LaneNumber: ChangelogEnd] {
        FaultPoint.hit(.beforeBegin)
        try producer.begin()
        let written: [LaneNumber: ChangelogEnd]
        do throws(Fault) {
            written = try write(content)
        } catch {
            producer.abort()
            throw error
        }
        var offsets: [PartitionID: Int64] = [:]
        for unit in content.units { offsets[unit.head.partition] = unit.head.nextOffset }
        if Mutant.stateBeforeKafka.isOn { try store.apply(content.units, ends: written) }
        if Mutant.offsetsOutsideTransaction.isOn { offsets = [:] }
        switch producer.commit(offsets: offsets, as: identity) {
        case .committed: return written
        case .aborted(let fault), .doubtful(let fault), .fenced(let fault): throw fault
        }
    }

    private func write(_ content: Content) throws(Fault) -> [LaneNumber: ChangelogEnd] {
        FaultPoint.hit(.afterBegin)
        let changelog = try producer.topic(layout.topics.changelog)
        let at = content.at.milliseconds
        for (index, unit) in content.units.enumerated() {
            if index == content.units.count / 2 { FaultPoint.hit(.midChangelog) }
            _ = try store.changelog(of: unit) { key, value throws(Fault) in
                try producer.send(to: changelog, partition: unit.head.lane, key: key, value: value, timestamp: at)
            }
        }
        if !content.partials.isEmpty {
            let partials = try producer.topic(layout.topics.partials)
            for record in content.partials {
                try send(record.bytes, to: partials, record.partition, at)
            }
        }
        if !content.handedOn.isEmpty {
            let rekey = try producer.topic(layout.topics.rekey)
            for record in content.handedOn { try send(record.bytes, to: rekey, record.partition, at) }
        }
        for record in content.records { try send(record) }
        FaultPoint.hit(.afterRecords)
        // The log of time says where partials and re-keyed records end, which the broker knows first.
        let ends = try producer.flush(within: KafkaLimits.transactionTimeout)
        FaultPoint.hit(.afterFlush)
        if var time = content.time {
            for (id, offset) in ends { if let place = layout.end(of: id) { time.ends[place] = offset + 1 } }
            try send(TimeCodec.encode(time), to: try producer.topic(layout.topics.watermarks), layout.watermarks.number, at)
        }
        var written: [LaneNumber: ChangelogEnd] = [:]
        for unit in content.units {
            if let offset = ends[layout.changelog(of: unit.head.lane)] {
                written[unit.head.lane] = ChangelogEnd(offset: offset, timestamp: at)
            }
        }
        return written
    }

    private func send(_ value: [UInt8], to topic: TransactionTopic, _ partition: Int32, _ at: Int64) throws(Fault) {
        var failure: Fault?
        value.withUnsafeBytes { bytes in
            do throws(Fault) {
                try producer.send(to: topic, partition: partition, key: nil, value: bytes, timestamp: at)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func send(_ record: OutgoingRecord) throws(Fault) {
        let topic = try producer.topic(record.topic)
        var failure: Fault?
        withBytes(record.key) { key in
            withBytes(record.value) { value in
                do throws(Fault) {
                    try producer.send(
                        to: topic, partition: record.partition, key: key, value: value, headers: record.headers,
                        timestamp: record.timestamp ?? 0)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    private func withBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
        guard let bytes else { return body(nil) }
        bytes.withUnsafeBytes { body($0) }
    }
}
