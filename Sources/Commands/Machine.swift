internal import CSys
internal import Glibc
internal import Model

/// What the process has taken from the machine so far.
struct ResourceUse: Equatable, Sendable {
    /// User and system.
    var cpuSeconds: Double
    /// The most that was resident at any time.
    var peakMemory: ByteCount

    static var now: ResourceUse {
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ResourceUse(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peakMemory: ByteCount(Int64(usage.ru_maxrss) << 10))
    }
}

/// A new empty directory that is gone when its owner is.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws(Fault) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/weir-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } }
        guard let made else {
            throw Fault(
                "temporary_directory", "no temporary directory: \(String(cString: strerror(errno)))", place: parent,
                next: "Make room there, or name another place in TMPDIR.", exit: .disk)
        }
        path = made
    }

    deinit { Self.remove(path) }

    /// Bytes of all files in it.
    var size: ByteCount {
        ByteCount(
            Self.names(path).reduce(0) { sum, name in
                var status = stat()
                return lstat("\(path)/\(name)", &status) == 0 ? sum + Int64(status.st_size) : sum
            })
    }

    private static func remove(_ path: String) {
        for name in names(path) where unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        rmdir(path)
    }

    private static func names(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}

/// A path by which two names of one directory can be compared; what does not exist yet is taken by its parent.
func resolvedPath(_ path: String) -> String {
    if let real = realpath(path, nil) {
        defer { free(real) }
        return String(cString: real)
    }
    var trimmed = path[...]
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
    let slash = trimmed.lastIndex(of: "/")
    let parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
    let name = slash.map { String(trimmed[trimmed.index(after: $0)...]) } ?? String(trimmed)
    guard parent != String(trimmed) else { return String(trimmed) }
    let folder = resolvedPath(parent)
    return folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
}

/// The brokers that topologies name by `${KAFKA_BOOTSTRAP:-localhost:9092}`.
var usualBootstrap: String { getenv("KAFKA_BOOTSTRAP").map { String(cString: $0) } ?? "localhost:9092" }
