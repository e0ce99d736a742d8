import Foundation
import Testing

@testable import Topology

private let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

/// `WEIR_GOLDENS=write` writes the documents anew.
private func expectDocument(_ text: String, _ path: String) throws {
    let file = package.appending(path: path)
    if ProcessInfo.processInfo.environment["WEIR_GOLDENS"] == "write" {
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text, "\(path) is not what the declarations say")
}

@Test func theSchemaInTheRepositoryIsTheDeclarations() throws {
    try expectDocument(Topology.schema, "docs/topology.schema.json")
}

@Test func theReferencePageIsTheDeclarations() throws {
    try expectDocument(Topology.reference, "docs/topology.md")
}

/// Each stands at its place and can be laid over the first, which is a topology by itself.
@Test func everySectionOfTheReferenceHasAnExampleThatCanBeRead() throws {
    let sections = Topology.reference.components(separatedBy: "\n## ").dropFirst()
    let examples = sections.compactMap { section -> (path: String, text: String)? in
        let parts = section.components(separatedBy: "```")
        guard parts.count == 3, parts[1].hasPrefix("yaml\n") else { return nil }
        return (section.components(separatedBy: "\n")[0].replacing("`", with: ""), String(parts[1].dropFirst(5)))
    }
    #expect(examples.count == sections.count && examples.first?.path == "The file")
    let first = try #require(examples.first?.text)
    #expect(texts(read(first)) == [])
    let schema = try SchemaValidator(Topology.schema)
    #expect(try schema.problems(yaml: first) == [])
    for (path, text) in examples.dropFirst() {
        let reading = read(first, with: ["o.yaml": text], variables: ["KAFKA_PASSWORD": "p"])
        #expect(texts(reading) == [], "\(path)")
        let node = try #require(Topology.document("o.yaml", from: surroundings(text)).root)
        #expect(holds(node, path.replacing("[]", with: ".NAME").split(separator: ".")[...]), "\(path)")
    }
}

/// Whether something stands at the path; `NAME` is any key or place of a list.
private func holds(_ node: Node, _ path: ArraySlice<Substring>) -> Bool {
    guard let first = path.first else { return true }
    switch node.content {
    case .map(let entries):
        return entries.contains { (first == "NAME" || $0.key == first) && holds($0.value, path.dropFirst()) }
    case .list(let items): return first == "NAME" && items.contains { holds($0, path.dropFirst()) }
    case .scalar: return false
    }
}

@Test func whatCanBeRunIsAcceptedByTheSchema() throws {
    let schema = try SchemaValidator(Topology.schema)
    let folder = package.appending(path: "topologies")
    let shipped = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .filter { $0.hasSuffix(".yaml") && !$0.hasSuffix(".test.yaml") }
    #expect(!shipped.isEmpty)
    for name in shipped {
        let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        #expect(try schema.problems(yaml: text) == [], "\(name)")
    }
    for name in GoldenTests.names where try GoldenTests.problems(name).plan != nil {
        let text = try String(contentsOfFile: "\(GoldenTests.folder)/\(name).yaml", encoding: .utf8)
        #expect(try schema.problems(yaml: text) == [], "\(name)")
    }
}

/// Each of these keys is read without a problem and must not be marked in an editor.
private let right = [
    "name: 2024", "owner: true", "late: count", "late: {ledger: {keep: 7d}}", "late: {topic: a.late}", "state: {keep_closed: 1h}",
    "state: {keep_closed: 0s}", "dead_letters: {topic: a.dead}",
    "dead_letters: {table: {limit: 2GiB}}", "http: {listen: '[::1]:80'}", "http: {}", "commit: {every: '${PACE:-1s}'}",
    "kafka: {bootstrap: '${HOSTS:-a:1},b:2', client: {linger.ms: 5, socket.keepalive.enable: true, client.rack: r1}}",
    "kafka: {tls: {certificate: a, key: b}, sasl: {mechanism: plain, user: u, password: '${PASSWORD}'}}",
    "source: {generator: {rate: 0.5/s, seed: '7', unpaced: true, start: 2026-01-31T08:00:00+01:00}}",
    "source: {topics: [a], start: 2026-01-31T08:00:00.5Z}", "source: {topics: [a], start: latest, max_record: 64KiB}",
    "check: {accept: [late_copies]}",
]

@Test(arguments: right)
func whatIsReadWithoutAProblemIsAcceptedByTheSchema(line: String) throws {
    let text = replacing(line)
    let reading = read(text, variables: ["PASSWORD": "p"])
    #expect(reading.plan != nil, "\(texts(reading))")
    #expect(try SchemaValidator(Topology.schema).problems(yaml: text) == [])
}

private let wrong = [
    "nmae: x", "name: 'a b'", "delivery: exactly_twice", "late: {}", "late: never", "late: {ledger: {kept: 1d}}",
    "dead_letters: {}", "dead_letters: {topic: a, table: {}}", "http: {listen: 8080}", "commit: {every: 5}",
    "commit: {every: 1h30m}", "commit: [1s]", "state: {memory: 64MB}", "state: {keep_closed: 1}", "kafka: {tls: {key: a}}",
    "kafka: {client: {linger.ms: soon}}", "kafka: {client: {group.id: a}}",
    "kafka: {sasl: {mechanism: plain, user: u, password: geheim}}", "kafka: {sasl: {mechanism: plain, user: u}}",
    "source: {}", "source: {topics: []}", "source: {topics: a}", "source: {topics: [a], files: [b]}",
    "source: {files: [a], group: g}", "source: {topics: [a], format: avro}", "source: {topics: [a], start: yesterday}",
    "source: {generator: {rate: 5}}", "source: {generator: {partitions: 0}}", "source: {generator: {unpaced: perhaps}}",
    "event_time: {record: time}", "event_time: {out_of_orderness: 1m}", "fields: {}", "fields: {A: {type: int}}",
    "fields: {a: {type: number}}", "fields: {a: int}", "aggregates: {}", "deduplicate: {key: [id]}", "deduplicate: {within: 1m}",
    "aggregates: {a: {window: {session: 1}, measures: {n: count()}}}", "aggregates: {a: {measures: {n: count()}}}",
    "aggregates: {a: {window: {tumbling: 1m}}}", "aggregates: {a: {window: {tumbling: 1m, every: 1s}, measures: {n: count()}}}",
    "aggregates: {a: {window: {tumbling: 1m}, measures: {n: count()}, emit: never}}",
    "aggregates: {a: {window: {tumbling: 1m}, measures: {n: count()}, freshness: {within: 1m, objective: 0.9}}}",
    "check: {accept: [nothing]}", "kafka: {sasl: {mechanism: plain, user: u, password: '${NAME:-geheim}'}}",
]

@Test(arguments: wrong)
func whatIsWrongIsRefusedByTheSchema(line: String) throws {
    let text = replacing(line)
    #expect(read(text).plan == nil)
    #expect(try SchemaValidator(Topology.schema).problems(yaml: text) != [])
}

@Test func everyNeededKeyIsNeededByTheSchema() throws {
    let schema = try SchemaValidator(Topology.schema)
    for key in ["name", "source", "fields", "event_time", "aggregates"] {
        let text = least.filter { !$0.hasPrefix("\(key):") }.joined(separator: "\n")
        #expect(try schema.problems(yaml: text) != [], "\(key)")
    }
    #expect(try schema.problems(yaml: least.joined(separator: "\n")) == [])
}

private let least = [
    "name: t", "source: {topics: [in]}", "fields: {ts: {type: timestamp, unit: ms}, id: {type: uuid}}", "event_time: {field: ts}",
    "aggregates: {a: {window: {tumbling: 1m}, measures: {events: count()}}}",
]

/// The least topology, with this line instead of its own.
private func replacing(_ line: String) -> String {
    let key = line.prefix { $0 != ":" }
    return (least.filter { !$0.hasPrefix("\(key):") } + [line]).joined(separator: "\n") + "\n"
}
