import CSys
import Glibc
import Model

/// Whether a file system can carry state: it must be writable, and on this machine. Locks and shared memory of SQLite's
/// write-ahead log don't work between machines. FUSE is let through: containers' own layers are FUSE.
enum FileSystemKind {
    private static let network: [UInt64: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x0102_1997: "9P", 0x00C3_6400: "Ceph",
        0x5346_414F: "AFS", 0x6B41_4653: "AFS", 0x7375_7245: "Coda", 0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS",
        0x7461_636F: "OCFS2", 0x0116_1970: "GFS2", 0x786F_4256: "vboxsf",
    ]

    /// `type` is statfs's f_type, `errno` what a try to write gave (0: it went well).
    static func judge(type: UInt64, readOnly: Bool, errno code: Int32, path: String) -> Fault? {
        if readOnly || code == EROFS {
            return Fault(
                "state_read_only", "The state directory is on a read-only file system.", place: path,
                next: "Set state.directory to a place on a writable local disk.", exit: .state)
        }
        // The magic numbers have 32 bits; on some machines they arrive with the sign extended.
        if let name = network[type & 0xFFFF_FFFF] {
            return Fault(
                "state_network_disk", "The state directory is on a network file system (\(name)), whose locks can't be trusted.",
                place: path, next: "Set state.directory to a place on a local disk.", exit: .state)
        }
        guard code == 0 else { return fault(code, path: path) }
        return nil
    }

    /// What an error number of the C library says about the directory or a file in it.
    static func fault(_ code: Int32, path: String) -> Fault {
        switch code {
        case ENOSPC, EDQUOT: return SQLiteFault.diskFull(path)
        case EROFS: return judge(type: 0, readOnly: true, errno: code, path: path)!
        case EACCES, EPERM:
            return Fault(
                "state_no_right", "The state directory can't be used: \(String(cString: strerror(code))).", place: path,
                next: "Give the user that runs Weir the right to write it.", exit: .state)
        case ENOTDIR, EEXIST:
            return Fault(
                "state_no_directory", "The state directory's path is not a directory.", place: path,
                next: "Set state.directory to a directory.", exit: .state)
        default:
            return Fault(
                "state_cannot_open", "The state directory can't be used: \(String(cString: strerror(code))).", place: path,
                next: "Check the path and the disk.", exit: .state)
        }
    }
}
