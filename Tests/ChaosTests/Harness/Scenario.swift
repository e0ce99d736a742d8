import Model
import Testing

/// One run under faults, as data: which topology on how many instances, what strikes when, how it ends. Times in milliseconds.
struct Scenario: Sendable, CustomTestStringConvertible {
    /// What strikes again and again, `every` so long after the last time, on something chosen by the seed.
    enum Fault: Sendable {
        /// kill -9 of an instance, which is started again after a while.
        case kill(every: ClosedRange<Int>, down: ClosedRange<Int>)
        /// kill -9 of all at once.
        case killAll(every: ClosedRange<Int>, down: ClosedRange<Int>)
        /// kill -9, and its state directory is gone when it is started again.
        case lose(every: ClosedRange<Int>, down: ClosedRange<Int>)
        /// SIGSTOP, later SIGCONT.
        case pause(every: ClosedRange<Int>, length: ClosedRange<Int>)
        /// SIGTERM, one after the other, each started again once it has ended: a new release is rolled out.
        case roll(every: ClosedRange<Int>)
        /// An operator applies again what the ledger of an instance holds.
        case applyLate(every: ClosedRange<Int>)
        /// One more instance joins and leaves again, by SIGTERM or kill -9.
        case guest(every: ClosedRange<Int>, stay: ClosedRange<Int>, isKilled: Bool)
        /// A stranger begins transactions under an instance's name, which is fenced by it.
        case fence(every: ClosedRange<Int>)
        case broker(Blow, every: ClosedRange<Int>, length: ClosedRange<Int>)
        /// The file system of an instance's state has no room for a while.
        case fullDisk(every: ClosedRange<Int>, length: ClosedRange<Int>)
        /// A stranger's transaction stays open in every partition of the changelog, and is aborted after a while: nothing behind it is
        /// stable until then, committed or not.
        case holdChangelog(every: ClosedRange<Int>, length: ClosedRange<Int>)
    }

    /// `killAll`: kill -9 of the whole cluster; the others strike one broker. `loseAnswers`: what is asked of it arrives, what it answers does not,
    /// and such connections are reset in the end.
    enum Blow: Sendable { case kill, pause, restart, killAll, loseAnswers }

    /// What one start of an instance is told by the environment.
    struct Order: Sendable {
        var variables: [String: String]
        /// Which of its starts, from 1.
        var start = 1
        /// The directory is emptied before that start.
        var losesState = false
        /// It stops itself, and goes on after so long.
        var resumesAfter: ClosedRange<Int>?
        /// Whether this start has to be ended by the order, or the scenario shows nothing.
        var mustDie = false
    }

    enum Feeding: Sendable {
        /// The input grows while the instances run; then it is bounded, and they read it to its end.
        case along
        /// All of it is there; the instances read it to its end from the start.
        case before
    }

    /// Who reads the input to its end once the faults are over.
    enum Ending: Sendable { case together, alone, alonePlusEmpty, killedTogether }

    var name: String
    var seconds = 60
    var job = Job()
    var instances = 3
    var perSecond: Int64 = 1_000
    var faults: [Fault] = []
    /// By the instance's index.
    var orders: [Int: [Order]] = [:]
    /// Of every start.
    var variables: [String: String] = [:]
    var feeding = Feeding.along
    var ending = Ending.together
    /// Fault points, mutants and delays are in debug builds only.
    var needsDebug = false
    /// Exit codes that an instance may end with by itself: it is started again.
    var mayEndWith: Set<ExitCode> = []
    /// Aborted records must have been seen, or the faults struck nothing.
    var mustAbort = false

    var testDescription: String { name }

    /// From the name, unless the environment gives another one.
    var seed: UInt64 { Self.givenSeed ?? name.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } }
}

/// What a run did and suffered; one line of the table.
struct Figures: Sendable, CustomStringConvertible {
    var name = ""
    var seed: UInt64 = 0
    var records = 0
    var rows = 0
    var copies = 0
    var aborted = 0
    var kills = 0
    var pauses = 0
    var brokers = 0
    var starts = 0
    var ownEnds: [Int32] = []
    var rebalances = 0
    var stall: Int64 = 0
    var seconds = 0
    var problems: [String] = []

    var description: String {
        func cell(_ value: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - value.count)) + value }
        let title = name + String(repeating: " ", count: max(1, 30 - name.count))
        let numbers = [
            (records, 9), (rows, 8), (copies, 7), (aborted, 8), (kills, 6), (pauses, 7), (brokers, 8), (starts, 7),
            (rebalances, 6),
            (Int(stall), 9), (seconds, 8),
        ]
        let ends = ownEnds.isEmpty ? "-" : Set(ownEnds).sorted().map(String.init).joined(separator: "+")
        return title + numbers.map { cell("\($0.0)", $0.1) }.joined()
            + " \(ends)  \(problems.isEmpty ? "exact" : "WRONG")  \(seed)"
    }
}
