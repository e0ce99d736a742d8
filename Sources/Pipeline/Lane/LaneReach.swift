import Model

/// How often a condition said what of the records that it was asked about.
public struct ConditionCounts: Equatable, Sendable {
    public var isTrue: Int64
    public var isFalse: Int64
    public var isNull: Int64
    public init(isTrue: Int64 = 0, isFalse: Int64 = 0, isNull: Int64 = 0) {
        self.isTrue = isTrue
        self.isFalse = isFalse
        self.isNull = isNull
    }

    public static func + (a: ConditionCounts, b: ConditionCounts) -> ConditionCounts {
        ConditionCounts(isTrue: a.isTrue + b.isTrue, isFalse: a.isFalse + b.isFalse, isNull: a.isNull + b.isNull)
    }

    mutating func count(_ truths: UnsafePointer<UInt8>, _ row: Int) {
        switch truths[row] {
        case Truth.yes: isTrue += 1
        case Truth.no: isFalse += 1
        default: isNull += 1
        }
    }
}

/// What a lane's conditions said, for who wants to know whether tests tell anything of them. A service never asks, and
/// pays a nil check a batch and output.
public struct LaneReach: Sendable {
    /// Of the records that passed the stage event time.
    public internal(set) var filter = ConditionCounts()
    /// By output, its `where`: of the records that passed the filter, copies among them.
    public internal(set) var outputs: [ConditionCounts]
    /// By output and measure, the measure's `where`: of the records that the output takes.
    public internal(set) var measures: [[ConditionCounts]]

    init(_ plan: Plan) {
        outputs = plan.aggregates.map { _ in ConditionCounts() }
        measures = plan.aggregates.map { $0.measures.map { _ in ConditionCounts() } }
    }
}

extension LaneState {
    /// Asked before the rows that the filter ends leave `scratch.live`.
    mutating func noteFilter(_ truths: UnsafePointer<UInt8>, _ live: Int) {
        for at in 0..<live { reach?.filter.count(truths, Int(scratch.live[at])) }
    }

    mutating func noteAdmits(_ output: Int, _ truths: UnsafePointer<UInt8>, _ live: Int) {
        for at in 0..<live { reach?.outputs[output].count(truths, Int(scratch.live[at])) }
    }

    /// Asked of the rows that got past dedup.
    mutating func noteMeasures(_ output: Int, _ live: Int) {
        let state = outputs + output
        for (measure, program) in state.pointee.measureProgram.enumerated() where program >= 0 {
            let truths = state.pointee.measureResults[program]
            for at in 0..<live {
                let row = Int(scratch.live[at])
                let admission = state.pointee.admissions[row]
                if admission == Admission.taken || admission == Admission.partly {
                    reach?.measures[output][measure].count(truths, row)
                }
            }
        }
    }
}

extension LaneCore {
    /// Begins to count what conditions say.
    public func beginReach() { state.reach = LaneReach(state.plan) }
    /// nil: nobody asked for it.
    public var reach: LaneReach? { state.reach }
}
