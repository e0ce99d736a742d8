import Model
import Topology

/// Reads texts as if they were files; nothing of the machine is seen.
func read(
    _ text: String, with overlays: [String: String] = [:], order: [String] = [], variables: [String: String] = [:],
    files: [String: String] = [:], strict: Bool = false
) -> Topology.Reading {
    let all = files.merging(overlays) { $1 }.merging(["t.yaml": text]) { $1 }.mapValues { Array($0.utf8) }
    return read(
        bytes: all, order: ["t.yaml"] + (order.isEmpty ? overlays.keys.sorted() : order), variables: variables, strict: strict)
}

func read(
    bytes: [String: [UInt8]], order: [String], variables: [String: String] = [:], strict: Bool = false
) -> Topology.Reading {
    Topology.read(files: order, strict: strict, from: surroundings(bytes, variables))
}

func surroundings(_ text: String) -> Topology.Surroundings { surroundings(["o.yaml": Array(text.utf8)], [:]) }

private func surroundings(_ bytes: [String: [UInt8]], _ variables: [String: String]) -> Topology.Surroundings {
    Topology.Surroundings(
        bytes: { path throws(Fault) in
            guard let found = bytes[path] else {
                throw Fault("unreadable_file", "the file can't be read", place: path, next: "check the path", exit: .usage)
            }
            return found
        },
        environment: { variables[$0] },
        zone: { name throws(Fault) in
            guard name == berlin.name else { throw Fault("zone_unknown", "unknown", next: "none", exit: .topology) }
            return berlin
        })
}

let berlin = Zone(name: "Europe/Berlin", transitions: [], offsets: [3_600])

func texts(_ reading: Topology.Reading) -> [String] { reading.problems.map { $0.text() } }

/// The least that a topology needs, with room for more.
func small(
    source: String = "{topics: [in]}", fields: String = "", aggregate: String = "", more: String = ""
) -> String {
    """
    name: small
    source: \(source)
    fields:
      ts: {type: timestamp, unit: ms}
      id: {type: uuid}
      s: {type: string}
      i: {type: int}
      d: {type: double}
      b: {type: bool}
      j: {type: json}
    \(indented(fields, "  "))
    event_time: {field: ts}
    \(more.contains("check:") ? "" : "check: {accept: [unused_field]}")
    aggregates:
      a:
        window: {tumbling: 1m}
        measures: {events: count()}
    \(indented(aggregate, "    "))
    \(more)
    """
}

private func indented(_ text: String, _ margin: String) -> String {
    text.split(separator: "\n").map { margin + $0 }.joined(separator: "\n")
}
