internal import Freshness
internal import Model
internal import Observe

/// The demo's aggregates: a table that is drawn anew on a terminal, a line per new row elsewhere.
struct DemoScreen {
    private struct Cell: Hashable {
        var output: Int
        var group: [Value]
    }

    private let console: Console
    private let isSilent: Bool
    private var hasTold = false
    /// The newest window's row of each output and group.
    private var newest: [Cell: Row] = [:]
    private var newestStart: [Int: EventTime] = [:]

    init(console: Console, isSilent: Bool) {
        self.console = console
        self.isSilent = isSilent
    }

    mutating func show(_ facts: Facts, address: HostPort?, at now: WallTime) {
        tellAddress(address)
        let fresh = take(facts.latestRows)
        if isSilent { return }
        if console.isOutTerminal {
            let size = console.size
            let perOutput = max(1, min(CommandsLimits.rowsPerOutput, (size.lines - 3) / max(1, facts.outputs.count) - 3))
            let text = table(facts, perOutput: perOutput, at: now)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().prefix(size.lines - 1)
            console.draw(lines.map { Progress.cut(String($0), size.columns - 1) + "\n" }.joined(), on: .out)
        } else {
            for row in fresh.prefix(CommandsLimits.rowsAtOnce) { console.out(Self.line(row, facts.outputs) + "\n") }
        }
    }

    func end() { console.keepDrawn() }

    private mutating func tellAddress(_ address: HostPort?) {
        guard !hasTold, let address else { return }
        hasTold = true
        let words = "dashboard: \(address.url)/   (Ctrl-C ends the demo)\n"
        if isSilent { console.error(words) } else { console.out(words) }
    }

    /// Keeps rows of the newest windows; what is new among them, oldest first. Corrections of older windows are in the tables.
    private mutating func take(_ rows: [Row]) -> [Row] {
        var fresh: [Row] = []
        for row in rows.reversed() {
            guard row.windowStart >= newestStart[row.output] ?? row.windowStart else { continue }
            let cell = Cell(output: row.output, group: row.group)
            if let known = newest[cell], (known.windowStart, known.revision) >= (row.windowStart, row.revision) { continue }
            newest[cell] = row
            newestStart[row.output] = row.windowStart
            fresh.append(row)
        }
        return fresh
    }

    private func table(_ facts: Facts, perOutput: Int, at now: WallTime) -> String {
        let books = facts.books
        var text =
            "\n"
            + [
                "\(NumberText.grouped(books.read)) read",
                "\(NumberText.grouped(Int64((facts.recordsPerSecond ?? 0).rounded())))/s",
                "\(NumberText.grouped(books.duplicate)) copies dropped", "\(NumberText.grouped(books.late)) late",
                "watermark lag \(facts.clocks(at: now).watermarkLag.map(TimeText.span) ?? "-")",
            ].joined(separator: "   ") + "\n"
        for (index, output) in facts.outputs.enumerated() {
            guard let start = newestStart[index] else { continue }
            let rows = newest.filter { $0.key.output == index && $0.value.windowStart == start }.map(\.value)
            guard let first = rows.first else { continue }
            text += "\n\(output.name)  \(Self.window(first))\n"
            var table = TextTable(
                output.groupColumns.map { ($0.name, .left) } + output.measureColumns.map { ($0.name, .right) } + [
                    ("revision", .right)
                ])
            for row in rows.sorted(by: Self.isBefore).prefix(perOutput) {
                table.row(Self.cells(row, output) + ["\(row.revision)"])
            }
            text += table.text
        }
        return text
    }

    /// The largest first measure first.
    private static func isBefore(_ a: Row, _ b: Row) -> Bool {
        guard case .int(let x)? = a.measures.first, case .int(let y)? = b.measures.first, x != y else {
            return a.group.map(text).lexicographicallyPrecedes(b.group.map(text))
        }
        return x > y
    }

    private static func cells(_ row: Row, _ output: OutputFacts) -> [String] {
        zip(row.group + row.measures, output.groupColumns + output.measureColumns).map { value, column in
            column.isPersonal ? "…" : text(value)
        }
    }

    static func line(_ row: Row, _ outputs: [OutputFacts]) -> String {
        let output = outputs[row.output]
        let names = (output.groupColumns + output.measureColumns).map(\.name)
        let values = zip(names, cells(row, output)).map { "\($0)=\($1)" }
        return "\(window(row))  \(output.name)  \(values.joined(separator: " "))  revision=\(row.revision)"
    }

    /// `08:00:10–08:00:20`, UTC.
    static func window(_ row: Row) -> String { "\(time(row.windowStart))–\(time(row.windowEnd))" }

    private static func time(_ time: EventTime) -> String {
        String(TimeText.utc(time).split(separator: "T").last?.prefix(8) ?? "")
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .null: "-"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): NumberText.grouped(number)
        case .wide(let number): "\(number)"
        case .double(let number): number.isFinite && abs(number) < 1e15 ? NumberText.oneDecimal(number) : "\(number)"
        case .string(let text): printable(text)
        case .uuid: "uuid"
        case .time(let time): TimeText.utc(time)
        case .list(let values): values.map(text).joined(separator: ",")
        case .counted(let values): values.map { "\(text($0.value)):\(NumberText.grouped($0.count))" }.joined(separator: ",")
        }
    }
}
