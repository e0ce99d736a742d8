import Freshness
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Logs that do not continue what was read: never a silent jump.
@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct LostPositionTests {
    @Test func aPositionThatIsLostStopsItsPartitionUntilSomebodyChooses() throws {
        let cluster = try KafkaCluster.shared()
        for (choice, from) in [(.earliest, 50), (.latest, 60), (.offset(55), 55)] as [(ResumeChoice.Position, Int64)] {
            let topic = try cluster.createTopic("lost", partitions: 2)
            let ids = (0..<2).map { PartitionID(topic: topic, number: $0) }
            try cluster.produce([event(1), event(2)], to: topic)
            try cluster.produce([event(1, "b")], to: topic, partition: 1)
            let scratch = Scratch()
            let plan = try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}").plan(scratch.path)
            try run(plan, RunOptions(until: .now))
            try cluster.produce((0..<58).map { event(Double($0)) }, to: topic)
            try cluster.deleteRecords(ids[0], before: 50)
            try cluster.produce([event(2, "b")], to: topic, partition: 1)
            // The other one goes on.
            let running = Running(plan)
            try running.until("the other partition") { $0.partitions.first { $0.id == ids[1] }?.books.read == 2 }
            try running.until("the fault") { $0.partitions.first { $0.id == ids[0] }?.fault?.exit == .choiceNeeded }
            let summary = try running.stop()
            #expect(summary.stopped.mapValues(\.code) == [ids[0]: "offset_out_of_range"])
            #expect(running.events.filter { $0.code == "partition_stopped" }.count == 1)
            #expect(try stored(scratch.path, "SELECT next_offset FROM books ORDER BY partition") == [["2"], ["2"]])
            // A bounded run ends with what it could not do, and ends nothing else.
            let bounded = try run(plan)
            #expect(bounded.stopped.keys.sorted() == [ids[0]])
            // Chosen: recorded with the gap.
            try run(
                plan, RunOptions(until: .now, resume: [ResumeChoice(partition: ids[0], position: choice)]))
            #expect(
                try stored(
                    scratch.path, "SELECT d.kind, l.partition, from_offset, to_offset FROM decisions d JOIN lanes l USING (lane)")
                    == [["'resumed'", "0", "2", "\(from)"]])
            let counted = 60 - from
            #expect(
                try stored(scratch.path, "SELECT read, next_offset FROM books ORDER BY partition") == [
                    ["\(2 + counted)", "60"], ["2", "2"],
                ])
        }
    }

    @Test func aTopicThatWasMadeAnewIsNoticedThoughItIsLonger() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("anew")
        try cluster.produce((0..<5).map { event(Double($0)) }, to: topic)
        let scratch = Scratch()
        let plan = try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}").plan(scratch.path)
        try run(plan, RunOptions(until: .now))
        try cluster.recreate(topic)
        try cluster.produce((0..<50).map { event(Double($0), "new") }, to: topic)
        let summary = try run(plan, RunOptions(until: .now))
        let id = PartitionID(topic: topic, number: 0)
        #expect(summary.stopped.mapValues(\.code) == [id: "topic_recreated"])
        #expect(summary.stopped[id]?.exit == .choiceNeeded)
        #expect(summary.read == 0)
        let chosen = try run(plan, RunOptions(until: .now, resume: [ResumeChoice(partition: id, position: .earliest)]))
        #expect(chosen.read == 50 && chosen.stopped.isEmpty)
        #expect(try run(plan).stopped.isEmpty)
        #expect(try smallRows(scratch.path).filter { $0[1] == "'new'" }.map { $0[2] } == ["10", "10", "10", "10", "10"])
    }
}
