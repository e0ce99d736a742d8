import Dispatch
import Model
import Synchronization

/// Calls that are given a limit and may hang all the same: each is made on a queue of their own and waited for only so long. The first
/// that does not come back takes the queue with it, so its client is to be left behind.
final class GuardedCalls: Sendable {
    private let queue: DispatchQueue

    init(_ name: String) { queue = DispatchQueue(label: "weir.\(name)") }

    /// nil: it has not come back. What `body` needs must live as long as it does.
    func call<T: Sendable>(within limit: TimeSpan, _ body: @escaping @Sendable () -> T) -> T? {
        let box = Box<T>()
        let done = DispatchSemaphore(value: 0)
        queue.async {
            let value = body()
            box.answer.withLock { $0 = value }
            done.signal()
        }
        guard done.wait(timeout: .now() + .milliseconds(Int(clamping: limit.milliseconds))) == .success else { return nil }
        return box.answer.withLock { $0 }
    }

    private final class Box<T: Sendable>: Sendable {
        let answer = Mutex<T?>(nil)
    }
}
