import Dispatch
import Model
import Synchronization

/// A source being made on a thread of its own: a broker may take its time to answer, but a run that is told to stop must not
/// wait for it.
final class Connecting: Sendable {
    private struct State {
        var outcome: Result<any Source, Fault>?
        var isLeft = false
    }

    private let state = Mutex(State())
    private let done = DispatchSemaphore(value: 0)

    /// Begins at once.
    init(_ make: @escaping @Sendable () throws(Fault) -> any Source) {
        DispatchQueue(label: "weir.connecting").async { @Sendable in
            let outcome: Result<any Source, Fault>
            do throws(Fault) { outcome = .success(try make()) } catch { outcome = .failure(error) }
            let isLeft = self.state.withLock { state in
                state.outcome = outcome
                return state.isLeft
            }
            if isLeft, case .success(let source) = outcome { source.close() }
            self.done.signal()
        }
    }

    /// The source, or what kept it from being made; nil as soon as `isStopping` says so. Called once.
    func wait(unless isStopping: () -> Bool) throws(Fault) -> (any Source)? {
        while done.wait(timeout: .now() + .milliseconds(Int(RuntimeLimits.stopLook.milliseconds))) == .timedOut {
            guard isStopping() else { continue }
            let outcome = state.withLock { state in
                state.isLeft = true
                return state.outcome
            }
            if case .success(let source) = outcome { source.close() }
            return nil
        }
        return try state.withLock { $0.outcome }?.get()
    }
}
