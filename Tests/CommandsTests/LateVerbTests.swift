import Model
import Testing
import Testkit

@testable import Commands

/// `weir late` on a file that was read: what it lists, shows and counts, with its exit codes.
struct LateVerbTests {
    private let folder = Scratch()
    private let file: String

    init() throws {
        let folder = folder
        let lines = [
            #"{"at":"2026-03-02T10:05:00Z","shop":"north"}"#, #"{"at":"2026-03-02T12:00:00Z","shop":"north"}"#,
            #"{"at":"2026-03-02T10:06:00Z","shop":"south"}"#, #"{"at":"2026-03-02T10:20:00Z","shop":"north"}"#,
        ]
        _ = try folder.file("in.ndjson", lines.joined(separator: "\n") + "\n")
        file = try folder.file(
            "t.yaml",
            """
            name: late
            source: {files: ["\(folder.path)/in.ndjson"]}
            fields:
              at: {type: timestamp, required: true}
              shop: {type: string}
            event_time: {field: at}
            aggregates:
              sales: {window: {tumbling: 15m}, group_by: [shop], measures: {sales: count()}}
              visits: {window: {session: 5m}, group_by: [shop], measures: {sales: count()}}
            state: {directory: "\(folder.path)/state", keep_closed: 102m}
            """)
        _ = try WeirProcess(["run", file, "--until", "now", "--quiet"]).end(within: 30)
    }

    @Test func entriesAreListedByTheirNumbers() throws {
        let answer = said("late", "list", file, "--output", "sales")
        #expect(answer.exit == 0)
        let rows = answer.out.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(
            rows.count == 3 && rows[1][1...5] == ["sales", "2026-03-02T10:00:00.000Z", "2026-03-02T10:06:00.000Z", "1h", "45m"])
        #expect(rows[1].last == "\(folder.path)/in.ndjson/0@2" && rows[2].last == "\(folder.path)/in.ndjson/0@3")
        let first = said("late", "list", file, "--limit", "1", "--json")
        #expect(first.out.hasPrefix(#"{"entries":[{"number":"#) && !first.out.hasSuffix("\"next\":null}\n"))
        #expect(said("late", "list", file, "--partition", "elsewhere:0").out == "no late events\n")
        #expect(said("late", "list", file, "--since", "2999-01-01T00:00:00Z", "--json").out == "{\"entries\":[],\"next\":null}\n")
    }

    @Test func oneIsShownWithItsRecordReadAgain() throws {
        let number = try #require(numbers(of: "sales").first)
        let answer = said("late", "show", file, number)
        #expect(answer.exit == 0)
        #expect(answer.out.contains("last window    2026-03-02T10:00:00.000Z to 2026-03-02T10:15:00.000Z\n"))
        #expect(answer.out.contains("late by        1h 45m\n") && answer.out.contains("applied again  no\n"))
        #expect(answer.out.contains(#"record         {"at":"2026-03-02T10:06:00Z","shop":"south"}"#))
        let json = said("late", "show", file, number, "--json")
        #expect(JSONTree(json.out.utf8)?["record"]?["payload"]?.text == #"{"at":"2026-03-02T10:06:00Z","shop":"south"}"#)
        #expect(said("late", "show", file, "999").exit == 1)
    }

    @Test func whatIsCountedIsToldAndWhatIsNot() throws {
        let all = said("late", "reapply", file, "--all")
        #expect(all.exit == 1)
        #expect(all.out.hasPrefix("2 counted\n2 not counted: their windows closed too long ago\n"))
        let number = try #require(numbers(of: "sales").last)
        let again = said("late", "reapply", file, number, "999", "--json")
        #expect(again.exit == 1)
        let tree = try #require(JSONTree(again.out.utf8))
        #expect(tree["already"]?.int == 1 && tree["counted"]?.int == 0 && tree["missing"]?.items == [.number("999")])
        let rest = said("late", "reapply", file, "--output", "visits")
        #expect(rest.exit == 1 && rest.out.hasPrefix("1 not counted: their windows closed too long ago\n"))
        #expect(
            said("late", "reapply", file, "--output", "sales", "--since", "2999-01-01T00:00:00Z").out
                == "nothing to apply again\n")
        for output in ["sales", "visits"] {
            let rows = said("late", "list", file, "--output", output).out.split(separator: "\n").dropFirst()
            #expect(rows.map { $0.hasSuffix("counted") } == [false, true])
        }
    }

    @Test(arguments: [
        ["late", "list"], ["late", "count", "t.yaml"], ["late", "show", "t.yaml"], ["late", "reapply", "t.yaml"],
        ["late", "list", "t.yaml", "7"], ["late", "reapply", "t.yaml", "seven"], ["late", "list", "t.yaml", "--partition", "x"],
        ["late", "list", "t.yaml", "--output", "nothing"],
    ])
    func wrongUseEndsWithTwo(words: [String]) {
        #expect(said(words.map { $0 == "t.yaml" ? file : $0 }).exit == 2)
    }

    private func numbers(of output: String) -> [String] {
        let tree = JSONTree(said("late", "list", file, "--output", output, "--json").out.utf8)
        return (tree?["entries"]?.items ?? []).compactMap { $0["number"]?.int.map(String.init) }
    }
}
