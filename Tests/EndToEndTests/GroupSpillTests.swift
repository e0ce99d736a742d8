import Freshness
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Instances of a group whose keys and windows are several times what they may keep in memory, against a real broker.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupSpillTests {
    private let first = Scratch()
    private let second = Scratch()
    private static let each = 60_000

    private func plan(_ cluster: KafkaCluster, _ topic: String, _ rows: String, _ state: Scratch) throws -> Plan {
        var plan = try EndToEndTests.plan(
            """
            name: spill
            kafka: {bootstrap: "\(cluster.bootstrap)"}
            source: {topics: [\(topic)], group: \(topic)-group, keyed_by: [user]}
            fields:
              id:   {type: uuid, required: true}
              user: {type: string, required: true}
              ts:   {type: timestamp, unit: ms, required: true}
              v:    {type: int}
            event_time: {field: ts, out_of_orderness: 10s}
            deduplicate: {key: [id], within: 5m, compare: {ignore: [v]}}
            aggregates:
              per_user:
                window: {tumbling: 10m}
                group_by: [user]
                measures: {events: count(), total: sum(v), last: last(v)}
                emit: final
                to: [{kafka: {topic: \(rows)}}]
            delivery: exactly_once
            commit: {every: 50ms}
            check: {accept: [late_copies]}
            """, state: state.path)
        plan.state.memory = ByteCount(5 << 20)
        return plan
    }

    /// S20: through a hand-over, a restart and a state directory that is lost, each event counts once and each row is there once.
    @Test func nothingIsDifferentForAGroupWhoseStateWaitsOnDisk() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("spilled", partitions: 2)
        let rows = try cluster.createTopic("spilled-rows")
        var expected: [String: (events: Int, total: Int, last: Int)] = [:]
        var copies = 0
        var seen = [Set<Int>(), Set<Int>()]
        func feed(_ numbers: Range<Int>) throws {
            for partition in 0..<2 {
                var random = SplitMix(seed: UInt64(numbers.lowerBound + partition))
                var records: [(partition: Int32, text: String, timestamp: Int64)] = []
                for number in numbers {
                    // A tenth are copies of an event up to three minutes ago.
                    let before = number - 1 - Int(random.next() % 9_000)
                    let isCopy = random.next() % 10 == 0 && seen[partition].contains(before)
                    let event = Event(isCopy ? before : number, of: partition)
                    records.append((Int32(partition), event.text, event.time))
                    if isCopy {
                        copies += 1
                    } else {
                        seen[partition].insert(number)
                        event.count(into: &expected)
                    }
                }
                try cluster.produce(to: topic, records)
            }
        }
        func isRead(_ running: Running, _ count: Int) throws {
            try running.until("\(count) records read", within: 120) { $0.books.read >= count && $0.state == .running }
        }

        try feed(0..<Self.each / 3)
        let one = Running(try plan(cluster, topic, rows, first))
        try isRead(one, Self.each / 3 * 2)
        let two = Running(try plan(cluster, topic, rows, second))
        for running in [one, two] {
            try running.until("a partition for each") { $0.partitions.count == 1 && $0.state == .running }
        }
        try feed(Self.each / 3..<Self.each / 3 * 2)
        try one.until("its share read") { $0.books.read >= Self.each / 3 * 2 }
        try two.until("its share read") { $0.books.read >= Self.each / 3 * 2 }
        // Its partition goes to the other one, and it comes back with nothing.
        let early = try one.stop()
        try isRead(two, Self.each / 3 * 4)
        try two.stop()
        let lost = Scratch()
        try feed(Self.each / 3 * 2..<Self.each)
        let last = try Running(try plan(cluster, topic, rows, lost), RunOptions(until: .end)).summary(within: 120)

        #expect(early.coldReads + last.coldReads > 1_000 && last.mostState < 8 << 20, "\(last.coldReads), \(last.mostState)")
        #expect(last.books.read == Int64(Self.each * 2) && last.books.duplicate == Int64(copies) && last.books.balances)
        let found = try cluster.readAll(rows).values.flatMap { $0 }.map { String(decoding: $0.value ?? [], as: UTF8.self) }
        #expect(found.count == expected.count)
        let wrong = Set(found.map { String($0.split(separator: #","revision""#)[0]) }).symmetricDifference(
            expected.map { #"\#($0.key),"events":\#($0.value.events),"total":\#($0.value.total),"last":\#($0.value.last)"# })
        #expect(wrong.isEmpty, "\(wrong.count), \(wrong.sorted().prefix(4))")
    }

    /// The event of this number: twenty minutes of them in each partition.
    private struct Event {
        let id: String
        let user: String
        let time: Int64
        let value: Int

        init(_ number: Int, of partition: Int) {
            var own = SplitMix(seed: UInt64(number * 2 + partition) &+ 1 << 40)
            let digits = String(own.next() | 1 << 63, radix: 16) + String(own.next() | 1 << 63, radix: 16)
            id = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map { from, to in
                String(digits.dropFirst(from).prefix(to - from))
            }
            .joined(separator: "-")
            user = "user \(own.next() % 25_000) of \(partition)"
            time = newYear + Int64(number) * 20
            value = Int(own.next() % 1_000)
        }

        var text: String { #"{"id":"\#(id)","user":"\#(user)","ts":\#(time),"v":\#(value)}"# }

        func count(into rows: inout [String: (events: Int, total: Int, last: Int)]) {
            let start = time / 600_000 * 600_000
            let key = #"{"window_start":\#(start),"window_end":\#(start + 600_000),"user":"\#(user)""#
            let was = rows[key] ?? (0, 0, 0)
            rows[key] = (was.events + 1, was.total + value, value)
        }
    }
}
