import Dispatch
import Kafka
import Model
import Synchronization

/// What the group's protocol tells this instance, from the membership's own thread to the run's. A revoke is answered to the
/// group only when the run's thread has settled it.
final class GroupMailbox: Sendable {
    enum Letter: Sendable {
        case assigned([PartitionID], GroupIdentity)
        /// `isLost`: the group has given the partitions away already; nothing of them may be committed.
        case revoked(isLost: Bool, settled: Reply<Void>)
        case failed(Fault)
    }

    private struct Box {
        var letters: [Letter] = []
        var isClosed = false
    }
    private let box = Mutex(Box())
    /// Wakes the run's thread.
    private let ring: @Sendable () -> Void

    init(ring: @escaping @Sendable () -> Void) { self.ring = ring }

    func post(_ letter: Letter) {
        let isOpen = box.withLock { box in
            if !box.isClosed { box.letters.append(letter) }
            return !box.isClosed
        }
        if isOpen { return ring() }
        if case .revoked(_, let settled) = letter { settled.give(()) }
    }

    /// In the order they came.
    func take() -> [Letter] {
        box.withLock { box in
            defer { box.letters = [] }
            return box.letters
        }
    }

    /// Before all that came since.
    func putBack(_ letters: ArraySlice<Letter>) {
        box.withLock { $0.letters.insert(contentsOf: letters, at: 0) }
    }

    var isEmpty: Bool { box.withLock { $0.letters.isEmpty } }

    /// The run is over: what still comes is answered at once.
    func close() {
        let left = box.withLock { box in
            box.isClosed = true
            defer { box.letters = [] }
            return box.letters
        }
        for case .revoked(_, let settled) in left { settled.give(()) }
    }
}
