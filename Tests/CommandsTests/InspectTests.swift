import Foundation
import Glibc
import Model
import Testing
import Testkit

@testable import Commands

/// One record of the inspected job, and what it says.
private struct Visit {
    var page: String
    var user: Int
    var ms: Double
}

private let visits: [[Visit]] = (0..<2).map { partition in
    (0..<400).map { at in
        Visit(page: "p\((at * 7 + partition) % 5)", user: (at * (partition + 3)) % 150, ms: Double((at * 37) % 1_000) / 4)
    }
}

private struct InspectedJob {
    let folder: Scratch
    let file: String

    init() throws {
        folder = Scratch()
        for (partition, visits) in visits.enumerated() {
            let lines = visits.enumerated().map { at, visit in
                "{\"ts\":\(60_000 + at),\"page\":\"\(visit.page)\",\"user\":\(visit.user),\"ms\":\(visit.ms)}\n"
            }
            _ = try folder.file("\(partition).ndjson", lines.joined())
        }
        file = try folder.file(
            "t.yaml",
            """
            name: visits
            source: {files: ["\(folder.path)/0.ndjson", "\(folder.path)/1.ndjson"]}
            fields:
              ts: {type: timestamp, unit: ms, required: true}
              page: {type: string, required: true}
              user: {type: int}
              ms: {type: double}
            event_time: {field: ts, out_of_orderness: 5s}
            aggregates:
              per_minute:
                window: {tumbling: 1m}
                group_by: [page]
                measures:
                  visits: count()
                  total: sum(ms)
                  users: approx_distinct(user)
                  sure_users: exact_distinct(user, 1000)
                  few_users: exact_distinct(user, 3)
                  ms: quantile(ms, 0.5)
                  often: top(user, 3)
                  slow: largest(ms, 3)
                  slow_values: largest_distinct(ms, 3)
            state: {directory: \(folder.path)/state}
            """)
    }

    func run(_ until: String) throws {
        let answer = try WeirProcess(["run", file, "--until", until, "--json", "--quiet"]).end(within: 60)
        #expect(answer.exit == 0, "\(answer.error)")
    }

    /// The rows of a query as JSON values.
    func rows(_ query: String) throws -> [[JSONCell]] {
        let answer = said("inspect", file, query, "--json")
        try #require(answer.exit == 0, "\(answer.out)\(answer.error)")
        return try JSONDecoder().decode(InspectedAnswer.self, from: Data(answer.out.utf8)).rows
    }
}

private struct InspectedAnswer: Decodable {
    var commit: Int64?
    var rows: [[JSONCell]]
}

private enum JSONCell: Decodable, Equatable {
    case null
    case number(Double)
    case text(String)

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let number = try? single.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try single.decode(String.self))
        }
    }
}

/// What a page's row should hold, computed from the records.
private func expected(_ page: String) -> [JSONCell] {
    let own = visits.joined().filter { $0.page == page }
    let users = Dictionary(grouping: own, by: \.user).mapValues(\.count)
    let sorted = own.map(\.ms).sorted()
    let often = users.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }.prefix(3)
    func list(_ values: [Double]) -> JSONCell { .text("[\(values.prefix(3).map { "\($0)" }.joined(separator: ","))]") }
    return [
        .text(page), .number(Double(own.count)), .number(own.reduce(0) { $0 + $1.ms }), .number(Double(users.count)),
        .number(Double(users.count)), .null, .number(sorted[(sorted.count + 1) / 2 - 1]),
        .text("[\(often.map { "{\"value\":\($0.key),\"count\":\($0.value)}" }.joined(separator: ","))]"),
        list(sorted.reversed()), list(Set(sorted).sorted(by: >)),
    ]
}

@Test func openWindowsOfAllPartitionsMergeIntoWhatTheRowWillSay() throws {
    let job = try InspectedJob()
    try job.run("now")
    let merged = """
        SELECT page, sum(visits), sum(total), distinct(merge(users)), distinct(merge(sure_users)), distinct(merge(few_users)),
            quantile(merge(ms), 0.5), top(merge(often), 3), largest(merge(slow)), largest(merge(slow_values))
        FROM live_per_minute WHERE window_start = 60000 AND window_end = 120000 GROUP BY page ORDER BY page
        """
    let right = (0..<5).map { expected("p\($0)") }
    // A quantile of more than 64 values is told within 1 %.
    func isRight(_ rows: [[JSONCell]]) -> Bool {
        rows.count == right.count
            && zip(rows, right).allSatisfy { row, right in
                row.count == right.count
                    && zip(row, right).enumerated().allSatisfy { at, pair in
                        guard at == 6, case .number(let a) = pair.0, case .number(let b) = pair.1 else { return pair.0 == pair.1 }
                        return abs(a - b) <= 0.01 * abs(b)
                    }
            }
    }
    let open = try job.rows(merged)
    #expect(isRight(open), "\(open)\n\(right)")
    #expect(try job.rows("SELECT count(*), count(DISTINCT input_topic) FROM live_per_minute") == [[.number(10), .number(2)]])
    #expect(try job.rows("SELECT count(*) FROM results.per_minute") == [[.number(0)]])
    // A sketch alone, of one partition.
    let alone = try job.rows("SELECT distinct(sure_users) FROM live_per_minute WHERE page = 'p0' ORDER BY input_topic")
    #expect(
        alone
            == visits.map { [.number(Double(Set($0.filter { $0.page == "p0" }.map(\.user)).count))] })
    try job.run("end")
    let closed = try job.rows(
        "SELECT page, visits, total, users, sure_users, few_users, ms, often, slow, slow_values FROM per_minute ORDER BY page")
    #expect(isRight(closed), "\(closed)\n\(right)")
    #expect(closed.map { $0[6] } == open.map { $0[6] })
    #expect(try job.rows("SELECT count(*) FROM live_per_minute") == [[.number(0)]])
    #expect(try job.rows("SELECT sum(read), sum(aggregated) FROM books") == [[.number(800), .number(800)]])
}

/// Cells of one size stand together in state; what is read is each of them once, and the newer one where a cell has an entry of its own.
@Test func cellsThatStandTogetherAreReadOneByOne() throws {
    let job = try InspectedJob()
    let file = try job.folder.file(
        "plain.yaml",
        """
        name: plain
        source: {files: ["\(job.folder.path)/0.ndjson", "\(job.folder.path)/1.ndjson"]}
        fields:
          ts: {type: timestamp, unit: ms, required: true}
          user: {type: int}
          ms: {type: double}
        event_time: {field: ts, out_of_orderness: 5s}
        aggregates:
          per_user:
            window: {tumbling: 1m}
            group_by: [user]
            measures: {visits: count(), total: sum(ms)}
        state: {directory: \(job.folder.path)/plain}
        """)
    #expect(try WeirProcess(["run", file, "--until", "now", "--quiet"]).end(within: 60).exit == 0)
    func rows(_ query: String) throws -> [[JSONCell]] {
        let answer = said("inspect", file, query, "--json")
        try #require(answer.exit == 0, "\(answer.out)\(answer.error)")
        return try JSONDecoder().decode(InspectedAnswer.self, from: Data(answer.out.utf8)).rows
    }
    let all = visits.joined()
    let right = Dictionary(grouping: all, by: \.user).sorted { $0.key < $1.key }.map { user, visits -> [JSONCell] in
        [.number(Double(user)), .number(Double(visits.count)), .number(visits.reduce(0) { $0 + $1.ms })]
    }
    let query = "SELECT user, sum(visits), sum(total) FROM live_per_user GROUP BY user ORDER BY user"
    #expect(try rows(query) == right)
    #expect(try rows("SELECT count(*) > 0 FROM main.state WHERE substr(key, 1, 1) = x'61'") == [[.number(1)]])
    let count = try rows("SELECT count(*) FROM live_per_user")
    // The first cell of each page as one of its own: its group's length stands before the group, in two bytes.
    let database = "\(job.folder.path)/plain/state.db"
    let put = """
        INSERT INTO state SELECT lane, CAST(x'63' || substr(key, 2, 10) || substr(value, 3, 9) AS BLOB),
            CAST(substr(value, 12, 32) AS BLOB)
        FROM state WHERE substr(key, 1, 1) = x'61' AND substr(value, 1, 2) = x'0900'
        """
    #expect(system("sqlite3 '\(database)' \"\(put)\"") == 0)
    #expect(try rows("SELECT count(*) > 0 FROM main.state WHERE substr(key, 1, 1) = x'63'") == [[.number(1)]])
    #expect(try rows("SELECT count(*) FROM live_per_user") == count)
    #expect(try rows(query) == right)
}

@Test func whatThereIsToReadIsListed() throws {
    let job = try InspectedJob()
    try job.run("now")
    let list = said("inspect", job.file)
    #expect(list.exit == 0)
    #expect(
        list.out.contains(
            "  live_per_minute\n    input_topic, input_partition, window_start, window_end, page, records, visits, total, users (sketch), "
                + "sure_users (sketch), few_users (sketch), ms (sketch), often (sketch), slow (sketch), slow_values (sketch)\n"))
    #expect(list.out.contains("  results.per_minute\n    row_key, window_start, window_end, page, visits, total, users,"))
    #expect(list.out.contains("  books\n") && list.out.contains("  merge(sketch)"))
    let json = said("inspect", job.file, "--json")
    #expect(json.exit == 0 && json.out.contains(#"{"name":"live_per_minute","columns":["input_topic","#))
    // An aggregate that was edited since is not read by the wrong measures.
    let edited = read(job.file).replacing("visits: count()", with: "visits: count(user)")
    let other = try job.folder.file("other.yaml", edited)
    let told = said("inspect", other)
    #expect(told.exit == 0 && told.out.contains("  not shown: per_minute: the state was made by another version of it\n"))
    #expect(said("inspect", other, "SELECT * FROM live_per_minute").exit == 2)
    let renamed = try job.folder.file("renamed.yaml", read(job.file).replacing("name: visits", with: "name: others"))
    let refused = said("inspect", renamed)
    #expect(refused.exit == 5 && refused.error.contains("state_of_other_topology") && refused.error.contains("--state"))
}

@Test func theFormsOfAnAnswerAreAsAgreed() throws {
    let job = try InspectedJob()
    try job.run("now")
    let query = "SELECT 1 AS one, NULL AS none, 2.5 AS half, 'a \"b\", c' AS text, '' AS empty, x'00ff' AS bytes"
    let table = said("inspect", job.file, query)
    #expect(
        table.out
            == "one  none  half  text      empty  bytes\n  1     –   2.5  a \"b\", c         x'00ff'\n")
    #expect(
        table.error.hasPrefix("1 row as of commit ") && table.error.hasSuffix("; what came since is in the service's memory\n"))
    let csv = said("inspect", job.file, query, "--csv")
    #expect(csv.out == "one,none,half,text,empty,bytes\r\n1,,2.5,\"a \"\"b\"\", c\",\"\",00ff\r\n")
    let json = said("inspect", job.file, query, "--json")
    #expect(json.error == "")
    #expect(
        json.out.hasSuffix(
            #""columns":["one","none","half","text","empty","bytes"],"rows":[[1,null,2.5,"a \"b\", c","","00ff"]]}"# + "\n"))
    #expect(said("inspect", job.file, query, "--csv", "--json").exit == 2)
    let wrong = said("inspect", job.file, "SELECT nowhere")
    #expect(wrong.exit == 2 && wrong.error.contains("no such column: nowhere") && wrong.error.contains("query, byte 8"))
    let writing = said("inspect", job.file, "DELETE FROM books")
    #expect(writing.exit == 2 && writing.error.contains("inspect_not_a_query"))
    let kind = said("inspect", job.file, "SELECT quantile(users, 0.5) FROM live_per_minute")
    #expect(kind.exit == 2 && kind.error.contains("it takes what quantile keeps, and this is of approx_distinct"))
    for share in ["1.5", "-0.1", "'a'", "NULL"] {
        #expect(said("inspect", job.file, "SELECT quantile(ms, \(share)) FROM live_per_minute").exit == 2)
    }
    #expect(said("inspect", job.file, "SELECT distinct(x'010203')").exit == 2)
    #expect(
        said(
            "inspect", job.file,
            "SELECT merge(s) FROM (SELECT users AS s FROM live_per_minute UNION SELECT ms FROM live_per_minute)"
        ).exit == 2)
    #expect(said("inspect", job.file, "SELECT distinct(NULL)").exit == 0)
    // As a word of SQL's it stays what it is.
    #expect(
        said("inspect", job.file, "SELECT DISTINCT page FROM live_per_minute ORDER BY 1 LIMIT 1", "--csv").out == "page\r\np0\r\n"
    )
    #expect(said("inspect", job.file, "SELECT 'distinct(' AS a", "--csv").out == "a\r\ndistinct(\r\n")
    let nowhere = said("inspect", job.file, "SELECT 1", "--state", "\(job.folder.path)/nowhere")
    #expect(nowhere.exit == 5 && nowhere.error.contains("inspect_no_state") && nowhere.error.contains("weir run"))
}

@Test func aRunningServiceIsReadWhileItWrites() throws {
    let folder = Scratch()
    let file = try folder.file(
        "t.yaml",
        """
        name: busy
        source: {generator: {rate: 3000/s, seed: 1, partitions: 2}}
        fields:
          ts: {type: timestamp, unit: ms, required: true}
          event: {type: string, required: true}
          event_id: {type: uuid, required: true}
          duration_ms: {type: double, required: true}
        event_time: {field: ts, out_of_orderness: 10s}
        aggregates:
          per_hour:
            window: {tumbling: 1h}
            group_by: [event]
            measures: {events: count(), ids: approx_distinct(event_id), ms: "quantile(duration_ms, 0.9)"}
        commit: {every: 100ms}
        state: {directory: \(folder.path)/state}
        """)
    let process = try WeirProcess(["run", file])
    func total() -> (events: Int64, read: Int64, commit: Int64)? {
        let answer = said(
            "inspect", file,
            "SELECT (SELECT sum(events) FROM live_per_hour), (SELECT sum(aggregated) FROM books), distinct(merge(ids)) FROM live_per_hour",
            "--json")
        guard answer.exit == 0, let data = try? JSONDecoder().decode(InspectedAnswer.self, from: Data(answer.out.utf8)),
            case .number(let events)? = data.rows.first?[0], case .number(let read)? = data.rows.first?[1], events > 0
        else { return nil }
        return (Int64(events), Int64(read), data.commit ?? 0)
    }
    var seen: [(events: Int64, read: Int64, commit: Int64)] = []
    while seen.count < 3 {
        let last = seen.last?.commit ?? 0
        seen.append(try eventually("a later commit", within: 60) { total().flatMap { $0.commit > last ? $0 : nil } })
    }
    // Each is one moment: what the books say is in the windows.
    for one in seen { #expect(one.events == one.read) }
    process.signal(SIGTERM)
    #expect(try process.end(within: 20).exit == 0)
}
