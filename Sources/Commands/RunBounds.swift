internal import Model
internal import Runtime
internal import Topology

/// `--from`, `--until` and `--resume` as what a run is asked for.
enum RunBounds {
    /// One bound: an instant, or `TOPIC:PARTITION:OFFSET`.
    private enum Bound {
        case instant(EventTime)
        case offset(PartitionID, Int64)
    }

    static func read(from: [String], until: [String]) throws(Fault) -> (until: RunOptions.Until, range: ReplayRange?) {
        if from.isEmpty {
            switch until {
            case []: return (.stopped, nil)
            case ["end"]: return (.end, nil)
            case ["now"]: return (.now, nil)
            default:
                for text in until { _ = try bound(text, "until", words: "end, now, ") }
                throw wrong("--until \(printableWord(until[0])) needs --from", "a replay has both edges")
            }
        }
        if until.isEmpty || until.contains("end") || until.contains("now") {
            throw wrong("--from needs --until with an instant or offsets", "a replay has both edges")
        }
        return (.end, try range(from, until))
    }

    private static func range(_ from: [String], _ until: [String]) throws(Fault) -> ReplayRange {
        var instants: [[EventTime]] = [[], []]
        var offsets: [[PartitionID: Int64]] = [[:], [:]]
        for (side, texts) in [from, until].enumerated() {
            for text in texts {
                switch try bound(text, side == 0 ? "from" : "until") {
                case .instant(let time): instants[side].append(time)
                case .offset(let id, let offset):
                    if offsets[side][id] != nil { throw wrong("\(id.description) has two bounds", "name each partition once") }
                    offsets[side][id] = offset
                }
            }
        }
        if instants[0].count == 1, instants[1].count == 1, offsets[0].isEmpty, offsets[1].isEmpty {
            guard instants[0][0] < instants[1][0] else {
                throw wrong("--from is not before --until", "name the earlier one first")
            }
            return .times(from: instants[0][0], until: instants[1][0])
        }
        guard instants[0].isEmpty, instants[1].isEmpty else {
            throw wrong("a replay is bounded by one instant on each side, or by offsets", "don't mix them")
        }
        for (id, offset) in offsets[0].sorted(by: { $0.key < $1.key }) {
            guard let end = offsets[1][id] else { throw wrong("\(id.description) has no --until", "bound it on both sides") }
            if end < offset { throw wrong("\(id.description) ends before it begins", "name the smaller offset in --from") }
        }
        if let lone = offsets[1].keys.filter({ offsets[0][$0] == nil }).sorted().first {
            throw wrong("\(lone.description) has no --from", "bound it on both sides")
        }
        return .offsets(from: offsets[0], until: offsets[1])
    }

    private static func bound(_ text: String, _ option: String, words: String = "") throws(Fault) -> Bound {
        if let instant = Instant.parse(text), !instant.isFiner { return .instant(EventTime(milliseconds: instant.milliseconds)) }
        if let colon = text.lastIndex(of: ":"), let offset = Int64(text[text.index(after: colon)...]), offset >= 0,
            let id = partition(text[..<colon])
        {
            return .offset(id, offset)
        }
        throw wrong(
            "--\(option) is `\(printableWord(text))`",
            "write \(words)an instant such as 2026-01-31T08:00:00Z, or TOPIC:PARTITION:OFFSET")
    }

    /// `TOPIC:PARTITION=earliest`, `latest` or an offset.
    static func resume(_ texts: [String]) throws(Fault) -> [ResumeChoice] {
        var choices: [ResumeChoice] = []
        for text in texts {
            guard let equals = text.lastIndex(of: "="), let id = partition(text[..<equals]),
                let position = position(text[text.index(after: equals)...])
            else {
                throw wrong(
                    "--resume is `\(printableWord(text))`", "write TOPIC:PARTITION=earliest, =latest or =OFFSET")
            }
            if choices.contains(where: { $0.partition == id }) {
                throw wrong("--resume names \(id.description) twice", "make one choice")
            }
            choices.append(ResumeChoice(partition: id, position: position))
        }
        return choices
    }

    private static func position(_ text: Substring) -> ResumeChoice.Position? {
        switch text {
        case "earliest": .earliest
        case "latest": .latest
        default: Int64(text).flatMap { $0 >= 0 ? .offset($0) : nil }
        }
    }

    private static func partition(_ text: Substring) -> PartitionID? {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let number = Int32(text[text.index(after: colon)...]), number >= 0
        else { return nil }
        return PartitionID(topic: String(text[..<colon]), number: number)
    }

    private static func wrong(_ what: String, _ hint: String) -> Fault { usageFault(what, of: "run", hint: hint) }
}
