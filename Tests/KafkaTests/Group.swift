import Glibc
import Model
import Synchronization
import Testing
import Testkit

@testable import Kafka

private let limit = TimeSpan.seconds(20)

/// The machine's monotonic clock, which a test can put forward, once or by a leap with each look at it. A frozen one does not go by
/// itself, so that nothing looks slow on a busy machine.
final class TestClock: Clock {
    private struct Hands {
        var ahead: Int64 = 0
        var leap: Int64 = 0
    }
    private let hands = Mutex(Hands())
    private let isFrozen: Bool

    init(isFrozen: Bool = false) { self.isFrozen = isFrozen }

    func wall() -> WallTime { WallTime(milliseconds: 0) }

    func monotonic() -> MonotonicTime {
        var time = timespec()
        if !isFrozen { clock_gettime(CLOCK_MONOTONIC, &time) }
        let ahead = hands.withLock { hands in
            hands.ahead += hands.leap
            return hands.ahead
        }
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) + ahead)
    }

    func advance(_ span: TimeSpan) { hands.withLock { $0.ahead += span.milliseconds * 1_000_000 } }
    func leap(_ span: TimeSpan) { hands.withLock { $0.leap = span.milliseconds * 1_000_000 } }
}

/// A member and what it was told; a test may hold up its answer to a revoke.
final class Member: Sendable {
    struct Said: Sendable {
        var changes: [String] = []
        var assigned: [PartitionID]?
        var identity: GroupIdentity?
        var faults: [Fault] = []
        var holdsUp = false
        var isInRevoke = false
    }
    let said = Mutex(Said())
    private let membership = Mutex<KafkaMembership?>(nil)

    init(
        _ plan: KafkaPlan, group: String, instance: String?, topics: [String], session: TimeSpan = .seconds(6)
    ) throws {
        let made = try KafkaMembership(
            KafkaSettings(plan), group: group, instance: instance, session: session, clock: TestClock(), onEvent: { _ in },
            onChange: { [weak self] in self?.hear($0) })
        membership.withLock { $0 = made }
        try made.join(topics)
    }

    private func hear(_ change: GroupChange) {
        switch change {
        case .assigned(let partitions, let identity):
            said.withLock {
                $0.changes.append("assigned \(partitions.map(\.number).sorted())")
                $0.assigned = partitions.sorted()
                $0.identity = identity
            }
        case .revoked(let partitions, let lost):
            said.withLock {
                $0.changes.append("revoked \(partitions.map(\.number).sorted())\(lost ? " lost" : "")")
                $0.isInRevoke = true
            }
            _ = try? eventually("the word to go on") { said.withLock { $0.holdsUp } ? nil : true }
            said.withLock {
                $0.assigned = nil
                $0.isInRevoke = false
            }
        case .failed(let fault): said.withLock { $0.faults.append(fault) }
        }
    }

    var heardABreak: Bool { membership.withLock { $0 }?.brokenAt.withLock { $0 } != nil }

    /// Waits until it owns so many partitions.
    @discardableResult
    func owns(_ count: Int) throws -> (partitions: [PartitionID], identity: GroupIdentity) {
        try eventually("an assignment of \(count)", within: 60) {
            said.withLock { said in
                guard let assigned = said.assigned, assigned.count == count, let identity = said.identity else { return nil }
                return (assigned, identity)
            }
        }
    }

    func fault() throws -> Fault { try eventually("a fault", within: 60) { said.withLock { $0.faults.first } } }

    @discardableResult
    func close(leaving: Bool) -> Bool { membership.withLock { $0 }?.close(leaving: leaving, within: limit) ?? true }
}

/// A producer that is ready for its first transaction.
func transactions(
    _ plan: KafkaPlan, _ id: String, warming topics: [String], timeout: TimeSpan = .seconds(30), clock: any Clock = TestClock()
) throws -> KafkaTransactions {
    let made = try KafkaTransactions(KafkaSettings(plan), transactionalID: id, timeout: timeout, clock: clock) { _ in }
    try made.prepare(warming: topics, within: limit)
    return made
}

extension KafkaTransactions {
    func write(_ texts: [String], to topic: String, _ partition: Int32 = 0) throws {
        let into = try self.topic(topic)
        for text in texts {
            try Array(text.utf8).withUnsafeBytes { bytes in
                try send(to: into, partition: partition, key: bytes, value: bytes)
            }
        }
    }
}

/// The values of every record of partition 0 up to its end; `committed` false: those of aborted and open transactions too.
func texts(_ cluster: KafkaCluster, _ topic: String, committed: Bool = true) throws -> [String] {
    let queries = try KafkaQueries(KafkaSettings(cluster.plan))
    defer { queries.close(within: limit) }
    let id = PartitionID(topic: topic, number: 0)
    guard committed else { return try RawClient.uncommitted(id, cluster) }
    let log = try KafkaLog(KafkaSettings(cluster.plan), memory: .mebibytes(16), partitions: 1) { _ in }
    defer { log.close(within: limit) }
    let reader = try log.reader(of: id, from: 0)
    let end = try queries.watermarks(of: [id], within: limit)[id]?.upperBound ?? 0
    var found: [String] = []
    try reader.read(to: end) { batch in
        for index in 0..<batch.count {
            found.append(String(decoding: batch.value(index) ?? .init(start: nil, count: 0), as: UTF8.self))
        }
    }
    return found
}
