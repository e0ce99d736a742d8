public import Freshness
public import Model

/// What `weir status` prints and `/status.txt` answers: the facts of `/status.json` for eyes. What is not known is `-`.
public enum StatusText {
    public static func render(_ facts: Facts, at now: WallTime) -> String {
        [
            head(facts, now), outputs(facts, now), watermark(facts, now), clocks(facts.clocks(at: now)), partitions(facts, now),
            rekeyed(facts), books(facts), CopiesText.copies(facts), CopiesText.badClocks(facts), commits(facts, now),
        ].filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func head(_ facts: Facts, _ now: WallTime) -> String {
        var parts = [printable(facts.topology), facts.state.word]
        if let startedAt = facts.startedAt { parts.append("for \(TimeText.span(now - startedAt))") }
        if let isUp = facts.isBrokerUp { parts.append(isUp ? "broker up" : "broker away") }
        if let rate = facts.recordsPerSecond { parts.append("\(NumberText.grouped(Int64(rate.rounded()))) records/s") }
        parts.append("weir \(printable(facts.version))")
        parts.append(TimeText.utc(now))
        var text = parts.joined(separator: "  ") + "\n"
        if case .waiting(let fault) = facts.state { text += self.fault(fault) }
        return text
    }

    private static func outputs(_ facts: Facts, _ now: WallTime) -> String {
        var table = TextTable([
            ("OUTPUT", .left), ("STATE", .left), ("FRESHNESS", .right), ("TARGET", .right), ("COMPLETE THROUGH", .left),
            ("FINAL THROUGH", .left), ("ROWS", .right), ("WAITING", .right), ("LATE", .right),
        ])
        let refusals = facts.books.lateRefusals
        for (index, output) in facts.outputs.enumerated() {
            let freshness = facts.freshness(of: index, at: now)
            table.row([
                output.name, verdict(freshness.verdict), span(freshness.freshness), span(output.within),
                time(output.progress.completeThrough), time(output.progress.finalThrough), NumberText.grouped(output.rowsEmitted),
                NumberText.grouped(output.rowsWaiting), NumberText.grouped(refusals[index]),
            ])
            if let cause = freshness.cause { table.note(Words.cause(cause)) }
        }
        return table.text
    }

    private static func verdict(_ verdict: OutputFreshness.Verdict) -> String {
        switch verdict {
        case .fresh: "fresh"
        case .late: "LATE"
        case .untargeted: "no target"
        case .nothingYet: "nothing yet"
        case .ended: "ended"
        }
    }

    private static func watermark(_ facts: Facts, _ now: WallTime) -> String {
        "WATERMARK  \(time(facts.watermark))  \(printable(Words.watermark(facts, at: now)))\n"
    }

    private static func clocks(_ clocks: Clocks) -> String {
        var table = TextTable([("CLOCK", .left), ("NOW", .right), ("", .left)])
        table.row(["watermark lag", span(clocks.watermarkLag), "now - combined watermark"])
        table.row(["event lag", span(clocks.eventLag), "now - newest event time"])
        table.row(["queue age", span(clocks.queueAge), "the oldest record not committed"])
        table.row(latency("latency, event", clocks.latencyFromEvent, "event time to emission"))
        table.row(latency("latency, record", clocks.latencyFromRecord, "record timestamp to emission"))
        return table.text
    }

    private static func latency(_ name: String, _ latency: Latency?, _ words: String) -> [String] {
        guard let latency else { return [name, "-", "\(words): no row yet"] }
        let rows = NumberText.grouped(latency.count)
        return [name, span(latency.median), "\(words): the median; 99 % within \(span(latency.p99)); \(rows) rows"]
    }

    private static func partitions(_ facts: Facts, _ now: WallTime) -> String {
        guard !facts.partitions.isEmpty else { return "" }
        var table = TextTable([
            ("PARTITION", .left), ("STATE", .left), ("LAG", .right), ("QUEUE AGE", .right), ("WATERMARK", .left),
            ("NEXT OFFSET", .right), ("READ", .right), ("DUPLICATE", .right), ("LATE", .right), ("REJECTED", .right),
        ])
        for partition in facts.partitions {
            let books = partition.books
            table.row([
                partition.id.description, mark(partition.mark), partition.lag.map(NumberText.grouped) ?? "-",
                span(partition.queueAge(at: now)), time(partition.watermark), String(partition.nextOffset),
                NumberText.grouped(books.read), NumberText.grouped(books.duplicate), NumberText.grouped(books.late),
                NumberText.grouped(books.rejected),
            ])
            if let fault = partition.fault { table.note("\(fault.what) → \(fault.next)") }
        }
        return table.text
    }

    /// What inputs handed on, and what became of it: `partitions` has only what ended before.
    private static func rekeyed(_ facts: Facts) -> String {
        guard !facts.rekeyed.isEmpty else { return "" }
        var table = TextTable([
            ("REKEYED", .left), ("WATERMARK", .left), ("READ", .right), ("AGGREGATED", .right), ("FILTERED", .right),
            ("DUPLICATE", .right), ("LATE", .right),
        ])
        for partition in facts.rekeyed {
            let books = partition.books
            let counts = [books.read, books.aggregated, books.filtered, books.duplicate, books.late]
            table.row([partition.id.description, time(partition.watermark)] + counts.map(NumberText.grouped))
        }
        return table.text
    }

    private static func mark(_ mark: PartitionMark) -> String {
        switch mark {
        case .caughtUp: "caught up"
        case .behind: "behind"
        case .idle: "idle"
        case .stopped: "STOPPED"
        }
    }

    private static func books(_ facts: Facts) -> String {
        let books = facts.books
        var table = TextTable([("BOOKS", .left), ("RECORDS", .right), ("SHARE", .right)])
        for (word, count) in [
            ("aggregated", books.aggregated), ("filtered", books.filtered), ("duplicate", books.duplicate), ("late", books.late),
            ("rejected", books.rejected),
        ] {
            table.row([word, NumberText.grouped(count), share(count, of: books.read)])
            if word == "rejected" && count > 0 { table.note(reasons(books)) }
        }
        table.row(["read", NumberText.grouped(books.read), books.balances ? "adds up" : "DOES NOT ADD UP"])
        let beside = [
            ("redelivered", books.redelivered), ("unidentified", books.unidentified), ("partly late", books.partlyLate),
            ("reapplied", books.reapplied),
            ("duplicate observed", books.duplicateObserved),
        ].filter { $0.1 > 0 }.map { "\($0.0) \(NumberText.grouped($0.1))" }
        if !beside.isEmpty { table.note("beside: " + beside.joined(separator: ", ")) }
        let errors = facts.expressionErrors.filter { $0.errors > 0 }
        if !errors.isEmpty {
            let told = errors.map { "\($0.place) \(NumberText.grouped($0.errors))" }.joined(separator: ", ")
            table.note("expression errors, counted as null: \(told)")
        }
        return table.text
    }

    private static func reasons(_ books: Books) -> String {
        RejectReason.allCases.compactMap { reason in
            let count = books.rejectedByReason[Int(reason.rawValue)]
            return count > 0 ? "\(reason.word) \(NumberText.grouped(count))" : nil
        }.joined(separator: ", ")
    }

    private static func share(_ count: Int64, of read: Int64) -> String {
        read == 0 ? "-" : "\(NumberText.oneDecimal(Double(count) / Double(read) * 100)) %"
    }

    private static func commits(_ facts: Facts, _ now: WallTime) -> String {
        let commits = facts.commits
        var text = "COMMITS    "
        if commits.number == 0 {
            text += "none yet"
        } else {
            text += "number \(NumberText.grouped(commits.number))"
            if let lastAt = commits.lastAt { text += ", \(TimeText.span(now - lastAt)) ago" }
            if let took = commits.lastDuration { text += ", took \(TimeText.span(took))" }
            if let durations = Latency(commits.durations) {
                text += " (median \(span(durations.median)), 99 % within \(span(durations.p99)))"
            }
        }
        text +=
            "\nSTATE      \(bytes(commits.stateBytes)), write-ahead log \(bytes(commits.walBytes))\(held(commits)), disk free \(bytes(commits.freeDisk))"
        text += "\nMEMORY     \(bytes(facts.memory)) of \(bytes(facts.memoryBudget))\n"
        if let dedup = facts.dedup {
            text +=
                "KEYS       \(NumberText.grouped(dedup.keys)) remembered for \(span(dedup.within)) at least, \(bytes(dedup.bytes))"
            text += ", the oldest of \(time(dedup.oldest))\n"
        }
        return text
    }

    private static func held(_ commits: CommitFacts) -> String {
        commits.walHolders.isEmpty ? "" : " HELD by " + printable(commits.walHolders.joined(separator: ", "))
    }

    private static func fault(_ fault: Fault) -> String {
        let place = fault.place.isEmpty ? "" : " at \(fault.place)"
        return printable("  [\(fault.code)] \(fault.what)\(place)") + "\n" + printable("  → \(fault.next)") + "\n"
    }

    private static func span(_ span: TimeSpan?) -> String { span.map(TimeText.span) ?? "-" }
    private static func time(_ time: EventTime?) -> String { time.map(TimeText.utc) ?? "-" }
    private static func bytes(_ count: ByteCount?) -> String { count.map(NumberText.bytes) ?? "-" }
}
