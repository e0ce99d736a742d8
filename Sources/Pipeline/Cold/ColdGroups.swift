/// The groups of one window whose cells are in committed state alone: their hashes, in open addressing, 8 bytes at a load of a quarter to
/// three quarters. No two of them have one hash, so that a group comes back by its hash; whether it is that group is told by what is read.
final class ColdGroups {
    private static let firstSlots = 64
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask = ColdGroups.firstSlots - 1
    private(set) var count = 0
    /// Some of their cells took an event that the merge was not told of.
    var holdsUnsent = false

    init() {
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
    }

    deinit { slots.deallocate() }

    var bytes: Int { (mask + 1) * 8 }

    /// 0 stands for an empty slot.
    @inline(__always)
    private static func entry(_ hash: UInt64) -> UInt64 { hash == 0 ? 1 : hash }

    @inline(__always)
    func contains(_ hash: UInt64) -> Bool {
        let entry = Self.entry(hash)
        var at = Int(truncatingIfNeeded: entry) & mask
        while slots[at] != 0 {
            if slots[at] == entry { return true }
            at = (at &+ 1) & mask
        }
        return false
    }

    /// False: there is a group of this hash, and this one has to stay where it is.
    func insert(_ hash: UInt64) -> Bool {
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        let entry = Self.entry(hash)
        var at = Int(truncatingIfNeeded: entry) & mask
        while slots[at] != 0 {
            if slots[at] == entry { return false }
            at = (at + 1) & mask
        }
        slots[at] = entry
        count += 1
        return true
    }

    func remove(_ hash: UInt64) {
        let entry = Self.entry(hash)
        var hole = Int(truncatingIfNeeded: entry) & mask
        while slots[hole] != entry {
            if slots[hole] == 0 { return }
            hole = (hole + 1) & mask
        }
        // What was pushed past the hole moves up, so that no search ends too early.
        var at = (hole + 1) & mask
        while slots[at] != 0 {
            let home = Int(truncatingIfNeeded: slots[at]) & mask
            if (at - home) & mask >= (at - hole) & mask {
                slots[hole] = slots[at]
                hole = at
            }
            at = (at + 1) & mask
        }
        slots[hole] = 0
        count -= 1
    }

    private func grow() {
        let old = slots
        let oldMask = mask
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for from in 0...oldMask where old[from] != 0 {
            var at = Int(truncatingIfNeeded: old[from]) & mask
            while slots[at] != 0 { at = (at + 1) & mask }
            slots[at] = old[from]
        }
        old.deallocate()
    }
}
