import Model
import Testing

@testable import Freshness

@Suite struct HistogramTests {
    @Test func everyValueLiesInItsBucketAndNoBoundIsMoreThanAnEighthTooHigh() {
        var lower: Int64 = 0
        for bucket in 0..<232 {
            let upper = OctaveBuckets.upperBound(bucket)
            #expect(OctaveBuckets.bucket(lower + 1) == bucket && OctaveBuckets.bucket(upper) == bucket)
            #expect(Double(upper) <= Double(lower + 1) * 1.125)
            lower = upper
        }
        #expect(lower == 1 << 31)
    }

    @Test func nothingRecordedHasNoQuantile() {
        let empty = Histogram()
        #expect(empty.quantile(0.5) == nil && empty.count == 0 && empty.sum == 0 && empty.largest == 0)
        #expect(empty.cumulative().allSatisfy { $0.count == 0 })
    }

    @Test func quantilesAreNearestRankWithinTheirBucket() {
        var histogram = Histogram()
        for value in Int64(1)...1_000 { histogram.record(value) }
        #expect(histogram.quantile(0) == 1)
        #expect(histogram.quantile(0.5).map { (500...563).contains($0) } == true)
        #expect(histogram.quantile(0.99).map { (990...1_000).contains($0) } == true)
        #expect(histogram.quantile(1) == 1_000)
        #expect(histogram.sum == 500_500)
    }

    @Test func whatIsNegativeCountsAsZeroAndWhatIsTooLongAsTheLongest() {
        var histogram = Histogram()
        histogram.record(-5)
        histogram.record(.min)
        histogram.record(.max)
        #expect(histogram.count == 3 && histogram.sum == 1 << 31 && histogram.largest == 1 << 31)
        #expect(histogram.quantile(0.5) == 1)
    }

    @Test func mergingIsTheSameAsRecordingInOne() {
        var one = Histogram()
        var other = Histogram()
        var both = Histogram()
        for value in stride(from: Int64(0), to: 100_000, by: 37) {
            if value % 2 == 0 { one.record(value) } else { other.record(value, times: 3) }
            both.record(value, times: value % 2 == 0 ? 1 : 3)
        }
        one.merge(other)
        #expect(one == both)
    }

    @Test func cumulativeBoundsAreInclusive() {
        var histogram = Histogram()
        for value: Int64 in [1, 2, 3, 4, 5, 1_024, 1_025] { histogram.record(value) }
        let rows = Dictionary(uniqueKeysWithValues: histogram.cumulative().map { ($0.bound, $0.count) })
        #expect(rows.count == 32)
        #expect(rows[1] == 1 && rows[2] == 2 && rows[4] == 4 && rows[8] == 5 && rows[1_024] == 6 && rows[1 << 31] == 7)
    }
}
