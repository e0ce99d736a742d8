import Model

extension PlanReader {
    mutating func measure(_ name: String, _ item: Item) -> MeasurePlan? {
        guard let scalar = item.scalar else { return nil }
        let parsed: MeasureExpression
        do { parsed = try Parser.measure(scalar.text) } catch {
            report(error, item, scalar)
            return nil
        }
        let reader = self
        func fault(_ code: Problem.Code, _ offset: Int, _ what: String, _ next: String) {
            reader.report(ExpressionFault(code: code, offset: offset, what: what, next: next), item, scalar)
        }
        var admits: Predicate?
        if let condition = parsed.admits { admits = typed(condition, item, scalar) }
        guard let function = MeasurePlan.Function(rawValue: parsed.function) else {
            let known = MeasurePlan.Function.allCases.map(\.rawValue)
            let nearest = Spelling.nearest(to: parsed.function, among: known)
            fault(
                .expression, parsed.offset, "no measure is called `\(parsed.function)`",
                nearest.map { "did you mean `\($0)`?" } ?? "use \(Spelling.list(known))")
            return nil
        }
        if parsed.arguments.isEmpty, function == .count { return MeasurePlan(name: name, function: .count, admits: admits) }
        let second = function.secondArgument
        guard parsed.arguments.count == (second == nil ? 1 : 2) else {
            fault(
                .expression, parsed.offset,
                "`\(function.rawValue)` takes \(second.map { "a field and \($0.words)" } ?? "one field"), not \(parsed.arguments.count)",
                "write `\(function.rawValue)(field\(second.map { ", \($0.example)" } ?? ""))`")
            return nil
        }
        var measure = MeasurePlan(name: name, function: function, admits: admits)
        if let second, let fitting = second.read(parsed.arguments[1], into: &measure) {
            fault(.expression, parsed.arguments[1].offset, fitting.what, fitting.next)
            return nil
        }
        let column = withTyping(item, scalar) { $0.column(parsed.arguments[0], function == .count ? "count" : "a measure") }
        guard let column else { return nil }
        let type = fields.plans[column].type
        guard function.takes(type) else {
            fault(
                .typeMismatch, parsed.arguments[0].offset,
                "`\(function.rawValue)` can't take `\(fields.plans[column].name)`, which is \(type.words)", function.advice)
            return nil
        }
        measure.column = column
        return measure
    }

    /// A cell is written as one record: what all measures could need at once has to fit into it.
    func checkCell(_ measures: [MeasurePlan], _ item: Item) {
        let sizes = measures.indices.map { measures[$0].mostBytes(fields.plans, behind: measures[..<$0]) }
        let all = sizes.reduce(0, +)
        guard all > MeasureLimits.cellBytes, let largest = sizes.indices.max(by: { sizes[$0] < sizes[$1] }) else { return }
        problems.error(
            .cellTooLarge, at: item.place, item.path,
            "one group of one window could need \(CanonicalText.size(Int64(all / 1024) << 10)), more than the"
                + " \(CanonicalText.size(Int64(MeasureLimits.cellBytes))) that are stored as one record",
            next:
                "ask for less: `\(measures[largest].name)` alone could need \(CanonicalText.size(max(Int64(sizes[largest] / 1024), 1) << 10))"
        )
    }
}

/// What a measure takes beside its field.
private enum SecondArgument {
    case share
    case limit(ClosedRange<Int>)
    case length(ClosedRange<Int>)

    var words: String {
        switch self {
        case .share: "a share"
        case .limit: "a limit"
        case .length: "a number of values"
        }
    }

    var example: String {
        switch self {
        case .share: "0.99"
        case .limit: "1000"
        case .length: "10"
        }
    }

    /// Puts the argument into the plan, or says what is wrong with it.
    func read(_ argument: Expression, into measure: inout MeasurePlan) -> (what: String, next: String)? {
        let name = measure.function.rawValue
        guard case .number(let text) = argument.kind else {
            return ("\(words) is a number that stands there, not something to compute", "write `\(name)(field, \(example))`")
        }
        switch self {
        case .share:
            guard let number = Double(text), (0...1).contains(number) else {
                return (
                    "the share of a quantile is a number from 0 to 1",
                    "write `quantile(field, 0.99)` for the value that 99 % do not exceed"
                )
            }
            measure.share = number
        case .limit(let range), .length(let range):
            guard let number = Int(text), range.contains(number) else {
                let bounds = "from \(range.lowerBound) to \(range.upperBound)"
                return switch self {
                case .limit:
                    (
                        "the limit of `\(name)` is a whole number \(bounds)",
                        "say how many different values a group of a window has at most, or use `approx_distinct(field)`"
                    )
                default: ("`\(name)` lists a whole number of values \(bounds)", "write `\(name)(field, \(example))`")
                }
            }
            measure.limit = number
        }
        return nil
    }
}

extension MeasurePlan {
    /// Bytes of its part of a cell, at most. Quantiles of one field share theirs with one that stands before.
    fileprivate func mostBytes(_ fields: [FieldPlan], behind others: ArraySlice<MeasurePlan>) -> Int {
        let type = column.map { fields[$0].type }
        let isText = type == .string
        let listed = MeasureLimits.listedTextBytes
        switch function {
        case .count, .sum, .avg, .stddev: return 24
        case .min, .max: return 16 + (isText ? MeasureLimits.textBytes : 0)
        case .first, .last: return 48 + (isText ? MeasureLimits.textBytes : 0)
        case .approxDistinct: return 8 + Int(EstimateLimits.distinct)
        case .quantile:
            return others.contains { $0.function == .quantile && $0.column == column && $0.admits == admits }
                ? 0 : 8 + EstimateLimits.quantileBytes
        case .exactDistinct: return 16 + 16 * (limit ?? 1)
        case .top: return 32 + EstimateLimits.topValues(limit ?? 1) * (isText ? 32 + listed : 24)
        case .largest, .largestDistinct: return 16 + (limit ?? 1) * (isText ? 4 + listed : 8)
        }
    }
}

extension MeasurePlan.Function {
    fileprivate var secondArgument: SecondArgument? {
        switch self {
        case .quantile: .share
        case .exactDistinct: .limit(MeasureLimits.distinctValues)
        case .top, .largest, .largestDistinct: .length(MeasureLimits.listedValues)
        case .count, .sum, .avg, .min, .max, .first, .last, .stddev, .approxDistinct: nil
        }
    }

    fileprivate func takes(_ type: FieldType) -> Bool {
        switch (self, type) {
        case (.count, _): true
        case (.approxDistinct, _), (.exactDistinct, _), (.top, _): type != .json
        case (.first, .json), (.last, .json): false
        case (.first, _), (.last, _): true
        case (_, .int), (_, .double): true
        case (.min, .string), (.max, .string), (.min, .timestamp), (.max, .timestamp): true
        case (.largest, .string), (.largest, .timestamp), (.largestDistinct, .string), (.largestDistinct, .timestamp): true
        default: false
        }
    }

    fileprivate var advice: String {
        switch self {
        case .min, .max, .largest, .largestDistinct: "it takes an int, a double, a timestamp or a string"
        case .first, .last, .count, .approxDistinct, .exactDistinct, .top: "it takes any field but json"
        default: "it takes an int or a double"
        }
    }
}
