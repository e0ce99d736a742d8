internal import Glibc
public import Model

/// One file as an input partition. Lines end at `\n` (a `\r` before it is left to JSON, as white space); an empty line is a record of
/// length 0; the last line needs no `\n`. Records have no timestamp. Records are handed out in place: nothing is allocated or
/// copied per record.
///
/// A file is always ready: its lane goes on taking until `.end` or `.failed` and need not wait for `wake`, which is never called.
/// A line longer than `max_record` comes with its true length, but only its first 64 KiB are kept.
///
/// `@unchecked Sendable` is true because: after it was handed to its lane all calls come from the lane's queue, one at a time.
public final class FileInput: PartitionInput, @unchecked Sendable {
    public let id: PartitionID
    /// nil until the end was seen.
    public private(set) var endOffset: Int64?

    private let maxRecord: Int
    private let block: Int
    private let prefix: Int
    private var source: (any ByteSource)?
    private var file: PlainSource?
    private var lines: LineBuffer?
    private var columns: LineColumns?
    private var nextOffset: Int64 = 0
    /// How large the buffer ever was.
    private(set) var bufferBytesPeak = 0
    /// What ended the input, once everything before it was given.
    private var over: Taken?

    public convenience init(path: String, maxRecord: ByteCount) {
        self.init(
            path: path, maxRecord: Int(maxRecord.bytes), block: InputLimits.blockBytes, prefix: InputLimits.oversizePrefixBytes)
    }

    /// For tests: with blocks so small that everything crosses them.
    init(path: String, maxRecord: Int, block: Int, prefix: Int) {
        precondition(block > prefix && maxRecord > 0, "a block holds more than what is kept of an oversize line")
        id = PartitionID(topic: path, number: 0)
        self.maxRecord = maxRecord
        self.block = block
        self.prefix = prefix
    }

    /// The file's fingerprint now, to be kept with the state and compared at a restart (`FileFingerprint.isSame`). Reads 128 KiB;
    /// for any thread before `open`, later for the lane's queue.
    public func fingerprint() throws(Fault) -> [UInt8] { try FileFingerprint(of: PlainSource(path: id.topic)).bytes }

    /// Throws `file_changed` unless the file is still the one that `stored` was taken of.
    public func check(against stored: [UInt8]) throws(Fault) {
        if FileFingerprint.isSame(stored, try fingerprint()) { return }
        throw Fault(
            "file_changed", "The file is not the one that was read before: its size or its bytes differ.", place: id.topic,
            next: "Put the old file back, or start with another state directory.", exit: .state)
    }

    /// Skips `offset` lines: as fast as the file can be read and decompressed.
    public func open(at offset: Int64, wake: @escaping @Sendable () -> Void) throws(Fault) {
        let file = try PlainSource(path: id.topic)
        self.file = file
        let source: any ByteSource
        if id.topic.hasSuffix(".gz") {
            source = try GzipSource(file)
        } else if id.topic.hasSuffix(".zst") {
            source = try ZstdSource(file)
        } else {
            source = file
        }
        self.source = source
        let lines = LineBuffer(block: block, limit: max(block, maxRecord + 1), prefix: prefix)
        self.lines = lines
        columns = LineColumns()
        while nextOffset < offset {
            do throws(Fault) {
                guard try lines.skipLine(from: source) else { break }
            } catch {
                throw located(error)
            }
            nextOffset += 1
        }
        if nextOffset < offset {
            throw Fault(
                "offset_out_of_range", "The file has only \(nextOffset) lines.", place: "\(id.topic):\(offset + 1)",
                next: "Put the file back that was read before, or start with another state directory.", exit: .state)
        }
    }

    public func take(limit: Int) -> Taken {
        if let over { return over }
        guard let source, let lines, let columns else { return .nothing }
        let most = min(limit, InputLimits.recordsPerTake)
        do throws(Fault) {
            let count = try lines.take(most, from: source, into: columns)
            bufferBytesPeak = max(bufferBytesPeak, lines.capacity)
            if count > 0 {
                for i in 0..<count { columns.offsets[i] = nextOffset &+ Int64(i) }
                nextOffset += Int64(count)
                return .records(columns.batch(count))
            }
            endOffset = nextOffset
            over = .end
        } catch {
            over = .failed(located(error))
        }
        close()
        return over ?? .end
    }

    public func release() {}

    /// By the bytes of the file as it lies on the disk, compressed or not.
    public var share: Double? {
        if endOffset != nil { return 1 }
        return file.map { $0.size == 0 ? 0 : Double($0.position) / Double($0.size) }
    }

    /// Gives the file and all memory back.
    public func close() {
        source = nil
        file = nil
        lines = nil
        columns = nil
    }

    /// Places in files are told as editors count lines, from 1.
    private func located(_ fault: Fault) -> Fault {
        var fault = fault
        fault.place = "\(id.topic):\(nextOffset + 1)"
        return fault
    }
}

/// The columns of a batch. Timestamps never change: a line has none.
final class LineColumns {
    let payloads = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: InputLimits.recordsPerTake)
    let lengths = UnsafeMutablePointer<Int>.allocate(capacity: InputLimits.recordsPerTake)
    let offsets = UnsafeMutablePointer<Int64>.allocate(capacity: InputLimits.recordsPerTake)
    let timestamps = UnsafeMutablePointer<Int64>.allocate(capacity: InputLimits.recordsPerTake)

    init() { timestamps.initialize(repeating: RecordBatch.noTimestamp, count: InputLimits.recordsPerTake) }

    deinit {
        payloads.deallocate()
        lengths.deallocate()
        offsets.deallocate()
        timestamps.deallocate()
    }

    func batch(_ count: Int) -> RecordBatch {
        RecordBatch(count: count, payloads: payloads, lengths: lengths, offsets: offsets, timestamps: timestamps)
    }
}
