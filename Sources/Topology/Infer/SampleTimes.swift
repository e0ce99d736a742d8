import Model

/// How a sample's records lie in time, in milliseconds. Copies count for `copies` only.
struct SampleTimes {
    /// How far behind the running maximum of its partition each first record is, sorted.
    var behind: [Int64] = []
    /// How far the running maximum went on between a copy and its first, sorted.
    var copyAges: [Int64] = []
    /// How many records of the same partition lay between them, at most.
    var copyDistance = 0
    /// Silences between record timestamps of one partition, sorted.
    var silences: [Int64] = []
    /// Event times past their record's timestamp.
    var future: [Int64] = []
    var first = Int64.max
    var last = Int64.min
    var timed = 0
    let kind: Sample.Kind

    init(_ sample: Sample, time: (keys: [String], form: TimeForm)?, ids: [[String]]) {
        kind = sample.kind
        var highest: [Int: Int64] = [:]
        var heard: [Int: Int64] = [:]
        var places: [Int: Int] = [:]
        var known: [UInt64: (time: Int64, partition: Int, place: Int)] = [:]
        sample.each { record, value in
            let partition = record.partition
            let place = places[partition, default: 0]
            places[partition] = place + 1
            if let timestamp = record.timestamp {
                if let before = heard[partition], timestamp > before { silences.append(timestamp - before) }
                heard[partition] = max(timestamp, heard[partition] ?? timestamp)
            }
            let at = time.map { time in value.at(time.keys).flatMap { time.form.milliseconds($0) } } ?? record.timestamp
            guard let at else { return }
            timed += 1
            if let timestamp = record.timestamp, at > timestamp {
                future.append(at - timestamp)
                // The guard rejects what is far ahead: it moves no watermark.
                if at - timestamp > 600_000 { return }
            }
            let top = max(highest[partition] ?? at, at)
            let parts = ids.map { value.at($0)?.identity }
            if !ids.isEmpty, parts.allSatisfy({ $0 != nil }) {
                let hash = DistinctEstimate.hash(parts.map { "\(($0 ?? "").utf8.count):\($0 ?? "")" }.joined())
                if let original = known[hash] {
                    if original.partition == partition {
                        copyAges.append(max(0, top - original.time))
                        copyDistance = max(copyDistance, place - original.place)
                    } else {
                        copiesElsewhere += 1
                    }
                    return
                }
                known[hash] = (at, partition, place)
            }
            behind.append(top - at)
            highest[partition] = top
            first = min(first, at)
            last = max(last, at)
        }
        behind.sort()
        copyAges.sort()
        silences.sort()
        future.sort()
    }

    /// Copies in another partition than their first.
    private(set) var copiesElsewhere = 0

    /// The nearest rank; nil where there is none.
    static func quantile(_ sorted: [Int64], _ share: Double) -> Int64? {
        sorted.isEmpty ? nil : sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.up)) - 1)]
    }

    private static let steps: [Int64] =
        [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400].map { $0 * 1_000 }

    /// The next round span that is no shorter; whole days from one day on.
    static func round(_ milliseconds: Int64) -> Int64 {
        if let step = steps.first(where: { $0 >= milliseconds }) { return step }
        return (milliseconds / 86_400_000 + (milliseconds % 86_400_000 == 0 ? 0 : 1)) * 86_400_000
    }
}
