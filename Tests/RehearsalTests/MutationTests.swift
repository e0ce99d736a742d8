import Foundation
import Model
import Testing
import Topology

@testable import Rehearsal

private let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

/// Every test file that is kept in the repository, with the topology's name by which it is found there. What `weir init` is
/// agreed to write carries the verb's name before it.
private let files: [String] = {
    ["topologies", "Tests/CommandsTests/Goldens"].flatMap { folder in
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)")) ?? [])
            .filter { $0.hasSuffix(".test.yaml") }.sorted().map { "\(folder)/\($0)" }
    }
}()

/// `text` is what the file itself holds; nil: what is on the disk.
private func read(_ file: String, text: String? = nil) -> TestFileReader.Reading {
    var surroundings = Topology.Surroundings.machine
    let machine = surroundings.bytes
    surroundings.environment = { _ in nil }
    surroundings.bytes = { path throws(Fault) in
        if path == file, let text { return Array(text.utf8) }
        let whole = "\(root)/\(path)"
        guard path.hasPrefix("Tests/"), path != file else { return try machine(whole) }
        let parts = path.split(separator: "/")
        return try machine("\(root)/\(parts.dropLast().joined(separator: "/"))/init-\(parts.last ?? "")")
    }
    return TestFileReader.read(file, from: surroundings)
}

private func text(_ file: String) throws -> String { try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8) }

/// An expectation that can't fail shows nothing: each expected value of every test file is altered, one at a time, and the
/// case has to fail at that step, in that part.
struct MutationTests {
    @Test(arguments: files)
    func everyTestFileOfTheRepositoryPasses(file: String) throws {
        let reading = read(file)
        let test = try #require(reading.test, "\(reading.problems.map { $0.text() })")
        for one in test.cases {
            let result = CaseRunner.run(one, of: test)
            #expect(result.isOK, "\(file):\(one.place.line) \(one.name): \(result)")
        }
    }

    @Test func everyAlteredExpectationFails() async throws {
        var counts: [Mutant.Kind: Int] = [:]
        var subjects: [String: Int] = [:]
        #expect(files.count >= 5)
        for file in files {
            let test = try #require(read(file).test, "\(file)")
            let mutants = test.cases.flatMap(Mutant.all)
            #expect(mutants.count >= test.cases.count * 3, "\(file)")
            for mutant in mutants {
                counts[mutant.kind, default: 0] += 1
                subjects[mutant.subject, default: 0] += 1
            }
            let shares = 4
            await withTaskGroup(of: Void.self) { group in
                for share in 0..<shares {
                    group.addTask {
                        for at in stride(from: share, to: mutants.count, by: shares) { expectFailure(of: mutants[at], in: test) }
                    }
                }
            }
        }
        for kind in Mutant.Kind.allCases { #expect(counts[kind, default: 0] >= 5, "\(kind): \(counts)") }
        for subject in ["rows", "latest", "late", "dead_letters", "outcomes", "watermark", "freshness"] {
            #expect(subjects[subject, default: 0] >= 5, "\(subject): \(subjects)")
        }
        #expect(counts.values.reduce(0, +) > 500, "\(counts)")
    }

    private func expectFailure(of mutant: Mutant, in test: TestFile) {
        let failure = CaseRunner.run(mutant.altered, of: test).failure
        #expect(
            failure?.step == mutant.step && failure?.fault == nil && failure?.differences.map(\.subject) == [mutant.subject],
            "\(test.file):\(mutant.line) \(mutant.subject): \(mutant.what) is not told")
    }

    /// The same through the reader: of a file in which one word is another, exactly the case that has it fails.
    @Test func anAlteredTextFailsOneCase() throws {
        let changes = [
            ("final: true", "final: false"), ("revision: 1", "revision: 3"), ("read: ", "read: 1"),
            ("duplicate: ", "duplicate: 1"),
            ("rows: []", "rows: [{final: true}]"), ("late_by: ", "late_by: 1"), ("reason: undecodable", "reason: tombstone"),
            ("watermark: 20", "watermark: 21"), ("watermark: null", "watermark: 0"),
        ]
        var altered = 0
        for file in files {
            let whole = try text(file)
            for (old, new) in changes {
                for place in whole.ranges(of: old) {
                    let line = whole[..<place.lowerBound].count { $0 == "\n" } + 1
                    let start = whole[..<place.lowerBound].lastIndex(of: "\n") ?? whole.startIndex
                    if whole[start..<place.lowerBound].contains("#") { continue }
                    let reading = read(file, text: whole.replacingCharacters(in: place, with: new))
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
