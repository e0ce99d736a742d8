internal import CSys
internal import Glibc

/// SIGTERM and SIGINT as something to wait for. They are blocked from `open` on, so that none is lost and no handler runs
/// anywhere; threads that start later inherit that. Open it before anything else is started.
final class StopSignals: Sendable {
    let descriptor: Int32

    init() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
    }

    deinit { close(descriptor) }

    /// Takes one signal that has come; false: none has.
    func take() -> Bool {
        var info = signalfd_siginfo()
        return read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size
    }

    /// Waits for a signal at most so long.
    func wait(milliseconds: Int32) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, milliseconds) > 0 && take()
    }
}
