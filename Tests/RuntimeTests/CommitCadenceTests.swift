import Model
import Testing

@testable import Runtime

@Suite struct CommitCadenceTests {
    private static let every = TimeSpan.milliseconds(250)

    /// Commits one after another: what each lane has read and how much waits for it. nil: the lane did not answer.
    private static func cadence(_ commits: [[(next: Int64, waiting: Int64)?]]) -> CommitCadence {
        var cadence = CommitCadence(every: every)
        for commit in commits {
            cadence.note(
                commit.enumerated().compactMap { number, lane in
                    lane.map {
                        CommitCadence.Lane(
                            number: LaneNumber(number), nextOffset: $0.next,
                            endOffset: $0.waiting < 0 ? nil : $0.next + $0.waiting)
                    }
                })
        }
        return cadence
    }

    @Test(
        arguments: [
            ("nothing was read yet", [[(0, 1_000_000)]], false),
            ("the first look says nothing", [[(50_000, 1_000_000)]], false),
            ("much waits", [[(0, 1_000_000)], [(50_000, 950_000)]], true),
            ("what waits is soon read", [[(0, 150_000)], [(50_000, 100_000)]], false),
            ("it is live", [[(0, 10)], [(50_000, 10)]], false),
            ("the broker has not told the end", [[(0, -1)], [(50_000, -1)]], false),
            ("one lane is live", [[(0, 1_000_000), (0, 5)], [(50_000, 950_000), (100, 5)]], false),
            ("the other lane is silent", [[(0, 1_000_000), (7, 0)], [(50_000, 950_000), (7, 0)]], true),
            ("the other lane did not answer", [[(0, 1_000_000), (0, 900_000)], [(50_000, 950_000), nil]], true),
            ("it was read again from before", [[(50_000, 950_000)], [(0, 1_000_000)]], false),
            ("it has caught up", [[(0, 1_000_000)], [(50_000, 950_000)], [(1_000_000, 0)]], false),
        ] as [(String, [[(Int64, Int64)?]], Bool)])
    func everythingThatFlowsIsFarBehind(_ name: String, _ commits: [[(Int64, Int64)?]], _ isBehind: Bool) {
        #expect(Self.cadence(commits.map { $0.map { lane in lane.map { (next: $0.0, waiting: $0.1) } } }).isBehind == isBehind)
    }

    @Test(arguments: [(0, 250), (20, 250), (50, 400), (100, 800), (125, 1_000), (3_000, 1_000)] as [(Int64, Int64)])
    func aCommitTakesAnEighthOfTheTimeWhileCatchingUp(_ took: Int64, _ interval: Int64) {
        let behind = Self.cadence([[(0, 1_000_000)], [(50_000, 950_000)]])
        let live = Self.cadence([[(0, 10)], [(50_000, 10)]])
        #expect(behind.interval(took: .milliseconds(took)) == .milliseconds(interval))
        #expect(live.interval(took: .milliseconds(took)) == Self.every)
    }

    @Test func anIntervalLongerThanTheBoundStays() {
        var cadence = CommitCadence(every: .seconds(5))
        cadence.note([.init(number: 0, nextOffset: 0, endOffset: 1_000_000)])
        cadence.note([.init(number: 0, nextOffset: 50_000, endOffset: 1_000_000)])
        #expect(cadence.isBehind)
        #expect(cadence.interval(took: .seconds(3)) == .seconds(5))
    }
}
