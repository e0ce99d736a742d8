import Glibc
public import Model

/// Reads a zone from the system's compiled time zone files (TZif, RFC 8536).
///
/// Called while a topology is read, never on the way of a record. A few hundred bytes to a few kilobytes are read.
public enum ZoneFile {
    /// Where Debian's package tzdata puts them.
    public static let directory = "/usr/share/zoneinfo"

    /// The zone of an IANA name such as `Europe/Berlin`; `UTC` needs no file. A fault says whether the name can't be one, is
    /// not known here, or its file is not sound.
    public static func load(_ name: String, directory: String = directory) throws(Fault) -> Zone {
        if ["UTC", "Etc/UTC", "Z"].contains(name) { return Zone.utc }
        guard isPlausible(name) else {
            throw Fault(
                "zone_name", "`\(name)` is not the name of a time zone.", place: name,
                next: "Write an IANA name such as Europe/Berlin.", exit: .topology)
        }
        guard let bytes = contents("\(directory)/\(name)") else {
            throw Fault(
                "zone_unknown", "The time zone `\(name)` is not known on this machine.", place: "\(directory)/\(name)",
                next: "Check its spelling, or install the package tzdata.", exit: .topology)
        }
        guard let zone = ZoneTable.parse(bytes, name: name) else {
            throw Fault(
                "zone_file", "The time zone file of `\(name)` is damaged or of an unknown version.",
                place: "\(directory)/\(name)",
                next: "Install the package tzdata again.", exit: .topology)
        }
        return zone
    }

    /// Letters, digits, `_`, `-`, `+` between single slashes: no dot, so no way out of the directory and none of the text
    /// files in it; not the trees of other kinds of seconds.
    private static func isPlausible(_ name: String) -> Bool {
        guard name.utf8.count <= ZoneFileLimits.nameBytes else { return false }
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard let first = parts.first, !["right", "posix"].contains(String(first)) else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty && part.first != UInt8(ascii: "-")
                && part.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                    case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
                    default: false
                    }
                }
        }
    }

    /// The whole file; nil if it can't be read, is no plain file or is larger than any zone.
    private static func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= ZoneFileLimits.fileBytes
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            filled += count
        }
        return bytes
    }
}

public enum ZoneFileLimits {
    /// The longest IANA name has 32.
    public static let nameBytes = 64
    /// The largest file of tzdata has under 4 KiB.
    public static let fileBytes = 1 << 18
}
