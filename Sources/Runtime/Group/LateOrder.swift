import Model
import State

/// An order to apply late events of one input lane again, as a record of the group's control topic. Old ones make room: there are as
/// many keys as `RuntimeLimits.lateOrdersKept`, and compaction leaves the last of each. One that is gone before its lane has acted on it is
/// never answered, and may be given once more.
struct LateOrder: Equatable {
    /// Its place in the topic, from 1.
    var number: Int64 = 0
    /// By which its answer is known.
    var token: String
    /// By their numbers among those of all units; all of one.
    var entries: [Int64]

    init(_ entries: [Int64]) {
        token = String(UInt64.random(in: 0 ... .max), radix: 16)
        self.entries = entries
    }

    /// nil: it is none.
    init?(_ tree: JSONTree, at offset: Int64) {
        guard tree["command"]?.text == Self.word, let token = tree["token"]?.text else { return nil }
        number = offset + 1
        self.token = token
        entries = (tree["entries"]?.items ?? []).compactMap(\.int)
    }

    var unit: LaneNumber? { entries.first.map { LateLedgerEntry.unit(of: $0) } }

    var key: [UInt8] {
        let place = (UInt64(token, radix: 16) ?? 0) % UInt64(RuntimeLimits.lateOrdersKept)
        return Array("\(Self.word)/\(place)".utf8)
    }

    private static var word: String { Command.reapplyLate(LateSelection()).word }

    var value: [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.member("command", Self.word)
        json.member("token", token)
        json.key("entries")
        json.beginArray()
        for entry in entries { json.int(entry) }
        json.endArray()
        json.endObject()
        return json.bytes
    }
}

/// What became of a late order, written by the lane's owner in the transaction that did it.
struct LateAnswer {
    var token: String
    var answer: Result<CommandAnswer, Fault>

    static func key(_ unit: LaneNumber) -> [UInt8] { Array("answer/\(unit)".utf8) }

    static func value(_ token: String, _ outcome: Result<Done, Fault>) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.member("answer", token)
        json.key("done")
        json.raw(CommandAnswer.line(outcome))
        json.endObject()
        return json.bytes
    }

    /// nil: it is none.
    init?(_ tree: JSONTree) {
        guard let token = tree["answer"]?.text else { return nil }
        self.token = token
        do throws(Fault) {
            answer = .success(try CommandAnswer(tree["done"]))
        } catch {
            answer = .failure(error)
        }
    }
}
