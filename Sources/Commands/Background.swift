internal import CSys
internal import Dispatch
internal import Glibc
internal import Model
internal import Synchronization

/// Long work on a queue of its own, while the calling thread shows progress and listens to signals.
final class Background<Value: Sendable>: Sendable {
    /// What the work gave; nil while it goes on. Written once by the work's queue.
    private let result = Mutex<Result<Value, Fault>?>(nil)
    private let bell: Int32

    /// Begins at once.
    init(_ name: String, _ work: @escaping @Sendable () throws(Fault) -> Value) {
        bell = eventfd(0, Int32(EFD_CLOEXEC))
        DispatchQueue(label: "weir.\(name)").async { @Sendable in
            let outcome: Result<Value, Fault>
            do throws(Fault) { outcome = .success(try work()) } catch { outcome = .failure(error) }
            self.result.withLock { $0 = outcome }
            eventfd_write(self.bell, 1)
        }
    }

    deinit { close(bell) }

    /// Waits for the work's end. `onStop` is called at the first signal and should make the work end soon; a second signal ends
    /// the process. `onTick` is called on this thread every `CommandsLimits.tick` milliseconds.
    func wait(_ signals: StopSignals, _ console: Console, onStop: () -> Void, onTick: () -> Void) throws(Fault) -> Value {
        var isStopping = false
        while true {
            if let done = result.withLock({ $0 }) { return try done.get() }
            var ready = [
                pollfd(fd: bell, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&ready, 2, CommandsLimits.tick)
            if count > 0, ready[0].revents != 0 { continue }
            if count > 0, ready[1].revents != 0, signals.take() {
                if isStopping {
                    console.error("weir: ended at once; what was not committed is read again at the next start\n")
                    _exit(ExitCode.answerIsNo.rawValue)
                }
                isStopping = true
                onStop()
            }
            onTick()
        }
    }
}
