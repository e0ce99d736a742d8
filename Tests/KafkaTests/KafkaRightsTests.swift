import Kafka
import Model
import Synchronization
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(30)

/// The list of rights is neither too short nor too long.
@Suite(.enabled(if: KafkaCluster.canStart, why))
struct KafkaRightsTests {
    private let group = "usage-group"
    private let names = GroupLayout.Topics(group: "usage-group", name: "usage")
    private var rights: [KafkaRight] {
        KafkaRight.needed(
            topics: names, group: group, transactionalIDs: "usage-", inputs: ["events"], outputs: ["rows"], creates: true)
    }

    @Test func everyRightOfTheListIsNeededAndNoOther() throws {
        let cluster = try KafkaCluster.exclusive(secure: true)
        defer { cluster.stop() }
        try cluster.create("events")
        try cluster.create("rows")
        try cluster.produce(numbered(3, topic: "events", partition: 0))
        let plan = KafkaPlan(
            bootstrap: try #require(cluster.secureBootstrap),
            tls: .init(ca: "\(try #require(cluster.directory))/tls/ca.pem", certificate: nil, key: nil),
            sasl: .init(mechanism: "PLAIN", user: "app", password: "app-secret"))
        let acls = try RawAcls(cluster, user: "app")
        defer { acls.close() }
        let (always, create) = (rights.filter { $0.operation != .create }, rights.filter { $0.operation == .create })
        #expect(create.count == 1)
        for right in always { try acls.grantByTool(right) }

        // Without the right to create: the command that the fault shows, carried out by somebody else, does.
        let refused = #expect(throws: Fault.self) { try wholeRun(plan) }
        #expect(refused?.code == "topic_not_created")
        #expect(refused?.place == names.changelog)
        let words = try #require(refused?.next.split(separator: " ").map(String.init))
        #expect(words.prefix(5) == ["Create", "it:", "kafka-topics", "--bootstrap-server", "ADDRESS"])
        try cluster.tool("topics", Array(words.dropFirst(5)))
        try acls.grant(create[0])
        try wholeRun(plan)
        // Only the first start needs it.
        try acls.take(create[0])
        try wholeRun(plan)

        for right in always {
            try acls.take(right)
            // Brokers hear of it a moment later, and of those that were granted again too: what counts is that it comes to be named.
            let fault = try eventually("a refusal that names \(right)") { () -> Fault? in
                do throws(Fault) {
                    try wholeRun(plan)
                    return nil
                } catch {
                    return Self.names(error, right) ? error : nil
                }
            }
            #expect(fault.exit == .broker)
            #expect(!fault.isTransient)
            try acls.grant(right)
        }
        _ = try eventually("a run with all rights again") { (try? wholeRun(plan)).map { true } }
    }

    /// Whether the fault tells the reader to grant it, under a name that it covers.
    private static func names(_ fault: Fault, _ right: KafkaRight) -> Bool {
        let options = "--operation \(right.operation.rawValue) --\(right.resource.rawValue) '\(right.name)"
        return fault.next.contains(right.isPrefix ? options : options + "'")
    }

    /// What a member does from its start to its first commit and its next restore.
    private func wholeRun(_ plan: KafkaPlan) throws(Fault) {
        let settings = KafkaSettings(plan)
        let queries = try KafkaQueries(settings, group: group)
        defer { queries.close(within: limit) }
        let inputs = try queries.partitions(of: ["events"], within: limit)
        _ = try queries.partitions(of: ["rows"], toWrite: true, within: limit)
        let own = [
            InternalTopic.compacted(names.changelog, partitions: 1), .passing(names.watermarks, partitions: 1, kept: .days(1)),
        ]
        try queries.ensure(own, within: limit)
        _ = try queries.members(of: group, within: limit)
        _ = try queries.committedOffsets(of: inputs, within: limit)

        let producer = try KafkaTransactions(settings, transactionalID: "usage-1", clock: TestClock()) { _ in }
        defer { producer.close(within: limit) }
        try producer.prepare(warming: ["rows", names.changelog, names.watermarks], within: limit)

        let heard = Mutex<Result<GroupIdentity, Fault>?>(nil)
        let membership = try KafkaMembership(
            settings, group: group, instance: nil, clock: TestClock(), onEvent: { _ in },
            onChange: { change in
                heard.withLock {
                    switch change {
                    case .assigned(_, let identity): $0 = .success(identity)
                    case .failed(let fault): $0 = .failure(fault)
                    case .revoked: break
                    }
                }
            })
        defer { membership.close(leaving: true, within: limit) }
        try membership.join(["events"])
        let answer = try? eventually("the group's answer") { heard.withLock { $0 } }
        guard let answer else { throw Fault("test_silence", "No answer from the group.", next: "", exit: .broker) }
        let identity = try answer.get()

        let consumer = try KafkaConsumer(settings, queues: QueueShare(budget: .mebibytes(16), partitions: 1)) { _ in }
        defer { consumer.close(within: limit) }
        let input = try consumer.partition(inputs[0])
        try input.open(at: 0) {}
        try take(3, from: input)
        input.close()

        try producer.begin()
        do throws(Fault) {
            for topic in ["rows", names.changelog, names.watermarks] {
                let bytes: [UInt8] = [1]
                let into = try producer.topic(topic)
                let result = bytes.withUnsafeBytes { bytes in
                    Result { () throws(Fault) in try producer.send(to: into, partition: 0, key: bytes, value: bytes) }
                }
                try result.get()
            }
            try producer.flush(within: limit)
        } catch {
            producer.abort()
            throw error
        }
        switch producer.commit(offsets: [inputs[0]: 3], as: identity) {
        case .committed: break
        case .aborted(let fault), .doubtful(let fault), .fenced(let fault): throw fault
        }

        let log = try KafkaLog(settings, memory: .mebibytes(16), partitions: 1) { _ in }
        defer { log.close(within: limit) }
        let id = PartitionID(topic: names.changelog, number: 0)
        let end = try queries.watermarks(of: [id], within: limit)[id]?.upperBound ?? 0
        try log.reader(of: id, from: 0).read(to: end) { _ in }
        // At least once: rows are sent beside the transaction.
        let rows = try KafkaProducer(settings) { _ in }
        defer { rows.close(within: limit) }
        try rows.send([OutgoingRecord(topic: "rows", partition: 0, value: [1])], within: limit)
        if let failure = rows.flush(within: limit).failures.first { throw failure.fault }
    }

    private func take(_ count: Int, from input: KafkaPartition) throws(Fault) {
        var left = count
        for _ in 0..<30_000 where left > 0 {
            switch input.take(limit: 100) {
            case .records(let batch): left -= batch.count
            case .failed(let fault): throw fault
            case .nothing, .end: _ = try? eventually("records", within: 0.001) { nil as Bool? }
            }
        }
        if left > 0 { throw Fault("test_silence", "No records.", next: "", exit: .broker) }
    }
}
