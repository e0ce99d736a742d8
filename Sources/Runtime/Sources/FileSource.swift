import Inputs
import Model

/// Files as a bounded source; each is a partition, and one that was changed since it was read first is refused.
final class FileSource: Source {
    private let inputs: [PartitionID: FileInput]

    init(_ patterns: [String], maxRecord: ByteCount) throws(Fault) {
        let files = try FileInputs(patterns: patterns, maxRecord: maxRecord)
        inputs = Dictionary(uniqueKeysWithValues: files.partitions.map { ($0.id, $0) })
    }

    func partitions() throws(Fault) -> [PartitionID] { inputs.keys.sorted() }
    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput { try known(id) }
    func mark(of id: PartitionID) throws(Fault) -> [UInt8]? { try known(id).fingerprint() }
    func check(_ id: PartitionID, mark: [UInt8]) throws(Fault) { try known(id).check(against: mark) }

    private func known(_ id: PartitionID) throws(Fault) -> FileInput {
        guard let input = inputs[id] else {
            throw Fault(
                "file_missing", "The state has read a file that source.files names no more.", place: id.topic,
                next: "Put the file back, or start with another state directory.", exit: .state)
        }
        return input
    }
}
