import Freshness
import Model
import Runtime
import Testing
import Testkit

struct FilesTests {
    private let records = workload(20_000, seed: 5)
    private var answer: Recomputation.Answer { ReferenceJob.recomputation.answer(records) }

    /// A file for each partition, plain or compressed by the usual tools.
    private func write(_ scratch: Scratch, _ packer: String?, _ suffix: String) throws {
        for partition in Int32(0)..<4 {
            let path = scratch.write("p\(partition).ndjson", records.of(partition).lines)
            if let packer { try Program.run([packer, "-q", path]) }
        }
    }

    @Test(arguments: [(nil, ""), ("gzip", ".gz"), ("zstd", ".zst")] as [(String?, String)])
    func compressedFilesGiveWhatPlainOnesGive(packer: String?, suffix: String) throws {
        let scratch = Scratch()
        try write(scratch, packer, suffix)
        let job = ReferenceJob(source: "{files: [\"\(scratch.path)/p*.ndjson\(suffix)\"]}")
        let state = scratch.file("state")
        let summary = try run(try job.plan(state))
        #expect(summary.read == 20_000)
        try expect(state, holds: answer)
    }

    @Test func aFileThatWasChangedIsRefused() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array("\(event(1))\n\(event(2))\n".utf8))
        let job = SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}")
        let state = scratch.file("state")
        try run(try job.plan(state), RunOptions(until: .now))
        scratch.write("a.ndjson", Array("\(event(1))\n\(event(3))\n".utf8))
        let fault = try refusal(try job.plan(state))
        #expect(fault.code == "file_changed" && fault.exit == .state && fault.place.hasSuffix("a.ndjson"))
        scratch.write("a.ndjson", Array("\(event(1))\n\(event(2))\n".utf8))
        // One more file is one more partition.
        scratch.write("b.ndjson", Array("\(event(1, "b"))\n".utf8))
        #expect(try run(try job.plan(state)).books.read == 3)
        #expect(try smallRows(state) == [["0", "'a'", "2", "2"], ["0", "'b'", "1", "1"]])
    }

    @Test func aMissingFileIsRefused() throws {
        let scratch = Scratch()
        let job = SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}")
        let fault = try refusal(try job.plan(scratch.file("state")))
        #expect(fault.exit == .usage)
        scratch.write("a.ndjson", Array("\(event(1))\n".utf8))
        scratch.write("b.ndjson", Array("\(event(1))\n".utf8))
        try run(try job.plan(scratch.file("state")), RunOptions(until: .now))
        scratch.write("b.ndjson", [])
        #expect(try refusal(try job.plan(scratch.file("state"))).code == "file_changed")
    }

    @Test func aGeneratorGoesOnWithTheSameWorkload() throws {
        let scratch = Scratch()
        let source = "{generator: {rate: 50/s, seed: 7, events: 100000, unpaced: true, partitions: 4}}"
        let job = ReferenceJob(source: source, commit: "20ms")
        var read: Int64 = 0
        for _ in 0..<3 {
            let running = Running(try job.plan(scratch.path))
            try running.until("a run") { $0.state == .running }
            let reached = try running.stop().books.read
            #expect(reached >= read)
            read = reached
        }
        #expect(read > 0 && read < 100_000, "the run was over before it was stopped")
        try run(try job.plan(scratch.path))
        // When it began is what the first run kept, so the recomputation starts there too.
        let start = try #require(
            try stored(scratch.path, "SELECT hex(file_fingerprint) FROM lanes WHERE lane = 0").first?.first)
        let records = workload(100_000, partitions: 4, seed: 7, start: littleEndian(hex: start))
        try expect(scratch.path, holds: ReferenceJob.recomputation.answer(records))
    }

    private func littleEndian(hex: String) -> Int64 {
        let digits = hex.filter { $0 != "'" }.map { Int64($0.hexDigitValue ?? 0) }
        return stride(from: 0, to: digits.count, by: 2).reversed().reduce(0) { $0 << 8 | digits[$1] << 4 | digits[$1 + 1] }
    }
}
