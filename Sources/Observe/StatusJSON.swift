public import Freshness
public import Model

/// What `/status.json` and `weir status --json` say: the facts and what follows from them. Times and spans are integer
/// milliseconds, what is not known is null, texts are as they came (whoever shows them escapes them).
public enum StatusJSON {
    public static func render(_ facts: Facts, at now: WallTime) -> [UInt8] {
        var text = JSONText(capacity: 16 << 10)
        text.beginObject()
        process(facts, now, &text)
        text.key("clocks")
        clocks(facts.clocks(at: now), &text)
        text.key("watermark")
        watermark(facts, now, &text)
        text.key("outputs")
        text.array(facts.outputs.indices) { output(facts, $1, now, &$0) }
        text.key("partitions")
        text.array(facts.partitions) { partition($1, now, &$0) }
        text.key("rekeyed")
        text.array(facts.rekeyed) { partition($1, now, &$0) }
        text.key("books")
        books(facts.books, &text)
        text.key("expression_errors")
        text.array(facts.expressionErrors) { text, one in
            text.beginObject()
            text.member("place", one.place)
            text.member("errors", one.errors)
            text.endObject()
        }
        text.key("commits")
        commits(facts.commits, &text)
        text.key("dedup")
        CopiesJSON.dedup(facts, &text)
        text.key("bad_clocks")
        CopiesJSON.badClocks(facts, &text)
        text.key("latest_rows")
        text.array(facts.latestRows.prefix(FreshnessLimits.latestRows)) { row($1, facts, &$0) }
        text.endObject()
        return text.bytes + [UInt8(ascii: "\n")]
    }

    private static func process(_ facts: Facts, _ now: WallTime, _ text: inout JSONText) {
        text.member("topology", facts.topology)
        text.member("version", facts.version)
        text.member("now", now.milliseconds)
        text.member("started_at", optional: facts.startedAt?.milliseconds)
        text.member("state", facts.state.word)
        let readiness = Readiness(facts)
        text.member("ready", readiness.isReady)
        text.member("reason", readiness.reason)
        text.key("fault")
        text.optionalFault(readiness.fault)
        text.key("broker_up")
        if let isUp = facts.isBrokerUp { text.bool(isUp) } else { text.null() }
        text.key("records_per_second")
        if let rate = facts.recordsPerSecond { text.double(rate) } else { text.null() }
        text.member("memory_bytes", facts.memory.bytes)
        text.member("memory_budget_bytes", optional: facts.memoryBudget?.bytes)
    }

    private static func clocks(_ clocks: Clocks, _ text: inout JSONText) {
        text.beginObject()
        text.member("watermark_lag_ms", optional: clocks.watermarkLag?.milliseconds)
        text.member("event_lag_ms", optional: clocks.eventLag?.milliseconds)
        text.member("queue_age_ms", optional: clocks.queueAge?.milliseconds)
        text.key("latency_from_event")
        latency(clocks.latencyFromEvent, &text)
        text.key("latency_from_record")
        latency(clocks.latencyFromRecord, &text)
        text.endObject()
    }

    private static func latency(_ latency: Latency?, _ text: inout JSONText) {
        guard let latency else { return text.null() }
        text.beginObject()
        text.member("median_ms", latency.median.milliseconds)
        text.member("p99_ms", latency.p99.milliseconds)
        text.member("count", latency.count)
        text.endObject()
    }

    private static func watermark(_ facts: Facts, _ now: WallTime, _ text: inout JSONText) {
        let holders = facts.holders
        text.beginObject()
        text.member("at", optional: facts.watermark?.milliseconds)
        text.member("newest_event_time", optional: facts.newestEventTime?.milliseconds)
        text.member("words", Words.watermark(facts, at: now))
        text.member("moved_at", optional: facts.watermarkMovedAt?.milliseconds)
        text.member("holder_count", holders.count)
        text.key("held_by")
        text.array(holders.prefix(FreshnessLimits.namedHolders)) { text, holder in
            text.beginObject()
            text.member("topic", holder.partition.topic)
            text.member("partition", holder.partition.number)
            text.member("watermark", optional: holder.watermark?.milliseconds)
            text.member("reason", Words.reason(holder.reason))
            text.key("never_heard")
            text.bool(holder.watermark == nil)
            text.member("silent_ms", optional: holder.silentFor?.milliseconds)
            text.member("since", optional: holder.since?.milliseconds)
            text.member("words", Words.holder(holder, idleAfter: facts.idleAfter))
            text.endObject()
        }
        text.endObject()
    }

    private static func output(_ facts: Facts, _ index: Int, _ now: WallTime, _ text: inout JSONText) {
        let output = facts.outputs[index]
        let freshness = facts.freshness(of: index, at: now)
        text.beginObject()
        text.member("name", output.name)
        text.member("verdict", freshness.verdict.rawValue)
        text.member("freshness_ms", optional: freshness.freshness?.milliseconds)
        text.member("within_ms", optional: output.within?.milliseconds)
        text.key("cause")
        if let cause = freshness.cause {
            text.beginObject()
            text.member("code", cause.code)
            text.member("words", Words.cause(cause))
            text.endObject()
        } else {
            text.null()
        }
        text.member("complete_through", optional: output.progress.completeThrough?.milliseconds)
        text.member("final_through", optional: output.progress.finalThrough?.milliseconds)
        text.member("rows_emitted", output.rowsEmitted)
        text.member("rows_waiting", output.rowsWaiting)
        text.member("late_refusals", facts.books.lateRefusals[index])
        text.key("latency_from_event")
        latency(Latency(output.latencyFromEvent), &text)
        text.key("latency_from_record")
        latency(Latency(output.latencyFromRecord), &text)
        text.endObject()
    }

    private static func partition(_ partition: PartitionFacts, _ now: WallTime, _ text: inout JSONText) {
        text.beginObject()
        text.member("topic", partition.id.topic)
        text.member("partition", partition.id.number)
        text.member("lane", partition.lane)
        text.member("mark", partition.mark.rawValue)
        text.member("watermark", optional: partition.watermark?.milliseconds)
        text.member("newest_event_time", optional: partition.newestEventTime?.milliseconds)
        text.member("next_offset", partition.nextOffset)
        text.member("end_offset", optional: partition.endOffset)
        text.member("lag", optional: partition.lag)
        text.member("queue_age_ms", optional: partition.queueAge(at: now)?.milliseconds)
        text.member("idle_since", optional: partition.isIdle ? partition.idleSince?.milliseconds : nil)
        text.key("fault")
        text.optionalFault(partition.fault)
        text.member("memory_bytes", partition.memory.bytes)
        text.key("books")
        books(partition.books, &text)
        text.endObject()
    }

    private static func books(_ books: Books, _ text: inout JSONText) {
        text.beginObject()
        text.member("read", books.read)
        text.member("aggregated", books.aggregated)
        text.member("filtered", books.filtered)
        text.member("duplicate", books.duplicate)
        text.member("late", books.late)
        text.member("rejected", books.rejected)
        text.member("rekeyed", books.rekeyed)
        text.member("balances", books.balances)
        text.key("rejected_by_reason")
        text.beginObject()
        for reason in RejectReason.allCases { text.member(reason.word, books.rejectedByReason[Int(reason.rawValue)]) }
        text.endObject()
        text.member("redelivered", books.redelivered)
        text.member("unidentified", books.unidentified)
        text.member("partly_late", books.partlyLate)
        text.member("reapplied", books.reapplied)
        text.member("duplicate_observed", books.duplicateObserved)
        text.endObject()
    }

    private static func commits(_ commits: CommitFacts, _ text: inout JSONText) {
        text.beginObject()
        text.member("number", commits.number)
        text.member("last_at", optional: commits.lastAt?.milliseconds)
        text.member("last_ms", optional: commits.lastDuration?.milliseconds)
        text.key("durations")
        latency(Latency(commits.durations), &text)
        text.member("state_bytes", optional: commits.stateBytes?.bytes)
        text.member("wal_bytes", optional: commits.walBytes?.bytes)
        text.key("wal_held_by")
        text.beginArray()
        for holder in commits.walHolders { text.string(holder) }
        text.endArray()
        text.member("free_disk_bytes", optional: commits.freeDisk?.bytes)
        text.endObject()
    }

    /// Cells are texts: a browser's numbers would lose digits.
    private static func row(_ row: Row, _ facts: Facts, _ text: inout JSONText) {
        guard facts.outputs.indices.contains(row.output) else { return }
        let output = facts.outputs[row.output]
        func cells(_ values: [Value], _ columns: [OutputColumn], _ text: inout JSONText) {
            text.array(values.indices) { text, index in
                let column = index < columns.count ? columns[index] : nil
                text.beginObject()
                text.member("name", column?.name ?? "")
                text.member("text", Words.cell(values[index], column))
                text.endObject()
            }
        }
        text.beginObject()
        text.member("output", output.name)
        text.member("window_start", row.windowStart.milliseconds)
        text.member("window_end", row.windowEnd.milliseconds)
        text.key("group")
        cells(row.group, output.groupColumns, &text)
        text.key("measures")
        cells(row.measures, output.measureColumns, &text)
        text.member("revision", row.revision)
        text.member("final", row.final)
        text.member("as_of", optional: row.asOf?.milliseconds)
        text.endObject()
    }
}

extension JSONText {
    mutating func member(_ name: String, optional value: Int64?) {
        key(name)
        if let value { int(value) } else { null() }
    }

    mutating func optionalFault(_ fault: Fault?) {
        if let fault { self.fault(fault) } else { null() }
    }

    mutating func array<Elements: Sequence>(_ elements: Elements, _ write: (inout JSONText, Elements.Element) -> Void) {
        beginArray()
        for element in elements { write(&self, element) }
        endArray()
    }
}
