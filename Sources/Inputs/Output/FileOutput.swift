internal import Glibc
public import Model

/// A file that is being written. It appears under its name only when it is complete (`finish`); one that was given up leaves
/// nothing behind. Pipes and devices are written as they are.
public final class FileOutput {
    let path: String
    /// Where it is written until it is complete; nil for what is no regular file.
    private let part: String?
    private let descriptor: Int32
    private var isFinished = false

    public init(path: String) throws(Fault) {
        self.path = path
        var status = stat()
        part = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG ? nil : path + ".part"
        descriptor = Glibc.open(part ?? path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw unwritable(path, errno) }
    }

    deinit {
        Glibc.close(descriptor)
        if !isFinished, let part { unlink(part) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            if count < 0 {
                let code = errno
                if code == EINTR { continue }
                throw unwritable(path, code)
            }
            written += count
        }
    }

    public func write(_ text: String) throws(Fault) {
        let bytes = Array(text.utf8)
        var caught: Fault?
        bytes.withUnsafeBytes { buffer in
            do throws(Fault) { try write(buffer) } catch { caught = error }
        }
        if let caught { throw caught }
    }

    public func finish() throws(Fault) {
        if let part, rename(part, path) != 0 { throw unwritable(path, errno) }
        isFinished = true
    }
}

private func unwritable(_ path: String, _ code: Int32) -> Fault {
    let isFull = code == ENOSPC || code == EDQUOT
    return Fault(
        isFull ? "disk_full" : "file_unwritable", "The file can't be written: \(String(cString: strerror(code))).", place: path,
        next: isFull ? "Make room, or write less or to another disk." : "Check the path and its rights.",
        exit: isFull || code == EIO ? .disk : .usage)
}
