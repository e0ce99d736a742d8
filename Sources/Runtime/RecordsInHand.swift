import CSys
import Glibc
import Model
import Observe
import State

/// What each lane is computing, in a file that outlives the process. If a record ends the process – by a fault of ours that is not known
/// yet – the next start knows the batch, and takes it record by record; the second death names the record, and after the third it is rejected
/// instead of computed, so that one record can't hold up all others for ever. Only deaths by the lane's own thread count: whoever
/// kills the process from outside says nothing of a record.
///
/// `@unchecked Sendable` is true because: each slot belongs to one lane; finding one happens before the lane runs.
final class RecordsInHand: @unchecked Sendable {
    private let words: UnsafeMutablePointer<Int64>
    private static let bytes = RuntimeLimits.slotsInHand * SlotInHand.bytes
    private let onEvent: @Sendable (OperationalEvent) -> Void

    /// nil: the directory can't keep marks.
    init?(_ directory: StateDirectory, onEvent: @escaping @Sendable (OperationalEvent) -> Void) {
        guard let memory = directory.marks(bytes: Self.bytes) else { return nil }
        words = memory.bindMemory(to: Int64.self, capacity: RuntimeLimits.slotsInHand * SlotInHand.words)
        self.onEvent = onEvent
        Deaths.watch()
    }

    deinit { munmap(words, Self.bytes) }

    /// The partition's slot, with what earlier deaths left in it; `next`: where the lane goes on. nil: all slots are taken.
    func slot(of partition: PartitionID, next: Int64) -> SlotInHand? {
        let name = Self.hash(partition)
        let start = Int(UInt64(bitPattern: name) % UInt64(RuntimeLimits.slotsInHand))
        for step in 0..<RuntimeLimits.slotsInHand {
            let index = (start + step) % RuntimeLimits.slotsInHand
            let slot = SlotInHand(file: self, words: words + index * SlotInHand.words, partition: partition, onEvent: onEvent)
            guard slot.belongs(to: name) else { continue }
            slot.judge(next: next)
            return slot
        }
        return nil
    }

    /// FNV-1a; never 0, which is a free slot.
    private static func hash(_ partition: PartitionID) -> Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(partition)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int64(bitPattern: hash | 1)
    }
}

/// One lane's part. Its words: whose it is; first and last offset in hand; whether the process died by them; then of the deaths before
/// this start how many there were, and the first and last offset that all of them have in common.
///
/// `@unchecked Sendable` is true because: after it was found only the lane's queue uses it.
struct SlotInHand: @unchecked Sendable {
    static let words = 8
    static let bytes = words * 8
    private enum Word { static let owner = 0, first = 1, last = 2, died = 3, deaths = 4, from = 5, through = 6 }

    /// Mapped as long as somebody has a slot in it.
    fileprivate let file: RecordsInHand
    fileprivate let words: UnsafeMutablePointer<Int64>
    fileprivate let partition: PartitionID
    fileprivate let onEvent: @Sendable (OperationalEvent) -> Void

    fileprivate func belongs(to name: Int64) -> Bool {
        if words[Word.owner] == 0 { words[Word.owner] = name }
        return words[Word.owner] == name
    }

    /// Takes the last death in.
    fileprivate func judge(next: Int64) {
        if words[Word.died] != 0 {
            let (first, last) = (words[Word.first], words[Word.last])
            let (from, through) = (max(first, words[Word.from]), min(last, words[Word.through]))
            if words[Word.deaths] > 0, from <= through {
                (words[Word.from], words[Word.through]) = (from, through)
                words[Word.deaths] += 1
            } else {
                (words[Word.from], words[Word.through]) = (first, last)
                words[Word.deaths] = 1
            }
            words[Word.died] = 0
            onEvent(.diedOf(partition, from: words[Word.from], through: words[Word.through], deaths: words[Word.deaths]))
        }
        // Committed since: it was something else.
        if next > words[Word.through] { words[Word.deaths] = 0 }
    }

    /// Something between these offsets ended the process before: one record at a time.
    func isSuspect(_ first: Int64, _ last: Int64) -> Bool {
        words[Word.deaths] > 0 && first <= words[Word.through] && last >= words[Word.from]
    }

    /// This record alone ended the process as often as is allowed.
    func isGuilty(_ offset: Int64) -> Bool {
        words[Word.deaths] >= RuntimeLimits.deathsOfARecord && words[Word.from] == offset && words[Word.through] == offset
    }

    func reject(_ offset: Int64) { onEvent(.quarantined(partition, at: offset, deaths: words[Word.deaths])) }

    /// On the lane's own thread, around the computation. Cost: two stores and a thread's word, once a batch.
    @inline(__always)
    func take<T>(_ first: Int64, _ last: Int64, _ body: () throws(Fault) -> T) throws(Fault) -> T {
        words[Word.first] = first
        words[Word.last] = last
        Deaths.inHand(words)
        defer { Deaths.inHand(nil) }
        return try body()
    }

    fileprivate static func died(_ slot: UnsafeMutableRawPointer) {
        slot.assumingMemoryBound(to: Int64.self)[Word.died] = 1
    }
}

/// What a thread has in hand when it dies, and the signal handler that writes it down.
private enum Deaths {
    static func watch() { _ = isWatching }

    static func inHand(_ slot: UnsafeMutablePointer<Int64>?) {
        if pthread_getspecific(heardKey) == nil { hearAborts() }
        pthread_setspecific(slotKey, slot)
    }

    /// Dispatch's threads block SIGABRT, and `abort` of glibc 2.41 calls no handler of a thread that blocks it, as the older one did.
    @inline(never)
    private static func hearAborts() {
        var mask = sigset_t()
        sigemptyset(&mask)
        sigaddset(&mask, SIGABRT)
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        pthread_setspecific(heardKey, UnsafeRawPointer(bitPattern: 1))
    }

    /// Once a process: the default follows, so that the process ends as it would have, with its core.
    private static let isWatching: Bool = {
        pthread_key_create(&slotKey, nil)
        pthread_key_create(&heardKey, nil)
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = noteDeath
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_NODEFER)
            sigaction(number, &action, nil)
        }
        return true
    }()
}

/// Written once, before the first handler can run.
private nonisolated(unsafe) var slotKey = pthread_key_t()
/// Of a thread that has unblocked what the handler is for; written with the other.
private nonisolated(unsafe) var heardKey = pthread_key_t()

/// In the thread that dies; nothing here may allocate or lock.
private func noteDeath(_ number: Int32) {
    if let slot = pthread_getspecific(slotKey) { SlotInHand.died(slot) }
    raise(number)
}
