import Inputs
import Model

/// The reference workload as a source. When its first event was is kept with the lanes, so that a restart goes on with the
/// same workload.
final class GeneratorSource: Source {
    private let inputs: [PartitionID: any PartitionInput]
    private let start: EventTime

    /// `start` is what an earlier run kept; nil at the first.
    init(_ plan: GeneratorPlan, kept: [UInt8]?, clock: any Clock) {
        start = kept.flatMap(Self.read) ?? plan.start ?? EventTime(milliseconds: clock.wall().milliseconds)
        let generator = GeneratorInputs(plan, start: start, clock: clock)
        inputs = Dictionary(uniqueKeysWithValues: generator.partitions.map { ($0.id, $0) })
    }

    func partitions() throws(Fault) -> [PartitionID] { inputs.keys.sorted() }

    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput {
        guard let input = inputs[id] else {
            throw Fault(
                "generator_smaller", "The state knows a generator partition that the topology has no more.", place: "\(id)",
                next: "Set source.generator.partitions back, or start with another state directory.", exit: .state)
        }
        return input
    }

    func order(of id: PartitionID) -> Int64? { Int64(id.number) }
    func mark(of id: PartitionID) throws(Fault) -> [UInt8]? { withUnsafeBytes(of: start.milliseconds.littleEndian) { Array($0) } }

    private static func read(_ bytes: [UInt8]) -> EventTime? {
        guard bytes.count == 8 else { return nil }
        return EventTime(milliseconds: bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) })
    }
}
