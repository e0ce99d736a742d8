internal import Model
internal import Observe
internal import Runtime
internal import State

extension Verbs {
    static let inspect = Verb(
        name: "inspect", summary: "read-only SQL over live state and results", usage: "FILE [SQL] [option…]", operands: 1...2,
        options: [
            .value("with", "FILE", "laid over FILE", repeatable: true),
            .value("state", "DIRECTORY", "another directory than the topology's `state:` names"),
            .flag("csv", "the rows as CSV, with a line of names"),
        ],
        notes: [
            "Without SQL: what there is to read, and the functions for sketches. Shown is what the last commit",
            "wrote; what came since is in the service's memory. A query may take 5 s and give 32 MiB.",
        ],
        run: { arguments, console throws(Fault) in try InspectVerb.run(arguments, console) })
}

enum InspectVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        if arguments.has("csv"), arguments.has("json") { throw usageFault("--csv and --json are two forms", of: "inspect") }
        let files = [arguments.operands[0]] + arguments.all("with")
        let (plan, exit) = TopologyInput.plan(files, on: console, asJSON: arguments.has("json"))
        guard let plan else { return exit }
        let inspect = try Inspect(plan, directory: arguments.value("state") ?? plan.state.directory, clock: SystemClock())
        guard arguments.operands.count > 1 else {
            let (results, state) = try inspect.tables()
            let sources = InspectSources(live: inspect.live, results: results, state: state, hidden: inspect.hidden)
            console.out(arguments.has("json") ? sources.json : sources.text)
            return .done
        }
        let answer = try inspect.run(arguments.operands[1])
        let report = InspectReport(answer: answer)
        if arguments.has("json") {
            console.out(report.json)
        } else {
            console.out(arguments.has("csv") ? report.csv : report.table)
            console.error(report.moment + "\n")
        }
        return .done
    }
}

/// What there is to read from.
struct InspectSources {
    var live: [Inspect.Table]
    var results: [Inspect.Table]
    var state: [Inspect.Table]
    var hidden: [String]

    var text: String {
        var text = "open windows, a row for each group and input partition, as of the last commit\n" + Self.lines(live)
        for line in hidden { text += "  not shown: \(printable(line))\n" }
        text +=
            "\nresults\n"
            + Self.lines(results.map { Inspect.Table(name: "results.\($0.name)", columns: $0.columns) })
        text += "\nstate\n" + Self.lines(state) + "\nfunctions\n"
        let width = Inspect.functions.map(\.0.count).max() ?? 0
        for (name, meaning) in Inspect.functions {
            text += "  \(name)\(String(repeating: " ", count: width - name.count))  \(meaning)\n"
        }
        return text
    }

    private static func lines(_ tables: [Inspect.Table]) -> String {
        if tables.isEmpty { return "  none\n" }
        return tables.map { table in
            let columns = table.columns.map { table.sketches.contains($0) ? "\($0) (sketch)" : $0 }
            return "  \(printable(table.name))\n    \(printable(columns.joined(separator: ", ")))\n"
        }.joined()
    }

    var json: String {
        var json = JSONText()
        json.beginObject()
        for (name, tables) in [("live", live), ("results", results), ("state", state)] {
            json.key(name)
            json.beginArray()
            for table in tables {
                json.beginObject()
                json.member("name", table.name)
                for (name, list) in [("columns", table.columns), ("sketches", table.sketches)] {
                    json.key(name)
                    json.beginArray()
                    for text in list { json.string(text) }
                    json.endArray()
                }
                json.endObject()
            }
            json.endArray()
        }
        json.key("not_shown")
        json.beginArray()
        for line in hidden { json.string(line) }
        json.endArray()
        json.endObject()
        return json.text + "\n"
    }
}

/// One answer, for people and for machines.
struct InspectReport {
    var answer: Inspection.Answer

    /// `as of commit 12, 2026-…Z, watermark 2026-…Z; …`
    var moment: String {
        let moment = answer.moment
        var parts: [String] = []
        if let commit = moment.commit { parts.append("commit \(NumberText.grouped(commit))") }
        if let at = moment.committedAt { parts.append(TimeText.utc(EventTime(milliseconds: at.milliseconds))) }
        if let watermark = moment.watermark { parts.append("watermark \(TimeText.utc(watermark))") }
        if let results = moment.results, results != moment.commit {
            parts.append("tables of commit \(NumberText.grouped(results))")
        }
        let what = parts.isEmpty || moment.commit == 0 ? "before the first commit" : "as of \(parts.joined(separator: ", "))"
        return "\(answer.rows.count) row\(answer.rows.count == 1 ? "" : "s") \(what); what came since is in the service's memory"
    }

    var table: String {
        let columns = answer.columns.indices.map { at in
            let isNumber = answer.rows.allSatisfy { row in
                switch row[at] {
                case .int, .double, .null: true
                case .text, .blob: false
                }
            }
            return (title: printable(answer.columns[at]), alignment: isNumber ? TextTable.Alignment.right : .left)
        }
        var table = TextTable(columns)
        for row in answer.rows { table.row(row.map(Self.cell)) }
        return table.text
    }

    private static func cell(_ value: SQLValue) -> String {
        switch value {
        case .null: "–"
        case .int(let number): String(number)
        case .double(let number): number.description
        case .text(let text): text
        case .blob(let bytes):
            "x'\(hex(bytes.prefix(CommandsLimits.shownBlob)))\(bytes.count > CommandsLimits.shownBlob ? "…" : "")'"
        }
    }

    var csv: String {
        var text = answer.columns.map(Self.field).joined(separator: ",") + "\r\n"
        for row in answer.rows {
            let cells = row.map { value in
                switch value {
                case .null: ""
                case .int(let number): String(number)
                case .double(let number): number.description
                case .text(let text): Self.field(text)
                case .blob(let bytes): Self.hex(bytes[...])
                }
            }
            text += cells.joined(separator: ",") + "\r\n"
        }
        return text
    }

    /// RFC 4180: quoted where it must be; an empty text is quoted, so that it is no null.
    private static func field(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        return needsQuotes ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
    }

    var json: String {
        var json = JSONText()
        json.beginObject()
        json.key("commit")
        if let commit = answer.moment.commit { json.int(commit) } else { json.null() }
        json.member("committed_at", answer.moment.committedAt.map { Value.int($0.milliseconds) } ?? .null)
        json.member("watermark", answer.moment.watermark.map(Value.time) ?? .null)
        json.member("tables_commit", answer.moment.results.map(Value.int) ?? .null)
        json.key("columns")
        json.beginArray()
        for column in answer.columns { json.string(column) }
        json.endArray()
        json.key("rows")
        json.beginArray()
        for row in answer.rows {
            json.beginArray()
            for value in row {
                switch value {
                case .null: json.null()
                case .int(let number): json.int(number)
                case .double(let number): json.double(number)
                case .text(let text): json.string(text)
                case .blob(let bytes): json.string(Self.hex(bytes[...]))
                }
            }
            json.endArray()
        }
        json.endArray()
        json.endObject()
        return json.text + "\n"
    }

    private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
