/// The lines of one file, to show them and to find a place inside a scalar.
struct SourceText: Sendable {
    private var lines: [[Unicode.Scalar]]
    /// By line: how many scalars stand before it, line ends counted and the mark of byte order not.
    private var starts: [Int] = [0]

    init(_ text: String) {
        lines = [[]]
        var read = text.unicodeScalars.first == "\u{feff}" ? -1 : 0
        var scalars = text.unicodeScalars.makeIterator()
        var afterReturn = false
        while let scalar = scalars.next() {
            read += 1
            if scalar == "\n", afterReturn {
                afterReturn = false
                starts[starts.count - 1] = read
                continue
            }
            afterReturn = scalar == "\r"
            if scalar == "\n" || scalar == "\r" {
                lines.append([])
                starts.append(read)
            } else {
                lines[lines.count - 1].append(scalar)
            }
        }
        if lines[0].first == "\u{feff}" { lines[0].removeFirst() }
    }

    /// `number` counts from 1.
    func line(_ number: Int) -> String? {
        guard number >= 1, number <= lines.count else { return nil }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: lines[number - 1])
        return String(view)
    }

    /// The place of the scalar with this number, counted from 0 behind a mark of byte order. libyaml's own lines won't do: it
    /// ends a line at characters (U+0085, U+2028, U+2029) at which editors end none.
    func place(at index: Int, in file: String) -> Place {
        var low = 0
        var high = starts.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if starts[middle] <= index { low = middle } else { high = middle - 1 }
        }
        return Place(file: file, line: low + 1, column: index - starts[low] + 1)
    }

    /// The value itself, where an anchor or a tag stands before it.
    func behindProperties(_ start: Place) -> Place {
        var line = start.line - 1
        var column = start.column - 1
        while line < lines.count {
            let rest = lines[line].dropFirst(column)
            let blanks = rest.prefix { $0 == " " || $0 == "\t" }.count
            guard let first = rest.dropFirst(blanks).first, first != "#" else {
                line += 1
                column = 0
                continue
            }
            guard first == "&" || first == "!" else {
                return Place(file: start.file, line: line + 1, column: column + blanks + 1)
            }
            column += blanks + rest.dropFirst(blanks).prefix { $0 != " " && $0 != "\t" }.count
        }
        return start
    }

    /// Where the character at `offset` of the scalar's text stands in the file: walks text and file side by side, over
    /// quotes, escapes, folded lines and indentation. A substituted text has no such place; its beginning is taken.
    func place(of offset: Int, in scalar: Scalar, at start: Place) -> Place {
        var line = start.line - 1
        var column = start.column - 1
        guard !scalar.isSubstituted, line < lines.count else { return start }
        switch scalar.style {
        case .plain: break
        case .single, .double: column += 1
        case .literal, .folded:
            line += 1
            column = 0
        }
        func current() -> Unicode.Scalar? { column < lines[line].count ? lines[line][column] : nil }
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\n" }
        var wasSpace = scalar.style == .literal || scalar.style == .folded
        for (index, wanted) in scalar.text.unicodeScalars.enumerated() {
            // What the text has folded away: indentation and line ends beside a space, and escaped line ends.
            while line < lines.count, !isSpace(wanted) || wasSpace {
                if let found = current() {
                    guard isSpace(found), !isSpace(wanted) else { break }
                    column += 1
                } else if line + 1 < lines.count {
                    line += 1
                    column = 0
                } else {
                    return start
                }
            }
            if index == offset { return Place(file: start.file, line: line + 1, column: column + 1) }
            guard line < lines.count else { return start }
            switch (scalar.style, current()) {
            case (.double, "\\"): column += 1 + Self.escapeLength(column + 1 < lines[line].count ? lines[line][column + 1] : " ")
            case (.single, "'"): column += 2
            case (_, nil): break
            default: column += 1
            }
            wasSpace = isSpace(wanted)
        }
        return Place(file: start.file, line: min(line, lines.count - 1) + 1, column: column + 1)
    }

    private static func escapeLength(_ scalar: Unicode.Scalar) -> Int {
        switch scalar {
        case "x": 3
        case "u": 5
        case "U": 9
        default: 1
        }
    }
}
