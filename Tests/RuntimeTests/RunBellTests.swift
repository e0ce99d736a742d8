import Dispatch
import Model
import Runtime
import Testing

struct RunBellTests {
    private let clock = SystemClock()

    @Test func aTickComesWhenItIsDueAndNotEarlierForARing() {
        let bell = RunBell()
        let due = clock.monotonic() + .milliseconds(60)
        bell.ring()
        DispatchQueue.global().async { bell.ring() }
        bell.waitForTick(due: due, by: clock)
        #expect(clock.monotonic() >= due)
        #expect(!bell.isHurried)
    }

    @Test func aHurryEndsTheWaitHoweverLongItIsAndCountsUntilACommitBegins() {
        let bell = RunBell()
        DispatchQueue.global().async { bell.hurry() }
        bell.waitForTick(due: clock.monotonic() + .hours(1), by: clock)
        #expect(bell.isHurried)
        // Nobody has begun a commit since.
        bell.waitForTick(due: clock.monotonic() + .hours(1), by: clock)
        bell.heed()
        #expect(!bell.isHurried && !bell.isStopping)
    }

    @Test func aTickThatIsOverdueWaitsForNothing() {
        let bell = RunBell()
        bell.waitForTick(due: MonotonicTime(nanoseconds: 0), by: clock)
        bell.wait(atMost: .zero)
        #expect(!bell.isHurried)
    }

    @Test func aStopIsHeardAndStays() {
        let bell = RunBell()
        DispatchQueue.global().async { bell.stop() }
        bell.waitForTick(due: clock.monotonic() + .hours(1), by: clock)
        bell.heed()
        #expect(bell.isStopping)
    }

    /// Rings while the run is at work are one ring; the one after its waking up is another.
    @Test func aRingThatComesWhileNobodyWaitsIsNotLost() {
        let bell = RunBell()
        for _ in 0..<100 { bell.ring() }
        bell.wait(atMost: .hours(1))
        bell.ring()
        bell.wait(atMost: .hours(1))
        let began = clock.monotonic()
        bell.wait(atMost: .milliseconds(20))
        #expect(clock.monotonic() - began >= .milliseconds(20))
    }
}
