import Testing

/// The verifier where copies come in any partition, and where operators apply late events again.
struct OtherVerifierTests {
    private func subject(isRekeyed: Bool = false) -> Subject {
        Subject(
            fields: [.init(name: "id", kind: .text), .init(name: "n", kind: .int)], time: "ts", outOfOrderness: 0,
            identity: "id", within: 1_000, isRekeyed: isRekeyed,
            outputs: [
                Subject.Output(
                    name: "minute", size: 60_000, every: 60_000, lateness: 0, group: [],
                    measures: [.init(name: "events", fold: .count), .init(name: "n", fold: .sum("n"))], emission: .final)
            ], delivery: .once)
    }

    private func logged(_ partition: Int32, _ events: [(id: String, seconds: Int64, n: Int)]) -> [Logged] {
        events.enumerated().map { offset, event in
            let text = #"{"id": "\#(event.id)", "ts": \#(event.seconds * 1_000), "n": \#(event.n)}"#
            return Logged(partition: partition, offset: Int64(offset), timestamp: 1_000_000, value: Array(text.utf8))
        }
    }

    private func counts(_ found: Expectation) -> [Int64: JSON?] {
        Dictionary(uniqueKeysWithValues: (found.rows["minute"] ?? [:]).map { ($0.key.start, $0.value["n"]) })
    }

    @Test func aCopyIsOneInWhicheverPartitionItComes() {
        let found = Expectation(
            subject(isRekeyed: true),
            log: logged(0, [("a", 5, 1), ("b", 200, 2), ("", 5, 4)]) + logged(3, [("b", 200, 2), ("c", 6, 8), ("", 5, 4)]))
        #expect(counts(found) == [0: .int(17), 180_000: .int(2)])
        #expect(
            found.books == [
                0: Ledger(counts: ["read": 3, "rekeyed": 3]), 3: Ledger(counts: ["read": 3, "rekeyed": 3]),
                Ledger.rekeyed: Ledger(counts: ["read": 6, "aggregated": 5, "duplicate": 1, "unidentified": 2]),
            ])
    }

    @Test func whatIsAppliedAgainIsInItsRowAndStaysLate() {
        let log = logged(2, [("a", 5, 1), ("b", 200, 2), ("c", 6, 8), ("c", 6, 8), ("", 7, 16)])
        let refusals = (2...4).map { Refusal(output: "minute", partition: 2, offset: Int64($0)) }
        let without = Expectation(subject(), log: log)
        #expect(counts(without) == [0: .int(1), 180_000: .int(2)])
        let books = Ledger(counts: ["read": 5, "aggregated": 2, "late": 3, "unidentified": 1])
        let with = Expectation(subject(), log: log, applied: [refusals[0], refusals[2]])
        #expect(counts(with) == [0: .int(25), 180_000: .int(2)])
        #expect(without.books == [2: books] && with.books == [2: books])
        #expect(problems(log, [refusals[0], refusals[2]]) == [])
        // A copy of one that was applied, and one that nobody refused.
        #expect(problems(log, [refusals[0], refusals[1]]).first?.contains("counted before") == true)
        #expect(problems(log, [Refusal(output: "minute", partition: 2, offset: 0)]).first?.contains("never refused") == true)
    }

    private func problems(_ log: [Logged], _ applied: Set<Refusal>) -> [String] {
        var judgement = Judgement(subject(), Expectation(subject(), log: log, applied: applied))
        judgement.applied(applied)
        return judgement.problems
    }

    /// A row that is final can come again for what was applied again, and for nothing else.
    @Test func aFinalRowComesAgainForLateEventsOnly() {
        let log = logged(2, [("a", 5, 1), ("b", 200, 2), ("c", 6, 8)])
        let applied: Set = [Refusal(output: "minute", partition: 2, offset: 2)]
        func row(_ revision: Int, _ events: Int, _ n: Int, _ more: String = "", start: Int64 = 0, asOf: Int64 = 200_000) -> Logged
        {
            let window = #""window_start":\#(start),"window_end":\#(start + 60_000)"#
            let text =
                #"{\#(window),"events":\#(events),"n":\#(n),"revision":\#(revision),"final":true,"as_of":\#(asOf)\#(more)}"#
            return Logged(
                partition: 0, offset: Int64(revision), timestamp: 0, key: Array("{\(window)}".utf8), value: Array(text.utf8),
                headers: ["weir-output": "minute"])
        }
        func verdict(_ more: String) -> [String] {
            var judgement = Judgement(subject(), Expectation(subject(), log: log, applied: applied))
            judgement.rows(of: "minute", [row(1, 1, 1), row(2, 2, 9, more), row(1, 1, 2, start: 180_000, asOf: 240_000)])
            return judgement.problems
        }
        #expect(verdict(#","reason":"reapplied""#) == [])
        #expect(verdict("").count == 1)
    }
}
