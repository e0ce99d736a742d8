internal import Model
internal import Observe
internal import Runtime

/// What a run did, for people and for machines.
struct RunReport: Equatable, Sendable {
    var topology: String
    var summary: RunSummary
    var elapsed: TimeSpan
    var use: ResourceUse
    /// Names of the outputs, as `Books.lateRefusals` counts them.
    var outputs: [String]
    /// Names of the places where expressions can meet an error, as `Books.expressionErrors` counts them.
    var expressionPlaces: [String] = []

    /// In this process; a place without errors is 0.
    private var expressionErrors: [(place: String, errors: Int64)] {
        let counts = summary.books.expressionErrors
        return expressionPlaces.enumerated().map { ($1, $0 < counts.count ? counts[$0] : 0) }
    }

    var rate: Double { elapsed.milliseconds > 0 ? Double(summary.read) * 1_000 / Double(elapsed.milliseconds) : 0 }

    var text: String {
        let books = summary.books
        var text = "\(printable(topology)): \(NumberText.grouped(summary.read)) records in \(TimeText.span(elapsed)), "
        text +=
            "\(NumberText.grouped(Int64(rate.rounded())))/s; \(count(summary.commits, "commit")), \(count(summary.rows, "row"))\n"
        let parts = [
            ("aggregated", books.aggregated), ("duplicate", books.duplicate), ("filtered", books.filtered), ("late", books.late),
            ("rejected", books.rejected),
        ]
        text += "  books   read \(NumberText.grouped(books.read)) \(books.balances ? "=" : "≠ (THE BOOKS DO NOT ADD UP)") "
        text += parts.map { "\($0.0) \(NumberText.grouped($0.1))" }.joined(separator: " + ") + "\n"
        let reasons = RejectReason.allCases.filter { books.rejectedByReason[Int($0.rawValue)] > 0 }
        if !reasons.isEmpty {
            let told = reasons.map { "\($0.word) \(NumberText.grouped(books.rejectedByReason[Int($0.rawValue)]))" }
            text += "          rejected: \(told.joined(separator: ", "))\n"
        }
        let beside = [
            ("partly late", books.partlyLate), ("unidentified", books.unidentified), ("redelivered", books.redelivered),
            ("duplicates let pass", books.duplicateObserved),
        ].filter { $0.1 > 0 }
        if !beside.isEmpty {
            text += "          beside: \(beside.map { "\($0.0) \(NumberText.grouped($0.1))" }.joined(separator: ", "))\n"
        }
        let errors = expressionErrors.filter { $0.errors > 0 }
        if !errors.isEmpty {
            let told = errors.map { "\($0.place) \(NumberText.grouped($0.errors))" }.joined(separator: ", ")
            text += "          expression errors, counted as null: \(told)\n"
        }
        text += "  cpu     \(NumberText.oneDecimal(use.cpuSeconds)) s, peak memory \(NumberText.bytes(use.peakMemory))\n"
        for (partition, fault) in stopped {
            text += "  stopped \(printable(partition.description)): \(printable(fault.what)) [\(fault.code)]\n"
            text += "          \(printable(fault.next))\n"
        }
        return text
    }

    private func count(_ number: Int64, _ noun: String) -> String {
        "\(NumberText.grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    var stopped: [(PartitionID, Fault)] { summary.stopped.sorted { $0.key < $1.key } }

    var json: String {
        var text = JSONText()
        text.beginObject()
        members(&text)
        text.endObject()
        return text.text + "\n"
    }

    func members(_ text: inout JSONText) {
        text.member("topology", topology)
        text.member("records", summary.read)
        text.member("seconds", Double(elapsed.milliseconds) / 1_000)
        text.member("records_per_second", rate)
        text.member("commits", summary.commits)
        text.member("rows", summary.rows)
        text.key("books")
        books(&text)
        text.key("expression_errors")
        text.beginObject()
        for (place, errors) in expressionErrors { text.member(place, errors) }
        text.endObject()
        text.member("cpu_seconds", use.cpuSeconds)
        text.member("peak_memory_bytes", use.peakMemory.bytes)
        text.key("turn_ms")
        text.beginObject()
        text.member("median", summary.turnMedian)
        text.member("p99", summary.turnWorst)
        text.endObject()
        text.key("stopped")
        text.beginArray()
        for (partition, fault) in stopped {
            text.beginObject()
            text.member("topic", partition.topic)
            text.member("partition", partition.number)
            text.key("fault")
            FaultText.members(fault, &text)
            text.endObject()
        }
        text.endArray()
    }

    private func books(_ text: inout JSONText) {
        let books = summary.books
        text.beginObject()
        text.member("read", books.read)
        text.member("aggregated", books.aggregated)
        text.member("duplicate", books.duplicate)
        text.member("filtered", books.filtered)
        text.member("late", books.late)
        text.member("rejected", books.rejected)
        text.key("rejected_by_reason")
        text.beginObject()
        for reason in RejectReason.allCases { text.member(reason.word, books.rejectedByReason[Int(reason.rawValue)]) }
        text.endObject()
        text.member("partly_late", books.partlyLate)
        text.member("unidentified", books.unidentified)
        text.member("redelivered", books.redelivered)
        text.member("duplicate_observed", books.duplicateObserved)
        text.key("late_refusals")
        text.beginObject()
        for (name, refused) in zip(outputs, books.lateRefusals) { text.member(name, refused) }
        text.endObject()
        text.member("balances", books.balances)
        text.endObject()
    }

    /// What the process ends with. A run that was told to stop did what it was told.
    func exit(wasStopped: Bool) -> ExitCode {
        if !summary.books.balances { return .answerIsNo }
        return wasStopped ? .done : stopped.first?.1.exit ?? .done
    }
}
