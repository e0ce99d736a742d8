import Dispatch
import Model
import Synchronization

/// Questions to brokers that the run must not wait for: asked on the run's thread, put one after the other on a queue of their own, and
/// answered whenever the run looks.
final class BrokerDesk: Sendable {
    private let queue = DispatchQueue(label: "weir.questions")
    private let isClosed = Atomic<Bool>(false)
    /// Called on the desk's queue when an answer is there.
    private let ring: @Sendable () -> Void

    init(ring: @escaping @Sendable () -> Void) { self.ring = ring }

    /// `question` runs on the desk's queue and may wait for brokers.
    func ask<T: Sendable>(_ question: @escaping @Sendable () throws(Fault) -> T) -> Answer<T> {
        let answer = Answer<T>()
        queue.async { [self] in
            if isClosed.load(ordering: .acquiring) { return }
            do throws(Fault) { answer.give(.success(try question())) } catch { answer.give(.failure(error)) }
            ring()
        }
        return answer
    }

    /// Nothing is asked any more; waits for the question that is under way, whose client may be closed then.
    func close() {
        isClosed.store(true, ordering: .releasing)
        let idle = DispatchSemaphore(value: 0)
        queue.async { idle.signal() }
        idle.wait()
    }
}

/// What came of a question.
final class Answer<T: Sendable>: Sendable {
    private let value = Mutex<Result<T, Fault>?>(nil)

    fileprivate func give(_ result: Result<T, Fault>) { value.withLock { $0 = result } }

    /// nil: it is not there yet.
    func look() throws(Fault) -> T? { try value.withLock { $0 }?.get() }
}
