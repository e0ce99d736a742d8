public import Model

/// Which merge lane takes a partial: the same for every lane and instance, so that what belongs together meets in one place (S14).
///
/// That is a window and group; of sessions the group, since its sessions can join; of what is rolled up those of its groups that
/// its roll-ups make one, in all windows.
public struct MergeRoute: Sendable {
    private enum Part: Sendable {
        case key
        /// The output and these columns of the group.
        case columns(Set<Int>)
        case group
    }
    /// By stored output.
    private var parts: [UInt16: Part] = [:]
    private let layout: GroupLayout

    public init(_ plan: Plan, storedOutputs: [UInt16], layout: GroupLayout) {
        self.layout = layout
        for (index, aggregate) in plan.aggregates.enumerated() where aggregate.from == nil {
            let derived = plan.aggregates.indices.filter { plan.rollUpPath(from: index, to: $0) != nil }
            if aggregate.window.isSession {
                parts[storedOutputs[index]] = .group
            } else if derived.isEmpty {
                parts[storedOutputs[index]] = .key
            } else {
                let columns = aggregate.groupBy.indices.filter { at in
                    derived.allSatisfy { plan.aggregates[$0].groupBy.contains(aggregate.groupBy[at]) }
                }
                parts[storedOutputs[index]] = .columns(Set(columns))
            }
        }
    }

    /// The partition of the partials topic.
    public func partition(ofKey key: UnsafeRawBufferPointer) -> Int32 {
        let stored = UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
        let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...])
        var bytes = Array(key[1..<3])
        switch parts[stored] ?? .key {
        case .key: return layout.mergePartition(ofKey: key)
        case .group: bytes += group
        case .columns(let columns):
            for (at, part) in GroupBytes.parts(group).enumerated() where columns.contains(at) { bytes += group[part] }
        }
        return bytes.withUnsafeBytes { layout.mergePartition(ofKey: $0) }
    }
}
