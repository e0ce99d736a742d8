/// SQL's LIKE over bytes that are valid UTF-8.
///
/// A part between two `%` that holds only text is searched for in time that grows with the text alone. One with `_` or an escape
/// is tried at each place; how many steps that may take is bounded, so that no text of a record can hold a lane up.
struct LikePattern {
    private let text: UTF8Text.Bytes
    private let pattern: UTF8Text.Bytes
    private let escape: UInt8?
    private var steps: Int

    /// nil: it would take too many steps to tell. A pattern that ends with its escape sign matches nothing.
    static func matches(_ text: UTF8Text.Bytes, _ pattern: UTF8Text.Bytes, escape: UInt8?) -> Bool? {
        let steps = (text.count + pattern.count + 64) * PipelineLimits.likeSteps
        var search = LikePattern(text: text, pattern: pattern, escape: escape, steps: steps)
        return search.run()
    }

    private init(text: UTF8Text.Bytes, pattern: UTF8Text.Bytes, escape: UInt8?, steps: Int) {
        self.text = text
        self.pattern = pattern
        self.escape = escape
        self.steps = steps
    }

    private mutating func run() -> Bool? {
        if escapesItsEnd { return false }
        // The first part stands at the beginning.
        var part = 0..<end(ofPart: 0)
        guard var place = match(part, at: 0) else { return false }
        if part.upperBound == pattern.count { return place == text.count }
        while true {
            let start = part.upperBound + 1
            part = start..<end(ofPart: start)
            // Behind a last `%` anything may stand.
            if part.upperBound == pattern.count { return part.isEmpty ? true : matchesEnd(part, from: place) }
            if part.isEmpty { continue }
            switch find(part, from: place) {
            case .some(.some(let next)): place = next
            case .some(.none): return false
            case .none: return nil
            }
        }
    }

    /// Behind the text that the part takes at `at`; nil: it stands elsewhere.
    private mutating func match(_ part: Range<Int>, at: Int) -> Int? {
        var t = at
        var p = part.lowerBound
        while p < part.upperBound {
            steps &-= 1
            guard t < text.count else { return nil }
            var sign = pattern[p]
            if sign == 0x5f, sign != escape {
                t = next(t)
                p += 1
                continue
            }
            if sign == escape {
                p += 1
                sign = pattern[p]
            }
            guard text[t] == sign else { return nil }
            t += 1
            p += 1
        }
        return t
    }

    /// Behind the first place from `start` on where the part stands; nil inside: nowhere; nil: too many steps.
    private mutating func find(_ part: Range<Int>, from start: Int) -> Int?? {
        if isPlain(part) {
            return .some(UTF8Text.find(UTF8Text.Bytes(rebasing: pattern[part]), in: text, from: start).map { $0 + part.count })
        }
        var at = start
        while at < text.count {
            if let found = match(part, at: at) { return .some(found) }
            if steps < 0 { return nil }
            at = next(at)
        }
        return .some(nil)
    }

    /// The last part takes as many scalars as it has, from the end: all other places would leave something over.
    private mutating func matchesEnd(_ part: Range<Int>, from start: Int) -> Bool {
        var scalars = 0
        var p = part.lowerBound
        while p < part.upperBound {
            if pattern[p] == escape { p += 1 }
            if !UTF8Text.isInside(pattern[p]) { scalars += 1 }
            p += 1
        }
        var at = text.count
        while scalars > 0, at > start {
            at -= 1
            if !UTF8Text.isInside(text[at]) { scalars -= 1 }
        }
        return scalars == 0 && match(part, at: at) == text.count
    }

    /// Where the part that begins at `start` ends: at a `%` that means any text, or with the pattern.
    private func end(ofPart start: Int) -> Int {
        var p = start
        while p < pattern.count {
            if pattern[p] == escape {
                p += 1
            } else if pattern[p] == 0x25 {
                return p
            }
            p += 1
        }
        return pattern.count
    }

    private func isPlain(_ part: Range<Int>) -> Bool { !pattern[part].contains { $0 == 0x5f || $0 == escape } }

    private var escapesItsEnd: Bool {
        var p = 0
        while p < pattern.count {
            if pattern[p] == escape {
                p += 1
                if p == pattern.count { return true }
            }
            p += 1
        }
        return false
    }

    private func next(_ at: Int) -> Int {
        var at = at + 1
        while at < text.count, UTF8Text.isInside(text[at]) { at += 1 }
        return at
    }
}
