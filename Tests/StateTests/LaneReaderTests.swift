import Model
import Testing
import Testkit

@testable import State

struct LaneReaderTests {
    /// Each look is of the last commit, whatever the one before it left standing.
    @Test func aReaderSeesTheNewestCommitEachTimeItBegins() throws {
        let scratch = Scratch()
        let (directory, store) = try open(scratch)
        _ = try store.lanes(for: [PartitionID(topic: "t", number: 0)])
        let reader = LaneReader(directory: directory, lane: 0)
        for number in UInt8(1)...3 {
            let log = StateLog()
            for key in UInt8(0)..<4 { log.put([7, key], [number, key]) }
            try store.commit(commit(Int64(number), [lane(0, log)]))
            try reader.begin()
            let found = try [UInt8](0..<5).map { key in try bytes([7, key]) { try reader.value(of: $0).map(Array.init) } }
            #expect(found == [[number, 0], [number, 1], [number, 2], [number, 3], nil])
            try bytes([7, 1]) { from in try bytes([7, 3]) { try reader.scan(from: from, to: $0) } }
            // The scan is left before its end.
            #expect(try reader.next().map { Array($0.value) } == [number, 1])
            reader.end()
        }
    }

    private func bytes<T>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
        try bytes.withUnsafeBytes { try body($0) }
    }
}
