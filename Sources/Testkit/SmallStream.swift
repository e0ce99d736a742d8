public import Model

/// A topology small enough to be written into a test: an id, a time, a group and a number.
public enum SmallStream {
    public static let fields = [
        FieldPlan(name: "id", type: .uuid), FieldPlan(name: "ts", type: .timestamp(.milliseconds), required: true),
        FieldPlan(name: "g", type: .string), FieldPlan(name: "d", type: .double),
    ]

    public static func plan(
        window: AggregatePlan.Window = .tumbling(size: .seconds(60), offset: .zero), lateness: TimeSpan = .zero,
        emit: AggregatePlan.Emission = .final, isKeyed: Bool = false, outOfOrderness: TimeSpan = .zero,
        deduplicate: DeduplicatePlan? = nil, measures: [MeasurePlan] = [MeasurePlan(name: "n", function: .count)]
    ) -> Plan {
        Plan(
            name: "small", source: SourcePlan(kind: .files([])), fields: fields,
            eventTime: EventTimePlan(source: .field(1), outOfOrderness: outOfOrderness), deduplicate: deduplicate,
            aggregates: [
                AggregatePlan(
                    name: "out", window: window, allowedLateness: lateness, groupBy: [2], measures: measures, emit: emit,
                    isKeyed: isKeyed)
            ])
    }

    /// `id` 0: none.
    public static func record(_ offset: Int64, at time: Int64, id: UInt64 = 0, group: String = "a", d: Double = 1) -> BenchRecord
    {
        let digits = String(id, radix: 16)
        let node = String(repeating: "0", count: 12 - digits.count) + digits
        let identity = id == 0 ? "" : "\"id\":\"00000000-0000-0007-0000-\(node)\","
        return BenchRecord(Array("{\(identity)\"ts\":\(time),\"g\":\"\(group)\",\"d\":\(d)}".utf8), offset: offset)
    }
}
