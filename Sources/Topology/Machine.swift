import Glibc
import Model

extension Topology.Surroundings {
    /// The machine's files, variables and zones.
    public static let machine = Topology.Surroundings(
        bytes: { path throws(Fault) in try FileBytes.read(path) },
        environment: { name in getenv(name).map { String(cString: $0) } },
        zone: { name throws(Fault) in try ZoneFile.load(name) })
}

/// Reads a small file whole.
enum FileBytes {
    /// At most one byte more than a topology may have, so that the bound is told by who knows it.
    static func read(_ path: String) throws(Fault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw fault(path, errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= TopologyLimits.fileBytes {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw fault(path, errno) }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return bytes
    }

    private static func fault(_ path: String, _ code: Int32) -> Fault {
        let reason = String(cString: strerror(code))
        return Fault(
            "unreadable_file", "the file can't be read: \(reason)", place: path, next: "check the path and its permissions",
            exit: .usage)
    }
}
