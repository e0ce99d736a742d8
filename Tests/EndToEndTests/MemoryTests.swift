import Model
import Runtime
import Testing
import Testkit

/// S8: keys are never forgotten early; a process that can't keep them stops.
struct MemoryTests {
    @Test func aRunThatOutgrowsItsMemoryStopsAndLosesNothing() throws {
        let records = workload(60_000, rate: 1_000)
        let scratch = Scratch()
        scratch.write("in.ndjson", records.lines)
        let job = ReferenceJob(source: "{files: [\"\(scratch.file("in.ndjson"))\"]}")
        var small = try job.plan(scratch.file("state"))
        small.state.memory = ByteCount(400_000)
        let fault = try refusal(small)
        #expect(fault.code == "memory_bound")
        #expect(fault.exit == .state)
        let summary = try run(try job.plan(scratch.file("state")))
        #expect(summary.books.read == 60_000 && summary.read < 60_000 && summary.books.balances)
        let whole = Scratch()
        try run(try job.plan(whole.path))
        #expect(try tables(scratch.file("state")) == tables(whole.path))
    }
}
