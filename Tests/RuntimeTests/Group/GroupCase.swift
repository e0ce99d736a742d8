import Model
import Testkit

/// A topology, an input and how much may happen to a group, drawn from a seed. What a failing case does not need is taken out of
/// it one by one.
struct GroupCase: CustomStringConvertible {
    var seed: UInt64
    var lanes: Int
    var processes: Int
    var steps: Int
    var crashes = true
    var handOvers = true
    var idleness = true
    var unansweredSeals = true
    /// The last to have read all ships what it holds in the commit that says so.
    var foreseesTheEnd = true
    /// Copies come, and operators order now that they pass, now that they are dropped.
    var orders = false
    /// Late events are applied again, all of them in the end; windows are kept for good.
    var late = false
    /// Copies come in any partition, and are recognised (`scope: topic`).
    var isRekeyed = false
    /// What is committed of a lane leaves its memory at once.
    var spills = false
    /// The quiet stream finishes before the end is said.
    var isQuietAtTheEnd: Bool
    var outputs: [AggregatePlan]

    static let fields = [
        FieldPlan(name: "ts", type: .timestamp(.milliseconds), required: true), FieldPlan(name: "g", type: .string),
        FieldPlan(name: "k", type: .string), FieldPlan(name: "d", type: .double), FieldPlan(name: "id", type: .string),
    ]
    static let idleAfter: Int64 = 8_000

    init(seed: UInt64, withEveryWindow: Bool = false) {
        var draw = SplitMix(seed: seed &* 0x9E37_79B9)
        self.seed = seed
        foreseesTheEnd = !seed.isMultiple(of: 4)
        lanes = 1 + draw.upTo(4)
        processes = 1 + draw.upTo(3)
        steps = 60 + draw.upTo(600)
        isQuietAtTheEnd = draw.upTo(2) == 0
        idleness = draw.upTo(6) > 0
        outputs = (0...draw.upTo(2)).map { Self.output(&draw, $0) }
        if withEveryWindow { Self.vary(&outputs, seed) }
    }

    /// What is late is applied again.
    init(lateOf seed: UInt64, withEveryWindow: Bool = false) {
        self.init(seed: seed, withEveryWindow: withEveryWindow)
        late = true
        isQuietAtTheEnd = false
    }

    /// Sessions, windows that grow, and roll-ups, from draws of their own: a case is otherwise what its seed says.
    private static func vary(_ outputs: inout [AggregatePlan], _ seed: UInt64) {
        var draw = SplitMix(seed: seed ^ 0x5E55_10A5)
        for at in outputs.indices {
            switch draw.upTo(5) {
            case 0: outputs[at].window = .cumulative(size: .seconds(60), step: .seconds(15), offset: .seconds(5))
            case 1, 2: outputs[at].window = .session(gap: .seconds(Int64([2, 6, 20][draw.upTo(3)])))
            default: break
            }
        }
        if case .tumbling(let size, _) = outputs[0].window { outputs.append(rollUp(&draw, size, outputs[0])) }
    }

    private static func rollUp(_ draw: inout SplitMix, _ size: TimeSpan, _ source: AggregatePlan) -> AggregatePlan {
        let double = size + size
        let windows: [AggregatePlan.Window] = [
            .tumbling(size: double, offset: .zero), .hopping(size: double + size, every: size, offset: .zero),
            .cumulative(size: double, step: size, offset: .zero),
        ]
        var own = source
        own.name = "rolled"
        own.window = windows[draw.upTo(3)]
        if !source.isKeyed, draw.upTo(2) == 0 { own.groupBy = [] }
        own.emit = [.final, .onTime, .everyCommit][draw.upTo(3)]
        own.from = 0
        return own
    }

    private static func output(_ draw: inout SplitMix, _ index: Int) -> AggregatePlan {
        let isKeyed = draw.upTo(3) == 0
        let windows: [AggregatePlan.Window] = [
            .tumbling(size: .seconds(60), offset: .zero), .hopping(size: .seconds(60), every: .seconds(20), offset: .seconds(5)),
            .tumbling(size: .seconds(10), offset: .zero),
        ]
        return AggregatePlan(
            name: "o\(index)", window: windows[draw.upTo(3)], allowedLateness: .seconds(Int64([0, 0, 15, 70][draw.upTo(4)])),
            groupBy: [isKeyed ? 2 : 1],
            measures: [MeasurePlan(name: "n", function: .count), MeasurePlan(name: "sum", function: .sum, column: 3)],
            emit: [.final, .onTime, .every(.seconds(7)), .everyCommit][draw.upTo(4)], isKeyed: isKeyed)
    }

    var plan: Plan {
        var plan = Plan(
            name: "case", source: SourcePlan(kind: .files([])), fields: Self.fields,
            eventTime: EventTimePlan(
                source: .field(0), outOfOrderness: .seconds(10), idleAfter: .milliseconds(Self.idleAfter)),
            deduplicate: orders || isRekeyed
                ? DeduplicatePlan(key: [4], within: .days(1), scope: isRekeyed ? .topic : .partition) : nil,
            aggregates: isRekeyed
                ? outputs.map { output in
                    var own = output
                    // Records no longer lie as their producers keyed them.
                    if own.isKeyed, own.from == nil { (own.isKeyed, own.groupBy) = (false, [1]) }
                    own.isKeyed = false
                    return own
                } : outputs)
        plan.state.keepClosed = late ? .days(1_000) : .zero
        return plan
    }

    var mergeLanes: Int { plan.aggregates.allSatisfy(\.isKeyed) ? 0 : lanes }

    /// Smaller cases that may still fail.
    var smaller: [GroupCase] {
        var found: [GroupCase] = []
        func with(_ isSmaller: Bool, _ change: (inout GroupCase) -> Void) {
            guard isSmaller else { return }
            var next = self
            change(&next)
            found.append(next)
        }
        with(steps > 10) { $0.steps /= 2 }
        with(steps > 10) { $0.steps -= max(1, $0.steps / 8) }
        with(processes > 1) { $0.processes -= 1 }
        with(lanes > 1) { $0.lanes -= 1 }
        for at in outputs.indices where outputs.count > 1 && !outputs.contains(where: { $0.from == at }) {
            // What is rolled up stands first.
            with(at > 0 || outputs.allSatisfy { $0.from == nil }) { $0.outputs.remove(at: at) }
        }
        with(crashes) { $0.crashes = false }
        with(handOvers) { $0.handOvers = false }
        with(idleness) { $0.idleness = false }
        with(orders) { $0.orders = false }
        with(late) { $0.late = false }
        with(isRekeyed) { $0.isRekeyed = false }
        with(spills) { $0.spills = false }
        with(unansweredSeals) { $0.unansweredSeals = false }
        with(foreseesTheEnd) { $0.foreseesTheEnd = false }
        with(isQuietAtTheEnd) { $0.isQuietAtTheEnd = false }
        return found
    }

    var description: String {
        "seed \(seed): \(lanes) lanes, \(processes) processes, \(steps) steps, crashes \(crashes), hand-overs \(handOvers), "
            + "idleness \(idleness), unanswered seals \(unansweredSeals), foresight \(foreseesTheEnd), quiet end \(isQuietAtTheEnd), orders \(orders), "
            + "late \(late), re-keyed \(isRekeyed), "
            + outputs.map { "\($0.window) + \($0.allowedLateness.milliseconds) \($0.emit)\($0.isKeyed ? " keyed" : "")" }
            .joined(separator: "; ")
    }
}

extension SplitMix {
    /// 0, 1, … below `bound`.
    mutating func upTo(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func oneIn(_ bound: Int) -> Bool { upTo(bound) == 0 }
}

/// A record of the input, as the case's topology has it.
struct GroupEvent {
    var time: Int64
    var group: String
    var key: String
    var value: Double
    /// Empty: it is no copy of anything.
    var id = ""

    var payload: [UInt8] {
        Array("{\"ts\":\(time),\"g\":\"\(group)\",\"k\":\"\(key)\",\"d\":\(value),\"id\":\"\(id)\"}".utf8)
    }
}
