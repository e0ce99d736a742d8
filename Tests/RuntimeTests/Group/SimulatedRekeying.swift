import Model
import Pipeline
import Runtime

/// What one input lane handed on to one re-keyed partition in a commit, as the oracle has it: offsets of the input, and what the lane
/// said of itself behind them.
struct HandedOnTurn {
    /// Of the re-keyed partition, and where the last of it lies in its log.
    var partition: Int
    var at: Int64
    var lane: LaneNumber
    var offsets: [Int64]
    var report: TimeRecord.Report?
}

extension GroupLayout {
    func time(_ bytes: UnsafeRawBufferPointer) -> TimeRecord? {
        TimeCodec.decode(bytes, lanes: inputs.count, mergeLanes: mergeLanes, rekeyed: rekeyed.count)
    }
}

extension GroupSimulation {
    /// Which of the internal partitions the unit reads.
    func topic(of unit: LaneNumber) -> Int { layout.end(of: layout.partition(of: unit)).map(Int.init) ?? -1 }

    func configuration(of unit: LaneNumber) -> LaneConfiguration {
        var configuration = LaneConfiguration(
            plan: plan, lane: unit, partition: layout.partition(of: unit), partitionOrder: Int64(unit), storedOutputs: stored)
        if layout.isRekeyed(unit) {
            configuration.role = .rekeyedByLog(inputs: layout.inputs, end: Int32(topic(of: unit)))
        } else if !layout.rekeyed.isEmpty {
            configuration.role = .source(targets: layout.rekeyed.count, limit: .max)
        }
        return configuration
    }
}

extension SimulatedProcess {
    func takeHandedOn(_ unit: LaneNumber, _ lane: InputLane, limit: Int) {
        let (records, _) = group.partials[group.topic(of: unit)].read(from: lane.core.nextOffset, limit: limit)
        for (offset, bytes) in records {
            if !lane.core.take([bytes], from: offset) { group.fail("what was handed on could not be read") }
        }
    }

    /// True: something goes to a re-keyed partition.
    func handOn(_ sealed: SealedLane, _ commit: inout OpenCommit, _ record: inout TimeRecord) -> Bool {
        guard !group.layout.rekeyed.isEmpty, !group.layout.isRekeyed(sealed.lane) else { return false }
        let report = record.reports.first { $0.lane == sealed.lane }
        let offsets = sealed.rekeyed.map { records in
            var offsets: [Int64] = []
            records.eachRecord { _, offset, _, _ in offsets.append(offset) }
            return offsets
        }
        var last: [Int: Int64] = [:]
        for value in HandedOn.encode(sealed, report: report, partitions: group.layout.rekeyed.count, limit: 400) {
            let topic = group.shape.mergeLanes + Int(value.partition)
            last[Int(value.partition)] = group.partials[topic].append(value.bytes, transaction: commit.transaction)
            commit.partials.insert(topic)
        }
        for (partition, at) in last {
            record.ends[Int32(group.shape.mergeLanes + partition)] = at + 1
            commit.handedOn.append(
                HandedOnTurn(
                    partition: partition, at: at, lane: sealed.lane,
                    offsets: partition < offsets.count ? offsets[partition] : [], report: report))
        }
        return !last.isEmpty
    }
}

/// The watermark of a re-keyed partition, from the contract's words: the smallest of the inputs that count, carried with the records, and
/// never back (S7). One that wants to speak again counts from where the others stand.
struct RekeyedWatermark {
    private enum Standing {
        case counts
        case idle
        /// It counts as if it stood there.
        case wants(Int64)
    }
    private var inputs: [(mark: Int64, standing: Standing)]
    private(set) var reached: Int64 = .min

    init(lanes: Int) { inputs = Array(repeating: (.min, .counts), count: lanes) }

    /// Before a record of `lane`, whose own watermark before it is `own`.
    mutating func before(_ lane: LaneNumber, own: Int64) -> Int64 {
        let others = inputs.indices.filter { $0 != Int(lane) }.compactMap(place)
        raise(to: min(own, others.min() ?? own))
        return reached
    }

    mutating func raise(to floor: Int64) { reached = max(reached, floor) }

    mutating func take(_ report: TimeRecord.Report) {
        let lane = Int(report.lane)
        inputs[lane].mark = max(inputs[lane].mark, report.watermark?.milliseconds ?? .min)
        // Who leaves counts once more.
        if report.standing == .active { inputs[lane].standing = .counts }
        settle()
        if report.standing == .active { return }
        inputs[lane].standing = .idle
        settle()
        guard report.standing == .wants else { return }
        // Where all would stand if nobody else had asked.
        let counting = inputs.filter { if case .counts = $0.standing { true } else { false } }.map(\.mark)
        inputs[lane].standing = .wants(max(inputs[lane].mark, reached, counting.min() ?? .min))
    }

    private mutating func settle() { raise(to: inputs.indices.compactMap(place).min() ?? .min) }

    /// Where it holds the others; nil: nowhere.
    private func place(_ input: Int) -> Int64? {
        switch inputs[input].standing {
        case .counts: inputs[input].mark
        case .idle: nil
        case .wants(let floor): floor
        }
    }
}
