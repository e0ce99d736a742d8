import Model

/// Records that a draft is made from. A value of its own; filled by one thread, cleared with its owner. Memory: the payloads.
public struct Sample: Sendable {
    struct Record: Sendable {
        var payload: [UInt8]
        /// Milliseconds; nil: it has none.
        var timestamp: Int64?
        var partition: Int
    }
    /// Which records of each file or partition are in it.
    public enum Kind: Sendable { case lines, newest, oldest }
    let kind: Kind
    let partitions: Int
    /// There are more records than it holds.
    private(set) var isCut = false
    var records: [Record] = []
    /// Tombstones, empty lines and what is no JSON object.
    public private(set) var undecodable = 0
    public var count: Int { records.count }
    /// By partition: how many records and bytes were looked at.
    private var used: [Int: (records: Int, bytes: Int)] = [:]

    public init(partitions: Int, kind: Kind) {
        self.partitions = max(partitions, 1)
        self.kind = kind
    }

    /// There is more than is looked at.
    public mutating func cut() { isCut = true }

    /// One record of a partition, in the partition's order. False: it is not looked at, as the partition's share is used up.
    public mutating func add(_ payload: UnsafeRawBufferPointer?, timestamp: Int64?, partition: Int) -> Bool {
        let (count, bytes) = used[partition] ?? (0, 0)
        let size = payload?.count ?? 0
        guard count < max(1, InferLimits.records / partitions), bytes + size <= InferLimits.bytes / partitions else {
            isCut = true
            return false
        }
        used[partition] = (count + 1, bytes + size)
        if let payload, case .object? = SampleValue.read(payload) {
            records.append(Record(payload: Array(payload), timestamp: timestamp, partition: partition))
        } else {
            undecodable += 1
        }
        return true
    }

    /// Calls `body` with each record's value, in order.
    func each(_ body: (Record, SampleValue) -> Void) {
        for record in records {
            if let value = record.payload.withUnsafeBytes({ SampleValue.read($0) }) { body(record, value) }
        }
    }

    /// By path, in the order of their first record; and how many paths were more than are looked at.
    func profiles() -> (paths: [PathProfile], leftOut: Int) {
        var found: [PathProfile] = []
        var places: [[String]: Int] = [:]
        var leftOut = 0
        func note(_ value: SampleValue, _ keys: [String]) {
            if !keys.isEmpty {
                if places[keys] == nil {
                    guard found.count < InferLimits.paths else {
                        leftOut += 1
                        return
                    }
                    places[keys] = found.count
                    found.append(PathProfile(keys: keys))
                }
                found[places[keys] ?? 0].note(value)
            }
            guard case .object(let members) = value, keys.count < TopologyLimits.pathKeys else { return }
            for member in members { note(member.value, keys + [member.key]) }
        }
        each { _, value in note(value, []) }
        return (found, leftOut)
    }
}

extension Sample {
    /// What was measured, as a comment.
    var heading: String {
        let place = kind == .lines ? "file" : "partition"
        var text = "Measured on \(HorizonProposal.count(count, "record"))"
        if isCut {
            let which = kind == .newest ? "newest" : kind == .oldest ? "oldest" : "first"
            text += ", the \(which) of \(partitions == 1 ? "its \(place)" : "each of \(partitions) \(place)s")"
        } else if partitions > 1 {
            text += " in \(partitions) \(place)s"
        }
        guard undecodable > 0 else { return text + "." }
        return text
            + "; \(undecodable) more \(undecodable == 1 ? "is no JSON object" : "are no JSON objects") and would be rejected."
    }
}

extension SampleValue {
    /// What stands at a path.
    func at(_ keys: [String]) -> SampleValue? {
        var value = self
        for key in keys {
            guard case .object(let members) = value, let member = members.first(where: { $0.key == key }) else { return nil }
            value = member.value
        }
        return value
    }

    /// A text by which two ids are the same; nil: null or nothing that is an id.
    var identity: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let number, let integer): integer.map { "#\($0)" } ?? "#\(number)"
        default: nil
        }
    }
}
