import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

/// What goes wrong with brokers: each test has a cluster of its own.
@Suite(.enabled(if: KafkaCluster.canStart, why))
struct KafkaBrokerFaultTests {
    @Test func aBrokerThatDiesAndComesBackCostsNoRecord() throws {
        let cluster = try KafkaCluster.exclusive()
        defer { cluster.stop() }
        try cluster.create("crash", partitions: 2)
        try cluster.produce(numbered(3_000, topic: "crash", partition: 0) + numbered(3_000, topic: "crash", partition: 1))
        let reader = try Reader(cluster)
        defer { reader.close() }
        let inputs = try (0..<2).map { try reader.open("crash", $0) }
        var found = try inputs.map { try $0.records(1_000, limit: 300) }
        try cluster.kill()
        _ = try eventually("the word that the broker is away") { reader.events.all.isEmpty ? nil : true }
        try cluster.restart()
        _ = try eventually("the word that it is back") { reader.events.all.contains(.brokersBack) ? true : nil }
        try cluster.produce(
            numbered(500, topic: "crash", partition: 0, from: 3_000) + numbered(500, topic: "crash", partition: 1, from: 3_000))
        for (number, input) in inputs.enumerated() {
            found[number] += try input.records(3_500 - found[number].count)
            #expect(found[number] == stored(0..<3_500, partition: Int32(number)))
            #expect(try input.caughtUp() == 3_500)
            input.close()
        }
        #expect(reader.events.all.count == 2)
        guard case .brokersAway(let fault) = reader.events.all[0] else {
            Issue.record("\(reader.events.all)")
            return
        }
        #expect(fault.code == "broker_unreachable")
        #expect(fault.isTransient)
    }

    @Test func aBrokenBatchStopsItsPartitionAndNothingBehindItSurfaces() throws {
        let cluster = try KafkaCluster.exclusive()
        defer { cluster.stop() }
        try cluster.create("broken", partitions: 2)
        // One batch each, so that the second can be spoilt.
        let marked = [UInt8]("spoil-me-please".utf8)
        try cluster.produceUncompressed(numbered(10, topic: "broken", partition: 0))
        try cluster.produceUncompressed([OutgoingRecord(topic: "broken", partition: 0, value: marked, timestamp: 1)])
        try cluster.produceUncompressed(numbered(10, topic: "broken", partition: 0, from: 11))
        try cluster.produceUncompressed(numbered(10, topic: "broken", partition: 1))
        try cluster.spoil("broken-0", replacing: "spoil-me-please", with: "spoil-me-pleasE")
        let reader = try Reader(cluster)
        defer { reader.close() }
        let bad = try reader.open("broken", 0)
        let good = try reader.open("broken", 1)
        #expect(try bad.records(10) == stored(0..<10, partition: 0))
        let fault = try bad.fault()
        #expect(fault.code == "batch_unreadable")
        #expect(fault.place == "broken/0@10")
        #expect(fault.exit == .choiceNeeded)
        #expect(try good.records(10) == stored(0..<10, partition: 1))
        let id = PartitionID(topic: "broken", number: 0)
        #expect(reader.events.all == [.reopened(id, at: 10), .reopened(id, at: 10)])
        bad.close()
        good.close()
    }

    @Test func rightsAndLoginsAreToldApart() throws {
        let cluster = try KafkaCluster.exclusive(secure: true)
        defer { cluster.stop() }
        try cluster.create("guarded")
        try cluster.produce(numbered(5, topic: "guarded", partition: 0))
        let bootstrap = try #require(cluster.secureBootstrap)
        let folder = try #require(cluster.directory)
        func plan(_ user: String, _ password: String, ca: String = "ca.pem") -> KafkaPlan {
            KafkaPlan(
                bootstrap: bootstrap, tls: .init(ca: "\(folder)/tls/\(ca)", certificate: nil, key: nil),
                sasl: .init(mechanism: "PLAIN", user: user, password: password))
        }
        func partitions(_ plan: KafkaPlan) throws -> [PartitionID] {
            let queries = try KafkaQueries(KafkaSettings(plan))
            defer { queries.close(within: limit) }
            // A handshake on a busy machine can take seconds.
            return try queries.partitions(of: ["guarded"], within: .seconds(8))
        }
        #expect(try partitions(plan("admin", "admin-secret")) == [PartitionID(topic: "guarded", number: 0)])
        #expect(#expect(throws: Fault.self) { try partitions(plan("app", "app-secret")) }?.code == "topic_forbidden")
        #expect(#expect(throws: Fault.self) { try partitions(plan("admin", "guess")) }?.code == "login_refused")
        // The server's own certificate signs nothing.
        #expect(
            #expect(throws: Fault.self) { try partitions(plan("admin", "admin-secret", ca: "client.pem")) }?.code == "tls_failed")

        let reader = try Reader(cluster, plan: plan("admin", "admin-secret"))
        defer { reader.close() }
        let input = try reader.open("guarded")
        #expect(try input.records(5) == stored(0..<5, partition: 0))
        input.close()

        let stranger = try Reader(cluster, plan: plan("app", "app-secret"))
        defer { stranger.close() }
        let refused = try stranger.open("guarded")
        #expect(try refused.fault().code == "topic_forbidden")
        refused.close()

        let producer = try KafkaProducer(KafkaSettings(plan("app", "app-secret"))) { _ in }
        defer { producer.close(within: limit) }
        try producer.send(numbered(1, topic: "guarded", partition: 0), within: limit)
        #expect(producer.flush(within: limit).failures.map(\.fault.code) == ["topic_forbidden"])
    }
}
