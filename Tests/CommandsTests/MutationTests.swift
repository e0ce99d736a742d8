import Glibc
import Model
import Testing
import Testkit
import Topology

@testable import Rehearsal

/// A test file that is kept in the repository, by itself or in a page.
struct KeptTest: Sendable, CustomTestStringConvertible {
    /// From the repository's root.
    var file: String
    var text: String
    var testDescription: String { file }

    /// Each `*.test.yaml` wherever it lies, and each block of a page that has cases.
    static let all: [KeptTest] = {
        let found = (try? files(under: "")) ?? []
        let alone = found.filter { $0.hasSuffix(".test.yaml") }.map { KeptTest(file: $0, text: read("\(packageFolder)/\($0)")) }
        let shown = found.filter { $0.hasSuffix(".md") }.flatMap { page in
            read("\(packageFolder)/\(page)").split(separator: "```yaml\n").dropFirst().compactMap { part -> KeptTest? in
                let block = part.prefix(upTo: part.firstRange(of: "```")?.lowerBound ?? part.endIndex)
                return block.contains("\ncases:\n") ? KeptTest(file: page, text: String(block)) : nil
            }
        }
        return alone + shown
    }()

    /// `text`: what it says instead.
    func reading(_ text: String? = nil) -> TestFileReader.Reading {
        var surroundings = Topology.Surroundings.machine
        let machine = surroundings.bytes
        surroundings.environment = { _ in nil }
        surroundings.bytes = { [file, own = text ?? self.text] path throws(Fault) in
            if path == file { return Array(own.utf8) }
            // What `weir init` is agreed to write carries the verb's name before the topology's.
            let parts = path.split(separator: "/")
            let isDraft = parts.starts(with: ["Tests", "CommandsTests", "Goldens"])
            let folder = parts.dropLast().map { $0 + "/" }.joined()
            return try machine("\(packageFolder)/\(folder)\(isDraft ? "init-" : "")\(parts.last ?? "")")
        }
        return TestFileReader.read(file, from: surroundings)
    }
}

/// An expectation that can't fail shows nothing: each expected value of every test file is altered, one at a time, and the
/// case has to fail at that step, in that part.
struct MutationTests {
    @Test(arguments: KeptTest.all)
    func everyTestFileOfTheRepositoryPasses(kept: KeptTest) throws {
        let reading = kept.reading()
        let test = try #require(reading.test, "\(reading.problems.map { $0.text() })")
        for one in test.cases {
            let result = CaseRunner.run(one, of: test)
            #expect(result.isOK, "\(kept.file):\(one.place.line) \(one.name): \(result)")
        }
    }

    @Test func everyAlteredExpectationFails() async throws {
        var counts: [Mutant.Kind: Int] = [:]
        var subjects: [String: Int] = [:]
        let files = Set(KeptTest.all.map(\.file))
        for file in [
            "topologies/product-usage.test.yaml", "Tests/CommandsTests/Goldens/init-segment.test.yaml", "docs/testing.md",
        ] {
            #expect(files.contains(file))
        }
        for kept in KeptTest.all {
            let test = try #require(kept.reading().test, "\(kept.file)")
            for mutant in await expectEveryMutantFails(of: test) {
                counts[mutant.kind, default: 0] += 1
                subjects[mutant.subject, default: 0] += 1
            }
        }
        for kind in Mutant.Kind.allCases { #expect(counts[kind, default: 0] >= 5, "\(kind): \(counts)") }
        for subject in ["rows", "latest", "late", "dead_letters", "outcomes", "watermark", "freshness"] {
            #expect(subjects[subject, default: 0] >= 5, "\(subject): \(subjects)")
        }
        #expect(counts.values.reduce(0, +) > 3_000, "\(counts)")
    }

    /// The same through the reader: of a file in which one word is another, exactly the case that has it fails.
    @Test func anAlteredTextFailsOneCase() throws {
        let changes = [
            ("final: true", "final: false"), ("revision: 1", "revision: 3"), ("read: ", "read: 1"),
            (" duplicate: ", " duplicate: 1"),
            ("rows: []", "rows: [{final: true}]"), ("late_by: ", "late_by: 1"), ("reason: undecodable", "reason: tombstone"),
            ("watermark: 20", "watermark: 21"), ("watermark: null", "watermark: 0"),
        ]
        var altered = 0
        for kept in KeptTest.all {
            let (file, whole) = (kept.file, kept.text)
            for (old, new) in changes {
                for place in whole.ranges(of: old) {
                    let line = whole[..<place.lowerBound].count { $0 == "\n" } + 1
                    let start = whole[..<place.lowerBound].lastIndex(of: "\n") ?? whole.startIndex
                    if whole[start..<place.lowerBound].contains("#") { continue }
                    let reading = kept.reading(whole.replacingCharacters(place, with: new))
                    guard let test = reading.test else {
                        Issue.record("\(file):\(line) \(new): \(reading.problems.map { $0.text() })")
                        continue
                    }
                    let failed = test.cases.filter { !CaseRunner.run($0, of: test).isOK }
                    let holder = test.cases.last { $0.place.line <= line }
                    #expect(failed.map(\.name) == [holder?.name], "\(file):\(line) \(old) to \(new)")
                    altered += 1
                }
            }
        }
        #expect(altered >= 100)
    }
}

/// Runs each case with each of its expected values altered; gives what was altered.
@discardableResult
func expectEveryMutantFails(of test: TestFile) async -> [Mutant] {
    let mutants = test.cases.flatMap(Mutant.all)
    #expect(mutants.count >= test.cases.count * 3, "\(test.file)")
    let shares = 4
    await withTaskGroup(of: Void.self) { group in
        for share in 0..<shares {
            group.addTask {
                for at in stride(from: share, to: mutants.count, by: shares) {
                    let mutant = mutants[at]
                    let failure = CaseRunner.run(mutant.altered, of: test).failure
                    #expect(
                        failure?.step == mutant.step && failure?.fault == nil
                            && failure?.differences.map(\.subject) == [mutant.subject],
                        "\(test.file):\(mutant.line) \(mutant.subject): \(mutant.what) is not told")
                }
            }
        }
    }
    return mutants
}
