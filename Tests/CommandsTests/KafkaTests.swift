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
    let folder = try Folder()
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
