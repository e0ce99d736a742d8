import Inputs
import Model
import Testing

/// Lines `partition offset timestamp key value`, sorted by partition and offset: how the goldens were dumped from a topic.
private func dump(_ workload: ReferenceWorkload, events: Int64) -> [UInt8] {
    var workload = workload
    let batch = WorkloadBatch(capacity: 1_000)
    var lines: [[[UInt8]]] = Array(repeating: [], count: Int(workload.partitions))
    while batch.fill(from: &workload, end: events) > 0 {
        for i in 0..<batch.count {
            let partition = Int(batch.partitions[i])
            var line = Array("\(partition) \(lines[partition].count) \(batch.timestamps[i]) ".utf8)
            line += UnsafeRawBufferPointer(start: batch.keys[i], count: batch.keyLengths[i])
            line.append(0x20)
            line += UnsafeRawBufferPointer(start: batch.payloads[i], count: batch.lengths[i])
            line.append(0x0a)
            lines[partition].append(line)
        }
    }
    return Array(lines.joined().joined())
}

struct ReferenceWorkloadTests {
    /// The goldens are SipHashes of what the reference workload's Java implementation wrote to a topic's partitions, 50,000 events
    /// each: the same bytes, keys, timestamps and partitions, not only the same statistics.
    @Test(arguments: [
        (
            ReferenceWorkload(start: EventTime(milliseconds: 1_767_225_600_000)),
            Identity(high: 0x3485_dec6_3dfd_9a26, low: 0x6839_d332_bd5a_64b6)
        ),
        (
            ReferenceWorkload(
                seed: 7, rate: 100_000, users: 50, partitions: 3, start: EventTime(milliseconds: 1_700_000_000_000)),
            Identity(high: 0xf45d_a64c_4646_6025, low: 0x5b4f_3842_c883_2ccb)
        ),
    ])
    func theBytesAreThoseOfTheReference(_ workload: ReferenceWorkload, _ golden: Identity) {
        let text = dump(workload, events: 50_000)
        let hash = text.withUnsafeBytes { SipHash.hash128(key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908), $0) }
        #expect(hash == golden)
    }

    @Test func theStatisticsAreThoseOfTheWorkload() {
        let start: Int64 = 1_767_225_600_000
        var workload = ReferenceWorkload(seed: 3, start: EventTime(milliseconds: start))
        let batch = WorkloadBatch()
        var (events, bytes, copies, late, uniqueEvents) = (0, 0, 0, 0, 0)
        var (latest, latestInOrder) = (Int64(0), Int64(0))
        var users: [String: Int] = [:]
        var perPartition = [Int](repeating: 0, count: 8)
        var seen: [[UInt8]: Int] = [:]
        var distances: [Int] = []
        while batch.fill(from: &workload, end: 200_000) > 0 {
            for i in 0..<batch.count {
                let value = [UInt8](UnsafeRawBufferPointer(start: batch.payloads[i], count: batch.lengths[i]))
                let text = String(decoding: value, as: UTF8.self)
                let id = Array(value[13..<49])
                if batch.isCopy[i] {
                    copies += 1
                    distances.append(events - (seen[id] ?? events))
                } else {
                    seen[id] = events
                    uniqueEvents += 1
                    if batch.isLate[i] { late += 1 }
                    let key = String(
                        decoding: UnsafeRawBufferPointer(start: batch.keys[i], count: batch.keyLengths[i]), as: UTF8.self)
                    users[key, default: 0] += 1
                    #expect(text.contains("\"user_id\":\"\(key)\""))
                    let time = text.firstMatch(of: /"ts":(\d+)/).flatMap { Int64($0.1) } ?? .min
                    let behind = batch.timestamps[i] - time
                    if batch.isLate[i] { latest = max(latest, behind) } else { latestInOrder = max(latestInOrder, behind) }
                }
                perPartition[Int(batch.partitions[i])] += 1
                events += 1
                bytes += value.count
            }
        }
        #expect(events == 200_000)
        #expect(abs(Double(bytes) / Double(events) - 293) < 3)
        #expect(abs(Double(copies) / Double(events) - 0.05) < 0.006)
        #expect(abs(Double(late) / Double(uniqueEvents) - 0.02) < 0.002)
        #expect((290_000..<300_000).contains(latest))
        #expect((1_990..<2_000).contains(latestInOrder))
        #expect(seen.count == uniqueEvents)
        #expect((distances.min() ?? 0) >= 1)
        #expect((25_000...31_000).contains(distances.max() ?? 0))
        // The square of a uniform number: the first hundredth of the users sends a tenth of the events.
        let frequent = users.filter { (Int($0.key.dropFirst()) ?? .max) < 2_000 }.values.reduce(0, +)
        #expect(abs(Double(frequent) / Double(uniqueEvents) - 0.1) < 0.005)
        for count in perPartition { #expect((22_000...28_000).contains(count)) }
    }

    @Test func aFractionOfAnEventPerSecondIsARateToo() {
        var workload = ReferenceWorkload(rate: 0.5, start: EventTime(milliseconds: 1_000))
        let batch = WorkloadBatch()
        #expect(batch.fill(from: &workload, end: 4) == 4)
        #expect((0..<4).map { batch.timestamps[$0] } == [1_000, 3_000, 5_000, 7_000])
        #expect(workload.nextDue == 9_000)
    }

    @Test func nothingThatIsNotDueIsGiven() {
        var workload = ReferenceWorkload(rate: 100, start: EventTime(milliseconds: 0))
        let batch = WorkloadBatch()
        let counts = [0, 9, 10, 1_000].map { batch.fill(from: &workload, dueBy: $0) }
        #expect(counts == [1, 0, 1, 99])
    }
}
