import CSQLite
import CSys
import Glibc
import Model
import Testing
import Testkit

@testable import State

struct StateDirectoryTests {
    @Test func aDirectoryIsMadePrivateAndKeepsItsInstance() throws {
        let scratch = Scratch()
        let path = "\(scratch.path)/a/b"
        let first: String
        do {
            let directory = try StateDirectory(path)
            first = directory.instance
            #expect(first.count == 16)
            #expect(directory.freeBytes ?? 0 > 0)
            var about = stat()
            #expect(stat(path, &about) == 0)
            #expect(about.st_mode & 0o777 == 0o700)
        }
        #expect(try StateDirectory(path).instance == first)
        #expect(try StateDirectory("\(scratch.path)/other").instance != first)
    }

    @Test func aDirectoryInUseIsRefusedWithItsHolder() throws {
        let scratch = Scratch()
        do {
            let held = try StateDirectory(scratch.path)
            let fault = #expect(throws: Fault.self) { _ = try StateDirectory(scratch.path) }
            #expect(fault?.code == "state_in_use")
            #expect(fault?.what.contains("(process \(getpid()))") == true)
            #expect(shell("flock -n '\(held.path)/lock' echo taken") == "")
        }
        // Another process holds it, until its input ends.
        let script = "echo 4242 > '\(scratch.path)/lock'; echo > '\(scratch.path)/ready'; exec cat"
        let other = popen("exec flock '\(scratch.path)/lock' sh -c \"\(script)\"", "w")
        let deadline = time(nil) + 20
        while access("\(scratch.path)/ready", F_OK) != 0 && time(nil) < deadline { sched_yield() }
        let fault = #expect(throws: Fault.self) { _ = try StateDirectory(scratch.path) }
        #expect(fault?.what == "Another process uses the state directory (process 4242).")
        pclose(other)
        #expect(faultCode { _ = try StateDirectory(scratch.path) } == nil)
    }

    @Test(arguments: [
        (0xEF53 as UInt64, false, 0 as Int32, nil as String?),
        (0x0102_1994, false, 0, nil),
        (0x6573_5546, false, 0, nil),
        (0xEF53, true, 0, "state_read_only"),
        (0xEF53, false, EROFS, "state_read_only"),
        (0x6969, false, 0, "state_network_disk"),
        (0xFF53_4D42, false, 0, "state_network_disk"),
        (0xFFFF_FFFF_FF53_4D42, false, 0, "state_network_disk"),
        (0xFE53_4D42, false, EIO, "state_network_disk"),
        (0x0102_1997, false, 0, "state_network_disk"),
        (0x00C3_6400, false, 0, "state_network_disk"),
        (0xEF53, false, EACCES, "state_no_right"),
        (0xEF53, false, ENOSPC, "disk_full"),
        (0xEF53, false, ENOTDIR, "state_no_directory"),
        (0xEF53, false, EIO, "state_cannot_open"),
    ])
    func whatAFileSystemIsDecidesWhetherItCarriesState(type: UInt64, readOnly: Bool, code: Int32, expected: String?) {
        let fault = FileSystemKind.judge(type: type, readOnly: readOnly, errno: code, path: "p")
        #expect(fault?.code == expected)
        #expect(fault.map { $0.exit == ($0.code == "disk_full" ? .disk : .state) } ?? true)
    }

    @Test func aPathThatIsNoDirectoryIsRefused() {
        let scratch = Scratch()
        shell("touch '\(scratch.path)/file'")
        #expect(faultCode { _ = try StateDirectory("\(scratch.path)/file") } == "state_no_directory")
        #expect(faultCode { _ = try StateDirectory("\(scratch.path)/file/below") } == "state_no_directory")
        #expect(faultCode { _ = try StateDirectory("/proc/weir") } != nil)
    }

    @Test(arguments: [
        (SQLITE_FULL, 0 as Int32, "disk_full", ExitCode.disk, true),
        (SQLITE_IOERR | 3 << 8, ENOSPC, "disk_full", .disk, true),
        (SQLITE_IOERR | 3 << 8, EFBIG, "disk_full", .disk, true),
        (SQLITE_IOERR | 19 << 8, EDQUOT, "disk_full", .disk, true),
        (SQLITE_IOERR | 3 << 8, 0, "disk_full", .disk, true),
        (SQLITE_IOERR | 3 << 8, EIO, "disk_failed", .disk, false),
        // After a failed sync nobody knows what the disk holds: only a restart does.
        (SQLITE_IOERR | 4 << 8, ENOSPC, "disk_failed", .disk, false),
        (SQLITE_CORRUPT, 0, "state_corrupt", .state, false),
        (SQLITE_NOTADB, 0, "state_not_a_database", .state, false),
        (SQLITE_READONLY, 0, "state_read_only", .state, false),
        (SQLITE_CANTOPEN, ENOENT, "state_cannot_open", .state, false),
        (SQLITE_BUSY | 2 << 8, 0, "state_locked", .state, true),
        (SQLITE_NOMEM, 0, "out_of_memory", .state, false),
        (SQLITE_CONSTRAINT, 0, "state_failed", .state, false),
    ])
    func everyErrorOfSQLiteSaysWhatToDo(extended: Int32, system: Int32, code: String, exit: ExitCode, isTransient: Bool) {
        let fault = SQLiteFault.make(extended: extended, system: system, words: "w", file: "f")
        #expect(fault.code == code)
        #expect(fault.exit == exit)
        #expect(fault.isTransient == isTransient)
        #expect(!fault.next.isEmpty && fault.place == "f")
    }

    @Test func anotherWriterIsToldAndWaitedFor() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        // The lock of a write transaction that another program has open.
        let other = popen("sqlite3 '\(scratch.path)/state.db'", "w")
        fputs("PRAGMA wal_autocheckpoint = 0;\nBEGIN IMMEDIATE;\n.system touch '\(scratch.path)/ready'\n", other)
        fflush(other)
        let deadline = time(nil) + 20
        while access("\(scratch.path)/ready", F_OK) != 0 && time(nil) < deadline { sched_yield() }
        let fault = #expect(throws: Fault.self) { try store.commit(commit(1)) }
        #expect(fault?.code == "state_locked" && fault?.isTransient == true)
        pclose(other)
        try store.commit(commit(1))
        #expect(store.head.number == 1)
    }
}

@Test func theOwnTablesAreThoseThatAreTold() throws {
    let scratch = Scratch()
    let (directory, store) = try open(scratch)
    _ = try ResultsStore(directory: directory, store: store)
    func tables(_ database: Database) throws -> Set<String> {
        let query = try database.statement(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        var names: Set<String> = []
        try query.eachRow { () throws(Fault) in names.insert(query.text(0)) }
        return names
    }
    #expect(try tables(store.database) == Set(OwnTables.state))
    #expect(OwnTables.group.allSatisfy { StateSchema.units.contains("CREATE TABLE \($0)(") })
    #expect(try tables(try Database(directory.resultsFile, .read)) == Set(OwnTables.results + ["usage"]))
    let shares = store.plan.memoryShares
    #expect([shares.statePages, shares.resultsPages, shares.coldPages].map { $0 >> 20 } == [32, 8, 16])
    #expect(try store.database.number("PRAGMA cache_size") == -(32 << 10))
}
