import Dispatch
import Freshness
import Model
import Observe
import State
import Synchronization

/// Making a commit durable and handing its rows on.
extension Committer {
    /// Until it is durable, nothing else happens: a cause that can go (a full disk) stops the input and is waited for.
    func makeDurable(_ formed: Commit) throws(Fault) {
        var commit = formed
        var failedAt: MonotonicTime?
        var wasDisk = false
        while true {
            do throws(Fault) {
                let receipt = try store.commit(commit)
                if let failedAt { recovered(since: failedAt, wasDisk: wasDisk) }
                crew.pause(receipt.holdInput || log.isFull)
                tellSlow(commit, receipt)
                return
            } catch {
                if failedAt == nil {
                    failedAt = clock.monotonic()
                    stuck(error, commit.number)
                }
                if error.code == "disk_full" { wasDisk = true }
                try waitForCure(error)
                // What ledgers keep is measured from here.
                commit.at = clock.wall()
            }
        }
    }

    private func stuck(_ fault: Fault, _ number: Int64) {
        crew.pause(true)
        board.set(state: .waiting(fault))
        switch fault.code {
        case "disk_full": onEvent(.diskFull(free: ByteCount(directory.freeBytes ?? 0)))
        case "dead_letters_full":
            guard case .table(_, let limit) = plan.deadLetters else { break }
            onEvent(.deadLettersFull(limit, limit: limit))
        default: onEvent(.commitFailed(number: number, fault))
        }
    }

    private func waitForCure(_ fault: Fault) throws(Fault) {
        guard fault.isTransient, !bell.isStopping else { throw fault }
        bell.wait(atMost: RuntimeLimits.retryEvery)
    }

    private func recovered(since failedAt: MonotonicTime, wasDisk: Bool) {
        let after = clock.monotonic() - failedAt
        onEvent(wasDisk ? .diskBack(free: ByteCount(directory.freeBytes ?? 0), after: after) : .commitBack(after: after))
        board.set(state: .running)
        crew.pause(log.isFull)
    }

    private func tellSlow(_ commit: Commit, _ receipt: CommitReceipt) {
        onEvent(
            .committed(
                number: commit.number, rows: commit.rows.count, took: receipt.duration,
                bytes: ByteCount(commit.lanes.reduce(0) { $0 + Int64($1.changes.byteCount) })))
        board.committed(receipt.duration)
        if receipt.duration.milliseconds > plan.commitEvery.milliseconds * RuntimeLimits.slowCommit {
            onEvent(.slowCommit(number: commit.number, took: receipt.duration, expected: plan.commitEvery))
        }
    }

    /// Rows into tables and topics, offsets to the group, housekeeping.
    func handOn(_ commit: Commit?, last: Bool) throws(Fault) {
        if commit != nil { try applyTables() }
        if let publisher {
            if last {
                let deadline = clock.monotonic() + RuntimeLimits.lastPublishWait
                while try !publisher.publish(within: .milliseconds(200)), clock.monotonic() < deadline, publisher.fault == nil {}
            } else {
                try publisher.publish(within: RuntimeLimits.publishWait)
            }
        }
        try tend(quiet: last || commit == nil)
        for lane in commit?.lanes ?? [] { untoldOffsets[lane.partition] = lane.nextOffset }
        let now = clock.monotonic()
        if !untoldOffsets.isEmpty, last || (nextGroupCommit.map { now >= $0 } ?? true) {
            nextGroupCommit = now + RuntimeLimits.groupCommitEvery
            source.note(committed: untoldOffsets)
            untoldOffsets = [:]
        }
    }

    /// The end of a bounded input is told only when its rows have arrived: no later run could send them.
    func deliverAll() throws(Fault) {
        guard let publisher else { return }
        while try !publisher.publish(within: .milliseconds(200)) {
            if let fault = publisher.fault {
                board.set(state: .waiting(fault))
                bell.wait(atMost: RuntimeLimits.retryEvery)
            }
            if bell.isStopping {
                throw Fault(
                    "rows_waiting", "The input is over, but not all rows and dead letters have reached their topics.",
                    place: plan.state.directory,
                    next: "Read them in state.db (topic_outbox), or replay into a new state directory.",
                    exit: .broker)
            }
        }
        try tend(quiet: true)
    }

    /// What is put off loses nothing: a cause that can go shows itself in the commits, which wait for it.
    private func tend(quiet: Bool) throws(Fault) {
        do throws(Fault) {
            try store.tend(quiet: quiet)
            try results.tend(quiet: quiet)
        } catch {
            if !error.isTransient { throw error }
        }
    }

    private func applyTables() throws(Fault) {
        var failedAt: MonotonicTime?
        var wasDisk = false
        while true {
            do throws(Fault) {
                try results.catchUp()
                if let failedAt { recovered(since: failedAt, wasDisk: wasDisk) }
                return
            } catch {
                if failedAt == nil {
                    failedAt = clock.monotonic()
                    stuck(error, store.head.number)
                }
                if error.code == "disk_full" { wasDisk = true }
                try waitForCure(error)
            }
        }
    }
}
