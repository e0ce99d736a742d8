import Model
import Testing

@testable import Rehearsal

extension Rehearsal {
    func feed(_ text: String, to partition: Int32) throws {
        try feed([FedRecord(partition: partition, payload: Array(text.utf8))])
    }

    /// The end, and all that was late applied again; once more, which changes nothing.
    func endWithAllAppliedAgain() throws -> Observation {
        try end()
        try reapply()
        let before = try observe()
        try reapply()
        let after = try observe()
        #expect(after.rows.isEmpty && after.latest == before.latest)
        #expect(after.count("not_reapplied") == 0)
        return after
    }
}
