/// A line to show with a caret below it: of a long line only what is around the caret.
struct SourceExcerpt {
    var line: String
    /// What stands before the caret, as wide as what stands before its character.
    var pad: String

    /// Unicode scalars of a line that are shown at most, and those of them before the caret.
    private static let length = 120
    private static let before = 60

    /// `column` counts Unicode scalars from 1, and may lie behind the end.
    init(_ line: String, column: Int) {
        let scalars = Array(line.unicodeScalars)
        let caret = min(column - 1, scalars.count)
        let start = scalars.count <= Self.length ? 0 : max(0, min(caret - Self.before, scalars.count - Self.length))
        let end = min(scalars.count, start + Self.length)
        var shown = String.UnicodeScalarView(start > 0 ? ["…"] : [])
        shown.append(contentsOf: scalars[start..<end])
        if end < scalars.count { shown.append("…") }
        self.line = String(shown)
        pad = (start > 0 ? " " : "") + scalars[start..<caret].map(Self.blank).joined()
    }

    /// Tabs stay tabs, so that the caret stands under its character however wide a terminal draws them.
    private static func blank(_ scalar: Unicode.Scalar) -> String {
        if scalar == "\t" { return "\t" }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return ""
        default: return isWide(scalar) ? "  " : " "
        }
    }

    /// Drawn over two columns: the blocks of Chinese, Japanese and Korean scripts, and pictures.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1faff, 0x20000...0x3fffd:
            true
        default: false
        }
    }
}
