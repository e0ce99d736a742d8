internal import Model
internal import Runtime
internal import State

/// `weir late reapply`: one command after the other until all that was asked for is settled, and what became of each.
struct LateReapplying {
    private let plan: Plan
    private let selection: LateSelection
    private let limit: Int?
    private let console: Console
    private let isJSON: Bool

    init(_ plan: Plan, _ selection: LateSelection, limit: Int?, _ console: Console, isJSON: Bool) {
        self.plan = plan
        self.selection = selection
        self.limit = limit
        self.console = console
        self.isJSON = isJSON
    }

    private struct Settled {
        var entry: Int64
        var became: LateReapply.Became
    }

    func run() throws(Fault) -> ExitCode {
        var settled: [Settled] = []
        var commits: [Int64] = []
        var next: Int64? = selection.after
        while let after = next, limit.map({ settled.count < $0 }) ?? true {
            var part = selection
            part.after = after
            part.limit = min(StateLimits.lateEntries, (limit ?? .max) - settled.count)
            let answer = try RestingService.tell(.reapplyLate(part), plan, clock: SystemClock())
            commits.append(answer.commit)
            for item in answer.result["entries"]?.items ?? [] {
                guard let entry = item["entry"]?.int,
                    let became = item["became"]?.text.flatMap(LateReapply.Became.init(rawValue:))
                else { continue }
                settled.append(Settled(entry: entry, became: became))
            }
            next = answer.result["next"]?.int
        }
        let missing = Set(selection.entries).subtracting(settled.map(\.entry)).sorted()
        console.out(isJSON ? json(settled, missing, commits) : text(settled, missing))
        return settled.contains { $0.became.isRefused } || !missing.isEmpty ? .answerIsNo : .done
    }

    private func text(_ settled: [Settled], _ missing: [Int64]) -> String {
        var text = ""
        for became in LateReapply.Became.allCases {
            let entries = settled.filter { $0.became == became }.map(\.entry)
            if entries.isEmpty { continue }
            text += "\(entries.count) \(Self.words(became))\n"
            if became.isRefused {
                let shown = entries.prefix(CommandsLimits.lateShown).map(String.init).joined(separator: " ")
                text += "  \(shown)\(entries.count > CommandsLimits.lateShown ? " …" : "")\n  \(Self.advice(became))\n"
            }
        }
        if !missing.isEmpty { text += "\(missing.count) not in the ledger: \(missing.map(String.init).joined(separator: " "))\n" }
        return text.isEmpty ? "nothing to apply again\n" : text
    }

    private static func words(_ became: LateReapply.Became) -> String {
        switch became {
        case .counted: "counted"
        case .copy: "copies of events that are counted"
        case .already: "applied again before"
        case .past: "not counted: their windows closed too long ago"
        case .gone: "not counted: the log no longer has them"
        case .changed: "not counted: another record lies in their place"
        }
    }

    private static func advice(_ became: LateReapply.Became) -> String {
        switch became {
        case .past:
            "Backfill counts such a range again (weir run --from … --until …); state.keep_closed says how long windows are kept."
        case .gone: "The topic's retention is shorter than the ledger's keep, or the source keeps no records."
        case .changed: "The topic was made anew, or the topology reads other records than before."
        case .counted, .copy, .already: ""
        }
    }

    private func json(_ settled: [Settled], _ missing: [Int64], _ commits: [Int64]) -> String {
        var json = JSONText()
        json.beginObject()
        json.key("commits")
        json.beginArray()
        for commit in commits { json.int(commit) }
        json.endArray()
        for became in LateReapply.Became.allCases {
            json.member(became.rawValue, settled.count { $0.became == became })
        }
        json.key("entries")
        json.beginArray()
        for one in settled {
            json.beginObject()
            json.member("entry", one.entry)
            json.member("became", one.became.rawValue)
            json.endObject()
        }
        json.endArray()
        json.key("missing")
        json.beginArray()
        for entry in missing { json.int(entry) }
        json.endArray()
        json.endObject()
        return json.text + "\n"
    }
}
