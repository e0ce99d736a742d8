internal import Freshness
internal import Model

/// What `/metrics` says of copies and of clocks that are ahead. Producers are values of records: the largest only, never of a
/// field that is personal, so that there are few of them and none tells of a person.
enum CopiesMetrics {
    static func copies(_ facts: Facts, _ text: inout PrometheusText) {
        guard let dedup = facts.dedup else { return }
        let told = facts.copies
        let all = told.total
        text.family("weir_dedup_observe", .gauge, "1 while copies are let pass.")
        text.flag(dedup.isObserving)
        text.family("weir_dedup_copies_total", .counter, "Copies that were recognised, by how they differ from the kept event.")
        kinds(all, dedup, [], &text)
        text.family("weir_dedup_copy_age_seconds", .histogram, "How far the watermark had moved when a copy was recognised.")
        histogram(all.ages, &text)
        text.family("weir_dedup_oldest_quarter_total", .counter, "Copies recognised in the oldest quarter of the horizon.")
        text.sample(all.oldestQuarter)
        text.family("weir_dedup_sampled_keys", .gauge, "Keys that are remembered longer to estimate what is missed.")
        text.sample(facts.sampledKeys)
        text.family("weir_dedup_missed_estimate_total", .counter, "About how many copies came after their key was forgotten.")
        text.sample(all.missedEstimate)
        text.family("weir_dedup_missed_age_seconds", .histogram, "Ages of the copies among the sampled keys that were missed.")
        histogram(all.missedAges, &text)
        text.family("weir_dedup_horizon_needed_seconds", .gauge, "The horizon that would have recognised 99.9 % of all copies.")
        text.seconds(all.horizonCatching?.milliseconds)
        text.family("weir_dedup_conflicts_total", .counter, "Conflicting copies by the one field that differed; empty: several.")
        for conflict in facts.conflicts { text.sample(conflict.copies, [("field", conflict.field ?? "")]) }
        text.family("weir_dedup_producer_copies_total", .counter, "Copies that were recognised, by the largest producers.")
        for producer in told.producers { kinds(producer.figures, dedup, labels(producer.name), &text) }
        text.family("weir_dedup_producer_oldest_quarter_total", .counter, "Of these, those in the oldest quarter of the horizon.")
        for producer in told.producers { text.sample(producer.figures.oldestQuarter, labels(producer.name)) }
        text.family("weir_dedup_producer_missed_estimate_total", .counter, "About how many copies of a producer were missed.")
        for producer in told.producers { text.sample(producer.figures.missedEstimate, labels(producer.name)) }
        text.family("weir_dedup_producer_horizon_needed_seconds", .gauge, "The horizon for 99.9 % of a producer's copies.")
        for producer in told.producers { text.seconds(producer.figures.horizonCatching?.milliseconds, labels(producer.name)) }
    }

    static func badClocks(_ facts: Facts, _ text: inout PrometheusText) {
        let told = facts.badClocks
        text.family(
            "weir_future_time_ahead_seconds", .histogram, "How far rejected event times lay past their record's timestamp.")
        if told.total.records > 0 { histogram(told.total.ahead, &text) }
        text.family("weir_producer_future_time_total", .counter, "Records rejected as future_time, by the largest producers.")
        for producer in told.producers { text.sample(producer.figures.records, labels(producer.name)) }
        text.family("weir_producer_future_time_ahead_seconds", .gauge, "The farthest that a producer's event time was ahead.")
        for producer in told.producers { text.seconds(producer.figures.ahead.largest, labels(producer.name)) }
    }

    private static func kinds(
        _ figures: CopyFigures, _ dedup: DedupFacts, _ labels: PrometheusText.Labels, _ text: inout PrometheusText
    ) {
        let kinds = [("exact", figures.exact), ("retimed", figures.retimed), ("conflicting", figures.conflicting)]
        for (kind, count) in dedup.isComparing ? kinds : [] { text.sample(count, labels + [("kind", kind)]) }
        text.sample(figures.uncompared, labels + [("kind", "uncompared")])
    }

    private static func histogram(_ ages: AgeHistogram, _ text: inout PrometheusText) {
        text.histogram([], buckets: ages.cumulative(), sum: ages.sum, count: ages.count)
    }

    private static func labels(_ producer: String?) -> PrometheusText.Labels { [("producer", producer ?? "")] }
}
