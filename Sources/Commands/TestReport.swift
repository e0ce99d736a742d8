internal import Model
internal import Observe
internal import Rehearsal
internal import Topology

/// One test file's outcome.
struct TestedFile {
    var file: String
    /// Why it can't be run; empty where it was.
    var problems: [Problem] = []
    var results: [(result: CaseResult, time: TimeSpan)] = []
    /// By path, of right before they were read: a change calls for another run. nil: there was none.
    var stamps: [String: FileStamp?]
    /// nil: it could not be read.
    var plan: Plan?
    /// Where the topology stands; nil where nothing could be read.
    var topology: String?

    var isReadable: Bool { !problems.contains { $0.severity == .error } }
    /// A file of which no case ran has shown nothing.
    var isOK: Bool { isReadable && !results.isEmpty && results.allSatisfy(\.result.isOK) }
}

/// Outcomes as text, JSON and JUnit's XML.
enum TestReport {
    static func text(_ tested: TestedFile, caret: Bool, hasColour: Bool) -> String {
        var text = tested.problems.map { TopologyInput.text($0, caret: caret, hasColour: hasColour) }.joined()
        guard tested.isReadable else { return text + "\(printable(tested.file)): not run\n" }
        text += "\(printable(tested.file))\n"
        for (result, time) in tested.results {
            let word = result.isOK ? paint("ok", 32, hasColour) : paint("FAILED", 31, hasColour)
            text += "  \(word)  \(printable(result.name)) (\(TimeText.span(time)))\n"
            if let failure = result.failure { text += self.text(failure, hasColour: hasColour) }
        }
        return text
    }

    static func summary(_ all: [TestedFile]) -> String {
        let cases = all.flatMap(\.results)
        let failed = cases.count { !$0.result.isOK }
        let unread = all.count { !$0.isReadable }
        var text = "\(cases.count) case\(cases.count == 1 ? "" : "s"), \(failed) failed"
        if unread > 0 { text += ", \(unread) file\(unread == 1 ? "" : "s") not run" }
        return text + "\n"
    }

    /// `covered` nil: nobody asked.
    static func json(_ all: [TestedFile], _ covered: [CoveredTopology]? = nil) -> String {
        var json = JSONText()
        json.beginObject()
        json.key("files")
        json.beginArray()
        for tested in all {
            json.beginObject()
            json.member("file", tested.file)
            json.member("ok", tested.isOK)
            json.key("cases")
            json.beginArray()
            for (result, _) in tested.results {
                json.beginObject()
                json.member("name", result.name)
                json.member("ok", result.isOK)
                if let failure = result.failure {
                    json.member("step", failure.step)
                    json.member("line", failure.line)
                    json.member("why", why(failure))
                } else {
                    json.key("step")
                    json.null()
                    json.member("line", result.line)
                    json.key("why")
                    json.null()
                }
                json.endObject()
            }
            json.endArray()
            // Beside what a run has: why there was none.
            if !tested.problems.isEmpty {
                json.key("problems")
                json.beginArray()
                for problem in tested.problems { json.string(problem.text()) }
                json.endArray()
            }
            json.endObject()
        }
        json.endArray()
        if let covered { CoverageReport.json(covered, into: &json) }
        json.endObject()
        return json.text + "\n"
    }

    static func junit(_ all: [TestedFile]) -> String {
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        for tested in all {
            let failed = tested.results.count { !$0.result.isOK }
            let errors = tested.isReadable ? 0 : 1
            text += "  <testsuite name=\"\(xml(tested.file))\" tests=\"\(tested.results.count + errors)\" "
            text += "failures=\"\(failed)\" errors=\"\(errors)\">\n"
            if errors > 0 {
                let words = tested.problems.map { $0.text() }.joined(separator: "\n")
                text += "    <testcase name=\"reading\" classname=\"\(xml(tested.file))\">"
                text += "<error message=\"the file can't be run\">\(xml(words, isAttribute: false))</error></testcase>\n"
            }
            for (result, time) in tested.results {
                let thousandths = String(time.milliseconds % 1_000 + 1_000).dropFirst()
                text += "    <testcase name=\"\(xml(result.name))\" classname=\"\(xml(tested.file))\" "
                text += "time=\"\(time.milliseconds / 1_000).\(thousandths)\""
                if let failure = result.failure {
                    text += "><failure message=\"step \(failure.step), \(xml(failure.file)):\(failure.line)\">"
                    text += "\(xml(self.text(failure, hasColour: false), isAttribute: false))</failure></testcase>\n"
                } else {
                    text += result.isOK ? "/>\n" : "><failure message=\"nothing was expected\"/></testcase>\n"
                }
            }
            text += "  </testsuite>\n"
        }
        return text + "</testsuites>\n"
    }

    // MARK: - Failures

    static func why(_ failure: CaseResult.Failure) -> String {
        if let fault = failure.fault { return "\(fault.code): \(fault.what)" }
        let parts = failure.differences.flatMap { difference in
            difference.lines.map { line in
                let cells = line.cells.filter { line.kind != .differs || $0.differs }.map { cell in
                    switch line.kind {
                    case .differs: "\(cell.name) is \(shown(cell)), expected \(cell.expected ?? "")"
                    case .missing: "\(cell.name): \(cell.expected ?? "")"
                    case .unexpected: "\(cell.name): \(shown(cell))"
                    }
                }
                return
                    "\(difference.subject): \(line.kind == .differs ? "" : "\(line.kind.rawValue) ")\(cells.joined(separator: ", "))"
            }
        }
        return parts.joined(separator: "; ")
    }

    static func text(_ failure: CaseResult.Failure, hasColour: Bool) -> String {
        var text = "    step \(failure.step), \(printable(failure.file)):\(failure.line)\n"
        if let fault = failure.fault {
            text += "    \(printable(fault.code)): \(printable(fault.what)) \(printable(fault.next))\n"
        }
        for difference in failure.differences {
            text += "    \(difference.subject)\n"
            for line in difference.lines { text += table(line, hasColour) }
        }
        return text
    }

    /// Both sides of one row under its columns; a cell that differs has `≠` before it.
    private static func table(_ line: Difference.Line, _ hasColour: Bool) -> String {
        func mark(_ cell: Difference.Cell, _ text: String) -> String {
            (line.kind == .differs && cell.differs ? "≠" : "") + printable(text)
        }
        let names = line.cells.map { printable($0.name) }
        let expected = line.cells.map { cell in mark(cell, cell.expected ?? "") }
        let actual = line.cells.map { cell in mark(cell, shown(cell)) }
        let widths = line.cells.indices.map { max(names[$0].count, expected[$0].count, actual[$0].count) }
        func row(_ title: String, _ cells: [String], colour: Int?) -> String {
            var text = "      " + pad(title, 11)
            for (index, cell) in cells.enumerated() {
                let isMarked = colour != nil && (line.kind != .differs || line.cells[index].differs)
                text += isMarked ? paint(cell, colour ?? 0, hasColour) : cell
                if index + 1 < cells.count { text += String(repeating: " ", count: widths[index] - cell.count + 2) }
            }
            return text + "\n"
        }
        let head = row("", names, colour: nil)
        switch line.kind {
        case .differs: return head + row("expected", expected, colour: 32) + row("came", actual, colour: 31)
        case .missing: return head + row("missing", expected, colour: 32)
        case .unexpected: return head + row("unexpected", actual, colour: 31)
        }
    }

    private static func shown(_ cell: Difference.Cell) -> String {
        guard let value = cell.actual else { return "" }
        switch value {
        case .string(let text): return text
        case .time(let time): return TimeText.utc(time)
        default:
            var json = JSONText()
            json.value(value)
            let text = json.text
            return text.hasPrefix("\"") ? String(text.dropFirst().dropLast()) : text
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func paint(_ text: String, _ colour: Int, _ hasColour: Bool) -> String {
        hasColour ? "\u{1B}[\(colour)m\(text)\u{1B}[0m" : text
    }

    /// Text or an attribute's value as XML 1.0 has it: what would be read back otherwise stands as a reference.
    private static func xml(_ text: String, isAttribute: Bool = true) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\r": result += "&#13;"
            case "\n", "\t": result += isAttribute ? "&#\(scalar.value);" : String(scalar)
            // XML 1.0 has no way to write the other control characters.
            default:
                result.unicodeScalars.append(
                    scalar.value < 0x20 || scalar.value >= 0xfffe && scalar.value <= 0xffff ? "\u{fffd}" : scalar)
            }
        }
        return result
    }
}
