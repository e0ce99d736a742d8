internal import Freshness
internal import Model

/// The words for causes and holders: one place, for the page, the terminal and the JSON alike.
enum Words {
    static func cause(_ cause: Cause) -> String {
        switch cause {
        case .producerSilent(let newest?): "the producer is silent; its newest event is of \(TimeText.utc(newest))"
        case .producerSilent(nil): "the producer is silent; no event has come yet"
        case .behind(let records?): "\(NumberText.grouped(records)) records wait to be read"
        case .behind(nil): "records wait to be read"
        case .heldBack(let holders): "held back by \(self.holders(holders))"
        case .sinkFailing(let fault): "its rows can't be delivered: \(fault.what)"
        case .stopped(let fault?): "Weir does not move: \(fault.what)"
        case .stopped(nil): "Weir is not running"
        }
    }

    /// What keeps the watermark where it is, as one sentence without its end.
    static func watermark(_ facts: Facts) -> String {
        let holders = facts.holders
        if !holders.isEmpty { return "held by \(self.holders(holders))" }
        return facts.partitions.isEmpty ? "no partition is read yet" : "every partition is idle"
    }

    static func holders(_ holders: [Holder]) -> String {
        let named = holders.prefix(FreshnessLimits.namedHolders).map { "\($0.partition) (\(holder($0)))" }.joined(separator: ", ")
        let rest = holders.count - FreshnessLimits.namedHolders
        return rest > 0 ? "\(named) and \(rest) more" : named
    }

    static func holder(_ holder: Holder) -> String {
        let spoken = holder.watermark == nil ? "has not spoken yet, " : ""
        switch holder.reason {
        case .stopped(let fault): return "\(spoken)stopped: \(fault.what)"
        case .behind(0?), .behind(nil): return "\(spoken)being read"
        case .behind(let lag?): return "\(spoken)\(NumberText.grouped(lag)) records behind"
        case .silent: return "\(spoken)read to its end"
        }
    }

    static func reason(_ reason: Holder.Reason) -> String {
        switch reason {
        case .stopped: "stopped"
        case .behind: "behind"
        case .silent: "silent"
        }
    }

    /// A value as a cell of a table shows it; columns of personal fields show dots.
    static func cell(_ value: Value, _ column: OutputColumn?) -> String {
        if column?.isPersonal == true { return "•••" }
        switch value {
        case .null: return "–"
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return NumberText.grouped(number)
        case .wide(let number): return String(number)
        case .double(let number): return number.description
        case .string(let text): return text
        case .uuid(let high, let low): return UUIDText.text(high: high, low: low)
        case .time(let time): return TimeText.utc(time)
        case .list(let values): return values.map { cell($0, nil) }.joined(separator: ", ")
        case .counted(let values):
            return values.map { "\(cell($0.value, nil)) × \(NumberText.grouped($0.count))" }.joined(separator: ", ")
        }
    }
}
