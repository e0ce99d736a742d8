import Model

/// How a group's state.db is opened: one that is damaged is moved aside, since the changelog holds the same and more.
struct GroupOpening {
    let directory: StateDirectory
    let plan: Plan
    let layout: GroupLayout
    let clock: any Clock
    let accept: Bool

    struct Opened {
        var database: Database
        var outputs: [StoredOutput]
        var added: [StoredOutput]
        /// What was found and moved aside.
        var notice: Fault?
        /// Nobody closed the file the last time.
        var endedUncleanly: Bool
    }

    func run() throws(Fault) -> Opened {
        var (opened, notice) = try DamagedFile.opening(directory.stateFile, clock: clock) { () throws(Fault) in try attempt() }
        opened.notice = notice
        return opened
    }

    private func attempt() throws(Fault) -> Opened {
        let database = try Database(
            directory.stateFile, directory.writing(pages: plan.memoryShares.statePages, sync: .normal))
        try StateSchema.prepare(database)
        let wasOpen = try database.number("SELECT count(*) FROM meta WHERE name = 'open'") > 0
        if wasOpen { try DamagedFile.check(database) }
        let start = StateStart(
            database: database, plan: plan, instance: directory.instance, at: clock.wall(), accept: accept,
            shape: .group(changelog: layout.topics.changelog))
        let (outputs, added) = try start.run(keys: { _ in [] })
        try checkLanes(database)
        // Cleared by `close`: what finds it there follows an end that nobody saw.
        try database.execute("INSERT OR REPLACE INTO meta VALUES ('open', '1')")
        return Opened(database: database, outputs: outputs, added: added, notice: nil, endedUncleanly: wasOpen)
    }

    /// A lane's number is its place among the sorted partitions and its partition of the changelog: another list of
    /// partitions makes all of it mean something else.
    private func checkLanes(_ database: Database) throws(Fault) {
        let query = try database.statement("SELECT lane, topic, partition FROM lanes ORDER BY lane")
        var stored: [PartitionID] = []
        try query.eachRow { () throws(Fault) in
            stored.append(PartitionID(topic: query.text(1), number: Int32(truncatingIfNeeded: query.int(2))))
        }
        let now = (0..<LaneNumber(layout.units)).map(layout.partition(of:))
        if stored == now { return }
        guard stored.isEmpty else { throw GroupOpening.partitionsChanged(database.file, was: stored.count, now: now.count) }
        try database.transaction { () throws(Fault) in
            let insert = try database.statement("INSERT INTO lanes(lane, topic, partition) VALUES (?, ?, ?)")
            for (lane, partition) in now.enumerated() {
                insert.bind(1, LaneNumber(lane))
                insert.bind(2, partition.topic)
                insert.bind(3, partition.number)
                try insert.run()
            }
        }
    }

    static func partitionsChanged(_ place: String, was: Int, now: Int) -> Fault {
        Fault(
            "partitions_changed",
            "The group's state is cut by \(was) units (input and merge partitions); the topology now has \(now), or others.",
            place: place,
            next:
                "Take the partitions back, or start anew under another source.group: a key's partition changes with their number.",
            exit: .state)
    }
}
