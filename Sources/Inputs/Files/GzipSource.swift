internal import CZlib
internal import Model

/// A gzip file of any number of members, one after the other (RFC 1952), with their checksums.
final class GzipSource: ByteSource {
    private var input: CompressedInput
    /// On the heap because zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Inside a member.
    private var isOpen = true

    init(_ file: PlainSource) throws(Fault) {
        input = CompressedInput(file)
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window and 16 for "gzip only".
        if inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) != Z_OK {
            throw damaged(file.path, "zlib has no memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func read(into room: UnsafeMutableRawBufferPointer) throws(Fault) -> Int {
        let target = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
        let size = min(room.count, Int(UInt32.max))
        while true {
            try input.refill()
            if !isOpen {
                // Members may be padded with zeros, on tapes and in whole blocks.
                while !input.isEmpty && input.bytes[input.used] == 0 { input.used += 1 }
                if input.isEmpty {
                    if input.isAtEnd { return 0 }
                    continue
                }
                inflateReset(stream)
                isOpen = true
            }
            stream.pointee.next_in = input.bytes + input.used
            stream.pointee.avail_in = UInt32(input.count - input.used)
            stream.pointee.next_out = target
            stream.pointee.avail_out = UInt32(size)
            let result = inflate(stream, Z_NO_FLUSH)
            input.used = input.count - Int(stream.pointee.avail_in)
            let made = size - Int(stream.pointee.avail_out)
            switch result {
            case Z_STREAM_END:
                isOpen = false
                if made > 0 { return made }
            case Z_OK, Z_BUF_ERROR:
                if made > 0 { return made }
                if input.isAtEnd { throw truncated(input.file.path) }
            default:
                // zlib says the same again at the next call, when what it made before the damage was given away.
                if made > 0 { return made }
                throw damaged(input.file.path, stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(result)")
            }
        }
    }
}
