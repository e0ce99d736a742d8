import Kafka
import Model
import Testing
import Testkit

/// The small job as a group on two partitions, with what its table must hold in the end.
final class SmallGroup {
    let cluster: KafkaCluster
    let topic: String
    let name: String
    let layout: GroupLayout
    private let job: SmallJob
    /// By window start in seconds and key.
    private var expected: [[String]: (n: Int, v: Int)] = [:]

    init(_ hint: String, _ change: (inout SmallJob) -> Void = { _ in }) throws {
        cluster = try KafkaCluster.shared()
        topic = try cluster.createTopic(hint, partitions: 2)
        name = "\(topic)-group"
        var job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(name)}", lateness: "1h",
            more: "delivery: exactly_once")
        change(&job)
        self.job = job
        let inputs = [PartitionID(topic: topic, number: 0), PartitionID(topic: topic, number: 1)]
        layout = GroupLayout(plan: try job.plan("/nowhere"), group: name, inputs: inputs)
    }

    func plan(_ state: Scratch) throws -> Plan { try job.plan(state.path) }

    /// So many records in each partition, a second apart, from this second on.
    func produce(_ count: Int, from start: Int, keys: Int = 3) throws {
        for partition in Int32(0)...1 {
            var records: [String] = []
            for second in start..<start + count {
                let key = "k\(second % keys)"
                let value = second + Int(partition)
                records.append(event(Double(second), key, value))
                let window = ["\(second / 10 * 10)", "'\(key)'"]
                let was = expected[window] ?? (0, 0)
                expected[window] = (was.n + 1, was.v + value)
            }
            try cluster.produce(records, to: topic, partition: partition)
        }
    }

    /// As `smallRows` reads them.
    var rows: [[String]] {
        expected.map { (start: Int($0.key[0]) ?? 0, row: $0.key + ["\($0.value.n)", "\($0.value.v)"]) }
            .sorted { ($0.start, $0.row[1]) < ($1.start, $1.row[1]) }.map(\.row)
    }
}
