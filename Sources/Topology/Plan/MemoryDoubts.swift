import Model

/// Whether `state.memory` holds the keys and groups that the topology asks for, or what must stay there of those that wait on disk (S8:
/// none is forgotten to save some).
struct MemoryDoubts {
    let problems: ProblemList
    let root: SectionItem
    let plan: Plan
    /// Events a second, where the caller knows them; else only the generator's are known.
    let rate: Double?

    func run() {
        if let dedup = plan.deduplicate, let item = root.section("deduplicate")?["within"] { checkKeys(dedup, item) }
        for aggregate in plan.aggregates where !aggregate.groupBy.isEmpty {
            guard let item = (root["aggregates"]?.named ?? []).first(where: { $0.0 == aggregate.name })?.1,
                let window = item.section?["window"]
            else { continue }
            checkGroups(aggregate, window)
        }
    }

    private func checkKeys(_ dedup: DeduplicatePlan, _ item: Item) {
        let within = CanonicalText.span(dedup.within.milliseconds)
        guard let known = knownKeys(dedup) else {
            guard let fitting = StateEstimate.fittingRate(plan), fitting.inMemory < TopologyLimits.tightRate else { return }
            problems.warn(
                .memoryTight, at: item.place, item.path,
                "\(memory) holds the keys of about \(Self.whole(fitting.inMemory)) events a second for \(within), if each has its own; of"
                    + " more, up to about \(Self.whole(fitting.onDisk)), the older keys wait on disk; how many come is not known here",
                next:
                    "say it (weir check --rate N/s), raise state.memory, lower `within`, or accept it: check: {accept: [memory_tight]}",
                isNote: true)
            return
        }
        let filters = Int64(min(known * EstimateLimits.keyFilter, 1e18))
        if Double(filters) > Double(plan.stateBudget.bytes) * EstimateLimits.filterShare {
            problems.warn(
                .memoryShort, at: item.place, item.path,
                "\(within) bring \(Self.whole(known)) keys; what stays in memory of keys that wait on disk takes \(filters >> 20)MiB,"
                    + " and new ones need more; state.memory is \(CanonicalText.size(plan.state.memory.bytes))",
                next: "raise state.memory, lower `within` or the rate, or accept it: check: {accept: [memory_short]}")
            return
        }
        let notes = (dedup.compare == nil ? 0.0 : 1) + (dedup.duplicates.keepsPlaces ? 1 : 0)
        // They are held in slots that are never all full, so this is less than what would be needed.
        let bytes = Int64(min(known * (TopologyLimits.keyBytes + notes * TopologyLimits.noteBytes), 1e18))
        guard bytes > plan.stateBudget.bytes else { return }
        problems.warn(
            .memoryTight, at: item.place, item.path,
            "\(within) bring \(Self.whole(known)) keys, which would need more than \(bytes >> 20)MiB; \(memory) does not hold them: the older ones"
                + " wait on disk, and throughput is less for it",
            next: "raise state.memory, lower `within`, or accept it: check: {accept: [memory_tight]}", isNote: true)
    }

    /// Keys that the horizon brings, where that is known.
    private func knownKeys(_ dedup: DeduplicatePlan) -> Double? {
        let seconds = Double(dedup.within.milliseconds) / 1_000
        if let rate { return rate * seconds }
        guard case .generator(let generator) = plan.source.kind else { return nil }
        return min(generator.rate * seconds, generator.events.map { Double($0) } ?? .infinity)
    }

    /// How many groups come is never known.
    private func checkGroups(_ aggregate: AggregatePlan, _ item: Item) {
        let (fitting, windows) = StateEstimate.fittingGroups(plan, aggregate)
        guard fitting < TopologyLimits.tightGroups else { return }
        let more =
            if aggregate.from != nil {
                "more than that can't wait on disk"
            } else if !aggregate.isKeyed && (aggregate.emit != .final || aggregate.window.isSession) {
                "of more, cells wait on disk, but not what is told of them to be merged"
            } else {
                "of more, the cells that no event falls into wait on disk"
            }
        problems.warn(
            .memoryTight, at: item.place, item.path,
            "a group is held in \(Self.whole(windows)) open windows at once; \(memory) holds those of about \(Self.whole(fitting)) groups;"
                + " \(more)",
            next: "make the windows' step longer or `allowed_lateness` shorter, raise state.memory, or accept it:"
                + " check: {accept: [memory_tight]}", isNote: true)
    }

    private var memory: String {
        "state.memory (\(CanonicalText.size(plan.state.memory.bytes)), \(plan.stateBudget.bytes >> 20)MiB of it for keys and windows)"
    }

    private static func whole(_ number: Double) -> Int64 { Int64(min(number.rounded(), 1e18)) }
}
