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

    /// What keeps the watermark where it is, and since when, as one sentence without its end.
    static func watermark(_ facts: Facts, at now: WallTime) -> String {
        let holders = facts.holders
        var text: String
        if !holders.isEmpty {
            text = "held by \(self.holders(holders, idleAfter: facts.idleAfter, at: now))"
        } else if facts.partitions.isEmpty {
            return "no partition is read yet"
        } else {
            text = "every partition is idle"
            if let last = facts.partitions.compactMap(\.idleSince).max() { text += " since \(TimeText.utc(last))" }
        }
        if let moved = facts.watermarkMovedAt { text += "; it moved \(TimeText.span(now - moved)) ago" }
        return text
    }

    static func holders(_ holders: [Holder], idleAfter: TimeSpan? = nil, at now: WallTime? = nil) -> String {
        let named = holders.prefix(FreshnessLimits.namedHolders).map { one in
            var text = "\(one.partition) (\(holder(one, idleAfter: idleAfter))"
            if let now, let since = one.since { text += ", for \(TimeText.span(now - since))" }
            return text + ")"
        }
        let rest = holders.count - FreshnessLimits.namedHolders
        return rest > 0 ? "\(named.joined(separator: ", ")) and \(rest) more" : named.joined(separator: ", ")
    }

    static func holder(_ holder: Holder, idleAfter: TimeSpan? = nil) -> String {
        let spoken = holder.watermark == nil ? "never heard from, " : ""
        switch holder.reason {
        case .stopped(let fault): return "\(spoken)stopped: \(fault.what)"
        case .behind(0?), .behind(nil): return "\(spoken)being read"
        case .behind(let lag?): return "\(spoken)\(NumberText.grouped(lag)) records behind"
        case .restoring: return "\(spoken)its state is being restored"
        case .unassigned: return "\(spoken)not assigned here: another instance reads it, or none"
        case .silent:
            guard let silent = holder.silentFor, let idleAfter else { return "\(spoken)read to its end" }
            let span = TimeText.span(silent)
            if silent < idleAfter {
                return "\(spoken)read to its end, silent for \(span): idle after \(TimeText.span(idleAfter))"
            }
            return "\(spoken)silent for \(span), but the broker has not said that this is its end"
        }
    }

    static func reason(_ reason: Holder.Reason) -> String {
        switch reason {
        case .stopped: "stopped"
        case .behind: "behind"
        case .silent: "silent"
        case .restoring: "restoring"
        case .unassigned: "unassigned"
        }
    }
    static let reasons = ["stopped", "behind", "silent", "restoring", "unassigned"]

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
