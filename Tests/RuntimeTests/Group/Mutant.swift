/// Wrong builds of a group, as what is different in it.
enum Mutant: CaseIterable {
    /// Merge lanes close by the log without waiting for the partials that it tells of.
    case endsLeftOut
    /// Idle lanes do not say what they still hold.
    case holdsLeftOut
    /// A process says a watermark before it has shipped what closes by it.
    case watermarksAheadOfPartials
    /// A lane speaks from what its process knows, without having asked.
    case turnsWithoutTheLog
    /// A lane that wants to speak is not told of.
    case requestsLeftUnsaid
    /// A turn is begun though another request asked for it.
    case turnsOfAnyRequest
    /// A lane takes records in a turn while a seal from before it is unanswered.
    case turnsBeforeTheAnswer
    /// What an idle lane sealed for an earlier request is taken for today's.
    case floorsOfToday
    /// A lane's turn begins where its watermark was.
    case turnsWithoutAFloor
    /// Idle lanes take records as they come.
    case idleLanesTake
    /// An idle lane is not sealed with the combined watermark.
    case idleLanesShipNothing
    /// A new owner lets an idle lane count at once.
    case idlenessForgotten
    /// What a lane did in its turn is told only if its watermark moved.
    case turnsNotGivenBack
    /// A newcomer takes what it has read for the whole.
    case newcomerTrustsItself
    /// A snapshot leaves turns out.
    case snapshotsWithoutTurns
    /// What comes again for a closed window opens it again.
    case mergeForgetsWhatItClosed
    /// A restored merge lane reads on from the end of its partition.
    case partialsFromTheirEnd
    /// Merge lanes take what was aborted.
    case partialsReadUncommitted
    /// Lanes don't bring the order that they heed along: whoever has not heard of it judges by the topology.
    case ordersForgotten
    /// Windows are closed with what was read last though a lane beside has not read all.
    case endForeseenTooEarly
    /// What closed windows held stays where they were closed.
    case closedWindowsLeftBehind
    /// Re-keyed lanes heed the log of time without waiting for what was handed on before it.
    case handedOnEndsLeftOut
    /// Merge lanes close by the inputs, and don't wait for re-keyed lanes.
    case rekeyedLanesNotWaitedFor
    /// A re-keyed lane does not bring along what its log has told of the inputs.
    case inputTimesForgotten

    var isOfReKeying: Bool {
        switch self {
        case .handedOnEndsLeftOut, .rekeyedLanesNotWaitedFor, .inputTimesForgotten: true
        default: false
        }
    }
}
