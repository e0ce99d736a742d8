public import Model

/// Makes a proposal of a sample, a vendor's shape, or both. Pure: the same records give the same texts.
public enum Inference {
    /// Faults: `sample_empty`, `sample_without_time`, `sample_unlike_vendor`; `draft_refused` would be a mistake of ours.
    public static func propose(
        name: String, owner: String, source: DraftSource, vendor: VendorShape?, sample: Sample?
    ) throws(Fault) -> Proposal {
        var draft = Draft(name: name, owner: owner, source: source, fields: [], time: nil, key: [], groups: [], measures: [])
        if let sample, sample.count == 0 {
            throw Fault(
                "sample_empty",
                sample.undecodable > 0
                    ? "None of \(sample.undecodable) records is a JSON object." : "There are no records to look at.",
                next: "Name a file or topic of JSON objects, or begin with a vendor's shape: weir init --from segment.",
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
            draft.horizons = HorizonProposal(times: times, floor: vendor?.horizon ?? 0, hasKey: !draft.key.isEmpty).horizons
            draft.head.append(
                "Measured on \(sample.count) records"
                    + (sample.undecodable > 0 ? "; \(sample.undecodable) more are no JSON objects and would be rejected." : "."))
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
            topology: text, test: TestDraft(draft: draft).text, compose: ComposeDraft.text(draft),
            records: sample?.count ?? 0, undecodable: sample?.undecodable ?? 0, fields: draft.fields.map(\.name),
            time: draft.time, key: draft.key,
            horizons: [
                ("out_of_orderness", horizons.outOfOrderness), ("idle_after", horizons.idleAfter),
                ("max_future", horizons.maxFuture), ("window", horizons.window), ("allowed_lateness", horizons.lateness),
                ("within", horizons.within),
            ])
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

    var horizons: Draft.Horizons {
        var found = Draft.Horizons()
        let worst = times.behind.last ?? 0
        let usual = SampleTimes.quantile(times.behind, 0.99) ?? 0
        found.outOfOrderness = SampleTimes.round(max(1_000, usual + usual / 2))
        let far = SampleTimes.quantile(times.behind, 0.999) ?? 0
        found.notes["out_of_orderness"] = [
            "Behind the newest of its partition: half of the records \(shown(SampleTimes.quantile(times.behind, 0.5) ?? 0)) or less, "
                + "99 % \(shown(usual)), 99.9 % \(shown(far)), the worst \(shown(worst)).",
            "Holds 99 % with half as much again; the rest is for allowed_lateness.",
        ]
        let gap = times.timed > 1 && times.last > times.first ? (times.last - times.first) / Int64(times.timed) : 0
        found.window = gap <= 10_000 ? 60_000 : gap <= 600_000 ? 3_600_000 : 86_400_000
        found.notes["window"] = ["A record every \(shown(gap)) of event time in the sample."]
        let rest = max(0, worst - found.outOfOrderness)
        found.lateness = min(InferLimits.lateness, SampleTimes.round(max(60_000, rest)))
        found.notes["allowed_lateness"] = [
            rest <= found.lateness
                ? "Takes the worst record of the sample."
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
            "\(times.future.count) event times are past their record's timestamp, at most by \(shown(most)); \(beyond) would be rejected."
        ]
    }

    private func within(_ found: inout Draft.Horizons) {
        let reach = found.window + found.lateness
        let oldest = times.copyAges.last ?? 0
        found.within = max(SampleTimes.round(max(reach, oldest.multipliedReportingOverflow(by: 2).partialValue)), floor)
        var notes = ["At least window + allowed_lateness, or a late copy counts twice."]
        if times.copyAges.isEmpty {
            notes.append("The sample has no copies in one partition.")
        } else {
            notes.append(
                "\(times.copyAges.count) copies, the oldest \(shown(oldest)) of event time and \(times.copyDistance) records after its first."
            )
        }
        if times.copiesElsewhere > 0 {
            notes.append(
                "\(times.copiesElsewhere) copies are in another partition than their first and are NOT recognised: key messages by the id."
            )
        }
        found.notes["within"] = notes
    }

    private func shown(_ milliseconds: Int64) -> String { CanonicalText.span(milliseconds) }
}
