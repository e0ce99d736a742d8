import Model
import Testing
import Testkit

@testable import State

func groupLayout(_ plan: Plan = plan(), inputs: Int32 = 3, group: String = "g") -> GroupLayout {
    GroupLayout(plan: plan, group: group, inputs: (0..<inputs).map { PartitionID(topic: "events", number: $0) })
}

func openGroup(
    _ scratch: Scratch, _ plan: Plan = plan(), layout given: GroupLayout? = nil, accept: Bool = false,
    keys: @escaping (Int32) -> [KeyRange] = { _ in [] }
) throws -> (StateDirectory, GroupStore) {
    let directory = try StateDirectory(scratch.path)
    return (
        directory,
        try GroupStore(
            directory: directory, plan: plan, layout: given ?? groupLayout(plan), clock: StillClock(), accept: accept, keys: keys)
    )
}

/// The changelog topic as it lies in Kafka: by partition, with a marker's offset behind each commit.
struct FakeChangelog {
    struct Entry: Equatable {
        var offset: Int64
        var key: [UInt8]
        var value: [UInt8]?
    }

    var partitions: [LaneNumber: [Entry]] = [:]
    var ends: [LaneNumber: Int64] = [:]

    /// Writes and applies a commit, as the committer does.
    mutating func commit(_ units: [UnitCommit], to store: GroupStore) throws {
        try store.apply(units, ends: try write(units, from: store))
    }

    mutating func write(_ units: [UnitCommit], from store: GroupStore) throws -> [LaneNumber: ChangelogEnd] {
        var last: [LaneNumber: ChangelogEnd] = [:]
        for unit in units {
            let lane = unit.head.lane
            var next = ends[lane] ?? 0
            var written: [Entry] = []
            let size = try store.changelog(of: unit) { key, value in
                written.append(Entry(offset: next, key: Array(key), value: value.map(Array.init)))
                next += 1
            }
            #expect(size.records == written.count)
            #expect(size.bytes == written.reduce(0) { $0 + $1.key.count + ($1.value?.count ?? 0) })
            #expect(written.last?.key == ChangelogKey.headKey)
            partitions[lane, default: []] += written
            last[lane] = ChangelogEnd(offset: next - 1, timestamp: 5)
            ends[lane] = next + 1
        }
        return last
    }

    /// The last record of each key, as a cleaner leaves it.
    func compacted() -> FakeChangelog {
        var copy = self
        for (lane, entries) in partitions {
            var last: [[UInt8]: Int64] = [:]
            for entry in entries { last[entry.key] = entry.offset }
            copy.partitions[lane] = entries.filter { last[$0.key] == $0.offset }
        }
        return copy
    }

    /// Gives a store what it does not have, in batches of random sizes.
    func restore(_ lane: LaneNumber, into store: GroupStore, _ random: inout SplitMix, until end: Int64? = nil) throws {
        let end = end ?? ends[lane] ?? 0
        let from = store.positions()[lane]?.next ?? 0
        var left = (partitions[lane] ?? []).filter { $0.offset >= from && $0.offset < end }[...]
        repeat {
            let taken = left.prefix(Int.random(in: 0...30, using: &random))
            left = left.dropFirst(taken.count)
            let next = left.isEmpty ? end : (taken.last?.offset).map { $0 + 1 } ?? store.positions()[lane]?.next ?? 0
            try give(Array(taken), of: lane, to: store, next: next)
        } while !left.isEmpty
    }

    func give(_ entries: [Entry], of lane: LaneNumber, to store: GroupStore, next: Int64) throws {
        let held = entries.map { entry in
            (copy(entry.key), entry.value.map(copy))
        }
        defer {
            for (key, value) in held {
                key.deallocate()
                value?.deallocate()
            }
        }
        let records = zip(entries, held).map { entry, held in
            ChangelogRecord(
                offset: entry.offset, timestamp: 5, key: UnsafeRawBufferPointer(held.0),
                value: held.1.map { UnsafeRawBufferPointer($0) })
        }
        try store.applyChangelog(lane, records, next: next)
    }

    private func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        buffer.copyBytes(from: bytes)
        return buffer
    }
}

/// Everything that a group's state.db holds of some units, but for where and when it was applied.
struct GroupContent: Equatable {
    var state: [LaneNumber: [[UInt8]: [UInt8]]] = [:]
    var heads: [LaneNumber: UnitHead] = [:]
    var owed: [LaneNumber: [OwedRow]] = [:]
    var nextEntries: [LaneNumber: Int64] = [:]
    /// Lines of the tables for people.
    var tables: [String: [String]] = [:]

    static let lanes = LaneNumber(0)...5

    init(_ store: GroupStore) throws {
        for lane in GroupContent.lanes {
            var map: [[UInt8]: [UInt8]] = [:]
            var last: [UInt8] = []
            try StateTable(database: store.database).each(of: lane) { key, value in
                let key = Array(key)
                #expect(map.isEmpty || last.lexicographicallyPrecedes(key))
                last = key
                map[key] = Array(value)
            }
            state[lane] = map
            heads[lane] = store.head(of: lane)
            owed[lane] = try store.owed(of: lane)
            nextEntries[lane] = store.units[lane]?.nextEntry
        }
        for table in ["books", "late_refusals", "late", "dead_letters", "decisions", "duplicates", "topic_outbox"] {
            tables[table] = try lines("SELECT * FROM \(table) ORDER BY 1, 2", store.database)
        }
        tables["topology"] = try lines("SELECT lane, topology FROM units WHERE topology NOT NULL", store.database)
        tables["bytes"] = try lines("SELECT dead_letter_bytes FROM head", store.database)
    }

    private func lines(_ sql: String, _ database: Database) throws -> [String] {
        let query = try database.statement(sql)
        var lines: [String] = []
        try query.eachRow {
            var line = ""
            var column = Int32(0)
            while column < query.columns {
                line += query.isNull(column) ? "-|" : "\(Array(query.blob(column)))|"
                column += 1
            }
            lines.append(line)
        }
        return lines
    }
}

/// Commits of three input units and three merge units with everything that can stand in them, from a seed.
struct RandomUnits {
    var random: SplitMix
    var sequences: [LaneNumber: Int64] = [:]
    var wall: Int64 = 1_000_000
    let layout: GroupLayout

    init(seed: UInt64, _ given: GroupLayout = groupLayout()) {
        random = SplitMix(seed: seed)
        layout = given
    }

    private mutating func key() -> [UInt8] {
        [UInt8(ascii: "ckpr".unicodeScalars.randomElement(using: &random) ?? "c")]
            + (0..<Int.random(in: 0...2, using: &random)).map { _ in UInt8.random(in: 0...5, using: &random) &* 51 }
    }

    private mutating func log() -> StateLog {
        let log = StateLog()
        for _ in 0..<Int.random(in: 0...30, using: &random) {
            switch Int.random(in: 0...9, using: &random) {
            case 0: log.delete(key())
            case 1: log.deleteRange(key(), key())
            default:
                let length = Int.random(in: 0...5, using: &random) == 0 ? Int.random(in: 0...9_000, using: &random) : 20
                log.put(key(), Array(repeating: UInt8.random(in: 0...255, using: &random), count: length))
            }
        }
        return log
    }

    private mutating func time() -> EventTime? {
        Bool.random(using: &random) ? at(Int64.random(in: -1_000_000...1_000_000, using: &random)) : nil
    }

    private mutating func text() -> [UInt8] { (0..<Int.random(in: 0...9, using: &random)).map { UInt8($0) } }

    mutating func head(_ lane: LaneNumber) -> UnitHead {
        let sequence = (sequences[lane] ?? 0) + 1
        sequences[lane] = sequence
        var books = Books(outputs: 1)
        if !layout.isMerge(lane) {
            books.read = sequence * 10
            // Of every third what was read was handed on.
            if sequence % 3 == 0 { books.rekeyed = sequence * 9 }
            books.duplicateObserved = Int64.random(in: 0...Int64.max, using: &random)
            books.rejectedByReason[Int.random(in: 0...7, using: &random)] = sequence
            books.lateRefusals[0] = sequence / 2
        }
        return UnitHead(
            lane: lane, partition: layout.partition(of: lane), sequence: sequence, at: WallTime(milliseconds: wall),
            books: books, watermark: time(), newestEventTime: time(), nextOffset: sequence * 10,
            lastRecord: Bool.random(using: &random)
                ? RecordFingerprint(offset: sequence * 10 - 1, timestamp: -1, hash: random.next()) : nil,
            largestClose: time(), isIdle: Bool.random(using: &random), isEnded: false, combined: time(),
            closedThrough: layout.isMerge(lane) ? time() : nil,
            progress: layout.isMerge(lane)
                ? [StateStart.groupNumber(of: "usage"): OutputProgress(completeThrough: time(), finalThrough: time())] : [:])
    }

    mutating func unit(_ lane: LaneNumber) -> UnitCommit {
        var unit = UnitCommit(head: head(lane), changes: log())
        if !layout.isMerge(lane) {
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                unit.late.append(
                    LateEntry(
                        output: 0, offset: 5, eventTime: at(1), windowStart: at(-60_000), windowEnd: at(0), watermark: at(9),
                        lateBy: .milliseconds(9),
                        identity: Bool.random(using: &random) ? Identity(high: random.next(), low: random.next()) : nil))
            }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let has = Bool.random(using: &random)
                unit.deadLetters.append(
                    DeadLetter(
                        offset: 7, reason: .badTime, field: has ? 1 : nil, timestamp: has ? -5 : nil, size: 9,
                        payload: has ? text() : nil))
            }
            for kind in CopyEntry.Kind.allCases where Bool.random(using: &random) {
                let has = Bool.random(using: &random)
                unit.duplicates.append(
                    CopyEntry(
                        offset: 8, eventTime: at(1), age: .milliseconds(3), kind: kind, field: has ? "k" : nil,
                        keptOffset: has ? 4 : nil, identity: Identity(high: random.next(), low: random.next())))
            }
            // As of a re-keyed lane, whose entries lie in partitions of the input.
            if lane == 1 {
                let input = PartitionID(topic: "in", number: 3)
                for at in unit.late.indices { unit.late[at].source = input }
                for at in unit.duplicates.indices {
                    unit.duplicates[at].source = input
                    if unit.duplicates[at].keptOffset != nil { unit.duplicates[at].keptSource = input }
                }
            }
            if Bool.random(using: &random) { unit.decisions.append(.resumed(lane: lane, from: 1, to: wall)) }
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            unit.owed.append(OwedRow(topic: "out", output: "usage", key: text(), value: text()))
        }
        return unit
    }

    mutating func next() -> [UnitCommit] {
        wall += Int64.random(in: 0...200_000, using: &random)
        return GroupContent.lanes.filter { _ in Int.random(in: 0...2, using: &random) > 0 }.map { unit($0) }
    }
}

/// The units' keys as plain dictionaries.
struct GroupOracle {
    var state: [LaneNumber: [[UInt8]: [UInt8]]] = Dictionary(uniqueKeysWithValues: GroupContent.lanes.map { ($0, [:]) })
    var heads: [LaneNumber: UnitHead] = [:]
    var owed: [LaneNumber: [OwedRow]] = Dictionary(uniqueKeysWithValues: GroupContent.lanes.map { ($0, []) })

    mutating func apply(_ units: [UnitCommit]) {
        for unit in units {
            var map = state[unit.head.lane] ?? [:]
            unit.changes.replay { change, key, value in
                switch change {
                case .put: map[Array(key)] = Array(value)
                case .delete: map[Array(key)] = nil
                case .deleteRange:
                    let (from, to) = (Array(key), Array(value))
                    map = map.filter { $0.key.lexicographicallyPrecedes(from) || !$0.key.lexicographicallyPrecedes(to) }
                }
            }
            state[unit.head.lane] = map
            heads[unit.head.lane] = unit.head
            owed[unit.head.lane] = unit.owed
        }
    }

    func agrees(with content: GroupContent) -> Bool {
        content.state == state && content.heads == heads && content.owed == owed
    }
}
