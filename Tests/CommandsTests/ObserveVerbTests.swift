import Model
import Testing
import Testkit

@testable import Commands

/// `weir observe` on a file that was read: what it says, what stands, and what the next run makes of it.
struct ObserveVerbTests {
    private let folder = Scratch()
    private let file: String

    init() throws {
        let folder = folder
        file = try folder.file("t.yaml", Self.topology(folder.path))
        try append([1, 1, 2])
        _ = try WeirProcess(["run", file, "--until", "now", "--quiet"]).end(within: 30)
    }

    private static func topology(_ path: String, deduplicate: String = "deduplicate: {key: [id], within: 1d}") -> String {
        """
        name: observed
        source: {files: ["\(path)/*.ndjson"]}
        fields: {at: {type: timestamp, required: true}, id: {type: int}}
        event_time: {field: at}
        \(deduplicate)
        aggregates:
          sales: {window: {tumbling: 1d}, measures: {sales: count()}}
        state: {directory: "\(path)/state"}
        """
    }

    /// A file more; what is read of it is judged by what stands then.
    private func append(_ ids: [Int], name: String = "a") throws {
        let lines = ids.map { #"{"at":"2026-03-02T10:05:00Z","id":\#($0)}"# }
        _ = try folder.file("\(name).ndjson", lines.joined(separator: "\n") + "\n")
    }

    private func run() throws -> JSONTree {
        let end = try WeirProcess(["run", file, "--until", "now", "--json"]).end(within: 30)
        return try #require(end.out.split(separator: "\n").last.flatMap { JSONTree($0.utf8) })
    }

    @Test func theNextRunHeedsIt() throws {
        #expect(said("observe", "on", file).exit == 0)
        try append([3, 3, 4], name: "b")
        let books = try #require(try run()["books"])
        #expect(books["read"]?.int == 6 && books["duplicate"]?.int == 1 && books["duplicate_observed"]?.int == 1)
        #expect(said("observe", "reset", file).exit == 0)
        try append([5, 5, 5], name: "c")
        let after = try #require(try run()["books"])
        #expect(after["read"]?.int == 9 && after["duplicate"]?.int == 3 && after["duplicate_observed"]?.int == 1)
    }

    @Test func anOrderStandsUntilTheNextOneWhateverTheFileSays() throws {
        let on = said("observe", "on", file)
        #expect(on.exit == 0)
        let shown = try #require(JSONTree(said("observe", "show", file, "--json").out.utf8))
        #expect(shown["observe"]?.flag == true && shown["topology"]?.flag == false && shown["ordered_at"]?.int != nil)
        #expect(said("observe", "show", file).out.hasPrefix("copies are let pass by order since 2"))
        #expect(on.out.hasPrefix("copies are let pass from commit "))
        #expect(on.out.hasSuffix(" on, until the next order; they were dropped before\n"))
        let again = said("observe", "on", file, "--json")
        let tree = try #require(JSONTree(again.out.utf8))
        #expect(tree["order"]?.text == "on" && tree["observe"]?.flag == true && tree["before"]?.flag == true)
        let off = try #require(JSONTree(said("observe", "off", file, "--json").out.utf8))
        #expect(off["observe"]?.flag == false && off["before"]?.flag == true)
        // The file is changed: the order stands, and `reset` gives the word back to the file.
        let changed = Self.topology(folder.path, deduplicate: "deduplicate: {key: [id], within: 1d, observe: true}")
        _ = try folder.file("t.yaml", changed)
        #expect(said("observe", "show", file).out.hasPrefix("copies are dropped by order since 2"))
        let reset = said("observe", "reset", file)
        #expect(reset.exit == 0 && reset.out.hasSuffix(" on, as the topology says; they were dropped before\n"))
        #expect(reset.out.hasPrefix("copies are let pass from commit "))
        #expect(said("observe", "show", file).out == "copies are let pass, as the topology says\n")
    }

    @Test(arguments: [["observe", "maybe", "t.yaml"], ["observe", "on"], ["observe", "on", "t.yaml", "more"]])
    func wrongUseEndsWithTwo(words: [String]) {
        #expect(said(words.map { $0 == "t.yaml" ? file : $0 }).exit == 2)
    }

    @Test func whereNothingIsDeduplicatedThereIsNothingToLetPass() throws {
        let other = Scratch()
        let plain = try other.file("plain.yaml", Self.topology(other.path, deduplicate: ""))
        _ = try other.file("a.ndjson", "{\"at\":\"2026-03-02T10:05:00Z\",\"id\":1}\n")
        _ = try WeirProcess(["run", plain, "--until", "now", "--quiet"]).end(within: 30)
        let refused = said("observe", "on", plain)
        #expect(refused.exit == 1 && refused.error.contains("observe_no_deduplicate"))
    }
}
