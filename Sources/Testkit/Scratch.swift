internal import Glibc

/// A folder of a test's own, gone with it.
public final class Scratch: Sendable {
    public let path: String

    public init() {
        var template = Array("\(environment("TMPDIR") ?? "/tmp")/weir-test-\(ownProcess)-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("no temporary directory: errno \(errno)") }
        path = String(cString: made)
    }

    deinit { removeTree(path) }

    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Where it was written.
    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8]) -> String {
        let path = file(name)
        guard let out = fopen(path, "w") else { return path }
        fwrite(bytes, 1, bytes.count, out)
        fclose(out)
        return path
    }
}

/// Removes a folder and what is in it, or a file. A link is no folder, whatever it points to; a mounted folder keeps its root.
public func removeTree(_ path: String) {
    guard unlink(path) != 0, let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { removeTree("\(path)/\(name)") }
    }
    closedir(folder)
    rmdir(path)
}
