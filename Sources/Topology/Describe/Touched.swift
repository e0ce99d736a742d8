internal import Model

extension Description {
    static func touched(_ plan: Plan) -> [Touched] {
        var touched: [Touched] = []
        func touch(_ how: String, _ kind: String, _ name: String, isMade: Bool = false, holds: [String] = [], rows: String? = nil)
        {
            touched.append(Touched(how: how, kind: kind, name: name, isMade: isMade, holds: holds, rows: rows))
        }
        let rows = plan.delivery.isGroup ? (plan.state.tables == .all ? "all" : "own") : nil
        switch plan.source.kind {
        case .kafka(let topics, let group, _):
            for topic in topics { touch("reads", "topic", topic) }
            // For lag tools: the position that counts is the one in state.db.
            touch("writes", "group", group, isMade: true)
            if plan.delivery.isGroup {
                let topics = GroupLayout.Topics(group: group, name: plan.name)
                var own = [topics.changelog, topics.watermarks]
                // Where every aggregate is merged in its own partition, nothing is sent to a merge.
                if !plan.aggregates.allSatisfy(\.isKeyed) { own.append(topics.partials) }
                if plan.isRekeyed { own.append(topics.rekey) }
                let hasTable = plan.aggregates.flatMap(\.targets).contains { if case .table = $0 { true } else { false } }
                if hasTable { own.append(topics.results) }
                if GroupLayout.Topics.hasControl(plan) { own.append(topics.control) }
                for topic in own { touch("writes", "topic", topic, isMade: true) }
            }
        case .files(let globs): for glob in globs { touch("reads", "files", glob) }
        case .generator: break
        }
        for target in plan.aggregates.flatMap(\.targets) {
            switch target {
            case .kafka(let topic): touch("writes", "topic", topic)
            case .table(let name, _): touch("writes", "table", name, isMade: true, holds: ["\(name)_utc"], rows: rows)
            }
        }
        if case .topic(let topic) = plan.deadLetters { touch("writes", "topic", topic) }
        if case .topic(let topic)? = plan.deduplicate?.duplicates { touch("writes", "topic", topic) }
        if case .topic(let topic) = plan.late { touch("writes", "topic", topic) }
        touch(
            "writes", "state", "\(plan.state.directory)/state.db", isMade: true,
            holds: OwnTables.state + (plan.delivery.isGroup ? OwnTables.group : []))
        touch(
            "writes", "state", "\(plan.state.directory)/results.db", isMade: true,
            holds: OwnTables.results + (plan.delivery.isGroup ? OwnTables.groupResults : []))
        if let http = plan.http { touch("listens", "address", "\(http.host):\(http.port)") }
        return touched
    }

    /// How `state.memory` is shared out.
    static func memory(_ plan: Plan) -> [Share] {
        let parts = plan.memoryShares
        var shares = [Share(name: "state.memory", bytes: plan.state.memory, says: "in all")]
        if parts.queues > 0 {
            shares.append(
                Share(name: "prefetch queues", bytes: ByteCount(parts.queues), says: "of it, evenly to the partitions"))
        }
        if parts.handedOn > 0 {
            shares.append(
                Share(name: "records handed on", bytes: ByteCount(parts.handedOn), says: "of it, between lanes that re-key"))
        }
        shares.append(Share(name: "page caches", bytes: ByteCount(parts.pages), says: "of it, of both databases"))
        shares.append(Share(name: "the program", bytes: ByteCount(parts.program), says: "of it, with what it computes with"))
        shares.append(
            Share(
                name: "keys and windows", bytes: plan.stateBudget,
                says: "the rest; what is not used waits on disk where they need more"))
        return shares
    }
}
