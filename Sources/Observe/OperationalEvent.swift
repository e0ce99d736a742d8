public import Model

/// What can happen to a running topology and is worth a line: a closed list. The line's words and fields follow from the type;
/// payloads have no place in it.
public enum OperationalEvent: Equatable, Sendable {
    public enum Level: Int, Comparable, Sendable {
        case debug, info, warning, error
        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
        public var word: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }
    }

    /// The librdkafka that was found and what follows. `queues`: bytes for what is fetched ahead, of all partitions;
    /// `queueBackoff`: how soon it looks at full queues again, nil if a reader has to wake it.
    case kafkaLibrary(version: String, queues: ByteCount, queueBackoff: TimeSpan?, canScram: Bool)
    case started(topology: String, version: String, partitions: Int)
    /// `commits` of this run; `after`: from the request to stop on.
    case stopped(commits: Int64, after: TimeSpan)
    case ended(read: Int64)
    /// Told once, before the first record is read.
    case restored(keys: Int64, cells: Int64, took: TimeSpan)
    case brokerAway(Fault)
    case brokerBack(after: TimeSpan)
    case partitionFound(PartitionID, from: Int64)
    case partitionStopped(PartitionID, Fault)
    case idle(PartitionID, silentFor: TimeSpan)
    case speaks(PartitionID)
    case resumed(PartitionID, from: Int64, to: Int64)
    /// An operator's command took effect: its word and its line.
    case commanded(String, asked: String, commit: Int64)
    /// At a start: copies pass, or are dropped, by an order that stands, not by what the topology says.
    case observeOrdered(Bool, since: WallTime)
    case committed(number: Int64, rows: Int, took: TimeSpan, bytes: ByteCount)
    case slowCommit(number: Int64, took: TimeSpan, expected: TimeSpan)
    case commitFailed(number: Int64, Fault)
    case diskFull(free: ByteCount)
    case diskBack(free: ByteCount, after: TimeSpan)
    /// More records of a partition were late since the last commit than are usual.
    case lateBurst(PartitionID, late: Int64, of: Int64)
    case rejectedBurst(PartitionID, RejectReason, rejected: Int64, of: Int64)
    /// Told once per place and process; more of them are only counted.
    case expressionError(PartitionID, place: String, errors: Int64)
    /// What kept a commit from being made is gone; the input is read again.
    case commitBack(after: TimeSpan)
    case memoryBound(used: ByteCount, budget: ByteCount)
    case outboxStuck(output: String, rows: Int64, Fault)
    case outboxBack(output: String)
    /// The topology has an aggregate that the state did not know: it begins empty.
    case outputAdded(name: String, since: EventTime?)
    case deadLettersFull(ByteCount, limit: ByteCount)
    case listening(host: String, port: UInt16)
    /// Anything else that went wrong.
    case failed(Fault)
    /// The group gave this instance its units; `kept` of them go on without a restore.
    case assigned(units: Int, kept: Int)
    case revoked(units: Int, isLost: Bool)
    /// The local copy of a unit's state could not be used.
    case stateWiped(PartitionID, reason: String)
    case unitRestored(PartitionID, records: Int64, took: TimeSpan)
    /// Told while restores take their time; `share` in percent of what the units to come lack.
    case restoring(units: Int, share: Int64, left: TimeSpan?)
    /// Everything in memory was given up and comes again from what is committed.
    case startedOver(Fault)
    /// The process died while it computed these records, as often as said: they are taken one at a time now.
    case diedOf(PartitionID, from: Int64, through: Int64, deaths: Int64)
    /// A record that ended the process so often is rejected instead of computed.
    case quarantined(PartitionID, at: Int64, deaths: Int64)
}

/// A field of a log line.
enum EventField {
    case text(String)
    case number(Int64)
    /// Told in milliseconds as `NAME_ms`.
    case span(TimeSpan)
    case bytes(ByteCount)
}

extension OperationalEvent {
    /// The stable word for machines.
    public var code: String {
        switch self {
        case .kafkaLibrary: "kafka_library"
        case .started: "started"
        case .stopped: "stopped"
        case .ended: "ended"
        case .restored: "restored"
        case .brokerAway: "broker_away"
        case .brokerBack: "broker_back"
        case .partitionFound: "partition_found"
        case .partitionStopped: "partition_stopped"
        case .idle: "idle"
        case .speaks: "speaks"
        case .resumed: "resumed"
        case .commanded: "commanded"
        case .observeOrdered: "observe_ordered"
        case .committed: "committed"
        case .slowCommit: "slow_commit"
        case .commitFailed: "commit_failed"
        case .diskFull: "disk_full"
        case .diskBack: "disk_back"
        case .lateBurst: "late_burst"
        case .rejectedBurst: "rejected_burst"
        case .expressionError: "expression_error"
        case .commitBack: "commit_back"
        case .memoryBound: "memory_bound"
        case .outboxStuck: "outbox_stuck"
        case .outboxBack: "outbox_back"
        case .outputAdded: "output_added"
        case .deadLettersFull: "dead_letters_full"
        case .listening: "listening"
        case .failed: "failed"
        case .assigned: "assigned"
        case .revoked: "revoked"
        case .stateWiped: "state_wiped"
        case .unitRestored: "unit_restored"
        case .restoring: "restoring"
        case .startedOver: "started_over"
        case .diedOf: "died_of"
        case .quarantined: "quarantined"
        }
    }

    public var level: Level {
        switch self {
        case .committed: .debug
        case .kafkaLibrary, .started, .stopped, .ended, .restored, .brokerBack, .partitionFound, .idle, .speaks, .diskBack,
            .commitBack,
            .outboxBack,
            .outputAdded, .assigned, .revoked, .unitRestored, .restoring,
            .listening:
            .info
        case .resumed, .commanded, .observeOrdered, .slowCommit, .lateBurst, .rejectedBurst, .expressionError, .stateWiped,
            .startedOver:
            .warning
        case .brokerAway, .partitionStopped, .commitFailed, .diskFull, .outboxStuck, .deadLettersFull,
            .memoryBound, .diedOf, .quarantined,
            .failed:
            .error
        }
    }

    var partition: PartitionID? {
        switch self {
        case .partitionFound(let id, _), .partitionStopped(let id, _), .idle(let id, _), .speaks(let id), .resumed(let id, _, _),
            .lateBurst(let id, _, _), .rejectedBurst(let id, _, _, _), .expressionError(let id, _, _), .stateWiped(let id, _),
            .unitRestored(let id, _, _), .diedOf(let id, _, _, _), .quarantined(let id, _, _):
            id
        default: nil
        }
    }

    var fault: Fault? {
        switch self {
        case .brokerAway(let fault), .partitionStopped(_, let fault), .commitFailed(_, let fault),
            .outboxStuck(_, _, let fault), .failed(let fault), .startedOver(let fault):
            fault
        default: nil
        }
    }

    /// In the order in which they are told; partition and fault come on top of them.
    var fields: [(name: String, value: EventField)] {
        switch self {
        case .kafkaLibrary(let version, let queues, let queueBackoff, let canScram):
            [
                ("librdkafka", .text(version)), ("queues", .bytes(queues)),
                ("full_queues", .text(queueBackoff.map { "looked at again after \(TimeText.span($0))" } ?? "woken by readers")),
                ("scram", .text(canScram ? "yes" : "not with Kafka 4")),
            ]
        case .started(let topology, let version, let partitions):
            [("topology", .text(topology)), ("version", .text(version)), ("partitions", .number(Int64(partitions)))]
        case .stopped(let commits, let after): [("commits", .number(commits)), ("after", .span(after))]
        case .ended(let read): [("read", .number(read))]
        case .restored(let keys, let cells, let took):
            [("keys", .number(keys)), ("cells", .number(cells)), ("took", .span(took))]
        case .brokerBack(let after): [("after", .span(after))]
        case .partitionFound(_, let from): [("from", .number(from))]
        case .idle(_, let silentFor): [("silent_for", .span(silentFor))]
        case .resumed(_, let from, let to): [("from", .number(from)), ("to", .number(to)), ("not_read", .number(to - from))]
        case .commanded(let word, let asked, let commit):
            [("command", .text(word)), ("asked", .text(asked)), ("number", .number(commit))]
        case .observeOrdered(let observe, let since):
            [("observe", .text(observe ? "on" : "off")), ("since", .text(TimeText.utc(since)))]
        case .committed(let number, let rows, let took, let bytes):
            [("number", .number(number)), ("rows", .number(Int64(rows))), ("took", .span(took)), ("size", .bytes(bytes))]
        case .slowCommit(let number, let took, let expected):
            [("number", .number(number)), ("took", .span(took)), ("expected", .span(expected))]
        case .commitFailed(let number, _): [("number", .number(number))]
        case .diskFull(let free): [("free", .bytes(free))]
        case .commitBack(let after): [("after", .span(after))]
        case .diskBack(let free, let after): [("free", .bytes(free)), ("after", .span(after))]
        case .lateBurst(_, let late, let of): [("late", .number(late)), ("of", .number(of))]
        case .rejectedBurst(_, let reason, let rejected, let of):
            [("reason", .text(reason.word)), ("rejected", .number(rejected)), ("of", .number(of))]
        case .expressionError(_, let place, let errors): [("place", .text(place)), ("errors", .number(errors))]
        case .memoryBound(let used, let budget): [("used", .bytes(used)), ("budget", .bytes(budget))]
        case .outboxStuck(let output, let rows, _): [("output", .text(output)), ("rows", .number(rows))]
        case .outboxBack(let output): [("output", .text(output))]
        case .outputAdded(let name, let since):
            [("output", .text(name))] + (since.map { [("since", .text(TimeText.utc($0)))] } ?? [])
        case .deadLettersFull(let size, let limit): [("size", .bytes(size)), ("limit", .bytes(limit))]
        case .listening(let host, let port): [("host", .text(host)), ("port", .number(Int64(port)))]
        case .assigned(let units, let kept): [("units", .number(Int64(units))), ("kept", .number(Int64(kept)))]
        case .revoked(let units, let isLost): [("units", .number(Int64(units))), ("lost", .text(isLost ? "yes" : "no"))]
        case .stateWiped(_, let reason): [("reason", .text(reason))]
        case .unitRestored(_, let records, let took): [("records", .number(records)), ("took", .span(took))]
        case .restoring(let units, let share, let left):
            [("units", .number(Int64(units))), ("percent", .number(share))] + (left.map { [("left", .span($0))] } ?? [])
        case .diedOf(_, let from, let through, let deaths):
            [("from", .number(from)), ("through", .number(through)), ("deaths", .number(deaths))]
        case .quarantined(_, let offset, let deaths): [("offset", .number(offset)), ("deaths", .number(deaths))]
        case .brokerAway, .partitionStopped, .speaks, .failed, .startedOver: []
        }
    }

    /// One sentence for people.
    var words: String {
        switch self {
        case .kafkaLibrary: "Kafka's client library is found."
        case .started: "The topology runs."
        case .stopped: "Stopped; everything read is committed."
        case .ended: "The input is over; every window closed."
        case .restored: "State is restored."
        case .brokerAway: "The broker does not answer; reading goes on by itself when it does."
        case .brokerBack: "The broker answers again."
        case .partitionFound: "A partition is read."
        case .partitionStopped: "A partition stopped; the others go on."
        case .idle: "A silent partition no longer holds the watermark back."
        case .speaks: "An idle partition speaks again."
        case .resumed: "A partition goes on at the position that was chosen."
        case .commanded: "A command of the operator took effect."
        case .observeOrdered: "What happens to copies is as it was ordered, whatever the topology says."
        case .committed: "Committed."
        case .slowCommit: "A commit took longer than the pace allows."
        case .commitFailed: "A commit failed; it is tried again and nothing is lost."
        case .diskFull: "The disk is full; no input is taken until there is space."
        case .diskBack: "There is disk space again."
        case .lateBurst: "Many records are late."
        case .rejectedBurst: "Many records are rejected."
        case .expressionError: "An expression met an error, such as an overflow or a division by zero; it counts as null."
        case .commitBack: "Commits are made again."
        case .memoryBound: "Memory is at its bound: the run stops, and nothing is lost."
        case .outboxStuck: "Rows can't be delivered; they wait in the state."
        case .outboxBack: "Rows are delivered again."
        case .outputAdded: "The aggregate is new: it begins empty and is complete from here on."
        case .deadLettersFull: "The dead letters are at their limit; no input is taken until there is room."
        case .listening: "Metrics and status are served."
        case .failed: "Something went wrong."
        case .assigned: "The group gave this instance its partitions."
        case .revoked: "The group deals the partitions out anew."
        case .stateWiped: "A local copy of state can't be used; it comes from the changelog."
        case .unitRestored: "A partition's state is here."
        case .restoring: "State comes from the changelog; the other partitions go on."
        case .diedOf: "The process died while it computed these records; they are taken one at a time now."
        case .quarantined: "A record that ended the process again and again is rejected; the others go on."
        case .startedOver:
            "A commit came to no certain end: state is taken from what is committed, and nothing is lost or counted twice."
        }
    }
}
