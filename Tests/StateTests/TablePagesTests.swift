import Model
import Testing
import Testkit

@testable import State

/// Rows of tables go through the outbox by the page.
struct TablePagesTests {
    @Test func rowsOfManyPagesArriveEachInItsTableAndInTheirOrder() throws {
        let outputs = [
            usage("usage", targets: [.table(name: "usage", keep: nil), .table(name: "again", keep: nil)]),
            usage("other", targets: [.table(name: "other", keep: nil)]),
        ]
        let scratch = Scratch()
        var rows: [Row] = []
        for number in Int64(0)..<2_000 {
            var other = row(number % 7 == 0 ? nil : "Ü\(number)", start: number * 60_000, count: number)
            rows.append(other)
            other.output = 1
            rows.append(other)
        }
        var last = rows[0]
        last.revision = 2
        last.measures[0] = .int(77)
        var gone = rows[2]
        gone.revision = 2
        gone.retracted = true
        let sent = rows + [last, gone]
        do {
            let (directory, store) = try open(scratch, plan(aggregates: outputs))
            _ = try ResultsStore(directory: directory, store: store)
            let receipt = try store.commit(commit(1, rows: sent))
            #expect(try store.measurements().outboxBytes == receipt.outboxBytes)
            #expect(try OutboxLevel.read(store.database).bytes == receipt.outboxBytes)
            let entries = try store.database.number("SELECT count(*) FROM table_outbox")
            #expect(entries > 6 && entries < 60)
            // Killed here: the rows are in no table yet.
        }
        let (directory, store) = try open(scratch, plan(aggregates: outputs))
        let results = try ResultsStore(directory: directory, store: store)
        rows[0] = last
        rows.remove(at: 2)
        let first = rows.filter { $0.output == 0 }
        #expect(try results.holds(exactly: first, in: "usage") && results.holds(exactly: first, in: "again"))
        #expect(try results.holds(exactly: (sent.filter { $0.output == 1 }), in: "other"))
        try store.commit(commit(2))
        try store.tend(quiet: true)
        #expect(try store.measurements().outboxBytes == 0)
    }

    @Test func aPageThatIsCutIsRefusedOrEndsBetweenRows() throws {
        var pages = TablePages(plan())
        var gone = row("FR")
        gone.retracted = true
        for row in [row("DE"), gone, row(nil)] {
            let full = pages.add(row, target: 0)
            #expect(full == nil)
        }
        let begun = pages.rest(output: 0, target: 0)
        let page = try #require(begun)
        let more = pages.rest(output: 0, target: 0)
        #expect(more == nil)
        func read(_ bytes: [UInt8]) -> (rows: [[[UInt8]]], isDamaged: Bool) {
            bytes.withUnsafeBytes { bytes in
                var reader = TablePages.Reader(bytes)
                var rows: [[[UInt8]]] = []
                while let (key, row) = reader.next() { rows.append([Array(key), Array(row)]) }
                return (rows, reader.isDamaged)
            }
        }
        let whole = read(page)
        #expect(!whole.isDamaged && whole.rows.count == 3 && whole.rows[1][1].isEmpty)
        var ends = 0
        for length in 0..<page.count {
            let part = read(Array(page[..<length]))
            #expect(whole.rows.starts(with: part.rows))
            if !part.isDamaged { ends += 1 }
        }
        #expect(ends == 3)
    }
}
