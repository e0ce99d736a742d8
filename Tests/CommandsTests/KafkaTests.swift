import Glibc
import Model
import Testing
import Testkit

@testable import Commands

@Test(.enabled(if: KafkaCluster.isAvailable, Comment(rawValue: KafkaCluster.reason)))
func trafficGoesIntoATopicThatIsMadeAndARunReadsItToItsEnd() throws {
    let cluster = try KafkaCluster.shared()
    let topic = "commands-\(UInt32.random(in: 0 ... .max))"
    let to = "kafka://\(cluster.bootstrap)/\(topic)"
    let made = try WeirProcess(["generate", "--to", to, "--events", "20k", "--partitions", "3", "--json"]).end(within: 60)
    #expect(made.exit == 0 && made.out.hasPrefix(#"{"events":20000,"#))
    let other = try WeirProcess(["generate", "--to", to, "--events", "1", "--json"]).end(within: 60)
    #expect(other.exit == 2 && other.out.hasPrefix(#"{"error":{"code":"topic_partitions","#))
    let folder = Scratch()
    let text = BuiltInTopologies.reference.replacing("topics: [events]", with: "topics: [\(topic)]")
    let kafka = text.replacing("${KAFKA_BOOTSTRAP:-localhost:9092}", with: cluster.bootstrap)
    let file = try folder.file("t.yaml", kafka + "state: {directory: \(folder.path)/state}\n")
    let end = try WeirProcess(["run", file, "--until", "end", "--json"]).end(within: 60)
    #expect(end.exit == 0 && end.out.contains(#""records":20000,"#) && end.out.contains(#""balances":true"#))
}

@Test(.enabled(if: KafkaCluster.isAvailable, Comment(rawValue: KafkaCluster.reason)))
func pacedTrafficGoesOnUntilItIsTold() throws {
    let cluster = try KafkaCluster.shared()
    let topic = "commands-\(UInt32.random(in: 0 ... .max))"
    let process = try WeirProcess(
        ["generate", "--topic", topic, "--bootstrap", cluster.bootstrap, "--rate", "500/s", "--paced", "--json"])
    _ = try eventually("the topic", within: 60) {
        (try? cluster.tool("topics", ["--describe", "--topic", topic])) != nil ? true : nil
    }
    process.signal(SIGTERM)
    let answer = try process.end(within: 10)
    #expect(answer.exit == 0 && answer.out.hasPrefix(#"{"events":"#) && !answer.out.hasPrefix(#"{"events":0,"#))
}

@Test(.enabled(if: KafkaCluster.isAvailable, Comment(rawValue: KafkaCluster.reason)))
func aTopicIsSampledWithoutAGroupAndDraftedFromItsNewestRecords() throws {
    let cluster = try KafkaCluster.shared()
    let topic = try cluster.createTopic("init.sample", partitions: 3)
    let start: Int64 = 1_767_225_600_000
    // Two partitions of 400 and none in the third; the first 300 of each are of an older shape.
    try cluster.produce(
        to: topic,
        (0..<800).map { i in
            let time = start + Int64(i) * 500
            let id = i / 2 % 10 == 0 && i > 2 ? i - 2 : i
            let text =
                i < 600
                ? #"{"old":\#(i),"ts":\#(time)}"#
                : #"{"event_id":"e\#(id)","ts":\#(time - (i % 40 / 2 == 5 ? 4_000 : 0)),"event":"play"}"#
            return (Int32(i % 2), text, time)
        })
    let folder = Scratch()
    let overlay = try folder.file(
        "broker.yaml", "kafka: {bootstrap: \"\(cluster.bootstrap)\", client: {fetch.wait.max.ms: 50}}\n")
    func drafted(_ more: String...) -> Said {
        said(
            ["init", "--from-topic", topic, "--with", overlay, "--out", folder.path, "--name", "t", "--force", "--json"] + more)
    }
    let newest = drafted("--records", "100")
    #expect(newest.exit == 0, "\(newest.error)")
    #expect(newest.out.contains(#""records":200,"undecodable":0,"event_time":"ts","key":["event_id"]"#), "\(newest.out)")
    let text = read("\(folder.path)/t.yaml")
    #expect(text.contains("# Measured on 200 records, the newest of each of 3 partitions.") && !text.contains("old:"), "\(text)")
    #expect(text.contains("18 copies") && text.contains("the worst 3s") && text.contains("topics: [\(topic)]"), "\(text)")
    #expect(text.contains("${KAFKA_BOOTSTRAP:-\(cluster.bootstrap)}"))
    #expect(said("check", "--strict", "\(folder.path)/t.yaml").exit == 0)
    #expect(said("test", "\(folder.path)/t.test.yaml").exit == 0)
    let oldest = drafted("--records", "100", "--oldest")
    #expect(oldest.exit == 0 && read("\(folder.path)/t.yaml").contains("the oldest of each of 3 partitions"))
    #expect(drafted().out.contains(#""records":800,"#))
    let groups = try cluster.tool("groups", ["--list"])
    #expect(!groups.contains("weir-init") && !groups.contains(topic), "\(groups)")
    let missing = said(
        "init", "--from-topic", topic + "x", "--bootstrap", cluster.bootstrap, "--name", "m", "--out", folder.path + "/m")
    #expect(missing.exit == 4 && missing.error.contains("topic_missing"), "\(missing.error)")
}

/// What a broker wants stands in the files of `--with`, and nothing of it in what is written.
@Test(.enabled(if: KafkaCluster.canStart, Comment(rawValue: KafkaCluster.reason)))
func aTopicIsSampledThroughTLSWithALogin() throws {
    let cluster = try KafkaCluster.exclusive(secure: true)
    defer { cluster.stop() }
    let bootstrap = try #require(cluster.secureBootstrap)
    let tls = try #require(cluster.directory) + "/tls"
    let topic = try cluster.createTopic("guarded", partitions: 2)
    try cluster.produce(
        to: topic,
        (0..<60).map { i in
            let time = 1_767_225_600_000 + Int64(i) * 1_000
            return (Int32(i % 2), #"{"event_id":"e\#(i)","ts":\#(time)}"#, time)
        })
    let folder = Scratch()
    let secret = try folder.file("secret", "admin-secret\n")
    let wrong = try folder.file("wrong", "admin-guess\n")
    let app = try folder.file("app", "app-secret")
    let place = try folder.file("tls.yaml", "kafka: {bootstrap: \"\(bootstrap)\", tls: {ca: \(tls)/ca.pem}}\n")
    func drafted(_ user: String, _ password: String) throws -> (said: Said, text: String) {
        let login = try folder.file(
            "login.yaml", "kafka: {sasl: {mechanism: plain, user: \(user), password: \"${file:\(password)}\"}}\n")
        let out = "\(folder.path)/\(user)"
        let words = ["init", "--from-topic", topic, "--with", place, "--with", login, "--name", "t", "--out", out]
        return (said(words), read("\(out)/t.yaml") + read("\(out)/t.test.yaml") + read("\(out)/docker-compose.yml"))
    }
    for (user, password, code) in [("admin", wrong, "login_refused"), ("app", app, "topic_forbidden")] {
        let draft = try drafted(user, password)
        #expect(draft.said.exit == 4 && draft.said.error.contains(code) && draft.text.isEmpty, "\(user) \(draft.said)")
        #expect(!draft.said.error.contains("guess") && !draft.said.error.contains("app-secret"), "\(draft.said.error)")
    }
    let draft = try drafted("admin", secret)
    #expect(draft.said.exit == 0 && draft.said.out.contains("looked at: 60 records"), "\(draft.said)")
    #expect(draft.said.out.contains("--with \(place) --with "), "\(draft.said.out)")
    #expect(draft.text.contains("${KAFKA_BOOTSTRAP:-\(bootstrap)}"), "\(draft.text)")
    #expect(!draft.text.contains("secret") && !draft.text.contains("sasl") && !draft.text.contains("ca.pem"), "\(draft.text)")
}
