import Model
import Pipeline
import State

/// A lane's cold state, in the file that its commits write.
final class ColdReader: ColdState {
    private let reader: LaneReader

    /// One of so many lanes.
    init(_ directory: StateDirectory, lane: LaneNumber, of lanes: Int, _ plan: Plan) {
        reader = LaneReader(directory: directory, lane: lane, pages: plan.memoryShares.coldPages / Int64(max(lanes, 1)))
    }

    func begin() throws(Fault) { try reader.begin() }
    func end() { reader.end() }
    func value(of key: UnsafeRawBufferPointer) throws(Fault) -> UnsafeRawBufferPointer? { try reader.value(of: key) }
    func scan(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) throws(Fault) { try reader.scan(from: from, to: to) }
    func next() throws(Fault) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? { try reader.next() }
}
