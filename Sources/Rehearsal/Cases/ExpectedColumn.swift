internal import Model

/// What a column of an expectation can hold. A value that it never does is a mistake of the test file, and is told before
/// anything runs: such a row could only be missing, and would hide what is wrong with the topology.
struct ExpectedColumn: Sendable {
    indirect enum Kind: Sendable {
        case text, flag, uuid, number, instant, span
        case whole(least: Int64?)
        /// One of a closed list of names; `what` says of what.
        case name([String], what: String)
        /// At most `most` entries, each with its count where `isCounted`.
        case list(of: Kind, most: Int, isCounted: Bool)
        case start(AggregatePlan.Window)
        case end(AggregatePlan.Window)
    }
    var name: String
    var kind: Kind
    var canBeNull = false

    /// `start`: where the row's window begins, if it says so.
    func takes(_ value: ExpectedValue, start: Int64? = nil) -> Bool {
        if value.isNull { return canBeNull }
        if case .list(let inner, let most, let isCounted) = kind {
            guard let items = value.items, items.count <= most else { return false }
            let entry = ExpectedColumn(name: name, kind: inner)
            return items.allSatisfy { item in
                guard entry.takes(item.value), (item.count != nil) == isCounted else { return false }
                return item.count.map { $0.whole.map { $0 >= 1 } ?? false } ?? true
            }
        }
        if value.items != nil { return false }
        switch kind {
        case .list: return false
        case .text: return true
        case .flag: return value.text == "true" || value.text == "false"
        case .uuid: return value.isUUID
        case .number: return value.number?.isFinite ?? false
        case .instant: return value.instant != nil
        case .span: return value.span != nil
        case .whole(let least):
            guard let number = value.whole else { return false }
            return least.map { number >= $0 } ?? true
        case .name(let names, _): return names.contains(value.text)
        case .start(let window): return value.instant.map(window.beginsAt) ?? false
        case .end(let window): return value.instant.map { window.endsAt($0, start: start) } ?? false
        }
    }

    /// What to write instead.
    var advice: String {
        let word =
            switch kind {
            case .text: "text"
            case .flag: "true or false"
            case .uuid: "a UUID with its hyphens"
            case .number: "a number"
            case .instant: "RFC 3339 with its zone, to the millisecond, or milliseconds"
            case .span: "a span such as 45s"
            case .whole(let least): "a whole number" + (least.map { " of at least \($0)" } ?? "")
            case .name(let names, _): names.joined(separator: ", ")
            case .list(_, let most, isCounted: true): "a list of at most \(most): [{value: …, count: 1}]"
            case .list(let inner, let most, isCounted: false):
                "a list of at most \(most), each \(ExpectedColumn(name: name, kind: inner).advice)"
            case .start(let window), .end(let window): "an instant: \(window.words)"
            }
        return canBeNull ? "\(word), or null" : word
    }
}

extension ExpectedColumn {
    static let outcomes = [
        "read", "aggregated", "duplicate", "late", "filtered", "rejected", "rekeyed", "partly_late", "unidentified",
        "duplicate_observed", "redelivered", "exact", "retimed", "conflicting", "reapplied", "not_reapplied",
    ].map { ExpectedColumn(name: $0, kind: .whole(least: 0)) }

    static let clocks = ["watermark_lag", "event_lag", "queue_age"].map {
        ExpectedColumn(name: $0, kind: .span, canBeNull: true)
    }

    static let progress = ["complete_through", "final_through"].map {
        ExpectedColumn(name: $0, kind: .instant, canBeNull: true)
    }

    /// By output, the columns of its rows.
    static func rows(_ plan: Plan) -> [[ExpectedColumn]] {
        plan.aggregates.map { aggregate in
            var columns = ends(aggregate)
            columns += aggregate.groupBy.map { at in
                ExpectedColumn(
                    name: plan.fields[at].name, kind: kind(plan.fields[at].type), canBeNull: plan.canBeNull(column: at))
            }
            columns += aggregate.measures.map { measure($0, plan) }
            columns += [
                ExpectedColumn(name: "revision", kind: .whole(least: 1)), ExpectedColumn(name: "final", kind: .flag),
                ExpectedColumn(name: "as_of", kind: .instant, canBeNull: true),
            ]
            if aggregate.window.isSession { columns.append(ExpectedColumn(name: "retracted", kind: .flag)) }
            columns.append(ExpectedColumn(name: "reason", kind: .name(["reapplied"], what: "reason"), canBeNull: true))
            return columns
        }
    }

    /// By output, the columns of its entries in the late ledger.
    static func late(_ plan: Plan) -> [[ExpectedColumn]] {
        plan.aggregates.map { aggregate in
            ends(aggregate) + [topic(plan)] + place + [
                ExpectedColumn(name: "watermark", kind: .instant), ExpectedColumn(name: "late_by", kind: .span),
            ]
        }
    }

    static func deadLetters(_ plan: Plan) -> [ExpectedColumn] {
        let fields = plan.fields.filter { $0.computed == nil }.map(\.name)
        return [topic(plan)] + place + [
            ExpectedColumn(name: "reason", kind: .name(RejectReason.allCases.map(\.word), what: "reason")),
            ExpectedColumn(name: "field", kind: .name(fields, what: "field"), canBeNull: true),
        ]
    }

    private static let place = [
        ExpectedColumn(name: "partition", kind: .whole(least: 0)), ExpectedColumn(name: "offset", kind: .whole(least: 0)),
    ]

    private static func topic(_ plan: Plan) -> ExpectedColumn {
        ExpectedColumn(name: "topic", kind: .name(Rehearsal.topics(of: plan), what: "topic"))
    }

    private static func ends(_ aggregate: AggregatePlan) -> [ExpectedColumn] {
        [
            ExpectedColumn(name: "output", kind: .name([aggregate.name], what: "output")),
            ExpectedColumn(name: "window_start", kind: .start(aggregate.window)),
            ExpectedColumn(name: "window_end", kind: .end(aggregate.window)),
        ]
    }

    private static func kind(_ type: FieldType) -> Kind {
        switch type {
        case .string, .json: .text
        case .int: .whole(least: nil)
        case .double: .number
        case .bool: .flag
        case .uuid: .uuid
        case .timestamp: .instant
        }
    }

    private static func measure(_ measure: MeasurePlan, _ plan: Plan) -> ExpectedColumn {
        switch measure.function {
        case .count, .approxDistinct: ExpectedColumn(name: measure.name, kind: .whole(least: 0))
        case .exactDistinct:
            ExpectedColumn(name: measure.name, kind: .whole(least: 0), canBeNull: true)
        case .top, .largest, .largestDistinct:
            ExpectedColumn(
                name: measure.name,
                kind: .list(
                    of: measure.column.map { kind(plan.fields[$0].type) } ?? .text, most: measure.limit ?? 0,
                    isCounted: measure.function == .top))
        case .avg, .stddev, .quantile: ExpectedColumn(name: measure.name, kind: .number, canBeNull: true)
        case .sum, .min, .max, .first, .last:
            ExpectedColumn(
                name: measure.name, kind: measure.column.map { kind(plan.fields[$0].type) } ?? .number, canBeNull: true)
        }
    }
}

extension AggregatePlan.Window {
    /// Windows are aligned to the epoch plus their offset, or to a zone's calendar (S10); sessions begin anywhere.
    fileprivate func beginsAt(_ time: Int64) -> Bool {
        switch self {
        case .tumbling(let every, let offset), .hopping(_, let every, let offset), .cumulative(let every, _, let offset):
            return (time - offset.milliseconds) % every.milliseconds == 0
        case .calendar(let unit, let zone, let weekStarts):
            return CalendarWindows(unit, zone: zone, weekStarts: weekStarts).start(holding: time) == time
        case .session: return true
        }
    }

    /// `start`: where the window begins, if that is known.
    fileprivate func endsAt(_ time: Int64, start: Int64?) -> Bool {
        switch self {
        case .tumbling(let size, _), .hopping(let size, _, _):
            return beginsAt(time - size.milliseconds) && (start.map { time - $0 == size.milliseconds } ?? true)
        case .cumulative(let size, let step, let offset):
            let begins = start ?? floorDivide(time - 1 - offset.milliseconds, size.milliseconds) * size.milliseconds
            return (time - offset.milliseconds) % step.milliseconds == 0 && time > begins && time - begins <= size.milliseconds
        case .calendar(let unit, let zone, let weekStarts):
            let calendar = CalendarWindows(unit, zone: zone, weekStarts: weekStarts)
            return calendar.end(holding: time - 1) == time && (start.map { calendar.end(holding: $0) == time } ?? true)
        case .session(let gap): return start.map { time - $0 >= gap.milliseconds } ?? true
        }
    }

    fileprivate var words: String {
        let shift = offset == .zero ? "" : ", \(offset.exactText) past the epoch"
        switch self {
        case .tumbling(let size, _): return "windows of \(size.exactText) begin every \(size.exactText)\(shift)"
        case .hopping(let size, let every, _): return "windows of \(size.exactText) begin every \(every.exactText)\(shift)"
        case .cumulative(let size, let step, _):
            return "windows begin every \(size.exactText) and end every \(step.exactText)\(shift)"
        case .calendar(let unit, let zone, _): return "windows are each \(unit.rawValue) in \(zone.name)"
        case .session(let gap): return "a session is at least \(gap.exactText) long"
        }
    }
}
