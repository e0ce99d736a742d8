import Model
import Pipeline
import Testkit

/// What a unit's commits left: its changelog, restored.
struct StoredUnit {
    var state = KeyedState()
    var next: Int64 = 0
    var watermark: EventTime?
    var newest: EventTime?
    var largestClose: EventTime?
    var closedThrough: EventTime?
    var combined: EventTime?
    var isIdle = false
    var books = Books(outputs: 0)
    var progress: [Int32: OutputProgress] = [:]
    var isEnded = false
}

/// A group of processes over simulated topics, in one thread, from one seed: batches, commits, markers, crashes, hand-overs and
/// silences in any order that brokers allow.
final class GroupSimulation {
    let shape: GroupCase
    let plan: Plan
    let layout: GroupLayout
    let stored: [UInt16]
    let mutant: Mutant?
    var draw: SplitMix
    var now: Int64 = 0
    var input: [[GroupEvent]]
    var isBounded = false
    /// Nothing is left to chance any more, so that what must come does come.
    private(set) var isFair = false
    var time = SimulatedTopic<[UInt8]>()
    /// The partitions of the partials topic, and behind them those of the re-keyed one.
    var partials: [SimulatedTopic<[UInt8]>]
    /// What the latter carry, in committed transactions.
    private(set) var handedOn: [HandedOnTurn] = []
    private(set) var units: [LaneNumber: StoredUnit] = [:]
    private(set) var raises: [LaneNumber: [(at: Int64, floor: Int64)]] = [:]
    /// The state behind each record of time, as someone has it who reads all of them.
    private(set) var common: [Int64: TimeState] = [:]
    /// The control topic, and where each unit began to heed which.
    private(set) var orders: [ObserveOrder] = []
    private(set) var heeds: [LaneNumber: [HeededOrder]] = [:]
    /// What each lane refused, and of it what was applied again.
    private(set) var ledger: [LaneNumber: [LateEntry]] = [:]
    private(set) var marked: [LaneNumber: Set<Int>] = [:]
    var ids: SplitMix
    private(set) var told: GroupRows
    private(set) var failures: [String] = []
    private(set) var turns = 0
    private(set) var commits = 0
    var coldReads: Int64 = 0
    /// Commits that closed everything before the log said that all was read.
    var foreseen = 0
    private var reader: TimeLog
    private var processes: [SimulatedProcess] = []
    /// Outcomes on their way to a topic; nil: the log of time.
    private var markers: [(topic: Int?, transaction: Int, committed: Bool)] = []
    private var transactions = 0
    /// Until when nothing comes to a partition.
    private var pauses: [Int64]
    /// Since when everyone can know that all lanes are idle, and from where time moves on then.
    private var allIdle: (since: Int64, from: Int64)?

    init(_ shape: GroupCase, mutant: Mutant? = nil) {
        self.shape = shape
        self.mutant = mutant
        plan = shape.plan
        layout = GroupLayout(
            plan: plan, group: "g", inputs: (0..<shape.lanes).map { PartitionID(topic: "t", number: Int32($0)) })
        stored = plan.aggregates.indices.map { UInt16($0 + 1) }
        draw = SplitMix(seed: shape.seed)
        ids = SplitMix(seed: shape.seed ^ 0x0DE2)
        input = Array(repeating: [], count: shape.lanes)
        pauses = Array(repeating: 0, count: shape.lanes)
        partials = Array(repeating: SimulatedTopic(), count: layout.ends)
        told = GroupRows(plan)
        reader = TimeLog(lanes: shape.lanes, mergeLanes: shape.mergeLanes, rekeyed: layout.rekeyed.count, start: 0)
        if mutant == .partialsReadUncommitted { for at in partials.indices { partials[at].readsUncommitted = true } }
    }

    func fail(_ what: String) { failures.append(what) }

    func nextTransaction() -> Int {
        transactions += 1
        return transactions
    }

    // MARK: The run

    /// Everything that is wrong with it; empty: nothing.
    func run() -> [String] {
        for _ in 0..<shape.processes { processes.append(SimulatedProcess(self)) }
        assign()
        for _ in 0..<shape.steps where failures.isEmpty { step() }
        isFair = true
        if failures.isEmpty { calm() }
        if shape.late, failures.isEmpty { drain() }
        if shape.isQuietAtTheEnd, shape.idleness, failures.isEmpty {
            finishQuietly()
            if failures.isEmpty { failures += GroupModel(self).differences(from: told) }
        }
        isBounded = true
        if failures.isEmpty { end() }
        if failures.isEmpty {
            let model = GroupModel(self)
            failures += model.differences(from: told) + told.lies(model)
            for lane in model.books.indices where units[LaneNumber(lane)]?.books != model.books[lane] {
                failures.append(
                    "books of \(lane): \(String(describing: units[LaneNumber(lane)]?.books)), not \(model.books[lane])")
            }
        }
        return failures + told.failures
    }

    private func step() {
        switch draw.upTo(20) {
        case 0...2: arrive()
        case 3...6: withLane { $0.take($1, limit: 1 + draw.upTo(4)) }
        case 7...9: process?.begin()
        case 10...12:
            if let process, process.open != nil { process.decide(committed: !shape.crashes || !draw.oneIn(12)) }
        case 13...14: if let process { process.readLog(limit: 1 + draw.upTo(3)) }
        case 15...16: withMerge { $0.readPartials($1, limit: 1 + draw.upTo(3)) }
        case 17: mark()
        case 18: now += Int64([100, 1_000, 3_000, 9_000][draw.upTo(shape.idleness ? 4 : 3)])
        default:
            switch draw.upTo(6) {
            case 0: if shape.crashes { crash() }
            case 1: if shape.handOvers { rebalance() }
            case 2: if shape.handOvers { suspect() }
            default: mark()
            }
        }
        follow()
        if shape.orders { order() }
    }

    /// Somebody orders something, or somebody hears of it: from draws of their own.
    private func order() {
        if ids.oneIn(12) {
            orders.append(
                ObserveOrder(
                    number: Int64(orders.count) + 1, at: WallTime(milliseconds: now), observe: [true, false, nil][ids.upTo(3)]))
        }
        if ids.oneIn(6), !processes.isEmpty { processes[ids.upTo(processes.count)].readOrders() }
    }

    private var process: SimulatedProcess? { processes.isEmpty ? nil : processes[draw.upTo(processes.count)] }

    private func withLane(_ body: (SimulatedProcess, LaneNumber) -> Void) {
        guard let process, !process.lanes.isEmpty else { return }
        body(process, process.lanes.keys.sorted()[draw.upTo(process.lanes.count)])
    }

    private func withMerge(_ body: (SimulatedProcess, LaneNumber) -> Void) {
        guard let process, !process.merges.isEmpty else { return }
        body(process, process.merges.keys.sorted()[draw.upTo(process.merges.count)])
    }

    /// Some partition gets records; at times one of them pauses for long.
    private func arrive() {
        let lane = draw.upTo(shape.lanes)
        if shape.idleness, pauses[lane] > now { return }
        if draw.oneIn(8) { pauses[lane] = now + Int64(draw.upTo(40)) * 1_000 }
        for _ in 0...draw.upTo(3) {
            let late = [0, 3_000, 12_000, 90_000][draw.upTo(4)]
            let group = ["a", "b"][draw.upTo(2)]
            input[lane].append(
                GroupEvent(
                    time: 1_000_000 + now - Int64(draw.upTo(late + 1)), group: group, key: "\(group)\(lane)",
                    value: Double(draw.upTo(100)) / 10, id: nextID()))
        }
    }

    private func nextID() -> String {
        if shape.isRekeyed { return ids.oneIn(10) ? "" : "i\(ids.upTo(shape.steps))" }
        return shape.orders ? "i\(ids.upTo(12))" : ""
    }

    private func mark() {
        guard !markers.isEmpty else { return }
        let marker = markers.remove(at: draw.upTo(markers.count))
        if let topic = marker.topic {
            partials[topic].mark(marker.transaction, committed: marker.committed)
        } else {
            time.mark(marker.transaction, committed: marker.committed)
        }
    }

    /// Reads all of the log of time, as what everyone must agree with.
    private func follow() {
        let (records, next) = time.read(from: reader.position, limit: .max)
        for (offset, bytes) in records {
            let before = reader.state
            if let record = bytes.withUnsafeBytes({ layout.time($0) }) {
                reader.apply(record, at: offset)
            }
            common[offset] = reader.state
            if (reader.state.combined?.milliseconds ?? .min) < (before.combined?.milliseconds ?? .min) {
                fail("the combined watermark went back")
            }
            checkSilence()
        }
        reader.reach(next)
    }

    /// S6: silence moves time one for one, from the newest event time on.
    private func checkSilence() {
        let state = reader.state
        if state.lanes.contains(where: { $0.standing == .active }) { allIdle = nil }
        guard state.isAllIdle, let newest = state.newestEventTime else { return }
        let reached = state.combined?.milliseconds ?? .min
        if allIdle == nil { allIdle = (now, max(newest.milliseconds, reached)) }
        if let allIdle, reached > allIdle.from + (now - allIdle.since) { fail("time moved faster than the silence") }
    }

    // MARK: Commits

    func settle(_ commit: SimulatedProcess.OpenCommit, committed: Bool) {
        for topic in commit.partials.sorted() { markers.append((topic, commit.transaction, committed)) }
        if commit.hasTime { markers.append((nil, commit.transaction, committed)) }
        guard committed else { return }
        commits += 1
        handedOn += commit.handedOn
        for (unit, after) in commit.units {
            var after = after
            after.state = units[unit]?.state ?? KeyedState()
            for changes in commit.changes[unit] ?? [] { after.state.apply(changes) }
            units[unit] = after
            ledger[unit, default: []] += commit.late[unit] ?? []
            let marks = commit.marks[unit] ?? []
            if !marked[unit, default: []].isDisjoint(with: marks) { fail("\(unit) counts an entry twice") }
            marked[unit, default: []].formUnion(marks)
            raises[unit, default: []] += commit.raises[unit] ?? []
            turns += commit.raises[unit]?.count ?? 0
            for heed in commit.heeds[unit] ?? [] {
                if heed.order.number <= heeds[unit]?.last?.order.number ?? 0 {
                    fail("\(unit) heeds an order twice, or an old one")
                }
                heeds[unit, default: []].append(heed)
            }
        }
        for (unit, row) in commit.rows {
            told.add(row, of: unit)
            checkTime(of: row)
        }
        for (unit, after) in commit.units { told.note(after.progress, of: unit) }
    }

    /// What waits for the combined watermark says as of when it is (S16).
    private func checkTime(of row: Row) {
        let aggregate = plan.aggregates[row.output]
        guard !aggregate.isKeyed, aggregate.emit == .final || aggregate.emit == .onTime, !isBounded else { return }
        guard let asOf = row.asOf, asOf >= row.windowEnd else {
            return fail("a row of the window that ends at \(row.windowEnd) is as of \(row.asOf.map { "\($0)" } ?? "nothing")")
        }
        guard row.reason == nil, !row.retracted, aggregate.from == nil else { return }
        if case .session = aggregate.window { return }
        if row.final != (asOf >= row.windowEnd + aggregate.allowedLateness) {
            fail("a row of the window that ends at \(row.windowEnd) is final: \(row.final), as of \(asOf)")
        }
    }

    // MARK: Membership

    func reset(_ process: SimulatedProcess) {
        guard let at = processes.firstIndex(where: { $0 === process }) else { return }
        let fresh = SimulatedProcess(self)
        if !process.isZombie { for unit in process.units.sorted() { fresh.add(unit) } }
        processes[at] = fresh
    }

    private func crash() {
        guard let process else { return }
        process.decide(committed: draw.oneIn(2))
        // Its units are nobody's for a while.
        if let at = processes.firstIndex(where: { $0 === process }) { processes[at] = SimulatedProcess(self) }
        if shape.handOvers, draw.oneIn(2) { return }
        assign()
    }

    /// One process is taken for dead: it goes on until its next commit fails.
    private func suspect() {
        guard let process, !process.isZombie else { return }
        process.isZombie = true
        assign()
    }

    private func rebalance() {
        for process in processes where !process.isZombie { process.decide(committed: !draw.oneIn(6)) }
        assign()
    }

    /// Who owns what from now on. What is open of those that lose a unit was decided before.
    private func assign() {
        let members = processes.filter { !$0.isZombie }
        guard !members.isEmpty else { return }
        for unit in 0..<LaneNumber(layout.units) {
            let owner = members.first { $0.units.contains(unit) }
            if let owner, !shape.handOvers || !draw.oneIn(3) || owner.open != nil { continue }
            owner?.remove(unit)
            members[shape.handOvers ? draw.upTo(members.count) : Int(unit) % members.count].add(unit)
        }
    }

    // MARK: The end

    /// Everyone does everything once, as in a group that is well; true: something was committed.
    private func round() -> Bool {
        let before = commits
        for process in processes {
            for lane in process.lanes.keys.sorted() { process.take(lane, limit: 5) }
            process.begin()
            process.decide(committed: true)
            while !markers.isEmpty { mark() }
            follow()
            process.readLog(limit: .max)
            for merge in process.merges.keys.sorted() { process.readPartials(merge, limit: .max) }
            for lane in process.lanes.keys.sorted() where layout.isRekeyed(lane) { process.take(lane, limit: .max) }
        }
        return commits > before
    }

    /// The dead are known as dead, and what is on its way arrives.
    private func calm() {
        for process in processes {
            process.decide(committed: !process.isZombie)
            if process.isZombie { reset(process) }
        }
        assign()
    }

    /// A stream that stays quiet brings all its rows (S6).
    private func finishQuietly() {
        var quiet = 0
        for _ in 0..<400 {
            now += 5_000
            quiet = round() ? 0 : quiet + 1
            if quiet > 8 { return }
        }
        fail("the group does not come to rest")
    }

    /// All of the input is read, and all that was late is applied again.
    private func drain() {
        var quiet = 0
        for _ in 0..<400 {
            now += 100
            let isRead = (0..<shape.lanes).allSatisfy { units[LaneNumber($0)]?.next == Int64(input[$0].count) }
            let isApplied = ledger.allSatisfy { $1.count == marked[$0]?.count ?? 0 }
            _ = round()
            quiet = isRead && isApplied ? quiet + 1 : 0
            // What was sent is read, counted and told.
            if quiet > 6 { return }
        }
        fail("what is late does not come to an end")
    }

    private func end() {
        for _ in 0..<60 {
            now += 500
            _ = round()
            if units.count == layout.units, units.values.allSatisfy(\.isEnded) { return }
        }
        fail("the end is not reached by \(units.filter { !$0.value.isEnded }.keys.sorted())")
    }
}
