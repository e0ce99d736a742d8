/// How a consumer group cuts its work: an input lane for each input partition, with `scope: topic` a re-keyed lane for each partition
/// of the internal topic behind them, a merge lane for each partition of the partials topic. A unit's lane number is its partition of
/// the changelog, so that every instance finds the same one (S20).
public struct GroupLayout: Equatable, Sendable {
    public struct Topics: Equatable, Sendable {
        public var changelog: String
        public var partials: String
        public var watermarks: String
        public var rekey: String
        public var results: String
        public var control: String
        /// What all their names begin with, and no other topology's.
        public var prefix: String
        public init(group: String, name: String) {
            prefix = "\(group).weir.\(name)."
            changelog = "\(prefix)changelog"
            partials = "\(prefix)partials"
            watermarks = "\(prefix)watermarks"
            rekey = "\(prefix)rekey"
            results = "\(prefix)results"
            control = "\(prefix)control"
        }

        /// Where operators' orders lie, all in one partition.
        public var controlPartition: PartitionID { PartitionID(topic: control, number: 0) }
        /// It is there for what an order can be about.
        public static func hasControl(_ plan: Plan) -> Bool {
            plan.deduplicate != nil || plan.keepsClosedForLate
        }
    }

    public var topics: Topics
    /// Sorted; the index is the lane number.
    public var inputs: [PartitionID]
    /// Where records go behind the filter, by their identity (S7); empty: inputs keep them.
    public var rekeyed: [PartitionID]
    /// 0 where every aggregate is merged in its own partition (S14).
    public var mergeLanes: Int

    public init(plan: Plan, group: String, inputs: [PartitionID]) {
        topics = Topics(group: group, name: plan.name)
        self.inputs = inputs.sorted()
        rekeyed = plan.isRekeyed ? Plan.rekeyedPartitions(of: topics.rekey, inputs: inputs.count) : []
        mergeLanes = plan.aggregates.allSatisfy(\.isKeyed) ? 0 : inputs.count
    }

    /// Units, and so partitions of the changelog.
    public var units: Int { sources + mergeLanes }

    /// Lanes that take records, whose windows merge lanes join: input lanes and re-keyed ones.
    public var sources: Int { inputs.count + rekeyed.count }

    public func isMerge(_ lane: LaneNumber) -> Bool { lane >= sources }
    public func isRekeyed(_ lane: LaneNumber) -> Bool { lane >= inputs.count && lane < sources }

    /// What the unit reads.
    public func partition(of lane: LaneNumber) -> PartitionID {
        if isMerge(lane) { return PartitionID(topic: topics.partials, number: lane - Int32(sources)) }
        return isRekeyed(lane) ? rekeyed[Int(lane) - inputs.count] : inputs[Int(lane)]
    }

    /// nil: the group has no such unit.
    public func lane(of partition: PartitionID) -> LaneNumber? {
        if partition.topic == topics.partials {
            return partition.number >= 0 && partition.number < mergeLanes ? Int32(sources) + partition.number : nil
        }
        if partition.topic == topics.rekey {
            return rekeyed.indices.contains(Int(partition.number)) ? Int32(inputs.count) + partition.number : nil
        }
        return inputs.firstIndex(of: partition).map(LaneNumber.init)
    }

    public func changelog(of lane: LaneNumber) -> PartitionID { PartitionID(topic: topics.changelog, number: lane) }

    /// Where tables' rows of a unit go: merge lane m and input lane m share one.
    public func results(of lane: LaneNumber) -> PartitionID {
        PartitionID(topic: topics.results, number: lane % Int32(inputs.count))
    }

    /// What the log of time tells the ends of: the partitions of the partials topic, and behind them those of the re-keyed one. nil: of
    /// another topic.
    public func end(of id: PartitionID) -> Int32? {
        if id.topic == topics.partials { return id.number }
        return id.topic == topics.rekey ? Int32(mergeLanes) + id.number : nil
    }

    /// How many there are.
    public var ends: Int { mergeLanes + rekeyed.count }

    public var watermarks: PartitionID { PartitionID(topic: topics.watermarks, number: 0) }

    /// Which merge lane's partition takes partials with this key. The same for every lane, so that a group meets in one place.
    public func mergePartition(ofKey key: UnsafeRawBufferPointer) -> Int32 {
        Int32(truncatingIfNeeded: Hash64.of(key) % UInt64(mergeLanes))
    }
}
