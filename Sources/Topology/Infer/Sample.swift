import Model

/// Records that a draft is made from. A value of its own; filled by one thread, cleared with its owner. Memory: the payloads.
public struct Sample: Sendable {
    struct Record: Sendable {
        var payload: [UInt8]
        /// Milliseconds; nil: it has none.
        var timestamp: Int64?
        var partition: Int
    }
    var records: [Record] = []
    /// Tombstones, empty lines and what is no JSON object.
    public private(set) var undecodable = 0
    public var count: Int { records.count }
    public init() {}

    /// One record of a partition, in the partition's order. False: the sample is full.
    public mutating func add(_ payload: UnsafeRawBufferPointer?, timestamp: Int64?, partition: Int) -> Bool {
        guard records.count < InferLimits.records else { return false }
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
