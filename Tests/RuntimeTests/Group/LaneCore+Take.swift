import Model
import Pipeline

extension LaneCore {
    /// False: there was no memory.
    func take(_ payloads: [[UInt8]], from offset: Int64) -> Bool {
        let bytes = payloads.flatMap(\.self)
        let lengths = payloads.map(\.count)
        let offsets = payloads.indices.map { offset + Int64($0) }
        let stamps = payloads.map { _ in RecordBatch.noTimestamp }
        return bytes.withUnsafeBytes { bytes in
            var at = 0
            let starts = payloads.map { payload -> UnsafeRawPointer? in
                defer { at += payload.count }
                return bytes.baseAddress! + at
            }
            func run(
                _ p: UnsafePointer<UnsafeRawPointer?>, _ l: UnsafePointer<Int>, _ o: UnsafePointer<Int64>,
                _ t: UnsafePointer<Int64>
            ) -> Bool {
                do throws(Fault) {
                    try process(RecordBatch(count: payloads.count, payloads: p, lengths: l, offsets: o, timestamps: t))
                    return true
                } catch { return false }
            }
            return run(starts, lengths, offsets, stamps)
        }
    }
}
