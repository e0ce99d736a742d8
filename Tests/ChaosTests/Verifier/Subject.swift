/// What the verifier must know of a topology to compute its answer again. Times in milliseconds.
struct Subject: Sendable {
    enum Emission: Sendable { case final, onTime, early }

    /// How rows may come: each revision once, or again in identical copies.
    enum Delivery: Sendable { case once, copies }

    enum Fold: Sendable, Equatable {
        case count
        case sum(String)
        case max(String)
    }

    struct Measure: Sendable {
        var name: String
        var fold: Fold
    }

    struct Output: Sendable {
        var name: String
        var size: Int64
        var every: Int64
        var lateness: Int64
        var group: [String]
        /// Takes only records whose field is this text; nil: all.
        var takes: (field: String, text: String)?
        var measures: [Measure]
        var emission: Emission
        /// Windows close by their own partition's watermark.
        var isKeyed = false
        /// Sessions instead of windows of one size; their measures are such that no order of folding matters.
        var gap: Int64?

        /// How long after its end a window closes.
        var closing: Int64 { lateness + (isKeyed ? 0 : gap ?? 0) }
    }

    enum Kind: Sendable { case text, int, double }
    struct Field: Sendable {
        var name: String
        var kind: Kind
        var isRequired = false
    }

    /// All but the time.
    var fields: [Field]
    var time: String
    var outOfOrderness: Int64
    var maxFuture: Int64 = 600_000
    /// Records with this text are filtered, and those where the field is null.
    var skips: (field: String, text: String)?
    var identity: String?
    var within: Int64 = 0
    /// Copies are recognised in any partition, and nothing is ever late or forgotten.
    var isRekeyed = false
    var outputs: [Output]
    var delivery: Delivery
}

/// A record as the log holds it.
struct Logged: Equatable, Sendable, CustomStringConvertible {
    var partition: Int32
    var offset: Int64
    /// Milliseconds.
    var timestamp: Int64
    var key: [UInt8]?
    /// nil: a tombstone.
    var value: [UInt8]?
    var headers: [String: String] = [:]

    var description: String {
        "partition \(partition) offset \(offset): \(value.map { String(decoding: $0, as: UTF8.self) } ?? "nothing")"
    }
}

/// A late event that an output refused.
struct Refusal: Hashable, Sendable {
    var output: String
    var partition: Int32
    var offset: Int64
}

/// The books of one partition, by the words of the contract.
struct Ledger: Equatable, Sendable, CustomStringConvertible {
    /// Stands for all re-keyed partitions together, among the partitions of the input.
    static let rekeyed: Int32 = -1

    var counts: [String: Int] = [:]

    subscript(outcome: String) -> Int {
        get { counts[outcome] ?? 0 }
        set { counts[outcome] = newValue == 0 ? nil : newValue }
    }

    var description: String { counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }
}

/// A rejected record.
struct Letter: Hashable, Sendable, CustomStringConvertible {
    var partition: Int32
    var offset: Int64
    var reason: String
    var description: String { "partition \(partition) offset \(offset): \(reason)" }
}

/// One row of one output: its window and group.
struct RowName: Hashable, Sendable, CustomStringConvertible {
    var start: Int64
    /// Of a session: two of a group can begin together, when one of them is closed.
    var end: Int64?
    var group: [JSON]
    var description: String { "window \(start)\(end.map { " to \($0)" } ?? ""), group \(group)" }
}
