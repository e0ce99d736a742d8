import Model

/// Where a topology's records come from, as the service sees it. Everything here may wait and is called off the lanes.
protocol Source: AnyObject, Sendable {
    /// The partitions that exist now.
    func partitions() throws(Fault) -> [PartitionID]
    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput
    /// The partition's place among all that exist or will exist (S17, S18); nil: its lane's number.
    func order(of id: PartitionID) -> Int64?
    /// Where a partition without a stored position begins.
    func firstOffset(of id: PartitionID) throws(Fault) -> Int64
    /// Where a choice of `--resume` lies.
    func offset(of id: PartitionID, _ position: ResumeChoice.Position) throws(Fault) -> Int64
    /// Refuses a stored position that this log does not continue. `position` nil: nothing was read yet.
    func check(_ id: PartitionID, position: Int64?, lastRecord: RecordFingerprint?) throws(Fault)
    /// What recognises the input at a later start, to be kept with the lane; nil: nothing is kept.
    func mark(of id: PartitionID) throws(Fault) -> [UInt8]?
    func check(_ id: PartitionID, mark: [UInt8]) throws(Fault)
    /// The ends of the partitions now: what a bounded run goes up to. nil for a source that ends by itself.
    func ends(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]?
    /// The first offsets whose records have at least this timestamp; nil: this source can't look records up by time.
    func offsets(of ids: [PartitionID], from time: WallTime) throws(Fault) -> [PartitionID: Int64]?
    /// The timestamp of the first record at or after `offset`; nil: not known.
    func timestamp(of id: PartitionID, at offset: Int64) throws(Fault) -> WallTime?
    /// The log's end as somebody sees it who reads uncommitted records too (S6); nil: the input's own word is enough.
    func confirmedEnds(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]?
    /// New partitions can appear while it runs.
    var grows: Bool { get }
    /// Tells lag tools how far the committed state is.
    func note(committed: [PartitionID: Int64])
    func close()
}

extension Source {
    func order(of id: PartitionID) -> Int64? { nil }
    func firstOffset(of id: PartitionID) throws(Fault) -> Int64 { 0 }
    func offset(of id: PartitionID, _ position: ResumeChoice.Position) throws(Fault) -> Int64 {
        switch position {
        case .earliest: return 0
        case .offset(let offset): return offset
        case .latest:
            throw Fault(
                "resume_refused", "Only a topic has a latest offset.", place: "\(id)", next: "Name an offset, or earliest.",
                exit: .usage)
        }
    }
    func check(_ id: PartitionID, position: Int64?, lastRecord: RecordFingerprint?) throws(Fault) {}
    func mark(of id: PartitionID) throws(Fault) -> [UInt8]? { nil }
    func check(_ id: PartitionID, mark: [UInt8]) throws(Fault) {}
    func ends(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? { nil }
    func offsets(of ids: [PartitionID], from time: WallTime) throws(Fault) -> [PartitionID: Int64]? { nil }
    func timestamp(of id: PartitionID, at offset: Int64) throws(Fault) -> WallTime? { nil }
    func confirmedEnds(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? { nil }
    var grows: Bool { false }
    func note(committed: [PartitionID: Int64]) {}
    func close() {}
}
