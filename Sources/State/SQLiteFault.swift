import CSQLite
import CSys
import Glibc
import Model

/// SQLite's result codes as faults: which of them waiting cures, and what to do about the others.
enum SQLiteFault {
    /// `extended` is SQLite's extended result code, `system` the errno behind an I/O error, `words` SQLite's own (they name
    /// tables and columns, never values).
    static func make(extended: Int32, system: Int32, words: String, file: String) -> Fault {
        let primary = extended & 0xff
        switch primary {
        case SQLITE_FULL: return diskFull(file)
        case SQLITE_IOERR where isRefusedWrite(extended, system): return diskFull(file)
        case SQLITE_IOERR:
            return Fault(
                "disk_failed", "The disk failed under the state: \(words) (SQLite \(extended), errno \(system)).", place: file,
                next: "Check the disk and the kernel's log, then start again: state is as of the last commit.", exit: .disk)
        case SQLITE_CORRUPT:
            return Fault(
                "state_corrupt", "The file is damaged: \(words).", place: file,
                next: "Keep a copy, then restore the state directory from a backup, or move it away and start anew.", exit: .state
            )
        case SQLITE_NOTADB:
            return Fault(
                "state_not_a_database", "The file is no SQLite database.", place: file,
                next: "Move it away if it is not Weir's, or restore the state directory from a backup.", exit: .state)
        case SQLITE_READONLY:
            return Fault(
                "state_read_only", "The file can't be written.", place: file,
                next: "Give the user that runs Weir the right to write the state directory and its files.", exit: .state)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH:
            return Fault(
                "state_cannot_open", "The file can't be opened: \(words) (errno \(system)).", place: file,
                next: "Check that the state directory exists and that the user that runs Weir owns it.", exit: .state)
        case SQLITE_BUSY, SQLITE_LOCKED:
            return Fault(
                "state_locked", "Another program holds a lock on the file.", place: file,
                next: "Close the program that writes to it; readers don't disturb.", exit: .state, isTransient: true)
        case SQLITE_NOMEM:
            return Fault(
                "out_of_memory", "SQLite got no memory.", place: file, next: "Give the process more memory.", exit: .state)
        default:
            return Fault(
                "state_failed", "SQLite refused: \(words) (\(extended)).", place: file,
                next: "Report this with the log; state is as of the last commit.", exit: .state)
        }
    }

    /// A write that a quota or a limit on file sizes refused. SQLite often loses the errno on the way (0). A failed sync is
    /// another matter: what was written before it may be gone.
    private static func isRefusedWrite(_ extended: Int32, _ system: Int32) -> Bool {
        let write = SQLITE_IOERR | 3 << 8
        let sharedMemory = SQLITE_IOERR | 19 << 8
        return [write, sharedMemory].contains(extended) && [0, ENOSPC, EDQUOT, EFBIG].contains(system)
    }

    static func diskFull(_ file: String) -> Fault {
        Fault(
            "disk_full", "The disk takes no more of the state: it is full, or a quota is.", place: file,
            next: "Make space; input has stopped, nothing is lost, and it goes on by itself.", exit: .disk, isTransient: true)
    }
}
