public import Model

/// What the last commit left, beside the lanes' own.
public struct StateHead: Equatable, Sendable {
    /// 0: nothing was committed yet.
    public var number: Int64
    public var at: WallTime?
    public var time: CombinedTime
    /// The number that the next ledger entry or outbox row gets.
    var nextSequence: Int64

    static func read(_ database: Database) throws(Fault) -> StateHead {
        let query = try database.statement(
            "SELECT commit_number, committed_at, watermark, ended, next_sequence FROM head")
        var head = StateHead(number: 0, at: nil, time: CombinedTime(), nextSequence: 1)
        try query.eachRow { () throws(Fault) in
            head.number = query.int(0)
            head.at = query.optionalInt(1).map(WallTime.init(milliseconds:))
            head.time.watermark = query.time(2)
            head.time.ended = query.int(3) != 0
            head.nextSequence = query.int(4)
        }
        let idle = try database.statement("SELECT lane FROM lanes WHERE idle")
        try idle.eachRow { () throws(Fault) in head.time.idle.insert(LaneNumber(idle.int(0))) }
        return head
    }

    static func inputEnded(_ file: String) -> Fault {
        Fault(
            "input_ended", "The input of this state was bounded and is over: every window was closed.", place: file,
            next: "Run again on a new state directory.", exit: .state)
    }
}
