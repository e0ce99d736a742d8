import Model

/// Writes one commit inside the transaction that the store has begun. What it returns becomes the store's when the
/// transaction is durable, and is forgotten otherwise.
struct CommitWriter {
    private let store: StateStore
    private let database: Database
    private let commit: Commit
    private var head: StateHead
    private var outbox: OutboxLevel

    init(store: StateStore, commit: Commit) {
        self.store = store
        self.commit = commit
        database = store.database
        head = store.head
        outbox = store.outbox
    }

    mutating func write() throws(Fault) -> (StateHead, OutboxLevel) {
        try store.beforeStep?(.began)
        try writeState()
        try store.beforeStep?(.state)
        try writeBooks()
        try store.beforeStep?(.books)
        try writeLedgers()
        try store.beforeStep?(.ledgers)
        try writeRows()
        try store.beforeStep?(.rows)
        try writeHead()
        try store.beforeStep?(.head)
        return (head, outbox)
    }

    // MARK: Keyed state

    private func writeState() throws(Fault) {
        let state = StateTable(database: database)
        for lane in commit.lanes { try state.apply(lane.changes, to: lane.lane) }
        try state.apply(commit.merge, to: mergeLane)
        try state.apply(commit.closed.changes, to: closedLane)
        for past in commit.closed.past {
            try state.deleteSome(of: closedLane, from: past.from, to: past.to, limit: StateLimits.closedDeletesPerCommit)
        }
    }

    // MARK: Books

    private func writeBooks() throws(Fault) {
        // Of a lane that stands here twice the later totals hold.
        for lane in commit.lanes { try BooksTable(database: database, outputIDs: store.outputIDs).write(RestoredLane(lane)) }
        let before = store.head.time.idle
        let idle = try database.statement("UPDATE lanes SET idle = ? WHERE lane = ?")
        for lane in before.symmetricDifference(commit.time.idle) {
            idle.bind(1, commit.time.idle.contains(lane))
            idle.bind(2, lane)
            try idle.run()
        }
    }

    // MARK: Ledgers

    private mutating func writeLedgers() throws(Fault) {
        let ledgers = Ledgers(database: database, plan: store.plan, at: commit.at)
        try ledgers.forget()
        if case .table(_, let limit) = store.plan.deadLetters, commit.lanes.contains(where: { !$0.deadLetters.isEmpty }) {
            try ledgers.refuseIfFull(limit)
        }
        for lane in commit.lanes {
            switch store.plan.late {
            case .count: break
            case .ledger:
                for entry in lane.late { try ledgers.write(entry, entry.source ?? lane.partition, sequence: takeSequence()) }
            case .topic(let topic):
                let writer = OutboxWriter(database: database)
                for entry in lane.late {
                    outbox.bytes += try writer.write(
                        LateOnTopic(entry, of: entry.source ?? lane.partition, plan: store.plan), to: topic,
                        commit: commit.number,
                        sequence: takeSequence())
                }
            }
            try writeDeadLetters(lane, ledgers)
            outbox.bytes += try Self.write(duplicates: lane, commit, store) { takeSequence() }
        }
        try ledgers.mark(commit.reapplied, in: commit.number, outputIDs: store.outputIDs)
        for decision in commit.decisions {
            try ledgers.write(decision, commit: commit.number, sequence: takeSequence())
        }
    }

    private mutating func writeDeadLetters(_ lane: SealedLane, _ ledgers: Ledgers) throws(Fault) {
        switch store.plan.deadLetters {
        case .table:
            var bytes: Int64 = 0
            for letter in lane.deadLetters {
                try ledgers.write(letter, lane.partition, sequence: takeSequence())
                bytes += Int64(letter.payload?.count ?? 0) + StateLimits.deadLetterOverhead
            }
            if bytes > 0 { try ledgers.add(deadLetterBytes: bytes) }
        case .topic(let topic):
            let writer = OutboxWriter(database: database)
            for letter in lane.deadLetters {
                outbox.bytes += try writer.write(
                    letter, from: lane.partition, to: topic, commit: commit.number, sequence: takeSequence())
            }
        }
    }

    private mutating func takeSequence() -> Int64 {
        defer { head.nextSequence += 1 }
        return head.nextSequence
    }

    // MARK: Rows

    private mutating func writeRows() throws(Fault) {
        let writer = OutboxWriter(database: database)
        outbox = try writer.deleteDelivered(outbox)
        let aggregates = store.plan.aggregates
        var pages = TablePages(store.plan)
        func write(_ page: [UInt8], _ table: String) throws(Fault) {
            outbox.bytes += try writer.write(page, table: table, commit: commit.number, sequence: takeSequence())
        }
        for row in commit.rows {
            let targets = aggregates[row.output].targets
            for at in targets.indices {
                switch targets[at] {
                case .table(let name, _):
                    if let page = pages.add(row, target: at) { try write(page, name) }
                case .kafka(let topic):
                    outbox.bytes += try writer.write(
                        row, of: aggregates[row.output], fields: store.plan.fields, to: topic, commit: commit.number,
                        sequence: takeSequence())
                }
            }
        }
        for (output, aggregate) in aggregates.enumerated() {
            for (at, target) in aggregate.targets.enumerated() {
                if case .table(let name, _) = target, let page = pages.rest(output: output, target: at) { try write(page, name) }
            }
        }
    }

    // MARK: The head

    private mutating func writeHead() throws(Fault) {
        let progress = try database.statement("UPDATE outputs SET complete_through = ?, final_through = ? WHERE id = ?")
        for (output, told) in commit.progress.enumerated() {
            progress.bind(1, told.completeThrough)
            progress.bind(2, told.finalThrough)
            progress.bind(3, store.outputIDs[output])
            try progress.run()
        }
        head.number = commit.number
        head.at = commit.at
        head.time = commit.time
        let update = try database.statement(
            """
            UPDATE head SET commit_number = ?, committed_at = ?, watermark = ?, ended = ?, next_sequence = ?
            """)
        update.bind(1, head.number)
        update.bind(2, commit.at.milliseconds)
        update.bind(3, head.time.watermark)
        update.bind(4, head.time.ended)
        update.bind(5, head.nextSequence)
        try update.run()
    }
}
