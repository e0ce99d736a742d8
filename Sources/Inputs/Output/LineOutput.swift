internal import CZlib
internal import CZstd
internal import Glibc
internal import Model

/// Lines on their way into a file, gathered into blocks and compressed as the name's ending says (`.gz`, `.zst`). Bounded
/// memory: one block, and what the compressor keeps.
final class LineOutput {
    private enum Compressor {
        case none
        /// On the heap because zlib keeps its address.
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    private let file: FileOutput
    private let compressor: Compressor
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: InputLimits.blockBytes, alignment: 64)
    private let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: InputLimits.compressedBytes, alignment: 64)
    private var count = 0

    init(path: String) throws(Fault) {
        file = try FileOutput(path: path)
        if path.hasSuffix(".gz") {
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // Test traffic: speed before size. 15 bits of window and 16 for the gzip form.
            let size = Int32(MemoryLayout<z_stream>.size)
            let result = deflateInit2_(stream, Z_BEST_SPEED, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
            compressor = .gzip(stream)
            if result != Z_OK { throw uncompressed(path, "zlib error \(result)") }
        } else if path.hasSuffix(".zst") {
            guard let context = ZSTD_createCCtx() else {
                compressor = .none
                throw uncompressed(path, "no memory")
            }
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
            compressor = .zstd(context)
        } else {
            compressor = .none
        }
    }

    deinit {
        block.deallocate()
        packed.deallocate()
        switch compressor {
        case .none: break
        case .gzip(let stream):
            deflateEnd(stream)
            stream.deallocate()
        case .zstd(let context): ZSTD_freeCCtx(context)
        }
    }

    /// `length` is at most `InputLimits.eventBytes`.
    func line(_ bytes: UnsafeRawPointer, _ length: Int) throws(Fault) {
        if count + length + 1 > block.count { try flush(isLast: false) }
        (block.baseAddress! + count).copyMemory(from: bytes, byteCount: length)
        block[count + length] = 0x0a
        count += length + 1
    }

    /// Writes what is left; the file then has its name.
    func finish() throws(Fault) {
        try flush(isLast: true)
        try file.finish()
    }

    private func flush(isLast: Bool) throws(Fault) {
        switch compressor {
        case .none: try file.write(UnsafeRawBufferPointer(rebasing: block[..<count]))
        case .gzip(let stream): try deflateBlock(stream, isLast: isLast)
        case .zstd(let context): try compressBlock(context, isLast: isLast)
        }
        count = 0
    }

    private func deflateBlock(_ stream: UnsafeMutablePointer<z_stream>, isLast: Bool) throws(Fault) {
        stream.pointee.next_in = block.baseAddress!.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(count)
        var result = Z_OK
        repeat {
            stream.pointee.next_out = packed.baseAddress!.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(packed.count)
            result = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            if result == Z_STREAM_ERROR { throw uncompressed(file.path, "zlib error \(result)") }
            try file.write(UnsafeRawBufferPointer(rebasing: packed[..<(packed.count - Int(stream.pointee.avail_out))]))
        } while isLast ? result != Z_STREAM_END : stream.pointee.avail_out == 0
    }

    private func compressBlock(_ context: OpaquePointer, isLast: Bool) throws(Fault) {
        var from = ZSTD_inBuffer(src: block.baseAddress, size: count, pos: 0)
        var left = 0
        repeat {
            var to = ZSTD_outBuffer(dst: packed.baseAddress, size: packed.count, pos: 0)
            left = ZSTD_compressStream2(context, &to, &from, isLast ? ZSTD_e_end : ZSTD_e_continue)
            if ZSTD_isError(left) != 0 { throw uncompressed(file.path, String(cString: ZSTD_getErrorName(left))) }
            try file.write(UnsafeRawBufferPointer(rebasing: packed[..<to.pos]))
        } while isLast ? left > 0 : from.pos < from.size
    }
}

private func uncompressed(_ path: String, _ why: String) -> Fault {
    Fault(
        "compression_failed", "The data can't be compressed: \(why).", place: path, next: "Write the file without .gz or .zst.",
        exit: .usage)
}
