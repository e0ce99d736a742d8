import Glibc
import Model

/// A database that can be made again from a topic: where it is damaged it is moved aside and a new one begun.
enum DamagedFile {
    /// `attempt` opens `file`; tried again once where it finds damage, with what was found and moved.
    static func opening<T>(
        _ file: String, clock: any Clock, _ attempt: () throws(Fault) -> T
    ) throws(Fault) -> (T, Fault?) {
        do throws(Fault) {
            return (try attempt(), nil)
        } catch {
            guard ["state_corrupt", "state_not_a_database"].contains(error.code) else { throw error }
            let place = try moveAside(file, at: clock.wall())
            let notice = Fault(
                "state_moved_aside", "A local copy is damaged and was moved aside: \(error.what)", place: place,
                next: "Check the disk; the copy is made again from its topic, and the moved files can be deleted.", exit: .state)
            return (try attempt(), notice)
        }
    }

    /// Reads every page of the file. Error: `state_corrupt`.
    static func check(_ database: Database) throws(Fault) {
        let query = try database.statement("PRAGMA quick_check(1)")
        var words = "nothing"
        try query.eachRow { () throws(Fault) in words = query.text(0) }
        guard words == "ok" else {
            throw Fault(
                "state_corrupt", "The file is damaged: \(words).", place: database.file, next: "Check the disk.", exit: .state)
        }
    }

    /// With its log, so that SQLite can still look at what is there.
    private static func moveAside(_ file: String, at: WallTime) throws(Fault) -> String {
        let aside = "\(file).corrupt-\(at.milliseconds)"
        for suffix in ["-wal", "-shm", ""] where rename("\(file)\(suffix)", "\(aside)\(suffix)") != 0 && errno != ENOENT {
            throw FileSystemKind.fault(errno, path: file)
        }
        return aside
    }
}
