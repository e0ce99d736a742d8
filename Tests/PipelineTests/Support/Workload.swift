import Model
import Testkit

/// A random plan and random records for it, small enough to be judged by hand where they fail. The same for the same seed.
struct Workload {
    static let fields = [
        FieldPlan(name: "id", type: .uuid), FieldPlan(name: "ts", type: .timestamp(.milliseconds)),
        FieldPlan(name: "i", type: .int), FieldPlan(name: "d", type: .double), FieldPlan(name: "s", type: .string),
        FieldPlan(name: "b", type: .bool), FieldPlan(name: "at", type: .timestamp(.milliseconds)),
        FieldPlan(name: "j", type: .int, fallback: .int(-7)), FieldPlan(name: "k", type: .string, required: true),
        FieldPlan(name: "u", type: .uuid),
    ]
    static let (id, ts, i, d, s, b, at, j, k, u) = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    static let words = [
        "", "null", "x", "x:y", "y:z", "z", "y", "é", "日本", "0123456789abcdef", "0123456789abcdefg",
        "a text that is longer than what a cell keeps inline, and than sixteen bytes",
    ]

    /// Clocks that are changed all the time, by as much as they like.
    static let restless = Zone(
        name: "Restless",
        transitions: [-86_400, -600, 300, 960, 1_200, 1_767_225_300, 1_767_225_720, 1_767_226_200, 1_767_227_400],
        offsets: [0, 3_600, -300, 5_400, 3_600, 0, -1_800, 3_600, 0, 7_200])

    let plan: Plan
    /// By partition, in the order of delivery.
    private(set) var records: [[PlainRecord]]
    private var random: SplitMix

    /// `most`: records at most, a few of them less.
    init(seed: UInt64, most: Int = 500) {
        random = SplitMix(seed: seed)
        records = []
        var draw = random
        plan = Self.plan(&draw)
        let partitions = 1 + draw.below(4)
        let count = most / 10 + draw.below(most - most / 10)
        random = draw
        records = Array(repeating: [], count: partitions)
        fill(count)
    }

    /// The same plan with other records.
    func with(_ records: [[PlainRecord]]) -> Workload {
        var other = self
        other.records = records
        return other
    }

    private static func plan(_ draw: inout SplitMix) -> Plan {
        var fields = Self.fields
        for column in [Self.id, Self.i, Self.s] where draw.below(6) == 0 { fields[column].required = true }
        let keys = [[Self.id], [Self.s, Self.k], [Self.s], [Self.d, Self.i], [Self.u, Self.b, Self.at], [Self.k]]
        let within = [1, 999, 5_000, 16_000, 60_000, 300_000][draw.below(6)]
        let dedup =
            draw.below(6) == 0
            ? nil
            : DeduplicatePlan(
                key: keys[draw.below(3) == 0 ? draw.below(keys.count) : 0], within: .milliseconds(Int64(within)),
                bucket: draw.below(4) == 0 ? .milliseconds(Int64(1 + draw.below(3_000))) : nil, observe: draw.below(5) == 0)
        let byRecord = draw.below(6) == 0
        return Plan(
            name: "case", source: SourcePlan(kind: .files([]), maxRecord: ByteCount(4_096)), fields: fields,
            eventTime: EventTimePlan(
                source: byRecord ? .recordTimestamp : .field(ts),
                outOfOrderness: .milliseconds(Int64([0, 1, 500, 10_000, 60_000][draw.below(5)])),
                maxFuture: .milliseconds(Int64([0, 5_000, 600_000][draw.below(3)]))),
            filter: draw.below(2) == 0 ? nil : predicate(&draw, depth: 2), deduplicate: dedup,
            aggregates: (0...draw.below(3)).map { aggregate(&draw, $0) },
            late: draw.below(8) == 0 ? .count : .ledger(keep: .days(1)))
    }

    private static func aggregate(_ draw: inout SplitMix, _ index: Int) -> AggregatePlan {
        let size = Int64([1, 1_000, 7_777, 10_000, 60_000][draw.below(5)])
        let every = [size, max(size / 2, 1), max(size / 7, 1), size + 500, size * 3][draw.below(5)]
        let offset = Int64([0, 0, 1, 250, -40, 3_599][draw.below(6)])
        let measures = (0...draw.below(6)).map { measure(&draw, $0) }
        let steps = Int64([1, 2, 5][draw.below(3)])
        let windows: [AggregatePlan.Window] = [
            .tumbling(size: .milliseconds(size), offset: .milliseconds(offset)),
            .hopping(size: .milliseconds(size), every: .milliseconds(every), offset: .milliseconds(offset)),
            .cumulative(size: .milliseconds(size * steps), step: .milliseconds(size), offset: .milliseconds(offset)),
            .calendar(draw.below(2) == 0 ? .hour : .day, zone: restless, weekStarts: 1),
            .session(gap: .milliseconds([1, 900, 5_000, 40_000][draw.below(4)])),
        ]
        let window = windows[[0, 0, 1, 1, 2, 3, 4, 4, 4][draw.below(9)]]
        // What the messages are keyed by.
        let isKeyed = window.isSession && draw.below(2) == 0
        return AggregatePlan(
            name: "a\(index)", window: window,
            allowedLateness: .milliseconds(Int64([0, 0, 1, 5_000, 100_000][draw.below(5)])),
            admits: draw.below(3) == 0 ? predicate(&draw, depth: 1) : nil,
            groupBy: isKeyed
                ? [[k], [k, b], [s, k]][draw.below(3)] : [[], [k], [s, k], [i], [b, s], [d], [u], [at, j]][draw.below(8)],
            measures: measures, emit: [.final, .onTime, .every(.seconds(1)), .everyCommit][draw.below(4)], isKeyed: isKeyed)
    }

    private static func measure(_ draw: inout SplitMix, _ index: Int) -> MeasurePlan {
        let any: [MeasurePlan.Function] = [.count, .first, .last, .approxDistinct, .exactDistinct, .top]
        let ordered = any + [.min, .max, .largest, .largestDistinct]
        let numeric = ordered + [.sum, .avg, .stddev, .quantile]
        let column = [nil, i, d, s, b, at, j, k, u, d][draw.below(10)]
        let choices =
            switch column {
            case nil: [MeasurePlan.Function.count]
            case i, d, j: numeric
            case s, k, at: ordered
            default: any
            }
        return MeasurePlan(
            name: "m\(index)", function: choices[draw.below(choices.count)], column: column,
            share: [0, 0.5, 0.99, 1][draw.below(4)], limit: [1, 2, 5, 100][draw.below(4)],
            admits: draw.below(5) == 0 ? predicate(&draw, depth: 1) : nil)
    }

    private static func predicate(_ draw: inout SplitMix, depth: Int) -> Predicate {
        let choice = draw.below(depth == 0 ? 5 : 8)
        switch choice {
        case 0: return .compare(column: s, [.equal, .notEqual, .less][draw.below(3)], .string(words[draw.below(words.count)]))
        case 1: return .compare(column: i, [.less, .greaterOrEqual][draw.below(2)], .int(Int64(draw.below(20)) - 10))
        case 2: return .isNull(column: [s, i, d, b][draw.below(4)], negated: draw.below(3) > 0)
        case 3: return .truth(column: b)
        case 4: return .isIn(column: k, [.string("x"), .string("z"), .string("é")], negated: draw.below(2) == 0)
        case 5: return .not(predicate(&draw, depth: depth - 1))
        case 6: return .and([predicate(&draw, depth: depth - 1), predicate(&draw, depth: depth - 1)])
        default: return .or([predicate(&draw, depth: depth - 1), predicate(&draw, depth: depth - 1)])
        }
    }

    // MARK: Records

    private mutating func fill(_ count: Int) {
        let start = [Int64(0), -70_000, 1_767_225_600_000][random.below(3)]
        let pace = Int64([1, 40, 700, 5_000][random.below(4)])
        let hasStamps = random.below(3) > 0
        var offsets = records.map { _ in Int64(random.below(3)) }
        for index in 0..<count {
            let partition = random.below(records.count)
            if !records[partition].isEmpty, random.below(40) == 0 {
                // The same again, or a few from further back: a redelivery.
                let back = min(1 + (random.below(2) * 2), records[partition].count)
                records[partition] += records[partition].suffix(back)
                continue
            }
            let offset = offsets[partition]
            offsets[partition] += 1 + (random.below(20) == 0 ? Int64(random.below(5)) : 0)
            let now = start + Int64(index) * pace
            records[partition].append(record(partition, offset, now: now, hasStamp: hasStamps))
        }
    }

    private mutating func record(_ partition: Int, _ offset: Int64, now: Int64, hasStamp: Bool) -> PlainRecord {
        var time = now - Int64(random.below(3_000))
        switch random.below(40) {
        case 0...3: time -= Int64(random.below(200_000))
        case 4: time -= 1_000_000
        case 5: time += Int64(random.below(20_000))
        case 6: time += 700_000
        default: break
        }
        let stamp = hasStamp && random.below(20) > 0 ? now : nil
        if random.below(5) == 0, let copy = copied(partition, offset, stamp, time) { return copy }
        switch random.below(60) {
        case 0: return PlainRecord(body: .tombstone, offset: offset, timestamp: stamp)
        case 1:
            let garbage = ["", "{", "[]", "{\"ts\":1}x", "{\"ts\":1,}", "nul"][random.below(6)]
            return PlainRecord(body: .undecodable(garbage), offset: offset, timestamp: stamp)
        case 2: return PlainRecord(body: .oversize, offset: offset, timestamp: stamp)
        default: break
        }
        var fields = Self.fields.indices.map { field($0, time: time) }
        if plan.aggregates.contains(where: \.isKeyed), case .value(.string(let word)) = fields[Self.k] {
            fields[Self.k] = .value(.string("\(word)\(partition)"))
        }
        return PlainRecord(body: .object(fields), offset: offset, timestamp: stamp)
    }

    /// An earlier record of the partition again, sometimes with another event time.
    private mutating func copied(_ partition: Int, _ offset: Int64, _ stamp: Int64?, _ time: Int64) -> PlainRecord? {
        guard !records[partition].isEmpty else { return nil }
        let reach = random.below(3) == 0 ? records[partition].count : min(records[partition].count, 10)
        var copy = records[partition][records[partition].count - 1 - random.below(reach)]
        copy.offset = offset
        copy.timestamp = random.below(2) == 0 ? stamp : copy.timestamp
        if case .object(var fields) = copy.body, random.below(3) == 0 {
            fields[Self.ts] = .value(.time(EventTime(milliseconds: time)))
            copy.body = .object(fields)
        }
        return copy
    }

    private mutating func field(_ column: Int, time: Int64) -> PlainRecord.Field {
        switch random.below(column == Self.ts ? 120 : 60) {
        case 0...1: return .missing
        case 2...3: return .null
        case 4:
            if column == Self.ts || column == Self.at { return .wrong("\"soon\"") }
            return .wrong(["[1]", "{}"][random.below(2)])
        case 5: if column == Self.i || column == Self.j { return .wrong("6.5") }
        default: break
        }
        switch column {
        case Self.ts: return .value(.time(EventTime(milliseconds: time)))
        case Self.at: return .value(.time(EventTime(milliseconds: Int64(random.below(5)) * 1_000 - 2_000)))
        case Self.i:
            let wide = random.below(30) == 0
            return .value(.int(wide ? [Int64.max, .min][random.below(2)] : Int64(random.below(20)) - 10))
        case Self.j: return .value(.int(Int64(random.below(4))))
        case Self.d:
            return .value(.double([0, -0.0, 0.1, 1e-3, 2.5, 1e11, -33.25][random.below(7)] * Double(1 + random.below(3))))
        case Self.b: return .value(.bool(random.below(2) == 0))
        case Self.s, Self.k: return .value(.string(Self.words[random.below(Self.words.count)]))
        default:
            let kinds = random.below(40)
            return .value(
                kinds == 0
                    ? .uuid(high: 0, low: 0) : .uuid(high: kinds == 1 ? 0 : random.next(), low: UInt64(random.below(1_000))))
        }
    }
}
