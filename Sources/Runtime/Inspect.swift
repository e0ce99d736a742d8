public import Model
import Pipeline
public import State

/// A topology's state and results as one thing to query: its files, a view of each aggregate's open windows, and the functions
/// that read and merge sketches.
public final class Inspect {
    /// Something to read from.
    public struct Table: Equatable, Sendable {
        public var name: String
        public var columns: [String]
        /// Of these, those that hold sketches.
        public var sketches: [String]
        public init(name: String, columns: [String], sketches: [String] = []) {
            self.name = name
            self.columns = columns
            self.sketches = sketches
        }
    }

    /// Functions beside SQLite's own, as help shows them.
    public static let functions = [
        ("distinct(sketch)", "how many different values"),
        ("quantile(sketch, q)", "the value that the share q does not exceed"),
        ("top(sketch, k)", "the k most frequent values, as JSON"),
        ("largest(sketch)", "the largest values, as JSON"),
        ("merge(sketch)", "over a group's rows: one sketch of all"),
    ]

    private let inspection: Inspection
    /// The views of open windows.
    public private(set) var live: [Table] = []
    /// Aggregates whose open windows can't be shown, and why.
    public private(set) var hidden: [String] = []

    /// Errors: those of `Inspection`, and `state_of_other_topology` (exit 5).
    public init(_ plan: Plan, directory: String, clock: any Clock) throws(Fault) {
        inspection = try Inspection(directory: directory, clock: clock)
        if let name = try inspection.topology(), name != plan.name {
            throw Fault(
                "state_of_other_topology", "The state belongs to the topology \(name), not to \(plan.name).", place: directory,
                next: "Name that topology's file, or the right directory with --state.", exit: .state)
        }
        for function in Self.functionsOfSketches { try inspection.add(function) }
        try inspection.add(
            SQLAggregate("merge") { (total, value) throws(SQLFunction.Refusal) in try SketchBlob.merge(total, value) })
        let stored = try inspection.outputs()
        for aggregate in plan.aggregates {
            guard let output = stored[aggregate.name] else {
                hidden.append("\(aggregate.name): the state does not have it yet")
                continue
            }
            let part = plan.fingerprint.first { $0.name == "aggregate \(aggregate.name)" }
            guard part?.text == output.fingerprint else {
                hidden.append("\(aggregate.name): the state was made by another version of it")
                continue
            }
            try add(aggregate, plan.fields, UInt16(truncatingIfNeeded: output.number))
        }
    }

    /// Errors: as `Inspection.run`.
    public func run(_ query: String) throws(Fault) -> Inspection.Answer {
        try inspection.run(SketchNames.quoted(query))
    }

    /// What there is to read from, by schema: views of open windows, tables of results, tables of the state.
    public func tables() throws(Fault) -> (results: [Table], state: [Table]) {
        func table(_ found: (name: String, columns: [String])) -> Table {
            Table(name: found.name, columns: found.columns)
        }
        return (try inspection.tables("results").map(table), try inspection.tables("main").map(table))
    }

    private static let functionsOfSketches: [SQLFunction] = [
        SQLFunction("distinct", arguments: 1) { (values) throws(SQLFunction.Refusal) in try SketchBlob.distinct(values[0]) },
        SQLFunction("quantile", arguments: 2) { (values) throws(SQLFunction.Refusal) in
            try SketchBlob.quantile(values[0], values[1])
        },
        SQLFunction("top", arguments: 2) { (values) throws(SQLFunction.Refusal) in try SketchBlob.top(values[0], values[1]) },
        SQLFunction("largest", arguments: 1) { (values) throws(SQLFunction.Refusal) in try SketchBlob.largest(values[0]) },
    ]

    private func add(_ aggregate: AggregatePlan, _ fields: [FieldPlan], _ stored: UInt16) throws(Fault) {
        let reader = Reader(LiveCells(aggregate, fields: fields, stored: stored))
        let function = "weir_cell_\(stored)"
        try inspection.add(
            inner: SQLFunction(function, arguments: 3) { values in
                guard case .int(let column) = values[0], case .blob(let key) = values[1], case .blob(let value) = values[2] else {
                    return .null
                }
                return reader.cells.value(Int(column), key: key, value: value)
            })
        let cells = reader.cells
        let columns = cells.columns.enumerated().map { "\(function)(\($0), s.key, s.value) AS \(Self.quote($1.name))" }.joined(
            separator: ", ")
        let pages = try addPages(of: reader, stored)
        let name = "live_\(aggregate.name)"
        // By lane, so that the key's index is used in each. Of a cell in a page an entry of its own counts, if there is one.
        try inspection.add(
            view: name,
            as: """
                WITH paged AS MATERIALIZED (\(pages))
                SELECT l.topic AS "input_topic", l.partition AS "input_partition", \(columns)
                FROM main.lanes AS l CROSS JOIN main.state AS s
                WHERE s.lane = l.lane AND s.key >= \(Self.literal(cells.keys.from)) AND s.key < \(Self.literal(cells.keys.to))
                UNION ALL
                SELECT l.topic, l.partition, \(columns)
                FROM paged AS s CROSS JOIN main.lanes AS l
                WHERE l.lane = s.lane
                    AND NOT EXISTS (SELECT 1 FROM main.state AS own WHERE own.lane = s.lane AND own.key = s.key)
                """)
        live.append(
            Table(
                name: name, columns: ["input_topic", "input_partition"] + cells.columns.map(\.name),
                sketches: cells.columns.filter(\.isSketch).map(\.name)))
    }

    /// A query of the cells that stand in pages, as lane, key and value of the entries that they would have of their own.
    private func addPages(of reader: Reader, _ stored: UInt16) throws(Fault) -> String {
        let name = "weir_page_\(stored)"
        try inspection.add(
            inner: SQLFunction(name, arguments: 1) { values in
                guard case .blob(let page) = values[0] else { return .null }
                return .text("[" + (0..<reader.cells.cells(inPage: page)).map(String.init).joined(separator: ",") + "]")
            })
        try inspection.add(
            inner: SQLFunction("\(name)_key", arguments: 3) { values in
                guard case .int(let at) = values[0], case .blob(let key) = values[1], case .blob(let page) = values[2] else {
                    return .null
                }
                return reader.cells.key(Int(at), inPage: key, page).map(SQLValue.blob) ?? .null
            })
        try inspection.add(
            inner: SQLFunction("\(name)_value", arguments: 2) { values in
                guard case .int(let at) = values[0], case .blob(let page) = values[1] else { return .null }
                return reader.cells.value(Int(at), inPage: page).map(SQLValue.blob) ?? .null
            })
        let keys = reader.cells.pages
        return """
            SELECT s.lane AS lane, \(name)_key(e.value, s.key, s.value) AS key, \(name)_value(e.value, s.value) AS value
            FROM main.lanes AS l CROSS JOIN main.state AS s CROSS JOIN json_each(\(name)(s.value)) AS e
            WHERE s.lane = l.lane AND s.key >= \(Self.literal(keys.from)) AND s.key < \(Self.literal(keys.to))
            """
    }

    private static func quote(_ name: String) -> String { "\"\(name)\"" }

    private static func literal(_ bytes: [UInt8]) -> String {
        "x'" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'"
    }

    /// `@unchecked Sendable` is true because: SQLite calls it on the thread that runs the query, and only then.
    private final class Reader: @unchecked Sendable {
        let cells: LiveCells
        init(_ cells: LiveCells) { self.cells = cells }
    }
}

/// `distinct(…)` is what the function is called, and a word of SQL's too: written with its parenthesis at once it means the
/// function.
enum SketchNames {
    static func quoted(_ query: String) -> String {
        var bytes: [UInt8] = []
        let source = Array(query.utf8)
        var at = 0
        let word = Array("distinct(".utf8)
        while at < source.count {
            let end = Self.end(ofOpaque: source, at)
            if end > at {
                bytes += source[at..<end]
                at = end
                continue
            }
            let isWordStart = at == 0 || !Self.isNamePart(source[at - 1])
            if isWordStart, at + word.count <= source.count,
                zip(source[at..<(at + word.count)], word).allSatisfy({ $0 | 0x20 == $1 | 0x20 })
            {
                bytes += "\"distinct\"(".utf8
                at += word.count
                continue
            }
            bytes.append(source[at])
            at += 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Behind a text, a quoted name or a remark that begins here; `at` where none does.
    private static func end(ofOpaque source: [UInt8], _ at: Int) -> Int {
        func find(_ close: [UInt8], from start: Int) -> Int {
            var place = start
            while place + close.count <= source.count {
                if Array(source[place..<(place + close.count)]) == close { return place + close.count }
                place += 1
            }
            return source.count
        }
        switch source[at] {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): return find([source[at]], from: at + 1)
        case UInt8(ascii: "["): return find([UInt8(ascii: "]")], from: at + 1)
        case UInt8(ascii: "-"): return at + 1 < source.count && source[at + 1] == source[at] ? find([0x0A], from: at + 2) : at
        case UInt8(ascii: "/"):
            return at + 1 < source.count && source[at + 1] == UInt8(ascii: "*") ? find(Array("*/".utf8), from: at + 2) : at
        default: return at
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || byte == 0x24 || byte >= 0x80
    }
}
