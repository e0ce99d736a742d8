import Model
import Runtime
import Testing

struct RestoreProgressTests {
    private static let rows:
        [(left: Int, done: Int64, total: Int64, elapsed: Int64, percent: Int64?, timeLeft: Int64?, words: String)] = [
            (3, 0, 0, 0, nil, nil, "State is being restored: 3 of 8 units are to come."),
            (3, 0, 500, 10, 0, nil, "State is being restored: 3 of 8 units are to come, 0 % of what they lack is here."),
            (
                2, 250, 1_000, 2_000, 25, 6_000,
                "State is being restored: 2 of 8 units are to come, 25 % of what they lack is here, about 6 s left."
            ),
            (
                1, 999, 1_000, 5_000, 99, 6,
                "State is being restored: 1 of 8 units are to come, 99 % of what they lack is here, about 1 s left."
            ),
            (
                1, 1_000, 1_000, 5_000, 100, 0,
                "State is being restored: 1 of 8 units are to come, 100 % of what they lack is here, about 0 s left."
            ),
            (
                1, .max / 200, .max / 100, 1, 50, 1,
                "State is being restored: 1 of 8 units are to come, 50 % of what they lack is here, about 1 s left."
            ),
        ]

    @Test func shareTimeAndWordsFollowFromWhatWasReadAndHowLongItTook() {
        for row in Self.rows {
            let progress = RestoreProgress(
                left: row.left, units: 8, done: row.done, total: row.total, elapsed: .milliseconds(row.elapsed))
            #expect(progress.percent == row.percent)
            #expect(progress.timeLeft == row.timeLeft.map(TimeSpan.milliseconds))
            #expect(progress.words == row.words)
            #expect(progress.missing == row.total - row.done)
        }
    }
}
