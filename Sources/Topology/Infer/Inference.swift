public import Model

/// Makes a proposal of a sample, a vendor's shape, or both. Pure: the same records give the same texts.
public enum Inference {
    /// `hostFolder`: where relative paths of a file source begin, as seen from the compose file. Faults: `sample_empty`, `sample_without_time`, `sample_unlike_vendor`; `draft_refused` would be a mistake of ours.
    public static func propose(
        name: String, owner: String, source: DraftSource, vendor: VendorShape?, sample: Sample?, hostFolder: String = "."
    ) throws(Fault) -> Proposal {
        var draft = Draft(name: name, owner: owner, source: source, fields: [], time: nil, key: [], groups: [], measures: [])
        if let sample, sample.count == 0 {
            throw Fault(
                "sample_empty",
                sample.undecodable > 0
                    ? "None of the sample's \(sample.undecodable) \(sample.kind == .lines ? "lines" : "records") is a JSON object."
                    : "There are no records to look at.",
                next:
                    "Name a file with one JSON object a line or a topic of them, or begin with a vendor's shape: weir init --from segment.",
                exit: .usage)
        }
        if let vendor {
            try VendorDraft(vendor: vendor, sample: sample).fill(&draft)
        } else if let sample {
            var reader = SampleDraft(sample: sample)
            try reader.fill(&draft)
        }
        if let sample {
            let time = draft.fields.first { $0.name == draft.time }
            var form: (keys: [String], form: TimeForm)?
            if let time, case .time(let found) = time.kind { form = (time.keys, found) }
            let ids = draft.fields.filter { draft.key.contains($0.name) }.map(\.keys)
            let times = SampleTimes(sample, time: form, ids: ids)
            draft.horizons =
                HorizonProposal(
                    times: times, floor: vendor?.horizon ?? 0, hasKey: !draft.key.isEmpty, isCut: sample.isCut
                ).horizons
            draft.head.append(sample.heading)
        } else if let vendor {
            draft.horizons.within = vendor.horizon
            draft.horizons.notes = [
                "out_of_orderness": ["Assumed, not measured: give a sample with --from-file."],
                "within": ["As long as \(vendor.name) itself; about 40 bytes of memory a key."],
            ]
            draft.horizons.outOfOrderness = 300_000
        }
        if let vendor { draft.horizons.notes["deduplicate", default: []] += vendor.notes }
        let text = TopologyDraft(draft: draft).text
        try check(text, name: name)
        let horizons = draft.horizons
        return Proposal(
            topology: text, test: TestDraft(draft: draft).text, compose: ComposeDraft.text(draft, hostFolder: hostFolder),
            records: sample?.count ?? 0, undecodable: sample?.undecodable ?? 0, fields: draft.fields.map(\.name),
            time: draft.time, key: draft.key,
            horizons: [
                ("out_of_orderness", horizons.outOfOrderness), ("idle_after", horizons.idleAfter),
                ("max_future", horizons.maxFuture), ("window", horizons.window), ("allowed_lateness", horizons.lateness),
                ("within", horizons.within),
            ])
    }

    /// How to reach the brokers of a topic that has no topology yet, by what the files of `--with` say under `kafka`.
    public static func connection(bootstrap: String, overlays: [String]) -> Topology.Reading {
        let start = "weir init"
        let text = """
            name: sample
            owner: you
            kafka: {bootstrap: \(Quoted.yaml(bootstrap))}
            source: {topics: [sample], group: sample}
            fields: {ts: {type: timestamp}}
            event_time: {field: ts, out_of_orderness: 1s}
            aggregates: {sample: {window: {tumbling: 1m}, measures: {events: count()}, to: [{table: sample}]}}
            """
        var surroundings = Topology.Surroundings.machine
        let bytes = surroundings.bytes
        surroundings.bytes = { path throws(Fault) in path == start ? Array(text.utf8) : try bytes(path) }
        return Topology.read(files: [start] + overlays, from: surroundings)
    }

    /// What is written must be what `weir check --strict` takes.
    private static func check(_ text: String, name: String) throws(Fault) {
        var surroundings = Topology.Surroundings.machine
        surroundings.bytes = { _ throws(Fault) in Array(text.utf8) }
        surroundings.environment = { _ in nil }
        let reading = Topology.read(files: ["\(name).yaml"], strict: true, from: surroundings)
        guard reading.plan == nil else { return }
        let first = reading.problems.first { $0.severity == .error }
        throw Fault(
            "draft_refused", "The draft does not pass weir check --strict: \(first?.what ?? "no plan").",
            place: first?.place.description ?? "", next: "This is a mistake of Weir: report it with the names of your fields.",
            exit: .topology)
    }
}

/// Spans from what was observed, each with its reason.
struct HorizonProposal {
    let times: SampleTimes
    /// Milliseconds that a vendor recognises copies for.
    let floor: Int64
    let hasKey: Bool
    /// The stream is longer than the sample.
    let isCut: Bool

    var horizons: Draft.Horizons {
        var found = Draft.Horizons()
        let worst = times.behind.last ?? 0
        let usual = SampleTimes.quantile(times.behind, 0.99) ?? 0
        found.outOfOrderness = SampleTimes.round(max(1_000, usual + usual / 2))
        let far = SampleTimes.quantile(times.behind, 0.999) ?? 0
        found.notes["out_of_orderness"] =
            worst == 0
            ? ["No record of the sample is behind an earlier one of its \(place); this is the least that is proposed."]
            : [
                "How far records are behind the newest of their \(place): 99 % at most \(shown(usual)), "
                    + "99.9 % \(shown(far)), the worst \(shown(worst)).",
                "Holds 99 % with half as much again; the rest is for allowed_lateness.",
            ]
        let gap = times.timed > 1 && times.last > times.first ? (times.last - times.first) / Int64(times.timed) : 0
        found.window = gap <= 10_000 ? 60_000 : gap <= 600_000 ? 3_600_000 : 86_400_000
        found.notes["window"] = [
            times.timed > 1
                ? "The sample has a record every \(shown(gap)) of event time, \(shown(times.last - times.first)) in all."
                : "Assumed: the sample has one record only."
        ]
        let rest = max(0, worst - found.outOfOrderness)
        found.lateness = min(InferLimits.lateness, SampleTimes.round(max(60_000, rest)))
        found.notes["allowed_lateness"] = [
            rest <= found.lateness
                ? worst == 0 ? "Room for what the sample does not show." : "Takes the worst record of the sample."
                : "The worst record came \(shown(worst)) behind: such ones go to the late ledger, as open windows cost memory."
        ]
        idle(&found)
        future(&found)
        if hasKey { within(&found) }
        return found
    }

    private func idle(_ found: inout Draft.Horizons) {
        guard let silence = SampleTimes.quantile(times.silences, 0.999) else { return }
        found.idleAfter = min(600_000, max(30_000, SampleTimes.round(silence.multipliedReportingOverflow(by: 2).partialValue)))
        found.notes["idle_after"] = ["99.9 % of the silences of a partition are \(shown(silence)) or shorter."]
    }

    private func future(_ found: inout Draft.Horizons) {
        guard let most = times.future.last else { return }
        let beyond = times.future.count { $0 > found.maxFuture }
        found.notes["max_future"] = [
            "\(Self.count(times.future.count, "event time is", "event times are")) past the record's timestamp, at most by "
                + "\(shown(most)); \(beyond) would be rejected."
        ]
    }

    private func within(_ found: inout Draft.Horizons) {
        let reach = found.window + found.lateness
        let oldest = times.copyAges.last ?? 0
        found.within = max(SampleTimes.round(max(reach, oldest.multipliedReportingOverflow(by: 2).partialValue)), floor)
        var notes = ["At least window + allowed_lateness, or a late copy counts twice."]
        if times.copyAges.isEmpty {
            notes.append("The sample has no copies\(times.copiesElsewhere > 0 ? " within one \(place)" : "").")
        } else {
            notes.append(
                "The sample has \(Self.count(times.copyAges.count, "copy", "copies")), \(shown(oldest)) of event time and "
                    + "\(Self.count(times.copyDistance, "record")) after the first at most."
            )
        }
        if times.copiesElsewhere > 0 {
            notes.append(
                "\(Self.count(times.copiesElsewhere, "copy is", "copies are")) in another \(place) than the first and NOT recognised: "
                    + (times.kind == .lines ? "put the files together." : "let producers key messages by the id.")
            )
        }
        if isCut { notes.append("A copy that came later than the sample is long was not seen.") }
        found.notes["within"] = notes
    }

    private var place: String { times.kind == .lines ? "file" : "partition" }

    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    /// For people: rounded, in two units at most.
    private func shown(_ milliseconds: Int64) -> String {
        let seconds = (milliseconds + 500) / 1_000
        switch milliseconds {
        case ..<1_000: return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
        case ..<10_000:
            let tenths = (milliseconds + 50) / 100
            return tenths % 10 == 0 ? "\(tenths / 10)s" : "\(tenths / 10).\(tenths % 10)s"
        case ..<59_500: return "\(seconds)s"
        case ..<3_599_500: return two(seconds / 60, "m", seconds % 60, "s")
        case ..<86_370_000: return two((seconds + 30) / 3_600, "h", (seconds + 30) % 3_600 / 60, "m")
        default: return two((seconds + 1_800) / 86_400, "d", (seconds + 1_800) % 86_400 / 3_600, "h")
        }
    }

    private func two(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large)\(unit)" : "\(large)\(unit) \(small)\(smallUnit)"
    }
}
