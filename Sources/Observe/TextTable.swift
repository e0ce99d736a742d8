/// Columns for a terminal, as wide as their widest cell, two spaces apart.
public struct TextTable: Sendable {
    public enum Alignment: Sendable {
        case left, right
    }
    private var columns: [(title: String, alignment: Alignment)]
    /// A line of cells, or a note that stands under the line before it.
    private var lines: [(cells: [String], note: String?)] = []

    public init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    public mutating func row(_ cells: [String]) { lines.append((cells.map(printable), nil)) }
    public mutating func note(_ text: String) { lines.append(([], printable(text))) }

    public var text: String {
        let widths = columns.indices.map { index in
            lines.reduce(columns[index].title.count) { max($0, index < $1.cells.count ? $1.cells[index].count : 0) }
        }
        var text = line(columns.map(\.title), widths)
        for entry in lines { text += entry.note.map { "  \($0)\n" } ?? line(entry.cells, widths) }
        return text
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
            if index > 0 { line += "  " }
            line += columns[index].alignment == .left ? cell + padding : padding + cell
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }
}
