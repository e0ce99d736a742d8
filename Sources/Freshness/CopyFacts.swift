public import Model

/// What all partitions together tell of copies and of bad clocks. Cost: the partitions once, and their producers.
extension Facts {
    /// With the `CopyLimits.producers` largest producers, largest first.
    public var copies: FiguresByProducer<CopyFigures> {
        lanes.reduce(FiguresByProducer()) { $0 + $1.figures.copies }.largest(CopyLimits.producers)
    }

    public var badClocks: FiguresByProducer<ClockFigures> {
        lanes.reduce(FiguresByProducer()) { $0 + $1.figures.clocks }.largest(CopyLimits.producers)
    }

    /// Conflicting copies by the one field that differed (nil: several did), most first.
    public var conflicts: [(field: String?, copies: Int64)] {
        let all = lanes.reduce(into: [:]) { sum, partition in
            sum.merge(partition.figures.conflicts) { $0 + $1 }
        }
        return all.sorted { ($0.value, $1.key ?? "") > ($1.value, $0.key ?? "") }.map { ($0.key, $0.value) }
    }

    /// Conflicting copies with their partitions, the newest event time first; at most `CopyLimits.samples`.
    public var conflictSamples: [(partition: PartitionID, copy: ConflictingCopy)] {
        let all = lanes.flatMap { lane in lane.figures.samples.map { (partition: $0.source ?? lane.id, copy: $0) } }
        return Array(all.sorted { $0.copy.eventTime > $1.copy.eventTime }.prefix(CopyLimits.samples))
    }

    /// Keys that are remembered longer to estimate what is missed.
    public var sampledKeys: Int64 { lanes.reduce(0) { $0 + $1.figures.sampledKeys } }
}

extension CopyFigures {
    /// The smallest horizon that would have recognised 99.9 % of what is known and estimated; nil: there was no copy.
    public var horizonCatching: TimeSpan? { horizon(catching: CopyLimits.caught) }
}
