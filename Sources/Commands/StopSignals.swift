internal import CSys
internal import Glibc
internal import Synchronization

/// SIGTERM, SIGINT and SIGHUP as something to wait for. They are blocked from `open` on, so that none is lost and no handler runs
/// anywhere; threads that start later inherit that. Open it before anything else is started.
final class StopSignals: Sendable {
    let descriptor: Int32
    private let last = Atomic<Int32>(0)

    init() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        // Under nohup it stays ignored: a blocked one would be heard.
        var before = sigaction()
        let isIgnored =
            sigaction(SIGHUP, nil, &before) == 0
            && unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        if !isIgnored { sigaddset(&set, SIGHUP) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
    }

    deinit { close(descriptor) }

    /// Takes one signal that has come; false: none has.
    func take() -> Bool {
        var info = signalfd_siginfo()
        guard read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size else {
            return false
        }
        last.store(Int32(info.ssi_signo), ordering: .relaxed)
        return true
    }

    /// The last signal says that the process is about to be started again.
    var saysAgain: Bool { last.load(ordering: .relaxed) == SIGHUP }

    /// Waits for a signal at most so long.
    func wait(milliseconds: Int32) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, milliseconds) > 0 && take()
    }
}
