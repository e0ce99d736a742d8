import Model

/// How far a unit is on its way here.
enum Arrival {
    /// The brokers were asked about it.
    case asked
    case surveyed(UnitFacts)
    case reading(UnitRestore)
    /// SQLite has everything.
    case read(UnitRestore)
    /// The brokers were asked for the record that it took last.
    case compared(UnitRestore)
    /// Nothing is against working with it.
    case ready(UnitRestore)

    var isReading: Bool { if case .reading = self { true } else { false } }

    /// Records' places, of all that are to be read.
    var progress: (done: Int64, total: Int64) {
        switch self {
        case .asked: (0, 0)
        case .surveyed(let facts): (0, Int64(facts.changelog.count))
        case .reading(let restore), .read(let restore), .compared(let restore), .ready(let restore): restore.progress
        }
    }

    var began: MonotonicTime? {
        switch self {
        case .asked, .surveyed: nil
        case .reading(let restore), .read(let restore), .compared(let restore), .ready(let restore): restore.began
        }
    }

    func close() { if case .reading(let restore) = self { restore.close() } }
}
