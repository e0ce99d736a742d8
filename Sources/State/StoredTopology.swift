public import Model

/// An aggregate as the state knows it. The number stands in state keys and is never given to another name.
public struct StoredOutput: Equatable, Sendable {
    public var id: Int32
    public var name: String
    /// The last commit before it was added; 0: it was there from the start.
    public var sinceCommit: Int64
    public var sinceAt: WallTime
    /// The combined watermark when it was added; nil: none yet.
    public var sinceWatermark: EventTime?
    public init(id: Int32, name: String, sinceCommit: Int64, sinceAt: WallTime, sinceWatermark: EventTime?) {
        self.id = id
        self.name = name
        self.sinceCommit = sinceCommit
        self.sinceAt = sinceAt
        self.sinceWatermark = sinceWatermark
    }
}

/// A half-open range of state keys, `[from, to)`, compared as unsigned bytes.
public struct KeyRange: Equatable, Sendable {
    public var from: [UInt8]
    public var to: [UInt8]
    public init(from: [UInt8], to: [UInt8]) {
        self.from = from
        self.to = to
    }
}

/// What a topology asks of state that was written under an earlier version of it.
enum TopologyChange {
    struct Verdict: Equatable {
        var added: [String]
        var removed: [String]
    }

    /// `parts` are the stored fingerprints by name, `outputs` the stored aggregates' names.
    static func judge(parts: [String: String], outputs: [String], plan: Plan, accept: Bool, path: String) throws(Fault) -> Verdict
    {
        let names = Set(plan.aggregates.map(\.name))
        let removed = outputs.filter { !names.contains($0) }
        let added = plan.aggregates.map(\.name).filter { !outputs.contains($0) }
        var changes: [String] = []
        var place = ""
        for part in plan.fingerprint {
            let before = parts[part.name]
            // By bytes: Swift's texts are equal where they only look alike.
            let isSame = before.map { $0.utf8.elementsEqual(part.text.utf8) } ?? false
            if isSame || (before == nil && added.contains(where: { part.name == "aggregate \($0)" })) { continue }
            if place.isEmpty { place = part.place }
            changes.append(describe(part.name, from: before, to: part.text))
        }
        let known = Set(plan.fingerprint.map(\.name))
        for (name, text) in parts.sorted(by: { $0.key < $1.key })
        where !known.contains(name) && !removed.contains(where: { name == "aggregate \($0)" }) {
            changes.append(describe(name, from: text, to: nil))
        }
        guard changes.isEmpty else {
            throw Fault(
                "state_topology_changed",
                "The state was made by another version of this topology: \(changes.joined(separator: "; ")).",
                place: place.isEmpty ? path : place,
                next: "Take the change back, or run the new version on a state directory of its own.", exit: .state)
        }
        guard removed.isEmpty || accept else {
            throw Fault(
                "state_output_removed",
                "The state holds aggregates that the topology no longer has: \(removed.joined(separator: ", ")).", place: path,
                next: "Put them back, or run with --accept to delete their state (result tables stay).", exit: .state)
        }
        return Verdict(added: added, removed: removed)
    }

    /// `part: was "old line", is "new line"` for each line that differs.
    private static func describe(_ part: String, from before: String?, to after: String?) -> String {
        let old = lines(before)
        let new = lines(after)
        let gone = old.filter { !new.contains($0) }
        let come = new.filter { !old.contains($0) }
        func quote(_ lines: [String]) -> String {
            lines.isEmpty ? "nothing" : lines.map { "`\($0)`" }.joined(separator: ", ")
        }
        // The same lines in another order.
        if gone.isEmpty && come.isEmpty { return "\(part): was \(quote(old)), is \(quote(new))" }
        return "\(part): was \(quote(gone)), is \(quote(come))"
    }

    private static func lines(_ text: String?) -> [String] { (text ?? "").split(separator: "\n").map(String.init) }
}
