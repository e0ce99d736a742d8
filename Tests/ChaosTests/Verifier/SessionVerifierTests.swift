import Testing

/// Sessions in the verifier: what it computes of hand-made logs, and that it sees each kind of wrong output.
struct SessionVerifierTests {
    private static func subject(isKeyed: Bool = false) -> Subject {
        Subject(
            fields: [.init(name: "kind", kind: .text, isRequired: true)], time: "ts", outOfOrderness: 0,
            outputs: [
                .init(
                    name: "visits", size: 0, every: 0, lateness: 20, group: ["kind"],
                    measures: [.init(name: "events", fold: .count)], emission: .onTime, isKeyed: isKeyed, gap: 10)
            ], delivery: .once)
    }

    /// Records of one partition, by event time.
    private static func log(_ times: [Int64], partition: Int32 = 0) -> [Logged] {
        times.enumerated().map { offset, time in
            Logged(
                partition: partition, offset: Int64(offset), timestamp: 1_000,
                value: Array(#"{"kind": "a", "ts": \#(time)}"#.utf8))
        }
    }

    private static func name(_ start: Int64, _ end: Int64) -> RowName { RowName(start: start, end: end, group: [.text("a")]) }

    /// Intervals with their events, and how many were late.
    private static func found(_ log: [Logged], isKeyed: Bool = false) -> (rows: [RowName: [String: JSON]], late: Int) {
        let found = Expectation(subject(isKeyed: isKeyed), log: log)
        return (found.rows["visits"] ?? [:], found.books.values.reduce(0) { $0 + $1["late"] })
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var times: [Int64]
        /// Start, end, events.
        var rows: [[Int64]]
        var late = 0

        init(_ what: String, _ times: [Int64], _ rows: [[Int64]], late: Int = 0) {
            (testDescription, self.times, self.rows, self.late) = (what, times, rows, late)
        }

        var wanted: [RowName: [String: JSON]] {
            Dictionary(uniqueKeysWithValues: rows.map { (name($0[0], $0[1]), ["events": .int($0[2])]) })
        }
    }

    static let merged = [
        Case("an event exactly a gap after the last starts a new one", [0, 10], [[0, 10, 1], [10, 20, 1]]),
        Case("one between two joins them", [0, 12, 5], [[0, 22, 3]]),
        Case("time may go back", [29, 9, 0], [[0, 19, 2], [29, 39, 1]]),
        // t + gap + lateness <= W, whatever it touches.
        Case("late at the very moment", [30, 0], [[30, 40, 1]], late: 1),
        Case("late although it would touch an open one", [5, 35, 4], [[5, 15, 1], [35, 45, 1]], late: 1),
    ]

    @Test(arguments: merged)
    func sessionsThatAreMergedFollowTheContract(one: Case) {
        let found = Self.found(Self.log(one.times))
        #expect(found.rows == one.wanted)
        #expect(found.late == one.late)
    }

    /// A closed one is never joined, so that two can overlap; one whose session as formed is open is not late.
    static let alone = [
        Case("saved by an open one", [14, 35, 5], [[5, 24, 2], [35, 45, 1]]),
        Case("closed by its own end", [5, 35, 4], [[5, 15, 1], [35, 45, 1]], late: 1),
        Case("beside a closed one", [0, 30, 1], [[0, 10, 1], [1, 11, 1], [30, 40, 1]]),
    ]

    @Test(arguments: alone)
    func sessionsThatDecideAloneFollowTheContract(one: Case) {
        let found = Self.found(Self.log(one.times), isKeyed: true)
        #expect(found.rows == one.wanted)
        #expect(found.late == one.late)
    }

    @Test func sessionsOfSeveralPartitionsAreJoinedUnlessTheyDecideAlone() {
        let log = Self.log([0, 18], partition: 0) + Self.log([9], partition: 1)
        #expect(Self.found(log).rows == [Self.name(0, 28): ["events": .int(3)]])
        #expect(Self.found(log, isKeyed: true).rows.count == 3)
    }

    private static func row(
        _ start: Int64, _ end: Int64, _ events: Int, revision: Int, asOf: Int64, at offset: Int64, retracted: Bool = false
    ) -> Logged {
        let window = #""window_start":\#(start),"window_end":\#(end),"kind":"a""#
        let isFinal = asOf >= end + 30
        let value =
            #"{\#(window),"events":\#(events),"revision":\#(revision),"final":\#(isFinal),"as_of":\#(asOf)\#(retracted ? #","retracted":true"# : "")}"#
        return Logged(
            partition: 0, offset: offset, timestamp: 0, key: Array("{\(window)}".utf8), value: Array(value.utf8),
            headers: ["weir-output": "visits"])
    }

    /// [0, 10) was shown before it became [0, 15).
    private static let input = log([0, 12, 5, 100])
    private static let right = [
        row(0, 10, 1, revision: 1, asOf: 12, at: 0), row(0, 10, 1, revision: 2, asOf: 12, at: 1, retracted: true),
        row(0, 22, 3, revision: 1, asOf: 100, at: 2), row(100, 110, 1, revision: 1, asOf: 100, at: 3),
    ]

    private static func verdict(_ rows: [Logged], isComplete: Bool = true) -> [String] {
        var judgement = Judgement(subject(), Expectation(subject(), log: input))
        judgement.rows(of: "visits", rows, isComplete: isComplete)
        return judgement.problems
    }

    @Test func aSessionThatWasTakenBackIsRight() {
        #expect(Self.verdict(Self.right) == [])
        // It is taken back yet.
        #expect(Self.verdict([Self.right[0]], isComplete: false) == [])
    }

    static let wrong: [(what: String, rows: [Logged], sentence: String)] = [
        ("not taken back", [right[0], right[2], right[3]], "extra"),
        (
            "taken back and shown again", [right[0], right[1], row(0, 10, 2, revision: 3, asOf: 13, at: 4), right[2], right[3]],
            "extra"
        ),
        ("never there", [row(0, 10, 1, revision: 1, asOf: 12, at: 1, retracted: true), right[2], right[3]], "was never there"),
        (
            "taken back with other values",
            [right[0], row(0, 10, 2, revision: 2, asOf: 12, at: 1, retracted: true), right[2], right[3]], "the one before 1"
        ),
        (
            "a right one taken back", right + [row(0, 22, 3, revision: 2, asOf: 100, at: 4, retracted: true)],
            "taken back in revision 2"
        ),
        ("missing", Array(right.prefix(3)), "missing"),
        ("before its end", [right[0], right[1], row(0, 22, 3, revision: 1, asOf: 21, at: 2), right[3]], "as of 21, ends at 22"),
    ]

    @Test(arguments: wrong)
    func everyWrongOutputIsSeen(what: String, rows: [Logged], sentence: String) {
        #expect(Self.verdict(rows).contains { $0.contains(sentence) }, "\(what): \(Self.verdict(rows))")
    }
}
