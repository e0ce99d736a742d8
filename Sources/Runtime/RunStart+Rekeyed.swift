import Model
import Pipeline
import State

/// The re-keyed lanes of a run (S7): how many there are is recorded with the first start, and stays.
extension RunStart {
    /// The partitions of this state, made where it is new. Error: `rekey_refused`.
    func rekeyedPartitions(_ restored: [RestoredLane], inputs: [PartitionID: LaneNumber]) throws(Fault) -> [PartitionID] {
        guard plan.isRekeyed else { return [] }
        if let clash = inputs.keys.first(where: { $0.topic == plan.rekeyedTopic }) {
            throw Fault(
                "rekey_refused", "An input is called as the re-keyed partitions are.", place: "\(clash)",
                next: "Give the input, or the topology, another name.", exit: .topology)
        }
        guard (inputs.values.max() ?? 0) < LaneNumber(RekeyLimits.sources) else {
            throw Fault(
                "rekey_refused", "The state knows \(inputs.count) inputs; `scope: topic` tells \(RekeyLimits.sources) apart.",
                place: plan.state.directory, next: "Read fewer files or partitions with one topology.", exit: .topology)
        }
        return restored.isEmpty ? plan.rekeyedPartitions(inputs: inputs.count) : restored.map(\.partition).sorted()
    }

    /// One lane each, with what was committed of it. Returns how many keys they remember.
    func makeRekeyed(
        _ partitions: [PartitionID], _ restored: [RestoredLane], inputs: [PartitionID: LaneNumber], committer: Committer
    ) throws(Fault) -> Int {
        if partitions.isEmpty { return 0 }
        let numbers = try store.lanes(for: partitions)
        let names = Dictionary(uniqueKeysWithValues: inputs.map { ($0.value, $0.key) })
        var lanes: [RekeyedLane] = []
        var keys = 0
        for id in partitions {
            let number = numbers[id]!
            merge.add(lane: number, order: Int64(id.number))
            var configuration = LaneConfiguration(
                plan: plan, lane: number, partition: id, partitionOrder: Int64(id.number), storedOutputs: storedOutputs,
                bounds: replay?.windows, warmBefore: warmBefore)
            configuration.role = .rekeyed(sources: names)
            let core = try LaneCore(configuration)
            core.attach(ColdReader(directory, lane: number, of: partitions.count, plan))
            core.restore(within: MemoryBound(plan).restored(lanes: partitions.count))
            if let was = restored.first(where: { $0.lane == number }) { try core.restore(was, at: 0, from: store) }
            if let order = committer.cycle.observing { core.heed(order) }
            keys += core.keys
            // Restored here, on the start's thread; from now on only the lane's queue has it.
            nonisolated(unsafe) let handed = core
            lanes.append(RekeyedLane(configuration, core: handed, clock: clock))
        }
        committer.crew.add(rekeyed: lanes)
        return keys
    }

    /// What an input lane of this run does.
    func inputRole(targets: Int, inputs: Int) -> LaneRole {
        if targets == 0 { return .whole }
        return .source(targets: targets, limit: plan.gathered(inputs: inputs))
    }
}

extension [RestoredLane] {
    /// Re-keyed lanes, and those of inputs.
    func divided(by plan: Plan) -> (rekeyed: [RestoredLane], inputs: [RestoredLane]) {
        guard plan.isRekeyed else { return ([], self) }
        return (filter { $0.partition.topic == plan.rekeyedTopic }, filter { $0.partition.topic != plan.rekeyedTopic })
    }
}
