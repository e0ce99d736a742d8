import Model
import Synchronization

/// The clock of one case: the wall stands at the newest fed timestamp plus all advances, the monotonic clock at the advances.
final class VirtualClock: Clock {
    private struct Hands {
        /// nil: nothing with a timestamp was fed yet.
        var newest: Int64?
        var advanced: Int64 = 0
    }
    private let hands = Mutex(Hands())

    func wall() -> WallTime { hands.withLock { WallTime(milliseconds: ($0.newest ?? 0) + $0.advanced) } }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 0) + hands.withLock { .milliseconds($0.advanced) } }

    func note(_ timestamp: WallTime) {
        hands.withLock { $0.newest = max($0.newest ?? timestamp.milliseconds, timestamp.milliseconds) }
    }
    func advance(to time: MonotonicTime) {
        hands.withLock { $0.advanced = max($0.advanced, time.nanoseconds / 1_000_000) }
    }
}
