import CSys
import Glibc
import Model
import Testing
import Testkit

@testable import State

struct DiskTests {
    private func random(_ count: Int, _ generator: inout SplitMix) -> [UInt8] {
        (0..<count / 8).flatMap { _ in withUnsafeBytes(of: generator.next(), Array.init) }
    }

    @Test func aFullFileLosesNothingAndTheSameCommitGoesThroughLater() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        _ = try store.lanes(for: [partition])
        var generator = SplitMix(seed: 3)
        var expected: [[UInt8]: [UInt8]] = [:]
        func next(_ number: Int64) -> (Commit, [UInt8], [UInt8]) {
            let log = StateLog()
            let (key, value) = (random(16, &generator), random(200_000, &generator))
            log.put(key, value)
            return (commit(number, [lane(0, log, nextOffset: number)]), key, value)
        }
        let pages = try store.database.number("PRAGMA page_count")
        _ = try store.database.number("PRAGMA max_page_count = \(pages + 40)")
        var full = 0
        for number in Int64(1)...8 {
            let (next, key, value) = next(number)
            if let code = faultCode({ try store.commit(next) }) {
                full += 1
                #expect(code == "disk_full")
                #expect(try restored(store, 0) == expected)
                #expect(store.head.number == number - 1)
                // Space comes.
                _ = try store.database.number("PRAGMA max_page_count = \(pages + 40 * (Int64(full) + 1))")
                try store.commit(next)
            }
            expected[key] = value
            #expect(try restored(store, 0) == expected)
        }
        #expect(full > 1)
        #expect(try restored(open(scratch.copy()).1, 0) == expected)
    }

    /// The kernel refuses to make any file longer, in a process of its own; then it allows it again.
    @Test func aRefusedWriteLosesNothingAndTheSameCommitGoesThroughLater() async {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let scratch = Scratch()
            let (directory, store) = try open(scratch)
            let results = try ResultsStore(directory: directory, store: store)
            _ = try store.lanes(for: [partition])
            try store.commit(commit(1, [lane(0, nextOffset: 1)], rows: [row("a")]))
            var limit = rlimit(rlim_cur: 3 << 20, rlim_max: .max)
            setrlimit(__rlimit_resource_t(1), &limit)
            var number: Int64 = 1
            var refused: Commit?
            while refused == nil {
                number += 1
                let log = StateLog()
                log.put([UInt8(number)], [UInt8](repeating: UInt8(number), count: 300_000))
                let next = commit(number, [lane(0, log, nextOffset: number)], rows: [row("r\(number)")])
                do throws(Fault) {
                    try store.commit(next)
                } catch {
                    guard error.code == "disk_full" else { exit(2) }
                    refused = next
                }
                guard number < 40 else { exit(3) }
            }
            guard store.head.number == number - 1, try restored(store, 0).count == Int(number) - 2 else { exit(4) }
            limit.rlim_cur = .max
            setrlimit(__rlimit_resource_t(1), &limit)
            guard let refused else { exit(5) }
            try store.commit(refused)
            try results.catchUp()
            try store.tend(quiet: true)
            let reopened = try open(scratch.copy()).1
            guard try restored(reopened, 0).count == Int(number) - 1 else { exit(6) }
            guard shell("sqlite3 -readonly '\(scratch.path)/results.db' 'SELECT count(*) FROM usage'") == "\(number)\n" else {
                exit(7)
            }
        }
    }

    /// Fifty dedup horizons, the first ones with four times the traffic, with a reader that stays open for some of them.
    @Test func theFileStaysNearItsLiveSize() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        _ = try store.lanes(for: [partition])
        try store.database.execute("PRAGMA synchronous = OFF")
        var generator = SplitMix(seed: 8)
        let bucketsPerHorizon = 16
        let stays = 16 * StateLimits.pageSize * 64
        var longestLog: Int64 = 0
        var reader: Database?
        func key(_ kind: UInt8, _ number: Int, _ part: Int = 0) -> [UInt8] {
            [kind, UInt8(number >> 8), UInt8(number & 255), UInt8(part >> 8), UInt8(part & 255)]
        }
        for bucket in 0..<50 * bucketsPerHorizon {
            if bucket == 20 * bucketsPerHorizon {
                let long = try Database("\(scratch.path)/state.db", .read)
                try long.execute("BEGIN; SELECT count(*) FROM state")
                reader = long
            }
            if bucket == 23 * bucketsPerHorizon {
                longestLog = try store.measurements().walBytes
                reader = nil
            }
            let log = StateLog()
            let chunks = bucket < 5 * bucketsPerHorizon ? 16 : 4
            for part in 0..<chunks { log.put(key(1, bucket, part), random(32_768, &generator)) }
            for _ in 0..<200 { log.put(key(2, Int.random(in: 0..<4_000, using: &generator)), random(80, &generator)) }
            if bucket >= bucketsPerHorizon {
                log.deleteRange(key(1, bucket - bucketsPerHorizon), key(1, bucket - bucketsPerHorizon + 1))
            }
            try store.commit(commit(Int64(bucket + 1), [lane(0, log)]))
            try store.tend(quiet: bucket % 40 == 39)
        }
        #expect(reader == nil)
        let size = try store.measurements()
        shell("sqlite3 '\(scratch.path)/state.db' \"VACUUM INTO '\(scratch.path)/live.db'\"")
        var live = stat()
        #expect(stat("\(scratch.path)/live.db", &live) == 0)
        let ratio = Double(size.pages * size.pageSize) / Double(live.st_size)
        print(
            "50 horizons: file \(size.pages * size.pageSize), live \(live.st_size), ratio \(ratio), log held by a reader \(longestLog)"
        )
        #expect(ratio <= 1.5)
        // A reader that stays lets the log grow by what is written meanwhile, and no longer than it stays.
        #expect(longestLog < Int64(stays * 8))
        try store.tend(quiet: true)
        #expect(try store.measurements().walBytes == 0)
    }

    @Test func aCommitOfFifteenThousandCellsIsCheap() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch)
        _ = try store.lanes(for: (0..<8).map { PartitionID(topic: "events", number: $0) })
        var generator = SplitMix(seed: 5)
        let chunk = random(262_144, &generator)
        let value = random(80, &generator)
        var costs: [Int64] = []
        for number in Int64(1)...12 {
            let lanes = (LaneNumber(0)..<8).map { index in
                let log = StateLog(capacity: 1 << 20)
                for _ in 0..<1_875 {
                    let cell = Int64.random(in: 0..<12_500, using: &generator) &* 0x9E37_79B9_7F4A_7C1
                    log.put([1] + withUnsafeBytes(of: cell.bigEndian, Array.init) + [UInt8](repeating: 0, count: 12), value)
                }
                log.put([2, UInt8(number)], chunk)
                if number > 4 { log.deleteRange([2, UInt8(number - 4)], [2, UInt8(number - 3)]) }
                return lane(index, log)
            }
            let before = cpuMicroseconds()
            try store.commit(commit(number, lanes))
            let after = cpuMicroseconds()
            costs.append(after - before)
            try store.tend(quiet: false)
            if number == 12 { print("tend: \(cpuMicroseconds() - after) us") }
        }
        let median = costs.sorted()[costs.count / 2]
        print("commit of 15,000 cells and 8 chunks: median \(median) us of CPU, \(costs)")
        #expect(median < 250_000)
    }

    private func cpuMicroseconds() -> Int64 {
        var usage = rusage()
        getrusage(__rusage_who_t(1), &usage)
        return Int64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
            + Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }
}
