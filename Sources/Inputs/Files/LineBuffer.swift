internal import Glibc
internal import Model

/// Cuts a stream of bytes into lines, in a buffer of bounded size. Lines handed out stay where they are until the next call.
final class LineBuffer {
    private var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    /// The buffer grows up to this many bytes for one line.
    private let limit: Int
    /// Bytes kept of a line that does not fit even then.
    private let prefix: Int
    /// The unread bytes: `[start, end)`; before `seen` there is no `\n` among them.
    private var start = 0
    private var seen = 0
    private var end = 0
    private var isAtEnd = false

    init(block: Int, limit: Int, prefix: Int) {
        capacity = block
        self.limit = limit
        self.prefix = prefix
        base = .allocate(byteCount: block, alignment: 64)
    }

    deinit { base.deallocate() }

    /// Up to `most` (more than 0) lines; 0 only at the end of the source.
    func take(_ most: Int, from source: any ByteSource, into columns: LineColumns) throws(Fault) -> Int {
        while true {
            let count = cut(most, into: columns)
            if count > 0 { return count }
            if isAtEnd {
                if start == end { return 0 }
                columns.payloads[0] = UnsafeRawPointer(base + start)
                columns.lengths[0] = end - start
                start = end
                seen = end
                return 1
            }
            moveToFront()
            if end == capacity && capacity < limit { grow() }
            if end == capacity {
                columns.lengths[0] = try lengthOfOversize(from: source)
                columns.payloads[0] = UnsafeRawPointer(base)
                return 1
            }
            try fill(from: source)
        }
    }

    /// Passes over one line. False at the end of the source.
    func skipLine(from source: any ByteSource) throws(Fault) -> Bool {
        var isBegun = false
        while true {
            if let newline = newline(in: seen..<end) {
                start = newline + 1
                seen = start
                return true
            }
            isBegun = isBegun || start < end
            start = 0
            seen = 0
            end = 0
            if isAtEnd { return isBegun }
            try fill(from: source)
        }
    }

    /// The complete lines in the buffer.
    private func cut(_ most: Int, into columns: LineColumns) -> Int {
        var count = 0
        var (start, from) = (start, seen)
        let (base, end, payloads, lengths) = (base, end, columns.payloads, columns.lengths)
        while count < most {
            guard from < end, let found = memchr(base + from, 0x0a, end &- from) else {
                from = end
                break
            }
            let newline = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            payloads[count] = UnsafeRawPointer(base + start)
            lengths[count] = newline &- start
            count &+= 1
            start = newline &+ 1
            from = start
        }
        self.start = start
        seen = from
        return count
    }

    private func newline(in range: Range<Int>) -> Int? {
        guard !range.isEmpty, let found = memchr(base + range.lowerBound, 0x0a, range.count) else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private func fill(from source: any ByteSource) throws(Fault) {
        let got = try source.read(into: UnsafeMutableRawBufferPointer(start: base + end, count: capacity - end))
        isAtEnd = got == 0
        end += got
    }

    private func moveToFront() {
        if start == 0 { return }
        memmove(base, base + start, end - start)
        end -= start
        seen -= start
        start = 0
    }

    private func grow() {
        let next = min(capacity * 2, limit)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: next, alignment: 64)
        bigger.copyMemory(from: base, byteCount: end)
        base.deallocate()
        base = bigger
        capacity = next
    }

    /// Reads on to the end of the line that fills the whole buffer, keeping only its first bytes, at the front.
    private func lengthOfOversize(from source: any ByteSource) throws(Fault) -> Int {
        var length = end
        while true {
            end = prefix
            try fill(from: source)
            if let newline = newline(in: prefix..<end) {
                start = newline + 1
                seen = start
                return length + newline - prefix
            }
            length += end - prefix
            if isAtEnd {
                start = end
                seen = end
                return length
            }
        }
    }
}
