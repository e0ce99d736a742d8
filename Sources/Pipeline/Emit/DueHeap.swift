/// Things by the time at which something is due of them, the earliest first. An entry that is out of date is for its taker to
/// recognise.
struct DueHeap<Element> {
    private var entries: [(time: Int64, element: Element)] = []

    mutating func push(_ time: Int64, _ element: Element) {
        entries.append((time, element))
        var at = entries.count - 1
        while at > 0, entries[at].time < entries[(at - 1) / 2].time {
            entries.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    /// The earliest entry, if its time is not past `limit`.
    mutating func pop(through limit: Int64) -> (time: Int64, element: Element)? {
        guard let first = entries.first, first.time <= limit else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var at = 0
        while at * 2 + 1 < entries.count {
            var below = at * 2 + 1
            if below + 1 < entries.count, entries[below + 1].time < entries[below].time { below += 1 }
            if entries[at].time <= entries[below].time { break }
            entries.swapAt(at, below)
            at = below
        }
        return first
    }
}
