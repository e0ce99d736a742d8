import Model
import Testing

@testable import State

struct RestoreVerdictTests {
    static let changelog = PartitionID(topic: "g.weir.t.changelog", number: 3)
    static let fingerprint = RecordFingerprint(offset: 99, timestamp: 7, hash: 12)

    /// A copy at offset 100 of a changelog that goes from 0 to 200, an hour old.
    static func facts(_ change: (inout RestoreFacts) -> Void) -> RestoreFacts {
        var facts = RestoreFacts(
            changelog: changelog,
            stored: ChangelogPosition(
                next: 100, last: fingerprint, topicID: nil, appliedAt: WallTime(milliseconds: 0)),
            low: 0, high: 200, reread: .record(fingerprint), deleteRetention: .hours(10), now: WallTime(milliseconds: 3_600_000),
            partitions: 6, units: 6)
        change(&facts)
        return facts
    }

    static let rows: [(String, @Sendable (inout RestoreFacts) -> Void, String)] = [
        ("a copy that is a prefix", { _ in }, "go on from 100"),
        ("nothing is here", { $0.stored = nil }, "go on from 0"),
        (
            "nothing is here and nothing is there",
            {
                $0.stored = nil
                $0.low = 0
                $0.high = 0
            }, "go on from 0"
        ),
        (
            "a copy of nothing",
            {
                $0.stored?.next = 0
                $0.stored?.last = nil
            }, "go on from 0"
        ),
        ("at the end", { $0.high = 100 }, "go on from 100"),
        ("at a marker before the end", { $0.high = 101 }, "go on from 100"),
        ("past the end", { $0.high = 99 }, "wipe from 0: pastTheEnd"),
        (
            "the changelog is empty",
            {
                $0.low = 0
                $0.high = 0
            }, "refuse changelog_lost"
        ),
        ("all its records were deleted", { $0.low = 200 }, "refuse changelog_cut"),
        ("records before the copy were deleted", { $0.low = 1 }, "refuse changelog_cut"),
        (
            "records were deleted, and nothing is here",
            {
                $0.low = 1
                $0.stored = nil
            }, "refuse changelog_cut"
        ),
        ("just young enough", { $0.now = WallTime(milliseconds: 32_399_999) }, "go on from 100"),
        ("too old", { $0.now = WallTime(milliseconds: 32_400_000) }, "wipe from 0: tooOld"),
        (
            "too old, but nothing came since",
            {
                $0.now = WallTime(milliseconds: .max)
                $0.high = 101
            }, "go on from 100"
        ),
        (
            "one record came since",
            {
                $0.now = WallTime(milliseconds: .max)
                $0.high = 102
            }, "wipe from 0: tooOld"
        ),
        ("from the future", { $0.now = WallTime(milliseconds: -1) }, "wipe from 0: tooOld"),
        ("nobody knows how long tombstones are kept", { $0.deleteRetention = nil }, "wipe from 0: tooOld"),
        (
            "another topic of that name",
            {
                $0.topicID = "b"
                $0.stored?.topicID = "a"
            }, "wipe from 0: recreated"
        ),
        ("the topic's id was not known", { $0.topicID = "b" }, "go on from 100"),
        (
            "another record at its place", { $0.reread = .record(RecordFingerprint(offset: 99, timestamp: 7, hash: 13)) },
            "wipe from 0: differs"
        ),
        (
            "a later record at its place", { $0.reread = .record(RecordFingerprint(offset: 98, timestamp: 7, hash: 12)) },
            "wipe from 0: differs"
        ),
        (
            "the same with the broker's time", { $0.reread = .record(RecordFingerprint(offset: 99, timestamp: 9, hash: 12)) },
            "go on from 100"
        ),
        ("its record was compacted away", { $0.reread = .nothing }, "wipe from 0: unknown"),
        (
            "compacted away, the same topic",
            {
                $0.reread = .nothing
                $0.topicID = "a"
                $0.stored?.topicID = "a"
            }, "go on from 100"
        ),
        ("no record was applied", { $0.stored?.last = nil }, "wipe from 0: unknown"),
        ("partitions were added", { $0.partitions = 7 }, "refuse partitions_changed"),
        (
            "partitions, and nothing is here",
            {
                $0.partitions = 5
                $0.stored = nil
            }, "refuse partitions_changed"
        ),
    ]

    @Test func eachWayInWhichACopyAndItsChangelogPartIsJudged() {
        for (name, change, expected) in RestoreVerdictTests.rows {
            let verdict =
                switch RestoreVerdict.judge(RestoreVerdictTests.facts(change)) {
                case .goOn(let from): "go on from \(from)"
                case .wipeAndRestore(let from, let reason): "wipe from \(from): \(reason)"
                case .refuse(let fault): "refuse \(fault.code)"
                }
            #expect(verdict == expected, "\(name)")
        }
    }

    @Test(arguments: [
        (nil as Int64?, nil as Int64?, nil as String?), (40, 40, nil), (nil, 40, nil), (40, nil, "changelog_lost"),
        (0, nil, "changelog_lost"),
        (39, 40, "group_moved"), (41, 40, "group_moved"), (0, 40, "group_moved"),
    ])
    func aGroupWhosePositionIsNotItsStatesIsRefused(committed: Int64?, left: Int64?, code: String?) {
        var commits = RandomUnits(seed: 1)
        var head = commits.head(0)
        head.nextOffset = left ?? 0
        let fault = RestoreVerdict.check(
            committed: committed, head: left == nil ? nil : head, input: partition, changelog: RestoreVerdictTests.changelog)
        #expect(fault?.code == code)
    }
}
