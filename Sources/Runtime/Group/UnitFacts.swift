import Kafka
import Model
import Pipeline

/// What the brokers say of a unit before it is restored.
struct UnitFacts: Sendable {
    /// Its partition of the changelog, up to the high watermark: open transactions counted in.
    var changelog: Range<Int64>
    /// The group's position in its input; nil: it has none.
    var committed: Int64?
    /// What its input's log holds.
    var input: Range<Int64>
    /// Where it begins if nobody has worked on it yet.
    var first: Int64

    /// Asked for many units at once: the number of round trips does not depend on theirs. Whoever had the units before can't commit
    /// them any more when this is asked, so what is told holds until the restore is done (S23).
    static func ask(_ lanes: [LaneNumber], _ layout: GroupLayout, _ source: KafkaSource) throws(Fault) -> [LaneNumber: UnitFacts]
    {
        let limit = RuntimeLimits.questionLimit
        let inputs = lanes.map(layout.partition(of:))
        let ranges = try source.queries.watermarks(of: inputs + lanes.map(layout.changelog(of:)), within: limit)
        let committed = try source.queries.committedOffsets(of: inputs, within: limit)
        let own = lanes.filter { $0 < layout.inputs.count }.map(layout.partition(of:))
        let first = try source.firstOffsets(of: ranges.filter { own.contains($0.key) })
        var facts: [LaneNumber: UnitFacts] = [:]
        for lane in lanes {
            let (changelog, input) = (layout.changelog(of: lane), layout.partition(of: lane))
            guard let log = ranges[changelog] else { throw missing(changelog) }
            guard let range = ranges[input] else { throw missing(input) }
            facts[lane] = UnitFacts(
                changelog: log, committed: committed[input], input: range, first: first[input] ?? range.lowerBound)
        }
        return facts
    }

    private static func missing(_ id: PartitionID) -> Fault {
        Fault(
            "partition_missing", "The broker does not tell this partition's offsets.", place: "\(id)",
            next: "Check that the topic still has this partition.", exit: .broker, isTransient: true)
    }
}
