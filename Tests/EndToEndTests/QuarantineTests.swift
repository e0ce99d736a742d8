import Glibc
import Model
import Testing
import Testkit

/// A record by which the process dies must not hold up all others for ever.
final class QuarantineTests {
    private let scratch = Scratch()
    private var runs = 0
    private let deadly = 1_234

    /// Two files, with a record in the first that some fault of Weir's can't bear.
    private func job() -> String {
        for name in ["a", "b"] {
            let lines = (0..<2_000).map { event(Double($0) / 100, name == "a" && $0 == deadly ? "deadly" : name) }
            scratch.write("\(name).ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        let job = SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}")
        return scratch.write("job.yaml", Array(job.yaml.utf8))
    }

    private func run(_ file: String) throws -> (exit: Int32, log: String) {
        runs += 1
        let log = scratch.file("log-\(runs)")
        let program = try #require(Child.weir(orFrom: "WEIR_DEBUG_BINARY"), "weir is not built")
        let child = try Child(
            program,
            ["run", file, "--state", scratch.file("state"), "--http", "off", "--until", "end"],
            environment: ["WEIR_DIES_OF": "deadly"], out: log)
        let exit = try child.end(within: 60)
        return (exit, try text(log))
    }

    private func text(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test func aRecordThatEndsTheProcessThreeTimesIsRejectedAtTheFourth() throws {
        let file = job()
        for death in 1...3 {
            let (exit, log) = try run(file)
            try #require(exit == 128 + SIGABRT, "death \(death): \(log.suffix(2_000))")
            // From the second start on it is known where it died.
            #expect(log.contains(#""died_of""#) == (death > 1), "\(log)")
            #expect(!log.contains(#""quarantined""#))
        }
        let (exit, log) = try run(file)
        #expect(exit == 0, "\(log.suffix(2_000))")
        #expect(log.contains(#""quarantined""#))
        #expect(log.contains(#""offset":\#(deadly)"#), "\(log)")
        #expect(
            try smallRows(scratch.file("state")).map { "\($0[1]) \($0[2])" }.sorted() == [
                "'a' 1000", "'a' 999", "'b' 1000", "'b' 1000",
            ])
        let letters = try stored(scratch.file("state"), "SELECT reason, offset FROM dead_letters")
        #expect(letters.count == 1)
        #expect(letters.first?.last == "\(deadly)")
    }
}
