internal import CZstd
internal import Model

/// A Zstandard file of any number of frames (RFC 8878), with their checksums. Windows up to 128 MiB, zstd's own limit.
final class ZstdSource: ByteSource {
    private var input: CompressedInput
    private let context: OpaquePointer
    /// Inside a frame; a file has at least one.
    private var isOpen = true
    private var fault: Fault?

    init(_ file: PlainSource) throws(Fault) {
        guard let context = ZSTD_createDCtx() else { throw damaged(file.path, "zstd has no memory") }
        input = CompressedInput(file)
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    func read(into room: UnsafeMutableRawBufferPointer) throws(Fault) -> Int {
        if let fault { throw fault }
        while true {
            try input.refill()
            if input.isEmpty && input.isAtEnd && !isOpen { return 0 }
            var from = ZSTD_inBuffer(src: input.bytes, size: input.count, pos: input.used)
            var to = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
            let result = ZSTD_decompressStream(context, &to, &from)
            input.used = from.pos
            if ZSTD_isError(result) != 0 {
                let why = damaged(input.file.path, String(cString: ZSTD_getErrorName(result)))
                if to.pos == 0 { throw why }
                fault = why
                return to.pos
            }
            isOpen = result != 0
            if to.pos > 0 { return to.pos }
            if isOpen && input.isEmpty && input.isAtEnd { throw truncated(input.file.path) }
        }
    }
}
