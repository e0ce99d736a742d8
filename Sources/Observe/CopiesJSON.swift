internal import Freshness
internal import Model

/// What `/status.json` says of copies and of clocks that are ahead.
enum CopiesJSON {
    static func dedup(_ facts: Facts, _ text: inout JSONText) {
        guard let dedup = facts.dedup else { return text.null() }
        text.beginObject()
        text.member("within_ms", dedup.within.milliseconds)
        text.member("keys", dedup.keys)
        text.member("bytes", dedup.bytes.bytes)
        text.member("oldest", optional: dedup.oldest?.milliseconds)
        text.key("observe")
        text.bool(dedup.isObserving)
        text.member("observe_ordered_at", optional: dedup.ordered?.milliseconds)
        text.key("compare")
        text.bool(dedup.isComparing)
        text.member("sampled_keys", facts.sampledKeys)
        let told = facts.copies
        text.key("copies")
        copies(told.total, &text)
        text.key("ages")
        ages(told.total.ages, &text)
        text.key("missed_ages")
        ages(told.total.missedAges, &text)
        producers(told, facts, &text) { copies($0, &$1) }
        text.key("conflicts")
        text.array(facts.conflicts) { text, conflict in
            text.beginObject()
            name("field", conflict.field, &text)
            text.member("copies", conflict.copies)
            text.endObject()
        }
        text.key("conflict_samples")
        text.array(facts.conflictSamples) { text, sample in
            text.beginObject()
            text.member("topic", sample.partition.topic)
            text.member("partition", sample.partition.number)
            text.member("offset", sample.copy.offset)
            text.member("event_time", sample.copy.eventTime.milliseconds)
            text.member("age_ms", sample.copy.age.milliseconds)
            name("field", sample.copy.field, &text)
            name("value", sample.copy.value, &text)
            text.endObject()
        }
        text.endObject()
    }

    static func badClocks(_ facts: Facts, _ text: inout JSONText) {
        let told = facts.badClocks
        text.beginObject()
        clocks(told.total, &text)
        producers(told, facts, &text) { figures, text in
            text.beginObject()
            clocks(figures, &text)
            text.endObject()
        }
        text.endObject()
    }

    private static func copies(_ figures: CopyFigures, _ text: inout JSONText) {
        text.beginObject()
        text.member("copies", figures.copies)
        text.member("exact", figures.exact)
        text.member("retimed", figures.retimed)
        text.member("conflicting", figures.conflicting)
        text.member("uncompared", figures.uncompared)
        text.member("age_median_ms", optional: figures.ages.quantile(0.5))
        text.member("age_p99_ms", optional: figures.ages.quantile(0.99))
        text.member("oldest_quarter", figures.oldestQuarter)
        text.member("missed", figures.missed)
        text.member("missed_estimate", figures.missedEstimate)
        text.member("horizon_99_9_ms", optional: figures.horizonCatching?.milliseconds)
        text.endObject()
    }

    private static func clocks(_ figures: ClockFigures, _ text: inout JSONText) {
        text.member("records", figures.records)
        text.member("ahead_median_ms", optional: figures.ahead.quantile(0.5))
        text.member("ahead_largest_ms", optional: figures.records == 0 ? nil : figures.ahead.largest)
    }

    private static func ages(_ ages: AgeHistogram, _ text: inout JSONText) {
        text.array(ages.counts.enumerated().filter { $0.element > 0 }) { text, bucket in
            text.beginObject()
            text.member("at_most_ms", OctaveBuckets.upperBound(bucket.offset))
            text.member("copies", bucket.element)
            text.endObject()
        }
    }

    private static func producers<Figures>(
        _ told: FiguresByProducer<Figures>, _ facts: Facts, _ text: inout JSONText, _ write: (Figures, inout JSONText) -> Void
    ) {
        name("producer_field", facts.producerField, &text)
        text.key("producers")
        text.array(told.producers) { text, producer in
            text.beginObject()
            name("name", producer.name, &text)
            text.key("figures")
            write(producer.figures, &text)
            text.endObject()
        }
        text.key("other_producers")
        write(told.others, &text)
    }

    private static func name(_ key: String, _ value: String?, _ text: inout JSONText) {
        text.key(key)
        if let value { text.string(value) } else { text.null() }
    }
}
