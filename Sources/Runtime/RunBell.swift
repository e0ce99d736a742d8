import Dispatch
public import Model
import Synchronization

/// What wakes those who commit: rung from any thread, waited for on the run's own.
public final class RunBell: Sendable {
    private let signals = DispatchSemaphore(value: 0)
    /// It has been rung since the run last woke up.
    private let isRung = Atomic<Bool>(false)
    private let hurried = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)

    public init() {}

    // MARK: From any thread

    /// There is something to look at.
    public func ring() {
        if !isRung.exchange(true, ordering: .acquiringAndReleasing) { signals.signal() }
    }

    /// A commit should come before it is due.
    public func hurry() {
        hurried.store(true, ordering: .releasing)
        ring()
    }

    public func stop() {
        stopping.store(true, ordering: .releasing)
        hurry()
    }

    public var isHurried: Bool { hurried.load(ordering: .acquiring) }
    public var isStopping: Bool { stopping.load(ordering: .acquiring) }

    // MARK: On the run's thread

    /// Until it is rung, at most for `limit`.
    public func wait(atMost limit: TimeSpan) {
        guard limit > .zero else { return }
        _ = signals.wait(timeout: .now() + .nanoseconds(Int(clamping: limit.milliseconds * 1_000_000)))
        isRung.store(false, ordering: .releasing)
    }

    /// Until `due`, or until somebody is in a hurry, or something that is rung for `isReady`.
    public func waitForTick(due: MonotonicTime, by clock: any Clock, unless isReady: () -> Bool = { false }) {
        while !isHurried, !isReady() {
            let now = clock.monotonic()
            if now >= due { break }
            wait(atMost: max(due - now, .milliseconds(1)))
        }
    }

    /// A commit begins: who is in a hurry from now on means the next one.
    public func heed() { hurried.store(false, ordering: .releasing) }
}
