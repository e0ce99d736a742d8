internal import Model
internal import Topology

extension TestFileReader {
    /// What a case says that no topology could make false, or that nobody looks at: it would pass and show nothing.
    mutating func refuseVacuous(_ one: TestFile.Case, _ nodes: [Node], _ place: Place, _ path: String) {
        var hasBegun = false
        var mayHaveTold = false
        var isCut = false
        var lastExpect: Int?
        var advanced = TimeSpan.zero
        for (at, step) in one.steps.enumerated() {
            var mayTell = false
            switch step.action {
            case .expect:
                lastExpect = at
                if !hasBegun {
                    error(
                        .badValue, step.place, "\(path)[\(at)].expect",
                        "nothing has happened yet, so there is nothing to look at",
                        next: "put it behind what it looks at")
                } else if !mayHaveTold {
                    refuseLists(nodes[at], one, "\(path)[\(at)].expect")
                }
                mayHaveTold = false
            case .recut(let sizes): isCut = !sizes.isEmpty
            case .feed: mayTell = isCut || !one.commitsOnlyWhenTold
            case .restart(let kind): mayTell = kind == .clean && one.commitsOnlyWhenTold
            case .advance(let span):
                mayTell = true
                if span > RehearsalCaseLimits.advances || advanced + span > RehearsalCaseLimits.advances {
                    error(
                        .badValue, step.place, "\(path)[\(at)].advance",
                        "the case moves its clock by more than \(RehearsalCaseLimits.advances.exactText)", next: "shorten it")
                } else {
                    advanced = advanced + span
                }
            case .commit, .end, .reapply, .observe: mayTell = true
            }
            if case .recut = step.action { continue }
            hasBegun = true
            mayHaveTold = mayHaveTold || mayTell
        }
        guard let lastExpect else {
            return error(
                .badValue, place, path, "no step is an `expect`, so the case can't fail", next: "say what is expected")
        }
        if lastExpect + 1 < one.steps.count {
            error(
                .badValue, one.steps[lastExpect + 1].place, "\(path)[\(lastExpect + 1)]",
                "no `expect` follows, so nobody looks at what comes of it", next: "say what is expected, or leave it out")
        }
    }

    /// What the `expect` begins anew is empty here, whatever the topology says.
    private mutating func refuseLists(_ node: Node, _ one: TestFile.Case, _ path: String) {
        guard case .map(let steps) = node.content, case .map(let entries)? = steps.first?.value.content else { return }
        for entry in entries where Self.lists.contains(entry.key) {
            error(
                .badValue, entry.keyPlace, "\(path).\(entry.key)",
                "no commit comes between this and the `expect` before, or the start, so nothing can have come",
                next: one.commitsOnlyWhenTold ? "put a `commit` before it" : "put it into the `expect` before")
        }
    }
}
