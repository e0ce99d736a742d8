internal import Glibc
internal import Model

/// The bytes of a file in order, decompressed. Called a block at a time by one input.
protocol ByteSource: AnyObject {
    /// Fills the front of `room`, which is not empty; returns how many bytes, 0 at the end. Damage is thrown only after
    /// every byte before it was given.
    func read(into room: UnsafeMutableRawBufferPointer) throws(Fault) -> Int
}

/// An open file.
final class PlainSource: ByteSource {
    private let descriptor: Int32
    let path: String
    let size: Int64
    /// Bytes read in order.
    private(set) var position: Int64 = 0

    init(path: String) throws(Fault) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw unreadable(path, code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw Fault(
                "not_a_file", "This is not a regular file.", place: path,
                next: "Name files that can be read again after a restart.",
                exit: .usage)
        }
        size = Int64(status.st_size)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { Glibc.close(descriptor) }

    func read(into room: UnsafeMutableRawBufferPointer) throws(Fault) -> Int {
        while true {
            let got = Glibc.read(descriptor, room.baseAddress, room.count)
            if got >= 0 {
                position += Int64(got)
                return got
            }
            let code = errno
            if code != EINTR { throw unreadable(path, code) }
        }
    }

    /// Up to `room.count` bytes from `position` on; leaves the reading position alone.
    func read(into room: UnsafeMutableRawBufferPointer, at position: Int64) throws(Fault) -> Int {
        var filled = 0
        while filled < room.count {
            let got = pread(descriptor, room.baseAddress! + filled, room.count - filled, off_t(position) + filled)
            if got == 0 { break }
            if got < 0 {
                let code = errno
                if code == EINTR { continue }
                throw unreadable(path, code)
            }
            filled += got
        }
        return filled
    }
}

func unreadable(_ path: String, _ code: Int32) -> Fault {
    let words = String(cString: strerror(code))
    return Fault(
        code == ENOENT ? "file_missing" : "file_unreadable", "The file can't be read: \(words).", place: path,
        next: code == EACCES ? "Give the process the right to read it." : "Check the path and the disk.", exit: .usage)
}

/// A piece of a compressed file, refilled when it was used up.
struct CompressedInput: ~Copyable {
    let file: PlainSource
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: InputLimits.compressedBytes)
    var count = 0
    var used = 0
    var isAtEnd = false

    init(_ file: PlainSource) { self.file = file }

    deinit { bytes.deallocate() }

    var isEmpty: Bool { used == count }

    mutating func refill() throws(Fault) {
        if used < count || isAtEnd { return }
        used = 0
        count = 0
        count = try file.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: InputLimits.compressedBytes))
        isAtEnd = count == 0
    }
}

/// What is wrong with compressed data; the input adds the line.
func damaged(_ path: String, _ why: String) -> Fault {
    Fault(
        "file_damaged", "The compressed data is damaged: \(why).", place: path,
        next: "Restore the file; every line before this one was read.", exit: .usage)
}

func truncated(_ path: String) -> Fault {
    Fault(
        "file_truncated", "The compressed data ends in the middle.", place: path,
        next: "Copy the file again; every line before this one was read.", exit: .usage)
}
