import Model
import Testing
import Testkit

@testable import State

struct OutboxTests {
    private let topics = plan(
        aggregates: [usage(targets: [.kafka(topic: "out")])], deadLetters: .topic("dead"))

    private func letter(_ offset: Int64, _ payload: [UInt8]?) -> DeadLetter {
        DeadLetter(offset: offset, reason: .wrongType, field: 1, timestamp: nil, size: 5, payload: payload)
    }

    @Test func rowsAndDeadLettersWaitUntilTheyAreDeliveredAndComeAgainAfterACrash() throws {
        let scratch = Scratch()
        let key = bytes(#"{"window_start":0,"window_end":60000,"country":null,"size":7}"#)
        do {
            let (_, store) = try open(scratch, topics)
            try store.commit(
                commit(1, [lane(deadLetters: [letter(3, bytes("{")), letter(4, nil)])], rows: [row(nil), row("DE")]))
            let rows = try store.pendingTopicRows(after: 0, limit: 10)
            #expect(rows.map(\.topic) == ["out", "out"])
            #expect(rows.map(\.output) == ["usage", "usage"])
            #expect(rows.first?.key == key)
            #expect(
                rows.first.map { String(decoding: $0.value, as: UTF8.self) }
                    == #"{"window_start":0,"window_end":60000,"country":null,"size":7,"events":1,"total":10,"mean":0.5,"#
                    + #""revision":1,"final":false,"as_of":0}"#)
            let letters = try store.pendingDeadLetters(after: 0, limit: 10)
            #expect(
                letters == [
                    PendingDeadLetter(
                        sequence: letters[0].sequence, commit: 1, topic: "dead", reason: "wrong_type", partition: partition,
                        offset: 3,
                        timestamp: nil, size: 5, payload: bytes("{")),
                    PendingDeadLetter(
                        sequence: letters[0].sequence + 1, commit: 1, topic: "dead", reason: "wrong_type", partition: partition,
                        offset: 4, timestamp: nil, size: 5, payload: nil),
                ])
            #expect(try store.pendingTopicRows(after: rows[0].sequence, limit: 10) == [rows[1]])
            #expect(try store.pendingTopicRows(after: 0, limit: 1) == [rows[0]])
            store.topicRowsDelivered(through: rows[0].sequence)
            store.deadLettersDelivered(through: letters[0].sequence)
            #expect(try store.pendingTopicRows(after: 0, limit: 10) == [rows[1]])
            // Dies before a commit could take them out.
            let (_, again) = try open(scratch.copy(), topics)
            #expect(try again.pendingTopicRows(after: 0, limit: 10) == rows)
            #expect(try again.pendingDeadLetters(after: 0, limit: 10) == letters)
            try store.commit(commit(2))
            let (_, later) = try open(scratch.copy(), topics)
            #expect(try later.pendingTopicRows(after: 0, limit: 10) == [rows[1]])
            #expect(try later.pendingDeadLetters(after: 0, limit: 10) == [letters[1]])
        }
    }

    @Test func tooMuchThatWaitsAsksTheInputToStop() throws {
        let scratch = Scratch()
        let (_, store) = try open(scratch, topics)
        let big = [UInt8](repeating: 7, count: 16 << 20)
        let receipts = try (Int64(1)...4).map { number in
            try store.commit(commit(number, [lane(deadLetters: [letter(number, big)])]))
        }
        #expect(receipts.map(\.holdInput) == [false, false, false, true])
        let last = try #require(try store.pendingDeadLetters(after: 0, limit: 10).last)
        store.deadLettersDelivered(through: last.sequence)
        let after = try store.commit(commit(5))
        #expect(after == CommitReceipt(duration: .zero, outboxBytes: 0, holdInput: false))
    }

    @Test func aRowsBytesGiveItsValuesBack() {
        let values: [Value] = [
            .null, .bool(true), .bool(false), .int(.min), .wide(Int128.min), .wide(5), .double(-0.0), .double(.infinity),
            .string(""),
            .string("n\u{301}\0x"), .uuid(high: 1, low: .max), .time(at(-1)),
        ]
        let encoded = RowBytes.encode(values)
        #expect(decoded(encoded) == values)
        // Cut anywhere, the bytes are refused or give a beginning of the values; they never give others.
        for length in 0..<encoded.count {
            let part = decoded(Array(encoded[..<length]))
            #expect(part.map { values.starts(with: $0) } ?? true)
        }
    }
}

private func decoded(_ bytes: [UInt8]) -> [Value]? {
    bytes.withUnsafeBytes { bytes in
        var values: [Value] = []
        let count = RowBytes.each(bytes) { at, item in
            #expect(at == values.count)
            switch item {
            case .value(let value): values.append(value)
            case .text(let text): values.append(.string(String(decoding: text, as: UTF8.self)))
            }
        }
        return count == values.count ? values : nil
    }
}
