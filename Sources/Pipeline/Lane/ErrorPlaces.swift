import Model

/// Finds the records for which a written expression met an error, so that none is lost silently: an error counts as a null
/// where a condition or measure meets it. A batch without errors costs one check.
struct ErrorPlaces {
    /// One thing that reads computed columns.
    struct Meeting {
        /// Into `Books.expressionErrors`.
        var counter: Int
        /// Read as values.
        var reads: [Int]
        /// Columns with conditions, among what those come from.
        var inner: [Int]
        /// A condition that is known all the same needed no error; one that asks for nulls always looks.
        var asksForNull: Bool
    }

    private(set) var fields: [Meeting] = []
    private(set) var filter: Meeting?
    /// By output.
    private(set) var admits: [Meeting?]
    private(set) var measures: [[(measure: Int, argument: Meeting, admits: Meeting)]]

    init(_ plan: Plan) {
        let found = ExpressionPlaces(plan)
        admits = plan.aggregates.map { _ in nil }
        measures = plan.aggregates.map { _ in [] }
        for (kind, counter) in found.places {
            switch kind {
            case .field(let column): fields.append(Self.meeting(counter, [column], nil, plan))
            case .filter: filter = Self.meeting(counter, plan.filter!.columns, plan.filter, plan)
            case .admits(let output):
                let condition = plan.aggregates[output].admits!
                admits[output] = Self.meeting(counter, condition.columns, condition, plan)
            case .measure(let output, let measure):
                let own = plan.aggregates[output].measures[measure]
                measures[output].append(
                    (
                        measure, Self.meeting(counter, own.column.map { [$0] } ?? [], nil, plan),
                        Self.meeting(counter, own.admits?.columns ?? [], own.admits, plan)
                    ))
            }
        }
    }

    private static func meeting(_ counter: Int, _ columns: Set<Int>, _ condition: Predicate?, _ plan: Plan) -> Meeting {
        let all = plan.fields.withSources(of: columns)
        return Meeting(
            counter: counter, reads: columns.filter { plan.fields[$0].computed != nil }.sorted(),
            inner: all.filter { plan.fields[$0].computed?.conditions.isEmpty == false }.sorted(),
            asksForNull: condition?.asksForNull ?? true)
    }
}

extension ErrorPlaces.Meeting {
    func isPossible(_ stage: ComputeStage) -> Bool {
        reads.contains(where: stage.hasErrors) || inner.contains(where: stage.hasErrors)
    }

    /// `truth`: what the condition said of the row.
    func isMet(_ stage: ComputeStage, _ row: Int, truth: UInt8 = Truth.unknown) -> Bool {
        if truth != Truth.unknown && !asksForNull { return false }
        for column in reads where stage.isError(column, row) { return true }
        for column in inner where stage.isMet(column, row) { return true }
        return false
    }
}

extension LaneState {
    private mutating func count(_ errors: Int64, _ counter: Int) {
        if errors == 0 { return }
        if books.expressionErrors.isEmpty { books.expressionErrors = Array(repeating: 0, count: errorNames) }
        books.expressionErrors[counter] += errors
    }

    /// Asked of the records that could be decoded, before any is rejected for a field.
    mutating func noteFieldErrors(_ columns: borrowing Columns, _ rows: Int) {
        guard let errorPlaces, let compute, compute.sawError else { return }
        let undecodable = columns.errors
        for place in errorPlaces.fields where place.isPossible(compute) {
            var errors: Int64 = 0
            for row in 0..<rows
            where scratch.verdicts[row] == RowVerdict.open && undecodable[row] == 0 && place.isMet(compute, row) {
                errors += 1
            }
            count(errors, place.counter)
        }
    }

    /// Asked of the live rows; `truths` is what the condition said.
    mutating func noteErrors(_ place: ErrorPlaces.Meeting?, _ truths: UnsafePointer<UInt8>, _ live: Int) {
        guard let place, let compute, compute.sawError, place.isPossible(compute) else { return }
        var errors: Int64 = 0
        for at in 0..<live {
            let row = Int(scratch.live[at])
            if place.isMet(compute, row, truth: truths[row]) { errors += 1 }
        }
        count(errors, place.counter)
    }

    /// Asked of the rows that got past dedup: those that the output takes. One record counts once, in however many windows.
    mutating func noteMeasureErrors(_ output: Int, _ live: Int) {
        guard let errorPlaces, let compute, compute.sawError else { return }
        for place in errorPlaces.measures[output]
        where place.argument.isPossible(compute) || place.admits.isPossible(compute) {
            let program = outputs[output].measureProgram[place.measure]
            let truths = program < 0 ? nil : outputs[output].measureResults[program]
            var errors: Int64 = 0
            for at in 0..<live {
                let row = Int(scratch.live[at])
                let admission = outputs[output].admissions[row]
                guard admission == Admission.taken || admission == Admission.partly else { continue }
                let truth = truths?[row] ?? Truth.yes
                let isCondition = truths != nil && place.admits.isMet(compute, row, truth: truth)
                if isCondition || (truth == Truth.yes && place.argument.isMet(compute, row)) { errors += 1 }
            }
            count(errors, place.argument.counter)
        }
    }
}

extension LaneState {
    /// Takes over from an output the records that had texts too long for its measures.
    mutating func noteLongTexts(_ output: Int) {
        for measure in measureErrors[output].indices {
            let records = outputs[output].longTexts[measure]
            if records == 0 { continue }
            outputs[output].longTexts[measure] = 0
            if let counter = measureErrors[output][measure] { count(Int64(records), counter) }
        }
    }
}
