/// The text of a Swift or C++ file with comments and the insides of strings turned into spaces. Lines stay where they are.
///
/// What is interpolated into a string is blanked with it: a rule sees a little less, never something that isn't there.
func blanked(_ text: [UInt8]) -> [UInt8] {
    var out = text
    var at = 0

    func starts(_ word: StaticString, at position: Int) -> Bool {
        guard position + word.utf8CodeUnitCount <= text.count else { return false }
        for i in 0..<word.utf8CodeUnitCount where text[position + i] != word.utf8Start[i] { return false }
        return true
    }
    func blank(to end: Int) {
        while at < min(end, text.count) {
            if text[at] != UInt8(ascii: "\n") { out[at] = UInt8(ascii: " ") }
            at += 1
        }
    }
    /// Where a string that opens at `at`, behind `pounds` signs, ends: the position after its closing quote.
    func endOfString(pounds: Int) -> Int {
        let isLong = starts("\"\"\"", at: at)
        let quotes = isLong ? 3 : 1
        var position = at + quotes
        var depth = 0
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "\n") && !isLong { return position }
            if byte == UInt8(ascii: "\\") && closes(pounds, at: position + 1) {
                let after = position + 1 + pounds
                if after < text.count && text[after] == UInt8(ascii: "(") { depth += 1 }
                position = after + 1
                continue
            }
            if depth > 0 {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
            } else if byte == UInt8(ascii: "\""), !isLong || starts("\"\"\"", at: position), closes(pounds, at: position + quotes)
            {
                return position + quotes + pounds
            }
            position += 1
        }
        return text.count
    }
    func closes(_ pounds: Int, at position: Int) -> Bool {
        for i in 0..<pounds where position + i >= text.count || text[position + i] != UInt8(ascii: "#") { return false }
        return true
    }

    while at < text.count {
        if starts("//", at: at) {
            blank(to: text[at...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count)
        } else if starts("/*", at: at) {
            var end = at + 2
            while end < text.count && !starts("*/", at: end) { end += 1 }
            blank(to: end + 2)
        } else if text[at] == UInt8(ascii: "\"") {
            var pounds = 0
            while pounds < at && text[at - pounds - 1] == UInt8(ascii: "#") { pounds += 1 }
            blank(to: endOfString(pounds: pounds))
        } else if starts("'\"'", at: at) {
            blank(to: at + 3)
        } else {
            at += 1
        }
    }
    return out
}
