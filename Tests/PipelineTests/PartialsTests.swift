import Model
import Testing
import Testkit

@testable import Pipeline

private func core(_ plan: Plan, lane: LaneNumber) throws -> LaneCore {
    try LaneCore(
        LaneConfiguration(
            plan: plan, lane: lane, partition: PartitionID(topic: "t", number: lane), partitionOrder: Int64(lane),
            storedOutputs: [1]))
}

/// What a lane ships when it has closed all, of events at these seconds in these groups.
private func sealed(_ plan: Plan, lane: LaneNumber, _ events: [(Int64, String)]) throws -> SealedLane {
    let core = try core(plan, lane: lane)
    let batch = OwnedBatch(events.enumerated().map { SmallStream.record(Int64($0), at: $1.0 * 1_000, group: $1.1).payload })
    try core.process(batch.batch)
    return core.seal(SealRequest(due: [true], closesAll: true))
}

private func merge(_ plan: Plan) -> MergeLane {
    MergeLane(plan: plan, storedOutputs: [1], partition: PartitionID(topic: "p", number: 0), lanes: 2)
}

private func state(_ closable: Int64, end: Int64) -> TimeState {
    var state = TimeState(lanes: 2, mergeLanes: 1)
    state.combined = EventTime(milliseconds: closable * 1_000)
    state.closable = state.combined
    state.ends = [end]
    return state
}

/// Hands the lane a record's value; returns why it was refused.
private func hand(_ bytes: [UInt8], to lane: MergeLane, at offset: Int64) -> Fault? {
    var fault: Fault?
    bytes.withUnsafeBytes { raw in
        do throws(Fault) { try lane.receive(raw, at: offset) } catch { fault = error }
    }
    return fault
}

private func counts(_ rows: [Row]) -> [String] {
    rows.map { "\($0.windowStart.milliseconds / 1_000) \($0.group[0]) \($0.measures[0]) r\($0.revision)" }.sorted()
}

struct PartialsTests {
    @Test func aLanesPartialsAreCutAndSplitAndComeTogetherAgain() throws {
        let plan = SmallStream.plan()
        let shipped = try sealed(plan, lane: 1, (0..<600).map { (Int64($0) * 7, "g\($0 % 40)") })
        for (partitions, limit) in [(1, 1 << 18), (1, 400), (3, 400), (7, 1)] {
            let records = Partials.encode(
                [shipped], isMerged: { $0 == 1 }, partition: { Int32(Hash64.of($0) % UInt64(partitions)) }, limit: limit)
            var found: [[UInt8]: [UInt8]] = [:]
            var expected: [[UInt8]: [UInt8]] = [:]
            shipped.partials.replay { _, key, cell in expected[Array(key)] = Array(cell) }
            for record in records {
                var count = 0
                let isWhole = record.bytes.withUnsafeBytes { bytes in
                    Partials.decode(bytes) { lane, _, key, cell in
                        count += 1
                        found[Array(key)] = Array(cell)
                        return lane == 1 && Int32(Hash64.of(key) % UInt64(partitions)) == record.partition
                    }
                }
                #expect(isWhole && count > 0 && (record.bytes.count <= limit || count == 1))
            }
            #expect(found == expected && found.count == shipped.partials.entryCount)
            #expect(records.map(\.partition) == records.map(\.partition).sorted())
        }
        #expect(Partials.encode([shipped], isMerged: { $0 == 2 }, partition: { _ in 0 }) == [])
    }

    @Test func whatManyLanesHaveForAPartitionComesInOneRecordAndEachAsItsOwn() throws {
        let plan = SmallStream.plan()
        let shipped = try (0..<5).map { lane in
            try sealed(plan, lane: LaneNumber(lane), (0..<60).map { (Int64($0) * 7, "g\($0 % (lane + 2))") })
        }
        for (partitions, limit) in [(3, 1 << 18), (1, 300), (2, 1)] {
            let records = Partials.encode(
                shipped, isMerged: { _ in true }, partition: { Int32(Hash64.of($0) % UInt64(partitions)) }, limit: limit)
            if limit == 1 << 18 { #expect(records.map(\.partition) == [0, 1, 2]) }
            var found: [LaneNumber: [[UInt8]: [UInt8]]] = [:]
            for record in records {
                #expect(
                    record.bytes.withUnsafeBytes { bytes in
                        Partials.decode(bytes) { lane, late, key, cell in
                            found[lane, default: [:]][Array(key)] = Array(cell)
                            return late == nil && Int32(Hash64.of(key) % UInt64(partitions)) == record.partition
                        }
                    })
            }
            var expected: [LaneNumber: [[UInt8]: [UInt8]]] = [:]
            for lane in shipped {
                lane.partials.replay { _, key, cell in expected[lane.lane, default: [:]][Array(key)] = Array(cell) }
            }
            #expect(found == expected)
        }
    }

    /// What stood in the topic before an update: of one lane, which stands in front.
    @Test func aRecordOfAnEarlierVersionIsRead() throws {
        let plan = SmallStream.plan()
        let shipped = try sealed(plan, lane: 1, (0..<20).map { (Int64($0), "g\($0 % 3)") })
        var writer = ByteWriter()
        writer.put(UInt8(1))
        writer.put(LaneNumber(1))
        var expected: [[UInt8]: [UInt8]] = [:]
        shipped.partials.replay { _, key, cell in
            expected[Array(key)] = Array(cell)
            writer.put(UInt32(key.count))
            writer.put(UInt32(cell.count))
            writer.put(key)
            writer.put(cell)
        }
        var found: [[UInt8]: [UInt8]] = [:]
        let isWhole = writer.sealed().withUnsafeBytes { bytes in
            Partials.decode(bytes) { lane, late, key, cell in
                found[Array(key)] = Array(cell)
                return lane == 1 && late == nil
            }
        }
        #expect(isWhole && found == expected && found.count == 3)
    }

    @Test func aDamagedRecordOfPartialsIsRefused() throws {
        let plan = SmallStream.plan()
        let shipped = try sealed(plan, lane: 0, (0..<30).map { (Int64($0), "g\($0 % 3)") })
        let record = try #require(Partials.encode([shipped], isMerged: { _ in true }, partition: { _ in 0 }).first)
        var draw = SplitMix(seed: 9)
        for round in 0..<400 {
            var bytes = record.bytes
            if round % 2 == 0 {
                bytes[draw.below(bytes.count)] ^= UInt8(1 + draw.below(255))
                let lane = merge(plan)
                #expect(hand(bytes, to: lane, at: 0)?.code == "partials_damaged")
                #expect(lane.nextOffset == 0)
            } else {
                // With a sum that fits: read or refused, and never a trap.
                bytes = Array(bytes.dropLast(4 + draw.below(2) * draw.below(40)))
                for _ in 0...draw.below(2) { bytes[draw.below(bytes.count)] = UInt8(draw.below(256)) }
                var writer = ByteWriter()
                bytes.withUnsafeBytes { writer.put($0) }
                let lane = merge(plan)
                let damaged = writer.sealed()
                let isRead = hand(damaged, to: lane, at: 0) == nil
                #expect(lane.nextOffset == (isRead ? 1 : 0))
            }
        }
    }
}

struct MergeLaneTests {
    private func receive(_ lane: MergeLane, _ sealed: SealedLane, at offset: Int64) throws {
        let record = try #require(Partials.encode([sealed], isMerged: { _ in true }, partition: { _ in 0 }).first)
        #expect(hand(record.bytes, to: lane, at: offset) == nil)
    }

    @Test func aWindowClosesWhenThePartialsThatTheLogTellsOfAreThere() throws {
        let plan = SmallStream.plan()
        let lane = merge(plan)
        try receive(lane, sealed(plan, lane: 0, [(1, "a"), (70, "a")]), at: 0)
        lane.note(state(60, end: 4))
        #expect(lane.seal().rows == [])
        try receive(lane, sealed(plan, lane: 1, [(2, "a"), (3, "b")]), at: 3)
        let step = lane.seal()
        #expect(counts(step.rows) == ["0 string(\"a\") int(2) r1", "0 string(\"b\") int(1) r1"])
        #expect(step.closedThrough == EventTime(milliseconds: 60_000) && step.nextOffset == 4 && step.isChanged)
        #expect(step.progress == [1: OutputProgress(completeThrough: step.closedThrough, finalThrough: step.closedThrough)])
    }

    /// The combined watermark may be further on than what lanes have shipped: a row is as of what it is final by (S16).
    @Test func aRowIsAsOfTheWatermarkThatItIsJudgedBy() throws {
        let plan = SmallStream.plan(lateness: .seconds(30), emit: .onTime)
        let lane = merge(plan)
        try receive(lane, sealed(plan, lane: 0, [(1, "a"), (70, "a")]), at: 0)
        var time = state(60, end: 1)
        time.combined = EventTime(milliseconds: 100_000)
        lane.note(time)
        let row = try #require(lane.seal().rows.first)
        #expect(!row.final && row.asOf == EventTime(milliseconds: 60_000))
    }

    /// A lane that was restored does not know what it shipped, and ships it again.
    @Test func whatComesAgainForAClosedWindowSaysNothing() throws {
        let plan = SmallStream.plan()
        let lane = merge(plan)
        let shipped = try sealed(plan, lane: 0, [(1, "a")])
        try receive(lane, shipped, at: 0)
        lane.note(state(60, end: 1))
        #expect(lane.seal().rows.count == 1)
        try receive(lane, shipped, at: 1)
        #expect(lane.seal().rows == [])
        // Nor after a hand-over.
        let next = merge(plan)
        next.restore(nextOffset: 2, closedThrough: EventTime(milliseconds: 60_000), combined: nil, progress: [:], isEnded: false)
        try receive(next, shipped, at: 2)
        next.note(state(60, end: 3))
        #expect(next.seal().rows == [])
    }

    @Test func aMergeLaneGoesOnFromWhatItCommitted() throws {
        let plan = SmallStream.plan(emit: .onTime)
        let first = merge(plan)
        try receive(first, sealed(plan, lane: 0, [(1, "a"), (70, "a")]), at: 0)
        first.note(state(60, end: 1))
        let before = first.seal()
        var kept = KeyedState()
        kept.apply(before.changes)
        let second = merge(plan)
        second.restore(
            nextOffset: before.nextOffset, closedThrough: before.closedThrough, combined: before.combined,
            progress: before.progress, isEnded: before.isEnded)
        var isWhole = true
        kept.eachEntry { isWhole = second.restore(key: $0, value: $1) && isWhole }
        #expect(isWhole)
        try receive(second, sealed(plan, lane: 1, [(80, "a")]), at: 1)
        second.note(state(130, end: 2))
        let after = second.seal()
        #expect(counts(before.rows) == ["0 string(\"a\") int(1) r1"])
        #expect(counts(after.rows) == ["60 string(\"a\") int(2) r1"])
    }
    /// Whoever takes a lane over has not read the log of time yet when the next partials come.
    @Test func aRestoredLanesRowsAreAsOfWhatItsLastCommitClosedBy() throws {
        let plan = SmallStream.plan(lateness: .seconds(60), emit: .onTime)
        let lane = merge(plan)
        lane.restore(
            nextOffset: 1, closedThrough: EventTime(milliseconds: 60_000), combined: EventTime(milliseconds: 65_000),
            progress: [:], isEnded: false)
        try receive(lane, sealed(plan, lane: 0, [(1, "a")]), at: 1)
        #expect(lane.seal().rows.map(\.asOf) == [EventTime(milliseconds: 60_000)])
        lane.note(state(61, end: 1))
        try receive(lane, sealed(plan, lane: 1, [(2, "a")]), at: 2)
        #expect(lane.seal().rows.map(\.asOf) == [EventTime(milliseconds: 61_000)])
        lane.note(state(66, end: 2))
        try receive(lane, sealed(plan, lane: 1, [(2, "b")]), at: 3)
        #expect(lane.seal().rows.map(\.asOf) == [EventTime(milliseconds: 66_000)])
    }

    private func receive(_ lane: MergeLane, late entry: Int64, _ sealed: SealedLane, at offset: Int64) throws {
        let records = Partials.encode(
            late: entry, sealed.partials, of: sealed.lane, isMerged: { _ in true }, partition: { _ in 0 })
        #expect(hand(try #require(records.first).bytes, to: lane, at: offset) == nil)
    }

    /// As SQLite has it behind the last commit.
    private func lookup(_ kept: KeyedState) -> ClosedLookup {
        { key, included in
            var found: (key: [UInt8], value: [UInt8])?
            kept.eachEntry { next, value in
                let next = Array(next)
                let isBefore = next.lexicographicallyPrecedes(key) || (included && next == key)
                if isBefore, found.map({ $0.key.lexicographicallyPrecedes(next) }) ?? true { found = (next, Array(value)) }
            }
            return found
        }
    }

    /// S13: it does not take the place of what its lane shipped; one that comes twice in a log was taken before, and a window that is past
    /// its keep stays as it is.
    @Test func aLateEventIsAddedToItsWindowOpenOrClosedAndToNoneThatIsGone() throws {
        var plan = SmallStream.plan()
        plan.state.keepClosed = .seconds(100)
        let first = merge(plan)
        first.restore(nextOffset: 0, closedThrough: nil, combined: nil, progress: [:], isEnded: false)
        try receive(first, sealed(plan, lane: 0, [(1, "a"), (70, "a")]), at: 0)
        try receive(first, sealed(plan, lane: 1, [(2, "a"), (80, "a")]), at: 1)
        first.note(state(60, end: 2))
        let closed = first.seal()
        #expect(counts(closed.rows) == ["0 string(\"a\") int(2) r1"])
        var kept = KeyedState()
        kept.apply(closed.changes)
        kept.apply(closed.closed.changes)

        // Whoever takes the lane over adds to what it closed, and to what it has open.
        let second = merge(plan)
        second.restore(
            nextOffset: closed.nextOffset, closedThrough: closed.closedThrough, combined: closed.combined,
            progress: closed.progress, isEnded: closed.isEnded)
        var isWhole = true
        kept.eachEntry { key, value in
            if "xy".utf8.contains(key[0]) { return }
            isWhole = second.restore(key: key, value: value) && isWhole
        }
        #expect(isWhole)
        let late = try sealed(plan, lane: 0, [(3, "a")])
        try receive(second, late: 7, late, at: 2)
        try receive(second, late: 7, late, at: 2)
        try receive(second, late: 8, sealed(plan, lane: 1, [(4, "a"), (5, "b")]), at: 3)
        try receive(second, late: 9, sealed(plan, lane: 1, [(90, "a")]), at: 4)
        let again = second.seal(lookup(kept))
        #expect(counts(again.rows) == ["0 string(\"a\") int(4) r2", "0 string(\"b\") int(1) r1"])
        #expect(again.rows.allSatisfy { $0.reason == .reapplied && $0.final })
        #expect(again.refused == [] && again.nextOffset == 5 && again.isChanged && again.fault == nil)
        kept.apply(again.changes)
        kept.apply(again.closed.changes)
        try receive(second, late: 10, sealed(plan, lane: 0, [(6, "a")]), at: 5)
        #expect(counts(second.seal(lookup(kept)).rows) == ["0 string(\"a\") int(5) r3"])

        // At 160 the first window is past its keep, and the second one closes with what was added.
        second.note(state(160, end: 6))
        let later = second.seal(lookup(kept))
        #expect(counts(later.rows) == ["60 string(\"a\") int(3) r1"])
        #expect(later.closed.past.count == 2)
        try receive(second, late: 11, sealed(plan, lane: 0, [(7, "a")]), at: 6)
        let refused = second.seal(lookup(kept))
        #expect(refused.rows == [] && refused.refused == [11] && refused.isChanged)
    }

    @Test func cellsThatCanNotBeReadStopTheLane() throws {
        var plan = SmallStream.plan()
        plan.state.keepClosed = .seconds(100)
        let lane = merge(plan)
        try receive(lane, sealed(plan, lane: 0, [(1, "a")]), at: 0)
        lane.note(state(60, end: 1))
        #expect(lane.seal().rows.count == 1)
        try receive(lane, late: 7, sealed(plan, lane: 0, [(3, "a")]), at: 1)
        #expect(lane.seal { key, _ in (key, [1, 2, 3]) }.fault?.code == "state_damaged")
    }
}
