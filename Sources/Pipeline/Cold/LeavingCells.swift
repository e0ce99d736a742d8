/// Which cells leave memory: those that changed longest ago first, by the length of their age in bits, so that one pass finds how old is
/// old enough.
struct LeavingCells {
    private var bytes = [Int](repeating: 0, count: 25)
    private var youngest = 25
    /// Of the youngest of those that leave, no more than is asked for.
    private var most = 0

    /// nil: it has to stay.
    @inline(__always)
    static func age(_ cell: CellPointer, _ access: ColdAccess) -> Int? {
        let link = cell[CellWord.link]
        if link & CellWord.dirty != 0 { return nil }
        // What stands in a page has no entry to be read by.
        let home = CellWord.home(cell)
        if home != CellWord.nowhere, home != CellWord.alone { return nil }
        let age = CellWord.age(link, at: access.seals)
        if Int64(age) < access.seals - access.settled { return nil }
        return UInt64.bitWidth - age.leadingZeroBitCount
    }

    mutating func count(_ age: Int, bytes size: Int) { bytes[age] += size }

    /// Once all are counted. False: none may leave.
    mutating func choose(toFree wanted: Int) -> Bool {
        var found = 0
        while youngest > 0, found < wanted {
            youngest -= 1
            found += bytes[youngest]
        }
        most = youngest < bytes.count ? max(bytes[youngest] - max(found - wanted, 0), 0) : 0
        return found > 0
    }

    func leaves(_ age: Int) -> Bool { age > youngest || (age == youngest && most > 0) }

    mutating func note(_ age: Int, bytes size: Int) { if age == youngest { most -= size } }
}
