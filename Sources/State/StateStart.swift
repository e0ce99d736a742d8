import Model

/// Whose state a file holds: one process's own truth (S22), or a group's changelog materialised (S20).
enum StateShape: Equatable {
    case embedded
    case group(changelog: String)

    fileprivate var word: String { self == .embedded ? "embedded" : "group" }
}

/// What a start does before state is used: the name, the format and the fingerprints are compared, new aggregates are
/// recorded, removed ones deleted. One transaction.
struct StateStart {
    let database: Database
    let plan: Plan
    let instance: String
    let at: WallTime
    let accept: Bool
    var shape = StateShape.embedded

    /// The plan's outputs in its order, and those of them that are new to state that was there before.
    func run(keys: (Int32) -> [KeyRange]) throws(Fault) -> (outputs: [StoredOutput], added: [StoredOutput]) {
        guard let name = try meta("topology") else {
            return try database.transaction { () throws(Fault) in
                try setMeta("topology", plan.name)
                try setMeta("instance", instance)
                if case .group(let changelog) = shape {
                    try setMeta("shape", shape.word)
                    try setMeta("changelog", changelog)
                    try database.execute(StateSchema.units)
                }
                for part in plan.fingerprint { try record(part) }
                for aggregate in plan.aggregates { try add(aggregate.name, at: StateHead.read(database)) }
                return (try inPlanOrder(), [])
            }
        }
        guard name == plan.name else {
            throw Fault(
                "state_of_other_topology", "The state belongs to the topology \(name), not to \(plan.name).",
                place: database.file,
                next: "Give each topology a state directory of its own.", exit: .state)
        }
        try checkShape()
        let head = try StateHead.read(database)
        let stored = try storedOutputs()
        let verdict = try TopologyChange.judge(
            parts: storedParts(), outputs: stored.map(\.name), plan: plan, accept: accept, path: database.file)
        guard !(verdict.added.isEmpty && verdict.removed.isEmpty) else { return (try inPlanOrder(), []) }
        // What is over takes no new outputs; the same outputs may have rows that a crash kept from arriving.
        guard !head.time.ended else { throw StateHead.inputEnded(database.file) }
        return try database.transaction { () throws(Fault) in
            for output in stored where verdict.removed.contains(output.name) { try remove(output, keys(output.id)) }
            for name in verdict.added { try add(name, at: head) }
            for part in plan.fingerprint { try record(part) }
            let outputs = try inPlanOrder()
            return (outputs, outputs.filter { verdict.added.contains($0.name) })
        }
    }

    private func checkShape() throws(Fault) {
        let word = try meta("shape") ?? StateShape.embedded.word
        guard word == shape.word else { throw StateStart.shapeDiffers(isGroup: shape == .embedded, database.file) }
        guard case .group(let changelog) = shape else { return }
        let other = try meta("changelog") ?? "nothing"
        guard other == changelog else {
            throw Fault(
                "state_of_other_group", "The state is that of the changelog topic \(other), not of \(changelog).",
                place: database.file, next: "Put `source.group` back as it was, or name another state directory.", exit: .state)
        }
    }

    /// `isGroup`: what is found in `file`.
    static func shapeDiffers(isGroup: Bool, _ file: String) -> Fault {
        Fault(
            "state_shape_differs",
            isGroup
                ? "The state was made with `delivery:`: it is a copy of a group's topics, not one process's own."
                : "The state was made without `delivery:`: it is one process's own, which no group's topics hold.", place: file,
            next: "Put `delivery` back as it was, or name another state directory.", exit: .state)
    }

    /// In a group the number follows from the name, so that every instance gives the same one without asking. Two names of one
    /// topology rarely meet in one number; that is refused.
    static func groupNumber(of name: String) -> Int32 {
        var name = name
        return 1 + Int32(name.withUTF8 { Hash64.of(UnsafeRawBufferPointer($0)) } % 0xFFFE)
    }

    // MARK: What is stored

    private func meta(_ name: String) throws(Fault) -> String? {
        let query = try database.statement("SELECT value FROM meta WHERE name = ?")
        query.bind(1, name)
        defer { query.reset() }
        return try query.next() ? query.text(0) : nil
    }

    private func storedParts() throws(Fault) -> [String: String] {
        let query = try database.statement("SELECT name, fingerprint FROM parts")
        var parts: [String: String] = [:]
        try query.eachRow { () throws(Fault) in parts[query.text(0)] = query.text(1) }
        return parts
    }

    private func storedOutputs() throws(Fault) -> [StoredOutput] {
        let query = try database.statement("SELECT id, name, since_commit, since_at, since_watermark FROM outputs ORDER BY id")
        var outputs: [StoredOutput] = []
        try query.eachRow { () throws(Fault) in
            outputs.append(
                StoredOutput(
                    id: Int32(truncatingIfNeeded: query.int(0)), name: query.text(1), sinceCommit: query.int(2),
                    sinceAt: WallTime(milliseconds: query.int(3)), sinceWatermark: query.time(4)))
        }
        return outputs
    }

    private func inPlanOrder() throws(Fault) -> [StoredOutput] {
        let stored = try storedOutputs()
        return plan.aggregates.compactMap { aggregate in stored.first { $0.name == aggregate.name } }
    }

    // MARK: Changes

    private func setMeta(_ name: String, _ value: String) throws(Fault) {
        let insert = try database.statement("INSERT INTO meta VALUES (?, ?)")
        insert.bind(1, name)
        insert.bind(2, value)
        try insert.run()
    }

    private func record(_ part: FingerprintPart) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO parts VALUES (?, ?)")
        insert.bind(1, part.name)
        insert.bind(2, part.text)
        try insert.run()
    }

    private func add(_ name: String, at head: StateHead) throws(Fault) {
        let insert = try database.statement(
            "INSERT INTO outputs(name, since_commit, since_at, since_watermark, id) VALUES (?, ?, ?, ?, ?)")
        insert.bind(1, name)
        insert.bind(2, head.number)
        insert.bind(3, at.milliseconds)
        insert.bind(4, head.time.watermark)
        switch shape {
        case .embedded: insert.bindNull(5)
        case .group:
            let number = StateStart.groupNumber(of: name)
            let holder = try storedOutputs().first { $0.id == number }
            guard holder == nil else {
                throw Fault(
                    "state_output_numbers", "In a group the aggregates \(holder?.name ?? "") and \(name) get the same number.",
                    place: database.file, next: "Give one of them another name.", exit: .topology)
            }
            insert.bind(5, number)
        }
        try insert.run()
    }

    private func remove(_ output: StoredOutput, _ keys: [KeyRange]) throws(Fault) {
        // A group's keys go unit by unit, with tombstones: `GroupStore` sees to it.
        if shape == .embedded {
            let lanes = try database.statement("SELECT lane FROM lanes")
            var numbers = [mergeLane, closedLane]
            try lanes.eachRow { () throws(Fault) in numbers.append(LaneNumber(lanes.int(0))) }
            for lane in numbers { for range in keys { try StateTable(database: database).delete(range, of: lane) } }
        }
        for table in ["outputs WHERE id", "late_refusals WHERE output_id", "reapplied WHERE output_id"] {
            let delete = try database.statement("DELETE FROM \(table) = ?")
            delete.bind(1, output.id)
            try delete.run()
        }
        let part = try database.statement("DELETE FROM parts WHERE name = ?")
        part.bind(1, "aggregate \(output.name)")
        try part.run()
    }
}
