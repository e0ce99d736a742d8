import Testing
import Testkit

@testable import Topology

/// Broken topology files: whatever comes, the reader ends with a plan or with problems that have their place in the file.
@Suite struct MutationTests {
    private static let wholes: [[UInt8]] = [
        Array(
            small(
                fields: "u: {type: uuid, required: true}\nat: {type: timestamp, zone: Europe/Berlin, path: a.b}",
                aggregate: "where: s IN ('a', NULL) AND NOT (i < 2.5 OR d >= 1e3)\ngroup_by: [s, b]\nallowed_lateness: 10m",
                more: "filter: s != 'x' AND i IS NOT NULL\ndeduplicate: {key: [id], within: 15m}\ncommit: {every: 250ms}"
            ).utf8),
        Array(small(source: "{files: [\"data/*.zst\"]}", more: "filter: |-\n  b\n  OR i = ${N:-1}\nlate: ledger").utf8),
    ]

    /// What mutations put in: the signs that mean something to YAML or to expressions, and bytes that break both.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", ": ", ", ", "- ", "\"", "'", "&a ", "*a ", "<<: ", "!!int ", "|\n", ">-\n", "#", "\n", "\n  ",
            "\t",
            "? ", "${", "${file:", "}", "---\n", "...\n", "%YAML 1.1\n", "~", "null", "(", ")", "NOT ", " AND ", "((((", "-",
            "1e",
            "0x", "99999999999999999999", "5m", "é", "\u{FEFF}", "\u{2028}",
        ].map { Array($0.utf8) } + [[0], [0x80], [0xC3], [0xED, 0xA0, 0x80], [0xFF], [0x0D]]

    @Test func theFilesAreWholeBeforeTheyAreBroken() {
        for bytes in Self.wholes { #expect(texts(read(bytes: ["t.yaml": bytes], order: ["t.yaml"])) == []) }
    }

    private static func mutated(_ random: inout SplitMix, _ seeds: [[UInt8]]) -> [UInt8] {
        func below(_ n: Int) -> Int { Int(random.next() % UInt64(max(n, 1))) }
        var file = seeds[below(seeds.count)]
        // Half of the files get one wound only: more leave few that can still be read.
        for _ in 0...(below(2) * below(4)) {
            let at = below(file.count + 1)
            switch below(10) {
            case 0 where at < file.count: file.remove(at: at)
            case 1 where at < file.count: file[at] = UInt8(truncatingIfNeeded: random.next())
            case 2: file.removeSubrange(at..<min(file.count, at + below(30)))
            case 3:
                let other = below(file.count + 1)
                file.insert(contentsOf: Array(file[min(at, other)..<max(at, other)].prefix(60)), at: below(file.count + 1))
            case 7, 8:
                // Another number: what is still YAML goes on to the checks of the plan.
                let digits = file.indices.filter { (0x30...0x39).contains(file[$0]) }
                if !digits.isEmpty { file[digits[below(digits.count)]] = 0x30 + UInt8(below(10)) }
            case 4 where at < file.count: file[at] ^= 1 << UInt8(below(8))
            default: file.insert(contentsOf: pieces[below(pieces.count)], at: at)
            }
        }
        return file
    }

    @Test(arguments: FuzzSeeds.of([1, 2]))
    func everyMutatedFileEndsWithAPlanOrWithProblems(_ seed: UInt64) throws {
        let goldens = try GoldenTests.names.map { try FileBytes.read("\(GoldenTests.folder)/\($0).yaml") }
        // The goldens are all wrong to begin with; the whole ones come three times as often as all of them together.
        let seeds = goldens + (0..<goldens.count * 3).map { Self.wholes[$0 % Self.wholes.count] }
        var random = SplitMix(seed: seed)
        var plans = 0
        let files = 400
        for _ in 0..<files {
            let bytes = Self.mutated(&random, seeds)
            let text = "seed \(seed): \(String(decoding: bytes, as: UTF8.self))"
            let reading = read(bytes: ["t.yaml": bytes], order: ["t.yaml"])
            plans += reading.plan == nil ? 0 : 1
            let hasError = reading.problems.contains { $0.severity == .error }
            #expect((reading.plan == nil) == hasError, "\(text)")
            #expect(reading.problems.allSatisfy { $0.place.line >= 1 && $0.place.column >= 1 && !$0.what.isEmpty }, "\(text)")
        }
        // The mutations must reach both sides.
        #expect((files / 50...files * 49 / 50).contains(plans), "\(plans)")
    }
}
