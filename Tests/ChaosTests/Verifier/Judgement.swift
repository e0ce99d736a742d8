/// What a run wrote, held against what it should have written. Every difference is a sentence.
struct Judgement: Sendable {
    private(set) var problems: [String] = []
    /// Rows looked at, revisions and copies included.
    private(set) var rows = 0
    /// Identical rows that came again.
    private(set) var copies = 0
    private let subject: Subject
    private let expected: Expectation

    init(_ subject: Subject, _ expected: Expectation) {
        self.subject = subject
        self.expected = expected
    }

    /// The rows of one output, each partition of its topic in the order of the log, read as a reader does who sees only what is
    /// committed. `isComplete`: everything has closed, so that every row must be there; else what is there is looked at.
    mutating func rows(of name: String, _ log: [Logged], isComplete: Bool = true) {
        guard let output = subject.outputs.first(where: { $0.name == name }) else { return say("no output \(name)") }
        var seen: [RowName: [Seen]] = [:]
        for record in log {
            rows += 1
            guard let row = read(record, output) else { continue }
            if let other = seen[row.name]?.first, other.partition != row.partition {
                say("\(name), \(row.name): in partition \(other.partition) and in \(row.partition)")
            }
            seen[row.name, default: []].append(row)
        }
        let wanted = expected.rows[name] ?? [:]
        for (row, revisions) in seen {
            guard let measures = wanted[row] else {
                // A session that was shown and grew has been taken back (S16); while it runs that may be yet to come.
                if output.gap != nil, !isComplete || revisions.max(by: { $0.revision < $1.revision })?.isRetracted == true {
                    judge(output, row, revisions, nil, isComplete)
                } else {
                    say("\(name), \(row): extra, no record belongs to it")
                }
                continue
            }
            judge(output, row, revisions, measures, isComplete)
        }
        if isComplete {
            for row in wanted.keys where seen[row] == nil { say("\(name), \(row): missing") }
        }
    }

    /// Dead letters, from their topic.
    mutating func letters(_ log: [Logged]) {
        var seen: [Letter: Int] = [:]
        for record in log {
            guard let partition = record.headers["weir-partition"].flatMap({ Int32($0) }),
                let offset = record.headers["weir-offset"].flatMap({ Int64($0) }), let reason = record.headers["weir-reason"]
            else {
                say("a dead letter without its headers at offset \(record.offset)")
                continue
            }
            seen[Letter(partition: partition, offset: offset, reason: reason), default: 0] += 1
        }
        for (letter, count) in seen {
            if !expected.letters.contains(letter) { say("dead letter of \(letter): extra") }
            if count > 1, subject.delivery == .once { say("dead letter of \(letter): \(count) times") }
        }
        for letter in expected.letters where seen[letter] == nil { say("dead letter of \(letter): missing") }
    }

    mutating func books(_ found: [Int32: Ledger]) {
        for partition in Set(found.keys).union(expected.books.keys).sorted() {
            let (told, wanted) = (found[partition] ?? Ledger(), expected.books[partition] ?? Ledger())
            if told != wanted {
                say(
                    "books of \(partition == Ledger.rekeyed ? "the re-keyed partitions" : "partition \(partition)"): \(told); expected \(wanted)"
                )
            }
        }
    }

    /// What ledgers say of late events: each was refused, and counted at most once.
    mutating func applied(_ told: Set<Refusal>) {
        for refusal in told.subtracting(expected.met) { say("applied again, and never refused: \(refusal)") }
        for refusal in expected.twice { say("applied again, and counted before: \(refusal)") }
    }

    mutating func say(_ problem: String) { problems.append(problem) }

    /// One row as it was read.
    private struct Seen {
        var name: RowName
        var partition: Int32
        var offset: Int64
        var revision: Int64
        var isFinal: Bool
        var isRetracted: Bool
        var isReapplied: Bool
        var asOf: Int64?
        var count: Int64?
        var fields: JSON
        var bytes: [UInt8]
    }

    private mutating func read(_ record: Logged, _ output: Subject.Output) -> Seen? {
        let place = "\(output.name), partition \(record.partition) offset \(record.offset)"
        guard let bytes = record.value, let fields = JSON(bytes), let key = record.key.flatMap(JSON.init) else {
            say("\(place): not a row")
            return nil
        }
        guard record.headers["weir-output"] == output.name else {
            say("\(place): header weir-output is \(record.headers["weir-output"] ?? "missing")")
            return nil
        }
        guard let start = fields["window_start"]?.int, let end = fields["window_end"]?.int,
            let revision = fields["revision"]?.int,
            let isFinal = fields["final"]?.bool, let asOf = fields["as_of"]
        else {
            say("\(place): a column is missing")
            return nil
        }
        for column in ["window_start", "window_end"] + output.group where key[column] == nil || key[column] != fields[column] {
            say("\(place): key and value differ in \(column)")
        }
        if output.gap == nil, end != start + output.size { say("\(place): the window ends at \(end)") }
        let count = output.measures.first { $0.fold == .count }.flatMap { fields[$0.name]?.int }
        return Seen(
            name: RowName(
                start: start, end: output.gap == nil ? nil : end, group: output.group.map { fields[$0] ?? .null }),
            partition: record.partition, offset: record.offset, revision: revision, isFinal: isFinal,
            isRetracted: fields["retracted"]?.bool == true, isReapplied: fields["reason"]?.text == "reapplied", asOf: asOf.int,
            count: count, fields: fields, bytes: bytes)
    }

    private mutating func judge(
        _ output: Subject.Output, _ row: RowName, _ seen: [Seen], _ measures: [String: JSON]?, _ isComplete: Bool
    ) {
        var kept: [Seen] = []
        for one in seen {
            if let first = kept.first(where: { $0.revision == one.revision }) {
                copies += 1
                if subject.delivery == .once {
                    say("\(output.name), \(row): revision \(one.revision) at offset \(first.offset) and again at \(one.offset)")
                } else if first.bytes != one.bytes {
                    say(
                        "\(output.name), \(row): revision \(one.revision) at offset \(one.offset) differs from that at \(first.offset)"
                    )
                }
                continue
            }
            kept.append(one)
        }
        for (place, one) in kept.enumerated() where one.revision != place + 1 {
            say("\(output.name), \(row): revision \(one.revision) at offset \(one.offset), expected \(place + 1)")
            break
        }
        for (earlier, later) in zip(kept, kept.dropFirst()) {
            if let a = earlier.asOf, let b = later.asOf, b < a {
                say("\(output.name), \(row): revision \(later.revision) is as of \(b), the one before as of \(a)")
            }
            if earlier.isRetracted { say("\(output.name), \(row): revision \(later.revision) comes after it was taken back") }
            if let a = earlier.count, let b = later.count, later.isRetracted ? b != a : b <= a {
                say("\(output.name), \(row): revision \(later.revision) holds \(b) records, the one before \(a)")
            }
        }
        for one in kept where !one.isRetracted { moment(output, row, one) }
        if kept.first?.isRetracted == true { say("\(output.name), \(row): taken back, and was never there") }
        if output.emission == .final, kept.dropFirst().contains(where: { !$0.isReapplied }) {
            say("\(output.name), \(row): \(kept.count) final rows")
        }
        if isComplete, let last = kept.last, let measures {
            if last.isRetracted { say("\(output.name), \(row): taken back in revision \(last.revision)") }
            for measure in output.measures where !Self.equal(last.fields[measure.name], measures[measure.name]) {
                say(
                    "\(output.name), \(row): \(measure.name) is \(Self.word(last.fields[measure.name])) in revision \(last.revision), expected \(Self.word(measures[measure.name]))"
                )
            }
        }
    }

    /// Whether the row may have come when it did, and calls itself final rightly (S15, S16).
    private mutating func moment(_ output: Subject.Output, _ row: RowName, _ one: Seen) {
        if output.emission == .final, !one.isFinal { say("\(output.name), \(row): not final") }
        // Keyed windows close by their own partition's watermark, which a row does not tell.
        if output.isKeyed { return }
        let end = row.end ?? row.start + output.size
        let close = end + output.closing
        // At the end of a bounded input all windows close, and the newest event time is what rows are as of.
        let isEnd = one.asOf.map { $0 >= expected.newest ?? .max } ?? false
        let asOf = one.asOf ?? .min
        if one.isFinal, asOf < close, !isEnd { say("\(output.name), \(row): final as of \(asOf), closes at \(close)") }
        if !one.isFinal, asOf >= close { say("\(output.name), \(row): not final as of \(asOf), closes at \(close)") }
        if output.emission == .onTime, asOf < end, !isEnd { say("\(output.name), \(row): as of \(asOf), ends at \(end)") }
    }

    /// Exact: doubles fold in one order only. A whole number may be written as either kind.
    private static func equal(_ a: JSON?, _ b: JSON?) -> Bool {
        if a == b { return true }
        guard let x = a?.number, let y = b?.number else { return false }
        return x == y
    }

    private static func word(_ value: JSON?) -> String { value.map { "\($0)" } ?? "missing" }
}
