import Foundation
import Model
import Testing

@testable import Inputs

private let start = EventTime(milliseconds: 1_767_225_600_000)

struct WorkloadFilesTests {
    @Test(arguments: Packing.allCases)
    func aFilePerPartitionHoldsWhatTheGeneratorsPartitionGives(_ packing: Packing) throws {
        let scratch = Scratch()
        var workload = ReferenceWorkload(seed: 2, partitions: 3, start: start)
        let path = "\(scratch.path)/events.ndjson\(packing.suffix)"
        let summary = try workload.write(events: 20_000, to: path, perPartition: true)
        let files = try FileInputs(patterns: ["\(scratch.path)/*"], maxRecord: .mebibytes(1)).partitions
        #expect(files.map(\.id.topic) == (0..<3).map { ReferenceWorkload.partitionPath(path, $0) })
        let plan = GeneratorPlan(seed: 2, rate: 2_000, partitions: 3, events: 20_000, unpaced: true)
        let generated = GeneratorInputs(plan, start: start, clock: HandClock(0)).partitions
        var bytes = 0
        for (file, partition) in zip(files, generated) {
            try file.open(at: 0, wake: {})
            try partition.open(at: 0, wake: {})
            let reading = readAll(file)
            #expect(reading.fault == nil)
            #expect(reading.records == readAll(partition).records)
            bytes += reading.lengths.reduce(0, +)
        }
        #expect(summary.events == 20_000)
        #expect(summary.bytes == Int64(bytes))
        #expect((300..<500).contains(summary.late))
        // Copies come up to 30,000 events later: the beginning has fewer than the long run's 5 %.
        #expect((250..<500).contains(summary.copies))
    }

    @Test(arguments: [Packing.gz, .zst])
    func theSystemsToolsReadWhatIsWritten(_ packing: Packing) throws {
        let scratch = Scratch()
        var one = ReferenceWorkload(start: start)
        var other = one
        let plain = try one.write(events: 10_000, to: "\(scratch.path)/plain")
        let packed = try other.write(events: 10_000, to: "\(scratch.path)/packed.\(packing.rawValue)")
        #expect(plain == packed)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/packed.\(packing.rawValue)")))
        let unpacked = try piped(packing == .gz ? "gzip" : "zstd", bytes, ["-dc"])
        #expect(unpacked == [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/plain"))))
        #expect(unpacked.count == Int(plain.bytes) + 10_000)
    }

    @Test func progressIsToldAndCanStop() throws {
        let scratch = Scratch()
        var workload = ReferenceWorkload(start: start)
        var told: [Int64] = []
        let summary = try workload.write(events: 1_000_000, to: "\(scratch.path)/x.zst") {
            told.append($0)
            return told.count < 2
        }
        #expect(told == [65_536, 131_072, 131_072])
        #expect(summary.events == 131_072)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["x.zst"])
    }

    @Test func whatCanNotBeWrittenIsAFaultAndLeavesNothing() throws {
        let scratch = Scratch()
        var workload = ReferenceWorkload(start: start)
        let nowhere = #expect(throws: Fault.self) { try workload.write(events: 1, to: "\(scratch.path)/none/x") }
        #expect(nowhere?.code == "file_unwritable")
        let full = #expect(throws: Fault.self) { try workload.write(events: 100_000, to: "/dev/full") }
        #expect(full?.code == "disk_full")
        #expect(full?.exit == .disk)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
    }

    @Test(arguments: [
        ("events.ndjson.zst", "events-3.ndjson.zst"), ("a.b/events", "a.b/events-3"), ("/x/.hidden.gz", "/x/.hidden-3.gz"),
        ("./e.ndjson", "./e-3.ndjson"),
    ])
    func aPartitionsFileIsNamedAfterIt(_ path: String, _ expected: String) {
        #expect(ReferenceWorkload.partitionPath(path, 3) == expected)
    }
}
