/// Cells by the time at which something is to be done about them, the earliest first. An entry that is out of date is for its
/// taker to recognise: none is ever looked for. Cost: a logarithm of the entries, and memory only where they grow.
struct TimerHeap: ~Copyable {
    struct Entry {
        var time: Int64
        var cell: UInt32
    }

    private var buffer = GrowingBuffer<Entry>(capacity: 64)

    var count: Int { buffer.count }
    var bytes: Int { buffer.bytes }

    /// The earliest time; nil: there is no entry.
    var first: Int64? { count == 0 ? nil : buffer.base[0].time }

    mutating func push(_ time: Int64, _ cell: UInt32) {
        var at = count
        let entry = Entry(time: time, cell: cell)
        buffer.append(entry)
        let entries = buffer.base
        while at > 0 {
            let above = (at - 1) / 2
            if entries[above].time <= time { break }
            entries[at] = entries[above]
            at = above
        }
        entries[at] = entry
    }

    /// The earliest entry, if its time is not past `limit`.
    mutating func pop(through limit: Int64) -> Entry? {
        let entries = buffer.base
        guard count > 0, entries[0].time <= limit else { return nil }
        let found = entries[0]
        let last = buffer.removeLast()
        var at = 0
        while true {
            var below = at * 2 + 1
            if below >= count { break }
            if below + 1 < count, entries[below + 1].time < entries[below].time { below += 1 }
            if last.time <= entries[below].time { break }
            entries[at] = entries[below]
            at = below
        }
        entries[at] = last
        return found
    }
}
