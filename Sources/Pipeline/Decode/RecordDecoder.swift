import CDecode
import Model

/// Decodes batches of JSON records into the columns of the declared fields. Strict: every document is validated to its end (S2).
///
/// One lane owns it and calls it on its own queue. Nothing is allocated per record, nor per batch once the largest came.
final class RecordDecoder {
    private let handle: OpaquePointer
    private let fieldCount: Int
    /// Columns whose local times wait for their zone.
    private let zoned: [(column: Int, zone: Zone)]

    /// Fields as in the plan, up to the first computed one: a column each, in that order. `maxRecord` bounds a record that is decoded; it is at most 1 GiB.
    init(fields: [FieldPlan], maxRecord: ByteCount = .mebibytes(1)) throws(Fault) {
        let fields = Array(fields.prefix { $0.computed == nil })
        let native = NativeFields(fields)
        guard let handle = weir_decoder_create(native.fields, fields.count, Int(maxRecord.bytes)) else {
            throw Fault(
                "decoder_refused", "The decoder can't be set up for these fields and a max_record of \(maxRecord.bytes) bytes.",
                next: "Keep paths at \(WEIR_PATH_LIMIT) keys or fewer and max_record at 1 GiB or less.", exit: .topology)
        }
        self.handle = handle
        fieldCount = fields.count
        zoned = fields.indices.compactMap { column in
            guard case .timestamp(.text(let zone?)) = fields[column].type else { return nil }
            return (column, zone)
        }
    }

    deinit { weir_decoder_free(handle) }

    /// Decodes the records of `batch` from the one at index `first` on. Fewer than the rest come back (`count`) where they
    /// don't fit into the arena: call again from `first + count`. Row `i` of the columns is record `first + i`; records with
    /// `skip[first + i] != 0` are not read. Zero rows of a batch that has some means that memory ran out.
    ///
    /// The columns are valid until the next call. Costs about 0.15 µs a record of 300 bytes.
    func decode(_ batch: RecordBatch, from first: Int = 0, skip: UnsafePointer<UInt8>?) -> Columns {
        let rows = weir_decode(
            handle, batch.payloads + first, batch.lengths + first, skip.map { $0 + first }, batch.count - first)
        if weir_has_local_times(handle) != 0 { placeLocalTimes(rows) }
        return Columns(handle, rows: rows)
    }

    /// Bytes of memory held now.
    var memory: Int { weir_memory(handle) }

    private func placeLocalTimes(_ rows: Int) {
        for (column, zone) in zoned {
            let states = weir_states(handle)![column]!
            let times = weir_values(handle)![column]!.assumingMemoryBound(to: Int64.self)
            for row in 0..<rows where states[row] == UInt8(WEIR_LOCAL_TIME.rawValue) {
                times[row] = zone.utcMilliseconds(local: times[row])
                states[row] = FieldState.ok.rawValue
            }
        }
    }
}
