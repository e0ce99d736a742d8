public import Freshness
public import Model

/// What `/metrics` answers. Called on the HTTP thread; cost: partitions × (outcomes + reasons) lines. Labels are names from the
/// topology and the source, never values of records.
public enum MetricsText {
    public static func render(_ facts: Facts, at now: WallTime) -> String {
        var text = PrometheusText()
        process(facts, &text)
        clocks(facts, now, &text)
        holders(facts, &text)
        books(facts, &text)
        partitions(facts, now, &text)
        outputs(facts, now, &text)
        commits(facts, &text)
        group(facts, &text)
        dedup(facts, &text)
        CopiesMetrics.copies(facts, &text)
        CopiesMetrics.badClocks(facts, &text)
        return text.text
    }

    private static func process(_ facts: Facts, _ text: inout PrometheusText) {
        text.family("weir_build_info", .gauge, "Always 1; the labels say what runs.")
        text.sample(1, [("version", facts.version), ("topology", facts.topology)])
        text.family("weir_up", .gauge, "1 while the process runs.")
        text.flag(true)
        text.family("weir_ready", .gauge, "1 while input is read and committed.")
        text.flag(Readiness(facts).isReady)
        text.family("weir_run_state", .gauge, "1 for the state that the process is in.")
        for word in RunState.words { text.flag(word == facts.state.word, [("state", word)]) }
        text.family("weir_broker_up", .gauge, "1 while the broker answers; absent where there is no broker.")
        if let isUp = facts.isBrokerUp { text.flag(isUp) }
        text.family("weir_start_timestamp_seconds", .gauge, "When this run began.")
        text.seconds(facts.startedAt?.milliseconds)
        text.family("weir_memory_bytes", .gauge, "Memory of all lanes' state.")
        text.sample(facts.memory.bytes)
        text.family("weir_memory_budget_bytes", .gauge, "Memory that the topology allows, client queues included.")
        text.sample(facts.memoryBudget?.bytes)
    }

    private static func clocks(_ facts: Facts, _ now: WallTime, _ text: inout PrometheusText) {
        let clocks = facts.clocks(at: now)
        text.family("weir_watermark_timestamp_seconds", .gauge, "The combined watermark; absent: none yet.")
        text.seconds(facts.watermark?.milliseconds)
        text.family("weir_watermark_lag_seconds", .gauge, "Now minus the combined watermark.")
        text.seconds(clocks.watermarkLag?.milliseconds)
        text.family("weir_event_lag_seconds", .gauge, "Now minus the newest event time; negative where it is ahead of the clock.")
        text.seconds(clocks.eventLag?.milliseconds)
        text.family("weir_queue_age_seconds", .gauge, "Age of the oldest record that is not committed; 0 when caught up.")
        text.seconds(clocks.queueAge?.milliseconds)
    }

    private static func holders(_ facts: Facts, _ text: inout PrometheusText) {
        let holders = facts.holders.prefix(FreshnessLimits.namedHolders)
        text.family("weir_watermark_held", .gauge, "1 for a partition that holds the combined watermark, and why; the first few.")
        for holder in holders {
            for reason in Words.reasons {
                text.flag(reason == Words.reason(holder.reason), labels(holder.partition) + [("reason", reason)])
            }
        }
        text.family("weir_watermark_held_since_timestamp_seconds", .gauge, "Since when it does, as this process saw it.")
        for holder in holders { text.seconds(holder.since?.milliseconds, labels(holder.partition)) }
        text.family("weir_watermark_moved_timestamp_seconds", .gauge, "When the combined watermark moved last.")
        text.seconds(facts.watermarkMovedAt?.milliseconds)
    }

    private static func books(_ facts: Facts, _ text: inout PrometheusText) {
        text.family("weir_records_total", .counter, "Records by their one outcome; they add up to the records read.")
        for partition in facts.lanes {
            let labels = labels(partition.id)
            let books = partition.books
            // Of inputs alone: what became of these is among the outcomes of re-keyed partitions.
            if books.rekeyed > 0 { text.sample(books.rekeyed, labels + [("outcome", "rekeyed"), ("reason", "")]) }
            for (outcome, count) in [
                ("aggregated", books.aggregated), ("filtered", books.filtered), ("duplicate", books.duplicate),
                ("late", books.late),
            ] {
                text.sample(count, labels + [("outcome", outcome), ("reason", "")])
            }
            for reason in RejectReason.allCases {
                let count = books.rejectedByReason[Int(reason.rawValue)]
                text.sample(count, labels + [("outcome", "rejected"), ("reason", reason.word)])
            }
        }
        let counters: [(name: String, help: String, count: KeyPath<Books, Int64>)] = [
            ("weir_records_read_total", "Records read.", \.read),
            (
                "weir_records_redelivered_total", "Records dropped because they had been read before; not among those read.",
                \.redelivered
            ),
            ("weir_records_unidentified_total", "Records without an identity, which can't be duplicates.", \.unidentified),
            ("weir_late_reapplied_total", "Entries of the late ledger that were applied again.", \.reapplied),
            ("weir_records_partly_late_total", "Aggregated records that missed some of their windows.", \.partlyLate),
            ("weir_records_duplicate_observed_total", "Copies that were let pass.", \.duplicateObserved),
        ]
        for counter in counters {
            text.family(counter.name, .counter, counter.help)
            for partition in facts.lanes { text.sample(partition.books[keyPath: counter.count], labels(partition.id)) }
        }
        text.family("weir_late_refusals_total", .counter, "Records that an output refused because they were late for it.")
        let refusals = facts.books.lateRefusals
        for (index, output) in facts.outputs.enumerated() { text.sample(refusals[index], [("output", output.name)]) }
        text.family("weir_expression_errors_total", .counter, "Records for which an expression met an error, in this process.")
        for (place, errors) in facts.expressionErrors { text.sample(errors, [("place", place)]) }
    }

    private static func partitions(_ facts: Facts, _ now: WallTime, _ text: inout PrometheusText) {
        func each(_ name: String, _ help: String, _ write: (inout PrometheusText, PrometheusText.Labels, PartitionFacts) -> Void)
        {
            text.family(name, .gauge, help)
            for partition in facts.partitions { write(&text, labels(partition.id), partition) }
        }
        each("weir_partition_watermark_timestamp_seconds", "The partition's watermark; absent: it has not spoken.") {
            $0.seconds($2.watermark?.milliseconds, $1)
        }
        each("weir_partition_idle", "1 while the partition does not hold the combined watermark back.") {
            $0.flag($2.isIdle, $1)
        }
        each("weir_partition_caught_up", "1 while everything of the partition is read and committed.") {
            $0.flag($2.isCaughtUp, $1)
        }
        each("weir_partition_stopped", "1 where the partition can't go on.") { $0.flag($2.fault != nil, $1) }
        each("weir_partition_next_offset", "The next offset to read.") { $0.sample($2.nextOffset, $1) }
        each("weir_partition_lag_records", "Records between the next offset and the end; absent: the end is not known.") {
            $0.sample($2.lag, $1)
        }
        each("weir_partition_queue_age_seconds", "Age of the partition's oldest record that is not committed.") {
            $0.seconds($2.queueAge(at: now)?.milliseconds, $1)
        }
        each("weir_partition_memory_bytes", "Memory of the lane's state.") { $0.sample($2.memory.bytes, $1) }
    }

    private static func outputs(_ facts: Facts, _ now: WallTime, _ text: inout PrometheusText) {
        let freshness = facts.outputs.indices.map { facts.freshness(of: $0, at: now) }
        func each(
            _ name: String, _ kind: PrometheusText.Kind, _ help: String,
            _ write: (inout PrometheusText, PrometheusText.Labels, (facts: OutputFacts, freshness: OutputFreshness)) -> Void
        ) {
            text.family(name, kind, help)
            for (output, freshness) in zip(facts.outputs, freshness) {
                write(&text, [("output", output.name)], (output, freshness))
            }
        }
        each("weir_output_freshness_seconds", .gauge, "Now minus complete_through.") {
            $0.seconds($2.freshness.freshness?.milliseconds, $1)
        }
        each("weir_output_freshness_target_seconds", .gauge, "The freshness that the topology asks for.") {
            $0.seconds($2.facts.within?.milliseconds, $1)
        }
        each("weir_output_late", .gauge, "1 for the cause for which the output misses its target.") {
            text, labels, output in
            if output.facts.within == nil { return }
            for code in Cause.codes { text.flag(code == output.freshness.cause?.code, labels + [("cause", code)]) }
        }
        each("weir_output_complete_through_timestamp_seconds", .gauge, "Every window ending until then was emitted.") {
            $0.seconds($2.facts.progress.completeThrough?.milliseconds, $1)
        }
        each("weir_output_final_through_timestamp_seconds", .gauge, "Every window ending until then is final.") {
            $0.seconds($2.facts.progress.finalThrough?.milliseconds, $1)
        }
        each("weir_output_rows_emitted_total", .counter, "Rows emitted, revisions included.") {
            $0.sample($2.facts.rowsEmitted, $1)
        }
        each("weir_output_rows_waiting", .gauge, "Committed rows that are not delivered yet.") {
            $0.sample($2.facts.rowsWaiting, $1)
        }
        each("weir_output_event_latency_seconds", .histogram, "Event time to emission.") {
            $0.histogram($1, $2.facts.latencyFromEvent)
        }
        each("weir_output_record_latency_seconds", .histogram, "Record timestamp to emission.") {
            $0.histogram($1, $2.facts.latencyFromRecord)
        }
    }

    private static func commits(_ facts: Facts, _ text: inout PrometheusText) {
        let commits = facts.commits
        text.family("weir_commits_total", .counter, "Commits over the life of the state.")
        text.sample(commits.number)
        text.family("weir_commit_timestamp_seconds", .gauge, "When the last commit was made.")
        text.seconds(commits.lastAt?.milliseconds)
        text.family("weir_commit_duration_seconds", .histogram, "How long commits took in this run.")
        text.histogram([], commits.durations)
        text.family("weir_state_bytes", .gauge, "Size of the state database.")
        text.sample(commits.stateBytes?.bytes)
        text.family("weir_state_wal_bytes", .gauge, "Size of the state database's write-ahead log.")
        text.sample(commits.walBytes?.bytes)
        text.family("weir_disk_free_bytes", .gauge, "Free space where the state lies.")
        text.sample(commits.freeDisk?.bytes)
    }

    private static func group(_ facts: Facts, _ text: inout PrometheusText) {
        guard let group = facts.group else { return }
        text.family("weir_units", .gauge, "Input and merge partitions that the group gave this instance.")
        text.sample(Int64(group.units))
        text.family("weir_units_restoring", .gauge, "Those of them whose state is still to come.")
        text.sample(Int64(group.restoring))
        text.family("weir_restore_missing_offsets", .gauge, "Offsets of the changelog that are still to be read for them.")
        text.sample(group.missing)
        text.family("weir_assignments_total", .counter, "How often the group dealt its partitions out, in this process.")
        text.sample(group.assignments)
        text.family("weir_state_wiped_total", .counter, "Local copies of state that could not be used, in this process.")
        text.sample(group.wiped)
    }

    private static func dedup(_ facts: Facts, _ text: inout PrometheusText) {
        guard let dedup = facts.dedup else { return }
        text.family("weir_dedup_keys", .gauge, "Identities remembered now.")
        text.sample(dedup.keys)
        text.family("weir_dedup_bytes", .gauge, "Memory of the remembered identities.")
        text.sample(dedup.bytes.bytes)
        text.family("weir_dedup_horizon_seconds", .gauge, "How long an identity is remembered at least.")
        text.seconds(dedup.within.milliseconds)
        text.family("weir_dedup_oldest_timestamp_seconds", .gauge, "Event time of the oldest remembered identity.")
        text.seconds(dedup.oldest?.milliseconds)
    }

    private static func labels(_ id: PartitionID) -> PrometheusText.Labels {
        [("topic", id.topic), ("partition", String(id.number))]
    }
}

extension PrometheusText {
    mutating func histogram(_ labels: Labels, _ histogram: Histogram) {
        self.histogram(labels, buckets: histogram.cumulative(), sum: histogram.sum, count: histogram.count)
    }
}
