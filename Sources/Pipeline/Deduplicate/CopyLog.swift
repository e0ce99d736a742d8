import Model

/// The copies that a run over a batch's rows met, and what is counted of them (S9). Met first and counted after, because only what
/// comes later knows whether a row counts at all (a replay's first part does not).
struct CopyLog: ~Copyable {
    struct Met {
        var row: Int32
        /// Taken for a new event, because its key was forgotten.
        var isMissed: Bool
        var horizon: Horizon
        /// Of the kept event; `ContentPrint.none`: not known.
        var print: UInt64 = ContentPrint.none
        /// One above the offset of the kept event; 0: not known.
        var place: UInt64 = 0
    }
    /// For the ledger or the topic of duplicates; taken at each seal.
    private(set) var entries: [CopyEntry] = []
    private let keepsEntries: Bool
    private(set) var met: [Met] = []
    private var book: FigureBook<CopyFigures>
    /// By compared field; the last is of copies in which several differ.
    private var conflicts: [Int64] = []
    private var samples: [ConflictingCopy] = []
    private var areConflictsChanged = false
    /// nil: copies are not compared.
    private let prints: ContentPrint?
    private let producer: ProducerColumn?
    private let fields: [FieldPlan]
    private let showsValues: Bool

    private enum Part {
        static let conflicts: UInt8 = 3
        static let samples: UInt8 = 4
    }

    init(_ plan: DeduplicatePlan, plan topology: Plan, prints: ContentPrint?) {
        self.prints = prints
        producer = topology.source.producer.map { ProducerColumn($0, fields: topology.fields) }
        keepsEntries = plan.duplicates != .count
        book = FigureBook(tag: StateKey.copies, of: topology)
        fields = topology.fields
        showsValues = !topology.fields.contains(where: \.isPersonal)
        conflicts = Array(repeating: 0, count: (plan.compare?.count ?? 0) + 1)
    }

    var bytes: Int { book.bytes }

    mutating func begin() { met.removeAll(keepingCapacity: true) }
    mutating func meet(_ copy: Met) { met.append(copy) }

    /// Counts what was met; rows with an event time before `since` only warm.
    mutating func count(
        _ columns: Columns, _ scratch: borrowing BatchScratch, offsets: UnsafePointer<Int64>, since: Int64
    ) {
        let producer = producer
        for copy in met {
            let row = Int(copy.row)
            let time = scratch.times[row]
            if time < since { continue }
            let age = copy.horizon.age(time: time, watermark: scratch.before[row])
            let isMissed = copy.isMissed
            var kind = CopyEntry.Kind.uncompared
            if !isMissed, copy.print != ContentPrint.none || keepsEntries {
                kind = look(at: copy, age, columns, scratch, offset: offsets[row])
            }
            let isOld = age >= copy.horizon.within / 4 * 3
            book.note(of: producer?.hash(columns, row), name: producer?.name(columns, row)) { figures in
                if isMissed {
                    figures.missed += 1
                    figures.missedAges.record(age)
                } else {
                    figures.count(kind, age: age, isOld: isOld)
                }
            }
        }
    }

    /// Apart from the counting of all copies, whose loop has no use for a name.
    @inline(never)
    private mutating func look(
        at copy: Met, _ age: Int64, _ columns: Columns, _ scratch: borrowing BatchScratch, offset: Int64
    ) -> CopyEntry.Kind {
        let (kind, field) = classify(copy, age, columns, offset: offset, time: scratch.times[Int(copy.row)])
        if keepsEntries { enter(copy, age, kind, field, scratch, offset: offset) }
        return kind
    }

    private mutating func classify(
        _ copy: Met, _ age: Int64, _ columns: Columns, offset: Int64, time: Int64
    ) -> (CopyEntry.Kind, field: String?) {
        guard let prints, copy.print != ContentPrint.none else { return (.uncompared, nil) }
        let row = Int(copy.row)
        switch prints.verdict(kept: copy.print, copy: prints.prints[row]) {
        case .exact: return (.exact, nil)
        case .retimed: return (.retimed, nil)
        case .conflicting(let field):
            conflicts[field ?? conflicts.count - 1] += 1
            areConflictsChanged = true
            let column = field.map { prints.columns[$0] }
            let name = column.map { fields[$0].name }
            samples.append(
                ConflictingCopy(
                    offset: offset, eventTime: EventTime(milliseconds: time), age: .milliseconds(age), field: name,
                    value: showsValues ? column.flatMap { columns.text($0, ColumnKind(fields[$0].type), row) } : nil))
            if samples.count > CopyLimits.samples { samples.removeFirst() }
            return (.conflicting, name)
        }
    }

    private mutating func enter(
        _ copy: Met, _ age: Int64, _ kind: CopyEntry.Kind, _ field: String?, _ scratch: borrowing BatchScratch, offset: Int64
    ) {
        let row = Int(copy.row)
        entries.append(
            CopyEntry(
                offset: offset, eventTime: EventTime(milliseconds: scratch.times[row]), age: .milliseconds(age), kind: kind,
                field: field, keptOffset: copy.place == 0 ? nil : Int64(bitPattern: copy.place) - 1,
                identity: scratch.identities[row]))
    }

    /// What a seal takes over, and what it would write.
    mutating func takeEntries() -> [CopyEntry] {
        defer { entries = [] }
        return entries
    }
    var entryBytes: Int { entries.count * 112 }

    /// `compared`: the columns by which conflicts are counted.
    func tell(_ figures: inout LaneFigures, compared: [Int]) {
        figures.copies = book.told
        for (at, count) in conflicts.enumerated() where count > 0 {
            figures.conflicts[at < compared.count ? fields[compared[at]].name : nil] = count
        }
        figures.samples = samples
    }

    // MARK: State

    mutating func seal(into log: StateLog, compared: [Int]) {
        book.seal(into: log)
        guard areConflictsChanged else { return }
        areConflictsChanged = false
        var out = ByteWriter()
        let used = conflicts.indices.filter { conflicts[$0] > 0 }
        out.put(UInt16(used.count))
        for at in used {
            out.put(at < compared.count ? fields[compared[at]].name : nil)
            out.put(conflicts[at])
        }
        Self.put(out.sealed(), Part.conflicts, log)
        out = ByteWriter()
        out.put(UInt16(samples.count))
        for sample in samples {
            out.put(sample.offset)
            out.put(sample.eventTime)
            out.put(sample.age.milliseconds)
            out.put(sample.field)
            out.put(sample.value)
        }
        Self.put(out.sealed(), Part.samples, log)
    }

    private static func put(_ value: [UInt8], _ part: UInt8, _ log: StateLog) {
        [StateKey.copies, part].withUnsafeBytes { key in value.withUnsafeBytes { log.put(key, $0) } }
    }

    mutating func restore(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, compared: [Int]) -> Bool {
        guard key.count == 2, key[1] >= Part.conflicts else { return book.restore(key, value) }
        guard var from = ByteReader(sealed: value), let count = from.take(UInt16.self) else { return false }
        if key[1] == Part.conflicts {
            for _ in 0..<count {
                guard let name = from.optionalText(), let copies = from.take(Int64.self) else { return false }
                // Of a field that is compared no more nobody asks.
                if let name {
                    if let at = compared.firstIndex(where: { fields[$0].name == name }) { conflicts[at] = copies }
                } else {
                    conflicts[conflicts.count - 1] = copies
                }
            }
            return from.isAtEnd
        }
        guard key[1] == Part.samples, count <= CopyLimits.samples else { return false }
        for _ in 0..<count {
            guard let offset = from.take(Int64.self), let time = from.time(), let age = from.take(Int64.self),
                let field = from.optionalText(), let value = from.optionalText()
            else { return false }
            samples.append(
                ConflictingCopy(offset: offset, eventTime: time, age: .milliseconds(age), field: field, value: value))
        }
        return from.isAtEnd
    }
}

extension ByteWriter {
    mutating func put(_ text: String?) {
        guard let text else { return put(UInt16.max) }
        let bytes = Array(text.utf8)
        put(UInt16(bytes.count))
        bytes.withUnsafeBytes { put($0) }
    }
}

extension ByteReader {
    /// The outer nil: damaged; the inner: there is no text.
    mutating func optionalText() -> String?? {
        guard let length = take(UInt16.self) else { return nil }
        if length == .max { return .some(nil) }
        guard let bytes = take(count: Int(length)) else { return nil }
        return .some(String(decoding: bytes, as: UTF8.self))
    }
}
