import Model

/// Which fields a topology of a sample would read, and as what.
struct SampleDraft {
    let sample: Sample
    private var taken: Set<String> = []

    init(sample: Sample) { self.sample = sample }

    mutating func fill(_ draft: inout Draft) throws(Fault) {
        let (all, leftOut) = sample.profiles()
        let paths = all.filter { FieldNames.isPath($0.keys) }
        let odd = all.count - paths.count
        if odd > 0 {
            let names = all.filter { !FieldNames.isPath($0.keys) }.prefix(5)
                .map { "`\(Quoted.comment(String($0.keys.joined(separator: " › ").prefix(60))))`" }.joined(separator: ", ")
            draft.head.append(
                "Left out, as paths can't name keys with dots, `${` or control characters: \(names)\(odd > 5 ? " …" : "").")
        }
        if leftOut > 0 { draft.head.append("\(leftOut) values lie beyond the first \(InferLimits.paths) paths.") }
        let mixed = paths.filter { $0.kinds > 1 }
        if !mixed.isEmpty {
            let names = mixed.prefix(10).map { Quoted.comment($0.keys.joined(separator: ".")) }.joined(separator: ", ")
            draft.head.append("Of more than one type, and left out unless personal: \(names).")
        }
        let time = best(paths) { timeScore($0) }
        let id = best(paths) { $0.keys == time?.keys ? 0 : idScore($0) }
        if let id {
            add(id, personal: false, &draft)
            draft.key = [draft.fields[0].name]
        }
        if let time, let form = Self.form(time) {
            add(time, kind: .time(form), isRequired: true, personal: false, &draft)
            draft.time = draft.fields.last?.name
            if timeScore(time) < 1 {
                draft.head.append("`\(draft.time ?? "")` was taken for the event time by its values only: look whether it is.")
            }
        } else if !sample.records.contains(where: { $0.timestamp != nil }) {
            throw withoutTime(paths)
        }
        let others = paths.filter { $0.keys != time?.keys && $0.keys != id?.keys && $0.kinds > 0 }
        let event = best(others) { eventScore($0) }
        if let event {
            add(event, personal: false, &draft)
            draft.groups.append(draft.fields[draft.fields.count - 1].name)
        }
        let rest = others.filter { $0.keys != event?.keys }
        if let group = best(rest, by: { groupScore($0) }) {
            add(group, personal: false, &draft)
            draft.groups.append(draft.fields[draft.fields.count - 1].name)
        }
        let measures = rest.filter { measureScore($0) > 0 }.sorted { measureScore($0) > measureScore($1) }
        for path in measures.prefix(InferLimits.measures) {
            add(path, personal: false, &draft)
            let name = draft.fields[draft.fields.count - 1].name
            draft.measures.append((FieldNames.identifier(["total_" + name], taken: taken), "sum(\(name))"))
            draft.measures.append((FieldNames.identifier(["max_" + name], taken: taken), "max(\(name))"))
        }
        for path in rest where isPersonal(path) && path.nested == 0 {
            add(path, kind: path.kinds > 1 ? .json : nil, personal: true, &draft)
        }
    }

    private func withoutTime(_ paths: [PathProfile]) -> Fault {
        let named = paths.filter { FieldNames.isTime(FieldNames.snake($0.keys.last ?? "")) && $0.values > 0 }
        let what =
            named.first.map { path in
                let name = Quoted.comment(path.keys.joined(separator: "."))
                return Self.form(path) == nil
                    ? "`\(name)` holds neither whole epoch numbers nor RFC 3339 times."
                    : "`\(name)` is missing in more than half of the records."
            } ?? "No field of the sample holds a time, and the records have no timestamps."
        return Fault(
            "sample_without_time", what,
            next: "Let producers write a time as epoch numbers (s, ms, us, ns) or RFC 3339, or sample the topic itself.",
            exit: .usage)
    }

    private mutating func add(
        _ path: PathProfile, kind: Draft.Field.Kind? = nil, isRequired: Bool? = nil, personal: Bool, _ draft: inout Draft
    ) {
        guard draft.fields.count < TopologyLimits.fields / 2 else { return }
        let name = FieldNames.identifier(path.keys, taken: taken)
        taken.insert(name)
        let isAlways = path.values == sample.count
        let missing = sample.count - path.values
        let distinct = min(path.distinct.count, path.values)
        var note =
            path.bools > 0 ? "" : "\(distinct > InferLimits.hashes ? "about " : "")\(HorizonProposal.count(distinct, "value"))"
        if missing > 0 {
            note +=
                "\(note.isEmpty ? "" : ", ")missing in \(missing) of \(sample.count)"
                + (isRequired == true ? ": rejected" : "")
        }
        draft.fields.append(
            Draft.Field(
                name: name, kind: kind ?? Self.kind(path), keys: path.keys, isRequired: isRequired ?? isAlways,
                isPersonal: personal, note: note))
    }

    private func isPersonal(_ path: PathProfile) -> Bool { FieldNames.isPersonal(FieldNames.snake(path.keys.last ?? "")) }

    /// The one with the highest score above 0; the first of equals, shallow ones before deep ones.
    private func best(_ paths: [PathProfile], by score: (PathProfile) -> Double) -> PathProfile? {
        var found: (path: PathProfile, score: Double)?
        for path in paths {
            let points = score(path) - Double(path.keys.count - 1) * 0.1
            if points > 0, points > found?.score ?? 0 { found = (path, points) }
        }
        return found?.path
    }

    static func kind(_ path: PathProfile) -> Draft.Field.Kind {
        if path.strings > 0 { return path.uuids == path.strings ? .uuid : .string }
        if path.bools > 0 { return .bool }
        if path.integers + path.fractions == 0 { return .json }
        return path.fractions > 0 ? .double : .int
    }

    /// The form that all but one in a hundred values have.
    static func form(_ path: PathProfile) -> TimeForm? {
        let enough = path.values - path.values / 100
        guard path.values > 0 else { return nil }
        for unit in EpochUnit.allCases where path.epochs[unit, default: 0] >= enough { return .epoch(unit) }
        if path.zonedTimes >= enough { return .zoned }
        return path.zonedTimes + path.zonelessTimes >= enough ? .zoneless : nil
    }

    private func share(_ path: PathProfile) -> Double { Double(path.values) / Double(max(1, sample.count)) }

    private func timeScore(_ path: PathProfile) -> Double {
        guard let form = Self.form(path), share(path) >= 0.5 else { return 0 }
        let name = FieldNames.snake(path.keys.last ?? "")
        if name.hasSuffix("id") { return 0 }
        // Nine-digit numbers can be anything: without a name they are the last choice, others the one before.
        var points = form == .epoch(.s) ? 0.4 : 0.9
        if let place = FieldNames.times.firstIndex(of: name) {
            points = 6 - Double(place) * 0.1
        } else if FieldNames.laterTimes.contains(name) {
            points = 2
        } else if FieldNames.isTime(name) {
            points = 3
        } else if FieldNames.isPersonal(name) {
            return 0
        }
        return points * share(path)
    }

    private func idScore(_ path: PathProfile) -> Double {
        guard path.kinds == 1, path.fractions == 0, path.bools == 0, path.nested == 0, share(path) >= 0.9 else { return 0 }
        let unique = Double(min(path.distinct.count, path.values)) / Double(max(1, path.values))
        // Copies are what is looked for, so an id need not be quite unique.
        guard unique >= 0.5 || path.values < 3, Self.form(path) == nil || path.uuids > 0, !isPersonal(path) else { return 0 }
        let name = FieldNames.snake(path.keys.last ?? "")
        if let place = FieldNames.ids.firstIndex(of: name) { return 8 - Double(place) * 0.2 + unique }
        return path.strings > 0 && path.uuids == path.strings && unique >= 0.8 ? 3 + unique : 0
    }

    private func eventScore(_ path: PathProfile) -> Double {
        guard path.kinds == 1, path.strings > 0, path.distinct.count <= InferLimits.groupValues else { return 0 }
        let name = FieldNames.snake(path.keys.last ?? "")
        guard let place = FieldNames.events.firstIndex(of: name) else { return 0 }
        // A name that hardly repeats is somebody's.
        if isPersonal(path), path.distinct.count * 10 > path.values { return 0 }
        return (4 - Double(place) * 0.2) * share(path)
    }

    private func groupScore(_ path: PathProfile) -> Double {
        guard path.kinds == 1, path.strings > 0, !isPersonal(path), Self.form(path) == nil, share(path) >= 0.5 else { return 0 }
        let distinct = min(path.distinct.count, path.values)
        guard distinct >= 2, distinct <= InferLimits.groupValues, distinct * 5 <= path.values else { return 0 }
        let name = FieldNames.snake(path.keys.last ?? "")
        if ["country", "region", "platform", "channel", "category", "tenant"].contains(name) { return 3 }
        return name.hasSuffix("id") ? 0.5 : 1
    }

    private func measureScore(_ path: PathProfile) -> Double {
        guard path.kinds == 1, path.integers + path.fractions > 0, Self.form(path) == nil, !isPersonal(path) else { return 0 }
        let name = FieldNames.snake(path.keys.last ?? "")
        if name.hasSuffix("id") || name.contains("version") { return 0 }
        return (FieldNames.isMeasure(name) ? 3 : 1) * share(path) + (path.fractions > 0 ? 0.5 : 0)
    }
}
