public import Model
internal import Topology

/// What became of one case.
public struct CaseResult: Sendable {
    public struct Failure: Sendable {
        /// Counts from 1.
        public var step: Int
        /// `file:line` of the step.
        public var file: String
        public var line: Int
        public var differences: [Difference]
        /// The run itself failed.
        public var fault: Fault?
    }
    public var name: String
    public var line: Int
    public var expectations: Int
    /// What the case reached; nil where the run itself could not begin.
    public var reach: Reach?
    /// nil: every expectation held.
    public var failure: Failure?
    public var isOK: Bool { failure == nil && expectations > 0 }
}

/// Runs the cases of a file, each from nothing. Single-threaded.
public enum CaseRunner {
    /// The first step that fails ends the case, with all of its differences: what follows would differ for the same cause.
    public static func run(_ one: TestFile.Case, of file: TestFile) -> CaseResult {
        var result = CaseResult(name: one.name, line: one.place.line, expectations: 0, failure: nil)
        var at = 0
        do throws(Fault) {
            let fed = one.steps.flatMap { step -> [FedRecord] in
                if case .feed(let records) = step.action { records } else { [] }
            }
            let rehearsal = try Rehearsal(plan: file.plan, partitions: file.partitions, appearing: fed)
            rehearsal.commitsOnlyWhenTold = one.commitsOnlyWhenTold
            defer { result.reach = rehearsal.reach }
            while at < one.steps.count {
                let differences = try act(one.steps[at].action, on: rehearsal, &result.expectations)
                if !differences.isEmpty {
                    result.failure = failure(one, at, differences, nil)
                    return result
                }
                at += 1
            }
        } catch {
            result.failure = failure(one, at, [], error)
        }
        return result
    }

    private static func act(
        _ action: TestFile.Action, on rehearsal: Rehearsal, _ expectations: inout Int
    ) throws(Fault) -> [Difference] {
        switch action {
        case .feed(let records): try rehearsal.feed(records)
        case .advance(let span): try rehearsal.advance(span)
        case .restart(let kind): try rehearsal.restart(kind)
        case .commit: try rehearsal.commit()
        case .recut(let sizes): rehearsal.recut(sizes)
        case .end: try rehearsal.end()
        case .reapply(let output, let partition, let offset):
            try rehearsal.reapply(output: output, partition: partition, offset: offset)
        case .observe(let what): try rehearsal.observe(what)
        case .expect(let expectation):
            let differences = Diff.differences(expectation, try rehearsal.observe())
            expectations += 1
            return differences
        }
        return []
    }

    private static func failure(
        _ one: TestFile.Case, _ at: Int, _ differences: [Difference], _ fault: Fault?
    ) -> CaseResult.Failure {
        let place = at < one.steps.count ? one.steps[at].place : one.place
        return CaseResult.Failure(
            step: at + 1, file: place.file, line: place.line, differences: differences, fault: fault)
    }
}
