import Dispatch
import Model
import Testing

@testable import Kafka

struct GuardedCallsTests {
    @Test func whatComesBackInTimeIsGiven() {
        let calls = GuardedCalls("test")
        #expect((0..<3).map { number in calls.call(within: .seconds(30)) { number * 2 } } == [0, 2, 4])
    }

    @Test func aCallThatHangsIsLeftBehindAndSoAreThoseAfterIt() {
        let calls = GuardedCalls("test")
        let release = DispatchSemaphore(value: 0)
        defer { release.signal() }
        let hung = calls.call(within: .milliseconds(20)) {
            release.wait()
            return 1
        }
        #expect(hung == nil)
        #expect(calls.call(within: .milliseconds(20)) { 2 } == nil)
        #expect(GuardedCalls("other").call(within: .seconds(30)) { 3 } == 3)
    }
}
