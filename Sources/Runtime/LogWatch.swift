import Model
import State

/// Whether state.db's write-ahead log may grow: a reader that stays keeps it from being cut, and at a limit no input is taken until it
/// has gone.
struct LogWatch {
    let limit: Int64
    /// Who holds it, once it is long enough to be told.
    private(set) var holders: [ForeignReader] = []
    private(set) var fullSince: MonotonicTime?

    enum Change: Equatable {
        case filled(Fault)
        case freed(after: TimeSpan)
    }

    init(limit: Int64) { self.limit = limit }

    var isFull: Bool { fullSince != nil }

    /// Called when sizes were measured. `readers` is asked only of a log that is long.
    mutating func look(_ bytes: Int64, file: String, now: MonotonicTime, readers: () -> [ForeignReader]) -> Change? {
        holders = bytes > limit / RuntimeLimits.logToldShare ? readers() : []
        if let since = fullSince {
            guard bytes <= limit else { return nil }
            fullSince = nil
            return .freed(after: now - since)
        }
        // Whom the system does not name may be nobody: such a log is cut at the next quiet moment.
        guard bytes > limit, !holders.isEmpty || bytes / 2 > limit else { return nil }
        fullSince = now
        let who = holders.isEmpty ? "a reader that the system does not name" : holders.map(\.words).joined(separator: ", ")
        return .filled(
            Fault(
                "log_held",
                "The write-ahead log has grown to \(bytes >> 20) MiB: \(who) holds an old view of the state. No input is taken.",
                place: file, next: "End that query; the log is cut then, and input goes on by itself.", exit: .disk,
                isTransient: true))
    }
}
