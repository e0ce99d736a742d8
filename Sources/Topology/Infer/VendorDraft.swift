import Model

/// A vendor's fields, as they stand in a sample where there is one.
struct VendorDraft {
    let vendor: VendorShape
    let sample: Sample?

    func fill(_ draft: inout Draft) throws(Fault) {
        let found = sample?.profiles().paths ?? []
        var byPath: [[String]: PathProfile] = [:]
        for path in found { byPath[path.keys] = path }
        draft.head.append("The shape of \(vendor.name), as `weir init --from \(vendor.name)` knows it.")
        for shape in vendor.fields {
            let keys = (shape.path ?? shape.name).split(separator: ".").map(String.init)
            let seen = byPath[keys]
            let isMissing = sample != nil && (seen?.values ?? 0) == 0
            if isMissing, shape.isRequired {
                throw Fault(
                    "sample_unlike_vendor",
                    "No record of the sample has `\(keys.joined(separator: "."))`, which every one of \(vendor.name) has.",
                    next: "Leave --from out: the fields are then found in the sample.", exit: .usage)
            }
            if isMissing {
                draft.head.append("`\(keys.joined(separator: "."))` is in no record of the sample and left out.")
                continue
            }
            var field = Draft.Field(
                name: shape.name, kind: kind(shape), keys: keys, isRequired: shape.isRequired,
                isPersonal: shape.role == .personal)
            if let seen, let sample { try measure(&field, seen, sample.count, shape) }
            draft.fields.append(field)
            switch shape.role {
            case .time: draft.time = field.name
            case .event, .group: draft.groups.append(field.name)
            case .id where vendor.key.isEmpty: draft.key.append(field.name)
            default: break
            }
        }
        if !vendor.key.isEmpty { draft.key = vendor.key }
    }

    private func measure(
        _ field: inout Draft.Field, _ seen: PathProfile, _ records: Int, _ shape: VendorShape.Field
    ) throws(Fault) {
        if shape.role == .time {
            guard let form = SampleDraft.form(seen) else {
                throw Fault(
                    "sample_unlike_vendor", "`\(field.keys.joined(separator: "."))` holds no times in the sample.",
                    next: "Leave --from out: the fields are then found in the sample.", exit: .usage)
            }
            field.kind = .time(form)
        } else {
            field.kind = seen.kinds > 1 ? .json : SampleDraft.kind(seen)
            if field.kind == .json, !field.isPersonal {
                throw Fault(
                    "sample_unlike_vendor", "`\(field.keys.joined(separator: "."))` has values of several types in the sample.",
                    next: "Leave --from out: the fields are then found in the sample.", exit: .usage)
            }
        }
        let missing = records - seen.values
        guard missing > 0 else { return }
        field.note = "missing in \(missing) of \(records)" + (shape.role == .time ? ": rejected" : "")
        if shape.role != .time { field.isRequired = false }
    }

    private func kind(_ shape: VendorShape.Field) -> Draft.Field.Kind {
        guard shape.role == .time else { return shape.type == "uuid" ? .uuid : .string }
        if let unit = vendor.unit { return .time(.epoch(unit)) }
        return .time(vendor.zone == nil ? .zoned : .zoneless)
    }
}
