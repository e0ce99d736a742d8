import Model
import Testing
import Testkit

@testable import Topology

/// The same conditions over the same rows by Weir and by SQLite. `scripts/fuzz.sh` runs it with other seeds.
struct DifferenceTests {
    private static let conditionsPerSeed = 750
    private static let rowsPerSeed = 40

    @Test(arguments: FuzzSeeds.of([1, 2, 3, 4, 5, 6]))
    func everyDifferenceToSQLiteIsListed(_ seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let rows = (0..<Self.rowsPerSeed).map { _ in generator.row() }
        let (weir, sqlite) = (try Weir(rows), try SQLite(rows))
        var seen: [Bool?: Int] = [:]
        for number in 0..<Self.conditionsPerSeed {
            let condition = generator.condition(number % 5)
            let ours = try weir.answers(condition.text(.weir))
            let theirs = try sqlite.answers(condition.text(.sqlite))
            for answer in ours { seen[answer, default: 0] += 1 }
            guard ours != theirs else { continue }
            try judge(condition, rows, at: zip(ours, theirs).enumerated().first { $1.0 != $1.1 }!.offset, seed)
        }
        // A generator whose conditions are all alike would find nothing.
        let all = Self.conditionsPerSeed * Self.rowsPerSeed
        for answer in [true, false, nil] {
            #expect(seen[answer, default: 0] > all / 10, "\(String(describing: answer)): \(seen)")
        }
    }

    /// Makes the condition as small as the difference allows in that row, and fails unless what is left is listed.
    private func judge(_ condition: Condition, _ rows: [Row], at row: Int, _ seed: UInt64) throws {
        let (weir, sqlite) = (try Weir([rows[row]]), try SQLite([rows[row]]))
        let least = try condition.shrunk { try weir.answers($0.text(.weir)) != sqlite.answers($0.text(.sqlite)) }
        guard ListedDifference.of(least) == nil else { return }
        let ours = try weir.answers(least.text(.weir))
        let theirs = try sqlite.answers(least.text(.sqlite))
        Issue.record(
            """
            seed \(seed): \(least.text(.weir))
              in the row \(rows[row])
              Weir: \(ours), SQLite: \(theirs)
              found in: \(condition.text(.weir))
            """)
    }

    @Test(arguments: FuzzSeeds.of([1]))
    func aFileMeansWhatItsExpressionMeans(_ seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for number in 0..<40 {
            let text = generator.condition(number % 5).text(.weir)
            let reading = Weir.reading(text)
            let plan = try #require(reading.plan, "\(text): \(reading.problems.map { $0.text() })")
            #expect(plan.filter == (try Weir.predicate(text)), "\(text)")
        }
    }

    @Test func aConditionShrinksToWhatMatters() {
        let cause = Condition.isIn("i", [Term(.number, "1"), Term(.number, "2")], negated: false)
        let large = Condition.or(.and(.truth("b"), .not(.not(cause))), .and(.constant("TRUE"), .isNull("s", negated: true)))
        let least = large.shrunk { $0.text(.weir).contains("2") }
        #expect(least == .isIn("i", [Term(.number, "2")], negated: false))
    }

    @Test(
        arguments: [
            (Condition.compare(Term(.field, "i"), "<", Term(.number, "2.5")), nil),
            (.compare(Term(.field, "i"), "=", Term(.number, "9007199254740993.0")), .exactFractions),
            (.compare(Term(.field, "d"), "=", Term(.number, "9007199254740993.0")), nil),
            (.compare(Term(.field, "i"), "=", Term(.number, "9007199254740993")), nil),
            (.compare(Term(.field, "j"), "<", Term(.number, "-9223372036854775808")), nil),
            (.compare(Term(.field, "j"), "<", Term(.number, "-9223372036854775809")), .wideNumbers),
            (.isIn("u", [Term(.uuid, "'AB'")], negated: true), .uuidLetters),
            (.isIn("u", [Term(.uuid, "'ab'")], negated: true), nil),
            (.compare(Term(.field, "s"), "=", Term(.text, "'AB'")), nil), (.truth("b"), nil),
        ] as [(Condition, ListedDifference?)])
    func onlyItsOwnCausesFallIntoAClass(_ condition: Condition, _ expected: ListedDifference?) {
        #expect(ListedDifference.of(condition) == expected)
    }
}
