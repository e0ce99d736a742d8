import Model

/// Figures as bytes of a lane's state.
protocol StoredFigures: ProducedFigures {
    func put(to out: inout ByteWriter)
    /// nil: the bytes are none of these.
    init?(_ from: inout ByteReader)
}

/// Figures of one lane, in all and by producer, and how they lie in state: an entry for the whole, one for what is told of no
/// single producer, one for each producer. Only what changed is written. Producers beyond `CopyLimits.laneProducers` give way to new
/// ones, the smallest first, and what was counted of them goes to the others, so that the figures always add up.
struct FigureBook<Figures: StoredFigures> {
    private struct Producer {
        var hash: UInt64
        var name: String?
        var figures = Figures()
        var isChanged = true
    }
    private let tag: UInt8
    private(set) var total = Figures()
    private var others = Figures()
    private var producers: [Producer] = []
    private var places: [UInt64: Int] = [:]
    private var isTotalChanged = false
    private var areOthersChanged = false
    /// Of producers that gave way and may stand in state.
    private var gone: Set<UInt64> = []

    /// Of the field that names producers; those that another one named are told with the others.
    private let field: UInt32

    init(tag: UInt8, of plan: Plan) {
        self.tag = tag
        let name = plan.source.producer.map { Array(plan.fields[$0].name.utf8) } ?? []
        field = UInt32(truncatingIfNeeded: name.withUnsafeBytes { Hash64.of($0) })
    }

    /// What it takes at most.
    var bytes: Int { producers.count * 2 * AgeHistogram.most * 8 }

    /// Counts something in all and of its producer (nil: they are not told apart), in place: nothing is allocated. Cost: a look-up;
    /// a name is made only of a new producer.
    mutating func note(of producer: UInt64?, name: @autoclosure () -> String?, _ count: (inout Figures) -> Void) {
        count(&total)
        isTotalChanged = true
        guard let producer else { return }
        var at = places[producer] ?? -1
        if at < 0 { at = add(producer, name()) }
        count(&producers[at].figures)
        producers[at].isChanged = true
    }

    private mutating func add(_ hash: UInt64, _ name: String?) -> Int {
        if producers.count < CopyLimits.laneProducers {
            producers.append(Producer(hash: hash, name: name))
            places[hash] = producers.count - 1
            return producers.count - 1
        }
        var at = 0
        for other in producers.indices where producers[other].figures.weight < producers[at].figures.weight { at = other }
        others += producers[at].figures
        areOthersChanged = true
        places[producers[at].hash] = nil
        gone.insert(producers[at].hash)
        producers[at] = Producer(hash: hash, name: name)
        places[hash] = at
        return at
    }

    var told: FiguresByProducer<Figures> {
        FiguresByProducer(total: total, producers: producers.map { .init(name: $0.name, figures: $0.figures) }, others: others)
    }

    // MARK: State

    mutating func seal(into log: StateLog) {
        if isTotalChanged { put(total, [tag, Part.total], log) }
        if areOthersChanged { put(others, [tag, Part.others], log) }
        for hash in gone where places[hash] == nil { key(hash).withUnsafeBytes { log.delete($0) } }
        for at in producers.indices where producers[at].isChanged {
            var out = ByteWriter()
            out.put(field)
            out.put(producers[at].name)
            producers[at].figures.put(to: &out)
            put(out.sealed(), key(producers[at].hash), log)
            producers[at].isChanged = false
        }
        isTotalChanged = false
        areOthersChanged = false
        gone = []
    }

    private func key(_ hash: UInt64) -> [UInt8] { [tag, Part.producer] + withUnsafeBytes(of: hash.bigEndian, Array.init) }

    private func put(_ figures: Figures, _ key: [UInt8], _ log: StateLog) {
        var out = ByteWriter()
        figures.put(to: &out)
        put(out.sealed(), key, log)
    }

    private func put(_ value: [UInt8], _ key: [UInt8], _ log: StateLog) {
        key.withUnsafeBytes { key in value.withUnsafeBytes { log.put(key, $0) } }
    }

    /// False: the entry is none of this book.
    mutating func restore(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard key.count >= 2, var from = ByteReader(sealed: value) else { return false }
        switch key[1] {
        case Part.total where key.count == 2:
            guard let figures = Figures(&from) else { return false }
            total = figures
        case Part.others where key.count == 2:
            guard let figures = Figures(&from) else { return false }
            others = figures
        case Part.producer where key.count == 10:
            let hash = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard let field = from.take(UInt32.self), let name = from.optionalText(), let figures = Figures(&from) else {
                return false
            }
            guard field == self.field, producers.count < CopyLimits.laneProducers else {
                others += figures
                areOthersChanged = true
                gone.insert(hash)
                break
            }
            places[hash] = producers.count
            producers.append(Producer(hash: hash, name: name, figures: figures, isChanged: false))
        default: return false
        }
        return from.isAtEnd
    }
}

/// The second byte of an entry's key.
private enum Part {
    static let total: UInt8 = 0
    static let others: UInt8 = 1
    static let producer: UInt8 = 2
}

extension AgeHistogram {
    func put(to out: inout ByteWriter) {
        out.put(sum)
        out.put(largest)
        let used = counts.enumerated().filter { $0.element > 0 }
        out.put(UInt16(used.count))
        for (bucket, count) in used {
            out.put(UInt16(bucket))
            out.put(count)
        }
    }

    init?(_ from: inout ByteReader) {
        guard let sum = from.take(Int64.self), let largest = from.take(Int64.self), let used = from.take(UInt16.self) else {
            return nil
        }
        var counts: [Int64] = []
        for _ in 0..<used {
            guard let bucket = from.take(UInt16.self), let count = from.take(Int64.self), count > 0,
                Int(bucket) >= counts.count, Int(bucket) < Self.most
            else { return nil }
            while counts.count < Int(bucket) { counts.append(0) }
            counts.append(count)
        }
        self.init(counts: counts, sum: sum, largest: largest)
    }
}

extension CopyFigures: StoredFigures {
    func put(to out: inout ByteWriter) {
        for count in [copies, exact, retimed, conflicting, oldestQuarter, missed] { out.put(count) }
        ages.put(to: &out)
        missedAges.put(to: &out)
    }

    init?(_ from: inout ByteReader) {
        self.init()
        guard let copies = from.take(Int64.self), let exact = from.take(Int64.self), let retimed = from.take(Int64.self),
            let conflicting = from.take(Int64.self), let oldestQuarter = from.take(Int64.self),
            let missed = from.take(Int64.self), let ages = AgeHistogram(&from), let missedAges = AgeHistogram(&from)
        else { return nil }
        self.copies = copies
        self.exact = exact
        self.retimed = retimed
        self.conflicting = conflicting
        self.oldestQuarter = oldestQuarter
        self.ages = ages
        self.missed = missed
        self.missedAges = missedAges
    }
}

extension ClockFigures: StoredFigures {
    func put(to out: inout ByteWriter) {
        out.put(records)
        ahead.put(to: &out)
    }

    init?(_ from: inout ByteReader) {
        self.init()
        guard let records = from.take(Int64.self), let ahead = AgeHistogram(&from) else { return nil }
        self.records = records
        self.ahead = ahead
    }
}
