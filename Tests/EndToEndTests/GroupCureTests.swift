import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// A local copy that holds what it should not, though its place in the changelog is right.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupCureTests {
    private static let cures: [(name: String, statements: String, reason: String)] = [
        ("a head that is none", "UPDATE units SET head = x'0102'", "what it says of itself can't be read"),
        (
            "a topology that is none", "UPDATE units SET topology = x'01'", "an entry of it is not one of this topology"
        ),
        (
            "an entry of something else", "INSERT INTO state SELECT lane, x'7a7a', x'00' FROM units",
            "an entry of it is not one of this topology"
        ),
        ("entries that are none", "UPDATE state SET value = x'01'", "an entry of it is not one of this topology"),
    ]

    @Test(arguments: cures.indices)
    func aCopyThatCannotBeReadIsToldAndReplaced(_ index: Int) throws {
        let (name, statements, reason) = Self.cures[index]
        let group = try SmallGroup("cure")
        let (first, second) = (Scratch(), Scratch())
        try group.produce(20, from: 0)
        try run(try group.plan(first), RunOptions(until: .now))
        // Somebody else has gone on since, so that the copy is behind too.
        try group.produce(20, from: 20)
        try run(try group.plan(second), RunOptions(until: .now))
        try group.produce(20, from: 40)
        try change(first.file("state.db"), statements)
        let running = Running(try group.plan(first), RunOptions(until: .end))
        let summary = try running.summary()
        var told: Set<String> = []
        for case .stateWiped(_, let why) in running.events { told.insert(why) }
        #expect(told == [reason], "\(name)")
        #expect(summary.books.balances && summary.books.read == 120, "\(name)")
        #expect(try smallRows(first.path) == group.rows, "\(name)")
    }
}
