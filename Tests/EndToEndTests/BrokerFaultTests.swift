import Freshness
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What goes wrong with brokers and topics; each test has a cluster of its own.
@Suite(.enabled(if: KafkaCluster.canStart, why))
struct BrokerFaultTests {
    @Test func aBrokerThatDiesUnderwayCostsNothingAndIsToldOnce() throws {
        let cluster = try KafkaCluster.exclusive()
        defer { cluster.stop() }
        let records = workload(30_000, seed: 21)
        try cluster.create("in", partitions: 4)
        try cluster.create("rows")
        try cluster.produce(records[..<15_000], to: "in")
        let scratch = Scratch()
        let job = ReferenceJob(
            bootstrap: cluster.bootstrap, source: "{topics: [in]}", targets: "      - kafka: {topic: rows}")
        let running = Running(try job.plan(scratch.path))
        try running.until("the first half") { $0.books.read == 15_000 }
        try cluster.kill()
        try running.until("the word that the broker is away") { $0.isBrokerUp == false }
        try cluster.restart()
        try running.until("the word that it is back") { $0.isBrokerUp == true }
        try cluster.produce(records[15_000...], to: "in")
        try running.until("the second half") { $0.books.read == 30_000 }
        try running.stop()
        let told = running.events.map(\.code).filter { $0.hasPrefix("broker") }
        #expect(told == ["broker_away", "broker_back"])
        try run(try job.plan(scratch.path))
        let answer = ReferenceJob.recomputation.answer(records)
        try expect(scratch.path, holds: answer)
        // The rows of the topic, last revision of each key, are as many as those of the table.
        let rows = try cluster.readAll("rows").values.flatMap { $0 }
        #expect(rows.count >= answer.rows[0].count)
        #expect(try stored(scratch.path, "SELECT count(*) FROM topic_outbox") == [["0"]])
    }

    @Test func aBrokerThatIsAwayAtTheStartIsWaitedFor() throws {
        let cluster = try KafkaCluster.exclusive()
        defer { cluster.stop() }
        try cluster.create("in")
        try cluster.produce([event(1), event(11)], to: "in")
        try cluster.kill()
        let scratch = Scratch()
        let plan = try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [in]}").plan(scratch.path)
        let running = Running(plan)
        try running.until("waiting") { $0.state.word == "waiting" && $0.isBrokerUp == false }
        // It can be stopped while it waits.
        let other = Scratch()
        var elsewhere = plan
        elsewhere.state.directory = other.path
        let waiting = Running(elsewhere)
        try waiting.until("waiting") { $0.state.word == "waiting" }
        let clock = SystemClock()
        let asked = clock.monotonic()
        #expect(try waiting.stop().read == 0)
        #expect(clock.monotonic() - asked < .seconds(5))
        try cluster.restart()
        try running.until("the records") { $0.books.read == 2 && $0.state == .running }
        #expect(running.events.map(\.code).filter { $0.hasPrefix("broker") } == ["broker_away", "broker_back"])
        try running.stop()
    }

    /// Rows wait in the state while their topic's broker is away; the stop does not wait for it.
    @Test func rowsWaitForTheirBrokerAndAStopDoesNot() throws {
        let cluster = try KafkaCluster.exclusive()
        defer { cluster.stop() }
        try cluster.create("rows")
        let scratch = Scratch()
        let job = ReferenceJob(
            bootstrap: cluster.bootstrap, source: "{generator: {rate: 2000/s, events: 40000, partitions: 4}}",
            targets: "      - kafka: {topic: rows}", perMinute: "{every: 100ms}")
        let running = Running(try job.plan(scratch.path))
        try running.until("rows") { $0.outputs[0].rowsEmitted > 0 }
        try cluster.kill()
        try running.until("the word that rows wait") { _ in running.events.contains { $0.code == "outbox_stuck" } }
        let clock = SystemClock()
        let asked = clock.monotonic()
        #expect(try running.stop().books.balances)
        #expect(clock.monotonic() - asked < .seconds(5), "\(clock.monotonic() - asked)")
        let waiting = try stored(scratch.path, "SELECT count(*) FROM topic_outbox")
        #expect(waiting != [["0"]])
        try cluster.restart()
        var plan = try job.plan(scratch.path)
        plan.commitEvery = .milliseconds(20)
        try run(plan)
        #expect(try stored(scratch.path, "SELECT count(*) FROM topic_outbox") == [["0"]])
        // Every row that the table has is in the topic too.
        let count = try sql(scratch.file("results.db"), "SELECT count(*) FROM per_minute")[0][0]
        let records = try RawClient.read(Int(count) ?? 0, of: "rows", cluster)
        #expect(!records.isEmpty)
    }

    @Test func whatIsMissingOrForbiddenIsSaid() throws {
        let cluster = try KafkaCluster.exclusive(secure: true)
        defer { cluster.stop() }
        let folder = try #require(cluster.directory)
        try cluster.create("guarded")
        let scratch = Scratch()
        let missing = try refusal(
            try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [nowhere]}").plan(scratch.file("1")))
        #expect([missing.code, missing.place] == ["topic_missing", "nowhere"])
        #expect(missing.exit == .broker)
        let secure = try #require(cluster.secureBootstrap)
        var plan = try SmallJob(bootstrap: secure, source: "{topics: [guarded]}").plan(scratch.file("2"))
        plan.kafka.tls = .init(ca: "\(folder)/tls/ca.pem", certificate: nil, key: nil)
        for (user, password, code) in [("app", "app-secret", "topic_forbidden"), ("admin", "guess", "login_refused")] {
            plan.kafka.sasl = .init(mechanism: "PLAIN", user: user, password: password)
            let fault = try refusal(plan)
            #expect(fault.code == code)
            #expect(fault.exit == .broker)
            #expect(!"\(fault)".contains(password), "a secret was told")
        }
        plan.kafka.sasl = .init(mechanism: "PLAIN", user: "admin", password: "admin-secret")
        #expect(try run(plan).read == 0)
    }
}
