import Model
import Runtime
import Testing
import Testkit

@testable import Rehearsal
@testable import State

/// `scope: topic` (S7): copies are recognised wherever they come in.
struct RekeyTests {
    private static let base: Int64 = 1_767_225_600_000

    private struct Event {
        var partition: Int32
        var offset: Int64 = 0
        /// Milliseconds behind `base`; nil: the record can't be decoded.
        var time: Int64?
        /// 0: no identity.
        var id: UInt64 = 0
        var group = "a"
        var d = 0.0

        var fed: FedRecord {
            guard let time else { return FedRecord(partition: partition, payload: Array("no".utf8)) }
            return FedRecord(
                partition: partition, payload: SmallStream.record(0, at: base + time, id: id, group: group, d: d).payload)
        }
    }

    private struct Settings {
        var partitions: Int
        var outOfOrderness: Int64
        var lateness: Int64
        var within: Int64
        var bucket: Int64

        init(_ random: inout SplitMix) {
            partitions = 1 + random.below(4)
            outOfOrderness = Int64([0, 5_000][random.below(2)])
            lateness = Int64([0, 20_000][random.below(2)])
            within = Int64([2_000, 45_000, 600_000][random.below(3)])
            bucket = max(within / 16, 1_000)
        }

        var plan: Plan {
            var plan = SmallStream.plan(
                lateness: .milliseconds(lateness), outOfOrderness: .milliseconds(outOfOrderness),
                deduplicate: DeduplicatePlan(
                    key: [0], within: .milliseconds(within), duplicates: .ledger(keep: .days(1)), scope: .topic),
                measures: [
                    MeasurePlan(name: "n", function: .count), MeasurePlan(name: "first", function: .first, column: 3),
                    MeasurePlan(name: "sum", function: .sum, column: 3),
                ])
            plan.aggregates[0].targets = [.table(name: "out", keep: nil)]
            return plan
        }
    }

    /// What the contract says, record by record: one watermark, the smallest of the inputs', and one dictionary of keys. The order
    /// between inputs is the order of commits, and of the inputs within one.
    private struct Model {
        struct Place: Hashable, Comparable {
            var partition: Int32
            var offset: Int64
            static func < (a: Place, b: Place) -> Bool { (a.partition, a.offset) < (b.partition, b.offset) }
        }
        struct Cell: Equatable {
            var n: Int64 = 0
            var first: (key: [Int64], value: Double)?
            var sum = 0.0
            static func == (a: Cell, b: Cell) -> Bool { a.n == b.n && a.first?.value == b.first?.value && a.sum == b.sum }
        }
        let settings: Settings
        var marks: [Int32: Int64] = [:]
        var watermark: Int64?
        var counts: [String: Int64] = [:]
        var kept: [UInt64: (until: Int64, place: Place)] = [:]
        var cells: [String: Cell] = [:]
        var late: Set<String> = []
        var copies: Set<String> = []
        var rejected: Set<Place> = []

        init(_ settings: Settings) { self.settings = settings }

        mutating func follow() {
            guard marks.count == settings.partitions, let least = marks.values.min() else { return }
            watermark = max(watermark ?? least, least)
        }

        mutating func commit(_ events: [Event]) {
            for partition in 0..<Int32(settings.partitions) {
                for event in events where event.partition == partition { take(event) }
            }
            follow()
        }

        private mutating func take(_ event: Event) {
            counts["read", default: 0] += 1
            let place = Place(partition: event.partition, offset: event.offset)
            guard let time = event.time else {
                counts["rejected", default: 0] += 1
                rejected.insert(place)
                return
            }
            counts["rekeyed", default: 0] += 1
            follow()
            defer {
                let own = time - settings.outOfOrderness
                marks[event.partition] = max(marks[event.partition] ?? own, own)
            }
            if event.id == 0 { counts["unidentified", default: 0] += 1 }
            let end = (time / 60_000 + 1) * 60_000
            if event.id != 0, let known = kept[event.id], watermark.map({ $0 < known.until }) ?? true {
                counts["duplicate", default: 0] += 1
                copies.insert("\(place.partition)@\(place.offset) of \(known.place.partition)@\(known.place.offset)")
            } else if let watermark, end + settings.lateness <= watermark {
                counts["late", default: 0] += 1
                late.insert("\(place.partition)@\(place.offset) at \(watermark) by \(watermark - end - settings.lateness)")
            } else {
                counts["aggregated", default: 0] += 1
                if event.id != 0 {
                    let raw = max(time, watermark ?? time) + settings.within + base
                    let until = (raw + settings.bucket - 1) / settings.bucket * settings.bucket - base
                    kept[event.id] = (until, place)
                }
                var cell = cells["\(end) \(event.group)"] ?? Cell()
                cell.n += 1
                cell.sum += event.d
                let key = [time, Int64(event.partition), event.offset]
                if cell.first.map({ key.lexicographicallyPrecedes($0.key) }) ?? true { cell.first = (key, event.d) }
                cells["\(end) \(event.group)"] = cell
            }
        }
    }

    @Test func copiesAreFoundInWhicheverPartitionTheyComeAndTheBooksBalance() throws {
        var met: [String: Int64] = [:]
        for seed in UInt64(1)...120 {
            var random = SplitMix(seed: seed &* 0x9E37_79B9_7F4A_7C15)
            let settings = Settings(&random)
            var model = Model(settings)
            let run = try Rehearsal(plan: settings.plan, partitions: settings.partitions)
            run.commitsOnlyWhenTold = true
            var clock: Int64 = 1_000
            var next: [Int64] = Array(repeating: 0, count: settings.partitions)
            var pending: [Event] = []
            for _ in 0..<(10 + random.below(30)) {
                var fed: [Event] = []
                for _ in 0..<random.below(20) {
                    clock += Int64(random.below(4_000))
                    var event = Event(partition: Int32(random.below(settings.partitions)))
                    if random.below(15) > 0 { event.time = max(0, clock - Int64(random.below(40_000))) }
                    event.id = random.below(8) == 0 ? 0 : UInt64(1 + random.below(60))
                    event.group = ["a", "b"][random.below(2)]
                    event.d = Double(random.below(100))
                    event.offset = next[Int(event.partition)]
                    next[Int(event.partition)] += 1
                    fed.append(event)
                }
                try run.feed(fed.map(\.fed))
                pending += fed
                switch random.below(6) {
                case 0: try run.restart(.crash)
                case 1:
                    try run.restart(.clean)
                    model.commit(pending)
                    pending = []
                case 2, 3, 4:
                    try run.commit()
                    model.commit(pending)
                    pending = []
                default: break
                }
            }
            try run.commit()
            model.commit(pending)
            let before = try run.observe()
            #expect(before.watermark?.milliseconds == model.watermark.map { $0 + Self.base }, "seed \(seed)")
            try run.end()
            try compare(before, try run.observe(), model, "seed \(seed)")
            try compareStored(run.store, model, "seed \(seed)")
            for (name, count) in model.counts { met[name, default: 0] += count }
        }
        for name in ["aggregated", "duplicate", "late", "rejected", "unidentified"] {
            #expect(met[name, default: 0] > 200, "there was too little \(name): \(met)")
        }
    }

    /// Keys of late events are not remembered (S8), so both copies are late; applied again they count once (S13).
    @Test func lateCopiesOfTwoPartitionsCountOnceWhenTheyAreAppliedAgain() throws {
        var random = SplitMix(seed: 1)
        var settings = Settings(&random)
        (settings.outOfOrderness, settings.lateness, settings.within) = (0, 0, 600_000)
        let run = try Rehearsal(plan: settings.plan, partitions: 2)
        let ahead = [Event(partition: 0, time: 200_000, id: 1), Event(partition: 1, time: 200_000, id: 2)]
        try run.feed([Event(partition: 0, time: 5_000, id: 3), Event(partition: 1, time: 5_000, id: 4)].map(\.fed))
        try run.feed(ahead.map(\.fed))
        try run.feed([Event(partition: 0, time: 10_000, id: 5), Event(partition: 1, time: 11_000, id: 5)].map(\.fed))
        let before = try run.observe()
        #expect(before.count("late") == 2 && before.late.map(\.partition) == [0, 1])
        #expect(before.latest.map { $0["n"] } == [.int(2)])
        try run.reapply()
        let after = try run.observe()
        #expect(after.latest.map { $0["n"] } == [.int(3)])
        #expect(after.count("reapplied") == 1 && after.count("late") == 2)
    }

    private func compare(_ before: Observation, _ seen: Observation, _ model: Model, _ seed: Comment) throws {
        for (name, count) in model.counts { #expect(seen.count(name) == count, "\(seed): \(name)") }
        let late = (before.late + seen.late).map { entry in
            let watermark = entry.watermark.milliseconds - Self.base
            return "\(entry.partition)@\(entry.offset) at \(watermark) by \(entry.lateBy.milliseconds)"
        }
        #expect(Set(late) == model.late && late.count == model.late.count, seed)
        let rejected = (before.deadLetters + seen.deadLetters).map {
            Model.Place(partition: $0.partition, offset: $0.offset)
        }
        #expect(rejected.sorted() == model.rejected.sorted(), seed)
        let rows = Dictionary(
            uniqueKeysWithValues: seen.latest.map { row -> (String, [Value?]) in
                guard case .time(let end)? = row["window_end"], case .string(let group)? = row["g"] else { return ("?", []) }
                return ("\(end.milliseconds - Self.base) \(group)", [row["n"], row["first"], row["sum"]])
            })
        let wanted = model.cells.mapValues { cell -> [Value?] in
            [.int(cell.n), cell.first.map { .double($0.value) }, .double(cell.sum)]
        }
        #expect(rows == wanted, seed)
        #expect(seen.latest.allSatisfy { $0.final }, seed)
    }

    /// The books of each partition, and the ledger of duplicates.
    private func compareStored(_ store: StateStore, _ model: Model, _ seed: Comment) throws {
        let lanes = try store.restoredLanes()
        let inputs = lanes.filter { $0.partition.topic == "input" }.map(\.books)
        let rekeyed = lanes.filter { $0.partition.topic == "weir.small.rekey" }.map(\.books)
        #expect(inputs.count == model.settings.partitions && rekeyed.count == inputs.count, seed)
        #expect((inputs + rekeyed).allSatisfy { $0.balances }, seed)
        let sum = { (books: [Books]) in books.reduce(Books(outputs: 1)) { $0 + $1 } }
        #expect(sum(inputs).rekeyed == sum(rekeyed).read && sum(rekeyed).rekeyed == 0, seed)
        #expect(sum(inputs).read == model.counts["read"] ?? 0 && sum(inputs).aggregated == 0, seed)
        let query = try store.database.statement(
            "SELECT topic, partition, \"offset\", kept_topic, kept_partition, kept_offset FROM duplicates")
        var copies: [String] = []
        try query.eachRow { () throws(Fault) in
            #expect(query.text(0) == "input" && query.text(3) == "input", seed)
            copies.append("\(query.int(1))@\(query.int(2)) of \(query.int(4))@\(query.int(5))")
        }
        #expect(Set(copies) == model.copies && copies.count == model.copies.count, seed)
    }
}
