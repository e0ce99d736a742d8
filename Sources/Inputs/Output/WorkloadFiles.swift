public import Model

/// What was written.
public struct WorkloadSummary: Equatable, Sendable {
    /// Copies included.
    public var events: Int64 = 0
    public var copies: Int64 = 0
    /// Events that are 2 s to 5 min late, copies of such included.
    public var late: Int64 = 0
    /// Of the values, without line ends, before compression.
    public var bytes: Int64 = 0

    public init(events: Int64 = 0, copies: Int64 = 0, late: Int64 = 0, bytes: Int64 = 0) {
        self.events = events
        self.copies = copies
        self.late = late
        self.bytes = bytes
    }

    mutating func count(_ batch: WorkloadBatch) {
        events += Int64(batch.count)
        for i in 0..<batch.count {
            bytes += Int64(batch.lengths[i])
            if batch.isCopy[i] { copies += 1 }
            if batch.isLate[i] { late += 1 }
        }
    }
}

extension ReferenceWorkload {
    /// Writes the next events as NDJSON, compressed if the name ends in `.gz` or `.zst`. Blocks its thread until done; memory
    /// is bounded whatever the number of events.
    ///
    /// - Parameters:
    ///   - path: written beside it as `PATH.part` and renamed when complete; an older file is replaced.
    ///   - perPartition: a file for each partition (`partitionPath`), in the partition's order; else one file in the order of
    ///     the workload.
    ///   - progress: called now and then with the number of events written so far; false stops, and the files are complete
    ///     up to there.
    public mutating func write(
        events: Int64, to path: String, perPartition: Bool = false, progress: (Int64) -> Bool = { _ in true }
    ) throws(Fault) -> WorkloadSummary {
        var outputs: [LineOutput] = []
        for number in 0..<(perPartition ? partitions : 1) {
            outputs.append(try LineOutput(path: perPartition ? Self.partitionPath(path, number) : path))
        }
        let batch = WorkloadBatch()
        let end = position + max(0, events)
        var summary = WorkloadSummary()
        var nextReport = InputLimits.eventsPerReport
        while fill(batch, end: end) {
            for i in 0..<batch.count {
                try outputs[perPartition ? Int(batch.partitions[i]) : 0].line(batch.payloads[i]!, batch.lengths[i])
            }
            summary.count(batch)
            if summary.events >= nextReport {
                nextReport += InputLimits.eventsPerReport
                if !progress(summary.events) { break }
            }
        }
        for output in outputs { try output.finish() }
        _ = progress(summary.events)
        return summary
    }

    private mutating func fill(_ batch: WorkloadBatch, end: Int64) -> Bool { batch.fill(from: &self, end: end) > 0 }

    /// `data/events.ndjson.zst` becomes `data/events-3.ndjson.zst`.
    public static func partitionPath(_ path: String, _ number: Int32) -> String {
        let name = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        let dot = path[name...].dropFirst().firstIndex(of: ".") ?? path.endIndex
        return "\(path[..<dot])-\(number)\(path[dot...])"
    }
}
