import Model
import Testing
import Testkit

@testable import State

/// State as plain dictionaries: what any store must agree with.
struct Oracle: Equatable {
    var state: [LaneNumber: [[UInt8]: [UInt8]]] = [mergeLane: [:], 0: [:], 1: [:], 2: [:]]
    var lanes: [LaneNumber: RestoredLane] = [:]
    var head = CombinedTime()
    var decisions: [Decision] = []
    var progress = [OutputProgress()]
    var number: Int64 = 0

    mutating func apply(_ commit: Commit) {
        for lane in commit.lanes {
            apply(lane.changes, lane.lane)
            lanes[lane.lane] = RestoredLane(
                lane: lane.lane, partition: lane.partition, books: lane.books, watermark: lane.watermark,
                newestEventTime: lane.newestEventTime, nextOffset: lane.nextOffset, lastRecord: lane.lastRecord,
                lastOpenClose: lane.lastOpenClose, fileFingerprint: nil)
        }
        apply(commit.merge, mergeLane)
        head = commit.time
        decisions += commit.decisions
        progress = commit.progress
        number = commit.number
    }

    private mutating func apply(_ log: StateLog, _ lane: LaneNumber) {
        var map = state[lane] ?? [:]
        func apply(_ change: StateLog.Change, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
            switch change {
            case .put: map[Array(key)] = Array(value)
            case .delete: map[Array(key)] = nil
            case .deleteRange:
                let (from, to) = (Array(key), Array(value))
                map = map.filter { $0.key.lexicographicallyPrecedes(from) || !$0.key.lexicographicallyPrecedes(to) }
            }
        }
        log.replay(apply)
        state[lane] = map
    }

    /// The same facts as `store` gives them back.
    static func read(_ store: StateStore) throws -> Oracle {
        var oracle = Oracle()
        for lane in try store.restoredLanes() where lane.nextOffset != nil { oracle.lanes[lane.lane] = lane }
        for lane in [mergeLane, 0, 1, 2] {
            oracle.state[lane] = try restored(store, lane)
        }
        oracle.head = store.head.time
        oracle.decisions = try store.decisions()
        oracle.progress = try store.progress()
        oracle.number = store.head.number
        return oracle
    }
}

/// Commits with every kind of change, from a seed.
struct RandomCommits {
    var random: SplitMix
    var number: Int64 = 0

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    private mutating func key() -> [UInt8] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in UInt8.random(in: 0...5, using: &random) &* 51 }
    }

    private mutating func log() -> StateLog {
        let log = StateLog()
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            switch Int.random(in: 0...9, using: &random) {
            case 0: log.delete(key())
            case 1: log.deleteRange(key(), key())
            default:
                let length = Int.random(in: 0...3, using: &random) == 0 ? Int.random(in: 0...9_000, using: &random) : 20
                let fill = UInt8.random(in: 0...255, using: &random)
                log.put(key(), Array(repeating: fill, count: length))
            }
        }
        return log
    }

    private mutating func time() -> EventTime? {
        Bool.random(using: &random) ? at(Int64.random(in: -1_000_000...1_000_000, using: &random)) : nil
    }

    private mutating func decision() -> Decision {
        let lane = LaneNumber.random(in: 0...2, using: &random)
        switch Int.random(in: 0...4, using: &random) {
        case 0: return .idle(lane: lane)
        case 1: return .speaks(lane: lane, watermark: time())
        case 2: return .advanced(to: at(5))
        case 3: return .commanded(word: "commit", asked: #"{"command":"commit"}"#, result: "{}")
        default: return .resumed(lane: lane, from: 3, to: 9)
        }
    }

    mutating func next() -> Commit {
        number += 1
        var lanes: [SealedLane] = []
        for lane in LaneNumber(0)...2 where Int.random(in: 0...4, using: &random) > 0 {
            for _ in 0...Int.random(in: 0...1, using: &random) {
                var books = Books(outputs: 1)
                books.read = number * 10
                books.rejectedByReason[Int.random(in: 0...7, using: &random)] = 3
                books.lateRefusals[0] = number
                var sealed = sealedLane(lane, log(), books)
                sealed.watermark = time()
                sealed.newestEventTime = time()
                sealed.lastOpenClose = time()
                lanes.append(sealed)
            }
        }
        let idle = Set((LaneNumber(0)...2).filter { _ in Bool.random(using: &random) })
        return commit(
            number, lanes, merge: log(), rows: [], decisions: (0..<Int.random(in: 0...2, using: &random)).map { _ in decision() },
            time: CombinedTime(watermark: time(), idle: idle),
            progress: [OutputProgress(completeThrough: time(), finalThrough: time())])
    }

    private func sealedLane(_ number: LaneNumber, _ log: StateLog, _ books: Books) -> SealedLane {
        lane(number, log, books: books, nextOffset: books.read, of: PartitionID(topic: "events", number: number))
    }
}

struct RestoreTests {
    static let partitions = (Int32(0)...2).map { PartitionID(topic: "events", number: $0) }

    @Test(arguments: [UInt64(1), 2, 3])
    func whatIsRestoredIsWhatWasCommitted(seed: UInt64) throws {
        let scratch = Scratch()
        var commits = RandomCommits(seed: seed)
        var oracle = Oracle()
        var (directory, store): (StateDirectory?, StateStore?) = try open(scratch)
        #expect(try store?.lanes(for: RestoreTests.partitions).map { ($0.key.number, $0.value) }.allSatisfy { $0 == $1 } == true)
        for number in 1...200 {
            let next = commits.next()
            try store?.commit(next)
            oracle.apply(next)
            if number % 7 == 0 { try store?.tend(quiet: number % 3 == 0) }
            if number % 20 == 0 {
                store?.close()
                (directory, store) = (nil, nil)
                (directory, store) = try open(scratch)
                #expect(try store.map(Oracle.read) == oracle)
            }
        }
        #expect(directory != nil)
    }

    @Test func aLaneNumberStaysWithItsPartition() throws {
        let scratch = Scratch()
        let (b, a) = (PartitionID(topic: "b", number: 0), PartitionID(topic: "a", number: 7))
        do {
            let (_, store) = try open(scratch)
            #expect(try store.lanes(for: [b]) == [b: 0])
            #expect(try store.lanes(for: [a, b]) == [a: 1, b: 0])
            try store.record(fileFingerprint: [1, 2], of: 1)
        }
        let (_, store) = try open(scratch)
        #expect(try store.lanes(for: [a]) == [a: 1])
        let lanes = try store.restoredLanes()
        #expect(lanes.map(\.fileFingerprint) == [nil, [1, 2]])
        #expect(lanes.map(\.nextOffset) == [nil, nil])
    }

    /// A process that dies within a commit leaves the commit before; one that dies after it leaves the commit.
    @Test(arguments: CommitStep.allCases)
    func aCopyTakenWithinACommitHoldsTheCommitBefore(step: CommitStep) throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        _ = try store.lanes(for: RestoreTests.partitions)
        var commits = RandomCommits(seed: 9)
        var oracle = Oracle()
        for _ in 1...12 {
            let next = commits.next()
            var taken: Scratch?
            store.beforeStep = { now in if now == step { taken = scratch.copy() } }
            try store.commit(next)
            let before = try open(try #require(taken)).1
            #expect(try Oracle.read(before) == oracle)
            oracle.apply(next)
            let after = scratch.copy()
            #expect(try Oracle.read(open(after).1) == oracle)
        }
    }

    @Test(arguments: CommitStep.allCases)
    func aFailedCommitChangesNothingAndCanBeTriedAgain(step: CommitStep) throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        _ = try store.lanes(for: RestoreTests.partitions)
        var commits = RandomCommits(seed: 4)
        let first = commits.next()
        try store.commit(first)
        let before = try Oracle.read(store)
        let next = commits.next()
        store.beforeStep = { now throws(Fault) in if now == step { throw SQLiteFault.diskFull("here") } }
        #expect(faultCode { try store.commit(next) } == "disk_full")
        #expect(try Oracle.read(store) == before)
        store.beforeStep = nil
        try store.commit(next)
        var after = before
        after.apply(next)
        #expect(try Oracle.read(store) == after)
    }
}
