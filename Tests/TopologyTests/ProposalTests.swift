import Testing
import Testkit

@testable import Topology

/// A stream of which everything is known: how late each event comes, and which are copies of which.
private struct Stream {
    struct Line {
        var partition: Int
        var id: Int
        /// Milliseconds.
        var time: Int64
    }
    var lines: [Line] = []

    init(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let partitions = 1 + random.below(3)
        let step = Int64([200, 3_000, 45_000][random.below(3)])
        let usualDelay = Int64([0, 900, 20_000, 400_000][random.below(4)])
        let rareDelay = Int64([0, 60_000, 7_200_000][random.below(3)])
        let copies = 1 + random.below(20)
        let reach = [3, 40, 900][random.below(3)]
        var sent: [[Line]] = Array(repeating: [], count: partitions)
        var now: Int64 = 1_767_225_600_000
        for id in 0..<2_000 {
            now += 1 + Int64(random.below(Int(step)))
            var delay = usualDelay == 0 ? 0 : Int64(random.below(Int(usualDelay)))
            if rareDelay > 0, random.below(200) == 0 { delay += Int64(random.below(Int(rareDelay))) }
            let line = Line(partition: random.below(partitions), id: id, time: now - delay)
            sent[line.partition].append(line)
            lines.append(line)
            let former = sent[line.partition]
            if random.below(100) < copies { lines.append(former[max(0, former.count - 1 - random.below(reach))]) }
        }
    }

    var sample: Sample {
        var sample = Sample(partitions: (lines.map(\.partition).max() ?? 0) + 1, kind: .lines)
        for line in lines {
            let text = #"{"event_id":"e\#(line.id)","ts":\#(line.time),"event":"play"}"#
            _ = Array(text.utf8).withUnsafeBytes { sample.add($0, timestamp: nil, partition: line.partition) }
        }
        return sample
    }
}

/// What would become of the stream with these horizons, by S4, S7, S8 and S12 and nothing of the product.
private struct Outcomes {
    var firsts = 0
    var withinOrder = 0
    var late = 0
    var copies = 0
    var recognised = 0

    init(_ stream: Stream, outOfOrderness: Int64, window: Int64, lateness: Int64, within: Int64) {
        var watermark: [Int: Int64] = [:]
        // By partition and id: until which watermark it is remembered at least.
        var known: [[Int]: Int64] = [:]
        var seen: Set<[Int]> = []
        for line in stream.lines {
            let before = watermark[line.partition] ?? .min
            watermark[line.partition] = max(before, line.time - outOfOrderness)
            let key = [line.partition, line.id]
            if !seen.insert(key).inserted {
                copies += 1
                if let until = known[key], before < until {
                    recognised += 1
                    continue
                }
            } else {
                firsts += 1
                if line.time >= before { withinOrder += 1 }
            }
            let end = (line.time / window + 1) * window
            if end + lateness <= before {
                late += 1
            } else {
                known[key] = line.time + within
            }
        }
    }
}

@Test(arguments: UInt64(0)..<60) func proposedHorizonsHoldWhatTheirCommentsSay(seed: UInt64) throws {
    let stream = Stream(seed: seed)
    let draft = try Inference.propose(
        name: "t", owner: "you", source: .files(["a.ndjson"]), vendor: nil, sample: stream.sample)
    let spans = Dictionary(uniqueKeysWithValues: draft.horizons.map { ($0.name, $0.milliseconds) })
    let outOfOrderness = try #require(spans["out_of_orderness"])
    let window = try #require(spans["window"])
    let lateness = try #require(spans["allowed_lateness"])
    let within = try #require(spans["within"])
    #expect(draft.key == ["event_id"] && draft.time == "ts")
    let outcomes = Outcomes(stream, outOfOrderness: outOfOrderness, window: window, lateness: lateness, within: within)
    #expect(outcomes.copies >= 10 && outcomes.firsts == 2_000)
    // 99.9 % of the copies at least.
    #expect(outcomes.recognised * 1_000 >= outcomes.copies * 999, "\(outcomes) \(spans)")
    // Beyond the watermark's allowance is at most one in a hundred, as the comment over it says.
    #expect(outcomes.withinOrder * 100 >= outcomes.firsts * 99, "\(outcomes) \(spans)")
    #expect(within >= window + lateness)
    let takesWorst = draft.topology.contains("Takes the worst record") || draft.topology.contains("Room for what")
    #expect(takesWorst ? outcomes.late == 0 : lateness == InferLimits.lateness, "\(outcomes) \(spans)")
    let isOrdered = draft.topology.contains("No record of the sample is behind")
    #expect(
        isOrdered == (Outcomes(stream, outOfOrderness: 0, window: 1, lateness: 0, within: within).withinOrder == outcomes.firsts))
}
