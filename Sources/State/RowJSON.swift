public import Model

/// A row as Kafka carries it: two compact JSON objects, keys in declared order. The same row gives the same bytes.
public enum RowJSON {
    /// `{window_start, window_end, group…}`.
    public static func key(_ row: Row, of aggregate: AggregatePlan, fields: [FieldPlan]) -> [UInt8] {
        var json = JSONText(capacity: 96)
        json.beginObject()
        writeKey(row, aggregate, fields, to: &json)
        json.endObject()
        return json.bytes
    }

    /// Key columns, measures, `revision`, `final`, `as_of`, and `retracted` or `reason` where they apply, flat.
    public static func value(_ row: Row, of aggregate: AggregatePlan, fields: [FieldPlan]) -> [UInt8] {
        var json = JSONText(capacity: 256)
        json.beginObject()
        writeKey(row, aggregate, fields, to: &json)
        for (measure, value) in zip(aggregate.measures, row.measures) { json.member(measure.name, value) }
        json.member("revision", row.revision)
        json.member("final", row.final)
        json.member("as_of", row.asOf.map(Value.time) ?? .null)
        if row.retracted { json.member("retracted", true) }
        if let reason = row.reason { json.member("reason", reason.rawValue) }
        json.endObject()
        return json.bytes
    }

    private static func writeKey(_ row: Row, _ aggregate: AggregatePlan, _ fields: [FieldPlan], to json: inout JSONText) {
        json.member("window_start", row.windowStart.milliseconds)
        json.member("window_end", row.windowEnd.milliseconds)
        for (column, value) in zip(aggregate.groupBy, row.group) { json.member(fields[column].name, value) }
    }
}
