import Glibc

/// The answer computed again, one record after the other with dictionaries, from the words of the contract alone: what the product's
/// columns, deltas and restarts are compared with.
struct Recomputation {
    struct Output {
        var size: Int64 = 60_000
        var every: Int64 = 60_000
        var lateness: Int64 = 60_000
        var group: [String] = ["event", "country"]
        var admits: @Sendable (Fields) -> Bool = { _ in true }
    }
    var outputs = [Output()]
    var outOfOrderness: Int64 = 30_000
    var within: Int64? = 300_000
    var filter: @Sendable (Fields) -> Bool = { _ in true }

    /// Of each partition's records, those that count; the ones before only leave keys and move the watermark.
    var counts = 0..<Int.max

    struct Books: Equatable {
        var read = 0, aggregated = 0, filtered = 0, duplicate = 0, late = 0, partlyLate = 0
    }
    struct Answer {
        var books: [Int32: Books]
        /// By output: rows as `sql` gives `window_start, window_end, group…, events, total_ms, slowest_ms`, sorted.
        var rows: [[[String]]]
    }

    func answer(_ records: [Sent]) -> Answer {
        var books: [Int32: Books] = [:]
        var cells = outputs.map { _ in [Cell: [Int32: Measures]]() }
        for partition in Set(records.map(\.partition)).sorted() {
            books[partition] = walk(records.of(partition), partition, &cells)
        }
        return Answer(books: books, rows: cells.enumerated().map { index, cells in rows(cells, outputs[index].size) })
    }

    private struct Cell: Hashable { var start: Int64, group: [String] }
    private struct Measures { var events = 0, total = 0.0, slowest = -Double.infinity }

    private func walk(_ records: [Sent], _ partition: Int32, _ cells: inout [[Cell: [Int32: Measures]]]) -> Books {
        var books = Books()
        var watermark: Int64?
        var keys: [String: Int64] = [:]
        for (offset, record) in records.enumerated() where offset < counts.upperBound {
            let isCounted = offset >= counts.lowerBound
            let before = books
            defer { if !isCounted { books = before } }
            let fields = Fields(record.value ?? [])
            books.read += 1
            let time = fields.time
            let judge = watermark
            watermark = max(watermark ?? .min, time - outOfOrderness)
            if !filter(fields) {
                books.filtered += 1
                continue
            }
            if within != nil, let until = keys[fields.id], judge.map({ $0 < until }) ?? true {
                books.duplicate += 1
                continue
            }
            let (admitted, taken, missed) = put(fields, time, judge, isCounted ? partition : nil, &cells)
            if admitted && !taken { books.late += 1 } else if taken { books.aggregated += 1 } else { books.filtered += 1 }
            if taken && missed { books.partlyLate += 1 }
            if admitted && !taken { continue }
            if let within {
                let bucket = max(within / 16, 1_000)
                let least = max(time, judge ?? .min) + within
                keys[fields.id] = (least + bucket - 1) / bucket * bucket
            }
        }
        return books
    }

    private func put(
        _ fields: Fields, _ time: Int64, _ watermark: Int64?, _ partition: Int32?, _ cells: inout [[Cell: [Int32: Measures]]]
    ) -> (admitted: Bool, taken: Bool, missed: Bool) {
        var (admitted, taken, missed) = (false, false, false)
        for (index, output) in outputs.enumerated() where output.admits(fields) {
            var open: [Int64] = []
            var closed = 0
            var start = time - time % output.every
            while start > time - output.size {
                if let watermark, start + output.size + output.lateness <= watermark { closed += 1 } else { open.append(start) }
                start -= output.every
            }
            if open.isEmpty && closed == 0 { continue }
            admitted = true
            if open.isEmpty { continue }
            taken = true
            if closed > 0 { missed = true }
            guard let partition else { continue }
            for start in open {
                let cell = Cell(start: start, group: output.group.map { fields.text($0) })
                cells[index][cell, default: [:]][partition, default: Measures()].events += 1
                let duration = fields.duration
                cells[index][cell]![partition]!.total += duration
                cells[index][cell]![partition]!.slowest = max(cells[index][cell]![partition]!.slowest, duration)
            }
        }
        return (admitted, taken, missed)
    }

    private func rows(_ cells: [Cell: [Int32: Measures]], _ size: Int64) -> [[String]] {
        cells.map { cell, parts in
            var all = Measures()
            for (place, partition) in parts.keys.sorted().enumerated() {
                let part = parts[partition]!
                all.events += part.events
                all.total = place == 0 ? part.total : all.total + part.total
                all.slowest = max(all.slowest, part.slowest)
            }
            return ["\(cell.start)", "\(cell.start + size)"] + cell.group.map { "'\($0)'" }
                + ["\(all.events)", "\(all.total)", "\(all.slowest)"]
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

/// The fields of one event of the reference workload, found by their names.
struct Fields {
    /// With a zero behind, for `strstr`.
    private let text: [CChar]
    init(_ bytes: [UInt8]) { text = bytes.map(CChar.init(bitPattern:)) + [0] }

    var id: String { text("event_id") }
    var time: Int64 { Int64(raw("ts")) ?? 0 }
    var duration: Double { Double(raw("duration_ms")) ?? .nan }

    func text(_ name: String) -> String { String(raw(name).dropFirst().dropLast()) }

    private func raw(_ name: String) -> String {
        text.withUnsafeBufferPointer { all in
            let label = "\"\(name)\":"
            guard let start = strstr(all.baseAddress!, label) else { return "" }
            let value = start + label.utf8.count
            let length = strcspn(value, ",}")
            return String(decoding: UnsafeRawBufferPointer(start: value, count: length), as: UTF8.self)
        }
    }
}
