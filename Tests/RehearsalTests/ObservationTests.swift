import Model
import Rehearsal
import Testing

@Test func aRowGivesItsColumnsByName() {
    let row = Observation.Row(
        output: "clicks", columns: [Observation.Column("country", .string("DE")), Observation.Column("events", .int(3))],
        revision: 1, final: true, asOf: nil)
    #expect(row["events"] == .int(3))
    #expect(row["nobody"] == nil)
}
