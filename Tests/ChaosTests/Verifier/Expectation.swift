/// The answer of one undisturbed run, computed from the log alone: record by record, with dictionaries, in the words of the contract
/// (docs/semantics.md). It shares no code with the engine and is as slow as it likes.
struct Expectation: Sendable {
    var books: [Int32: Ledger] = [:]
    /// By the output's name: the measures of each row's last revision.
    var rows: [String: [RowName: [String: JSON]]] = [:]
    var letters: Set<Letter> = []
    /// The newest event time that passed the stage event time.
    var newest: Int64?
    /// Late events that were applied again, such as the ledgers say.
    private let applied: Set<Refusal>
    /// Of these, the ones that were met; and what they are called, by output.
    private(set) var met: Set<Refusal> = []
    private var appliedNames: [String: Set<String>] = [:]
    /// Of these, those whose event had been counted before.
    private(set) var twice: [Refusal] = []

    /// `log`: each partition's records in the order of their offsets.
    init(_ subject: Subject, log: [Logged], applied: Set<Refusal> = []) {
        self.applied = applied
        var cells: [String: [RowName: [Int32: [Total]]]] = [:]
        var visits: [String: [[JSON]: [Visit]]] = [:]
        let partitions = Dictionary(grouping: log, by: \.partition)
        if subject.isRekeyed { walkTogether(subject, partitions, &cells, &visits) }
        for partition in partitions.keys.sorted() where !subject.isRekeyed {
            // Of this partition alone: what others hold is joined in the end.
            var own: [String: [[JSON]: [Visit]]] = [:]
            walk(subject, partition, partitions[partition] ?? [], &cells, &own)
            for (output, groups) in own {
                for (group, found) in groups { visits[output, default: [:]][group, default: []] += found }
            }
        }
        for output in subject.outputs {
            for (group, found) in visits[output.name] ?? [:] {
                for visit in output.isKeyed ? found : Visit.joined(found) {
                    let name = RowName(start: visit.start, end: visit.end, group: group)
                    cells[output.name, default: [:]][name] = [0: visit.totals]
                }
            }
            rows[output.name] = (cells[output.name] ?? [:]).mapValues { Self.merged($0, output) }
        }
    }

    private mutating func walk(
        _ subject: Subject, _ partition: Int32, _ log: [Logged], _ cells: inout [String: [RowName: [Int32: [Total]]]],
        _ visits: inout [String: [[JSON]: [Visit]]]
    ) {
        var ledger = Ledger()
        var watermark: Int64?
        var remembered: [String: Int64] = [:]
        for record in log {
            guard let (fields, time) = enter(subject, record, &ledger) else { continue }
            let before = watermark
            watermark = max(watermark ?? .min, time - subject.outOfOrderness)
            if Self.isSkipped(subject, fields, &ledger) { continue }
            let name = Self.name(subject, fields, &ledger)
            if let name, let until = remembered[name], before.map({ $0 < until }) ?? true {
                ledger["duplicate"] += 1
                continue
            }
            let outcome = put(subject, fields, time, before, record, &cells, &visits)
            ledger[outcome.word] += 1
            if outcome.isPartlyLate { ledger["partly late"] += 1 }
            if let name, outcome.word != "late" {
                let bucket = max(subject.within / 16, 1_000)
                let least = max(time, before ?? .min) + subject.within
                remembered[name] = (least + bucket - 1) / bucket * bucket
            }
        }
        books[partition] = ledger
    }

    /// The first copy of the re-keyed order counts, whichever that is: copies are the same but for their places.
    private mutating func walkTogether(
        _ subject: Subject, _ partitions: [Int32: [Logged]], _ cells: inout [String: [RowName: [Int32: [Total]]]],
        _ visits: inout [String: [[JSON]: [Visit]]]
    ) {
        var together = Ledger()
        var known: Set<String> = []
        for partition in partitions.keys.sorted() {
            var ledger = Ledger()
            for record in partitions[partition] ?? [] {
                guard let (fields, time) = enter(subject, record, &ledger), !Self.isSkipped(subject, fields, &ledger) else {
                    continue
                }
                ledger["rekeyed"] += 1
                together["read"] += 1
                if let name = Self.name(subject, fields, &together), !known.insert(name).inserted {
                    together["duplicate"] += 1
                } else {
                    together[put(subject, fields, time, nil, record, &cells, &visits).word] += 1
                }
            }
            books[partition] = ledger
        }
        books[Ledger.rekeyed] = together
    }

    /// nil: it ends here. Whatever becomes of it later, its time counts.
    private mutating func enter(_ subject: Subject, _ record: Logged, _ ledger: inout Ledger) -> (fields: JSON, time: Int64)? {
        ledger["read"] += 1
        switch Self.read(record, subject) {
        case .rejected(let reason):
            ledger["rejected \(reason)"] += 1
            letters.insert(Letter(partition: record.partition, offset: record.offset, reason: reason))
            return nil
        case .event(let fields, let time):
            newest = max(newest ?? time, time)
            return (fields, time)
        }
    }

    private static func isSkipped(_ subject: Subject, _ fields: JSON, _ ledger: inout Ledger) -> Bool {
        guard let skips = subject.skips, fields[skips.field]?.text == nil || fields[skips.field]?.text == skips.text else {
            return false
        }
        ledger["filtered"] += 1
        return true
    }

    private static func name(_ subject: Subject, _ fields: JSON, _ ledger: inout Ledger) -> String? {
        guard let identity = subject.identity else { return nil }
        if let name = fields[identity]?.text, !name.isEmpty { return name }
        ledger["unidentified"] += 1
        return nil
    }

    private enum Reading {
        case rejected(String)
        case event(JSON, time: Int64)
    }

    private static func read(_ record: Logged, _ subject: Subject) -> Reading {
        guard let value = record.value else { return .rejected("tombstone") }
        guard let fields = JSON(value), case .object = fields else { return .rejected("undecodable") }
        for field in subject.fields {
            switch (fields[field.name] ?? .null, field.kind) {
            case (.null, _): if field.isRequired { return .rejected("missing_field") }
            case (.text, .text), (.int, .int), (.int, .double), (.double, .double): break
            default: return .rejected("wrong_type")
            }
        }
        guard let moment = fields[subject.time], moment != .null else { return .rejected("missing_field") }
        guard let time = moment.int else { return .rejected("bad_time") }
        if time > record.timestamp + subject.maxFuture { return .rejected("future_time") }
        return .event(fields, time: time)
    }

    /// One measure of one partition's share of a row.
    private struct Total: Sendable {
        var count: Int64 = 0
        var whole: Int64 = 0
        var real: Double = 0
        var most: Double = -.infinity
        var isWhole = true

        mutating func take(_ value: JSON, isFirst: Bool) {
            count += 1
            switch value {
            case .int(let number):
                whole += number
                add(Double(number), isFirst)
            case .double(let number):
                isWhole = false
                add(number, isFirst)
            default: break
            }
        }

        private mutating func add(_ number: Double, _ isFirst: Bool) {
            real = isFirst ? number : real + number
            most = Swift.max(most, number)
        }

        mutating func join(_ other: Total) {
            count += other.count
            whole += other.whole
            real += other.real
            most = Swift.max(most, other.most)
            isWhole = isWhole && other.isWhole
        }
    }

    /// A session of one group: from its first event to the gap after its last.
    private struct Visit: Sendable {
        var start: Int64
        var end: Int64
        var totals: [Total]

        mutating func join(_ other: Visit) {
            start = min(start, other.start)
            end = max(end, other.end)
            for at in totals.indices { totals[at].join(other.totals[at]) }
        }

        /// Those that overlap are one.
        static func joined(_ all: [Visit]) -> [Visit] {
            var found: [Visit] = []
            for visit in all.sorted(by: { $0.start < $1.start }) {
                if let last = found.last, visit.start < last.end {
                    found[found.count - 1].join(visit)
                } else {
                    found.append(visit)
                }
            }
            return found
        }

        /// False: too late, nothing has changed (S11, S12).
        static func take(_ one: Visit, _ output: Subject.Output, _ watermark: Int64?, _ all: inout [Visit]) -> Bool {
            guard let watermark else {
                all = joined(all + [one])
                return true
            }
            if !output.isKeyed, one.end + output.lateness <= watermark { return false }
            let closed = all.filter { $0.end + output.closing <= watermark }
            let open = all.filter { $0.end + output.closing > watermark }
            var formed = one
            for other in open where other.start < one.end && one.start < other.end { formed.join(other) }
            if formed.end + output.closing <= watermark { return false }
            all = closed + open.filter { $0.end <= one.start || one.end <= $0.start } + [formed]
            return true
        }
    }

    private struct Outcome {
        var word: String
        var isPartlyLate = false
    }

    /// Whether it was counted in the windows that had refused it.
    private mutating func isApplied(_ refusal: Refusal, _ subject: Subject, _ fields: JSON) -> Bool {
        guard applied.contains(refusal) else { return false }
        met.insert(refusal)
        if let name = subject.identity.flatMap({ fields[$0]?.text }), !name.isEmpty,
            !appliedNames[refusal.output, default: []].insert(name).inserted
        {
            twice.append(refusal)
        }
        return true
    }

    private mutating func put(
        _ subject: Subject, _ fields: JSON, _ time: Int64, _ watermark: Int64?, _ record: Logged,
        _ cells: inout [String: [RowName: [Int32: [Total]]]], _ visits: inout [String: [[JSON]: [Visit]]]
    ) -> Outcome {
        var (isAdmitted, isTaken, hasMissed) = (false, false, false)
        for output in subject.outputs {
            if let takes = output.takes, fields[takes.field]?.text != takes.text { continue }
            let group = output.group.map { fields[$0] ?? .null }
            if let gap = output.gap {
                isAdmitted = true
                var visit = Visit(start: time, end: time + gap, totals: Self.nothing(output))
                Self.fold(fields, output, into: &visit.totals)
                if Visit.take(visit, output, watermark, &visits[output.name, default: [:]][group, default: []]) {
                    isTaken = true
                }
                continue
            }
            var start = Self.floored(time, output.every)
            var open: [Int64] = []
            var closed: [Int64] = []
            while start + output.size > time {
                if let watermark, start + output.size + output.lateness <= watermark {
                    closed.append(start)
                } else {
                    open.append(start)
                }
                start -= output.every
            }
            if open.isEmpty && closed.isEmpty { continue }
            isAdmitted = true
            if open.isEmpty {
                guard isApplied(Refusal(output: output.name, partition: record.partition, offset: record.offset), subject, fields)
                else { continue }
                open = closed
            } else {
                isTaken = true
                if !closed.isEmpty { hasMissed = true }
            }
            for start in open {
                let name = RowName(start: start, group: group)
                var totals = cells[output.name]?[name]?[record.partition] ?? Self.nothing(output)
                Self.fold(fields, output, into: &totals)
                cells[output.name, default: [:]][name, default: [:]][record.partition] = totals
            }
        }
        if isAdmitted && !isTaken { return Outcome(word: "late") }
        return Outcome(word: isTaken ? "aggregated" : "filtered", isPartlyLate: hasMissed)
    }

    private static func nothing(_ output: Subject.Output) -> [Total] {
        Array(repeating: Total(), count: output.measures.count)
    }

    private static func fold(_ fields: JSON, _ output: Subject.Output, into totals: inout [Total]) {
        for (index, measure) in output.measures.enumerated() {
            switch measure.fold {
            case .count: totals[index].count += 1
            case .sum(let field), .max(let field):
                guard let value = fields[field], value != .null else { continue }
                totals[index].take(value, isFirst: totals[index].count == 0)
            }
        }
    }

    /// The shares of all partitions together, in the order of the partitions: doubles fold in that order (S17).
    private static func merged(_ shares: [Int32: [Total]], _ output: Subject.Output) -> [String: JSON] {
        var row: [String: JSON] = [:]
        for (index, measure) in output.measures.enumerated() {
            let parts = shares.keys.sorted().compactMap { shares[$0]?[index] }.filter { $0.count > 0 }
            let real = parts.dropFirst().reduce(parts.first?.real ?? 0) { $0 + $1.real }
            switch measure.fold {
            case .count: row[measure.name] = .int(parts.reduce(0) { $0 + $1.count })
            case .sum, .max:
                guard !parts.isEmpty else {
                    row[measure.name] = .null
                    continue
                }
                let isWhole = parts.allSatisfy(\.isWhole)
                let number: Double = measure.fold.isSum ? real : parts.map(\.most).max() ?? 0
                let whole: Int64 = measure.fold.isSum ? parts.reduce(0) { $0 + $1.whole } : Int64(number)
                row[measure.name] = isWhole ? .int(whole) : .double(number)
            }
        }
        return row
    }

    private static func floored(_ time: Int64, _ step: Int64) -> Int64 {
        let rest = time % step
        return time - (rest < 0 ? rest + step : rest)
    }
}

extension Subject.Fold {
    fileprivate var isSum: Bool { if case .sum = self { true } else { false } }
}
