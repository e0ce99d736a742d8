import Model
import Testing
import Testkit

@testable import Pipeline

private let lanes = 5
private let merges = 3

private func time(_ draw: inout SplitMix) -> EventTime? {
    draw.below(3) == 0 ? nil : EventTime(milliseconds: Int64(draw.below(1_000_000)) - 500_000)
}

private func report(_ lane: Int, _ draw: inout SplitMix) -> TimeRecord.Report {
    TimeRecord.Report(
        lane: LaneNumber(lane), standing: [.active, .idle, .wants][draw.below(3)], watermark: time(&draw),
        newestEventTime: time(&draw), largestClose: time(&draw), hold: time(&draw), isFinished: draw.below(2) == 0,
        isClosed: draw.below(2) == 0)
}

private func record(_ draw: inout SplitMix, read: Int64) -> TimeRecord {
    var record = TimeRecord(writer: draw.next(), number: Int64(draw.below(1_000)), read: read)
    for lane in 0..<lanes where draw.below(2) == 0 { record.reports.append(report(lane, &draw)) }
    for partition in 0..<merges where draw.below(2) == 0 { record.ends[Int32(partition)] = Int64(draw.below(1_000)) }
    if draw.below(3) == 0 { record.advance = time(&draw) }
    return record
}

private func decoded(_ bytes: [UInt8], lanes: Int = lanes, merges: Int = merges) -> TimeRecord? {
    bytes.withUnsafeBytes { TimeCodec.decode($0, lanes: lanes, mergeLanes: merges) }
}

/// A log of so many records, some with a snapshot, and the state behind each.
private func log(seed: UInt64, _ count: Int) -> [(record: TimeRecord, after: TimeState)] {
    var draw = SplitMix(seed: seed)
    var state = TimeState(lanes: lanes, mergeLanes: merges)
    var states = [state]
    return (0..<count).map { offset in
        let read = max(0, offset - draw.below(3))
        var record = record(&draw, read: Int64(read))
        if draw.below(4) == 0 { record.snapshot = states[read] }
        state.apply(record, at: Int64(offset))
        states.append(state)
        return (record, state)
    }
}

struct TimeCodecTests {
    @Test func aRecordReadsBackAsItWasWritten() {
        for seed in 0..<40 {
            for (record, _) in log(seed: UInt64(seed), 25) { #expect(decoded(TimeCodec.encode(record)) == record) }
        }
    }

    @Test func aDamagedRecordIsNoRecord() {
        var draw = SplitMix(seed: 7)
        for (record, _) in log(seed: 1, 60) {
            let bytes = TimeCodec.encode(record)
            #expect(decoded(Array(bytes.dropLast(1 + draw.below(bytes.count)))) == nil)
            var flipped = bytes
            flipped[draw.below(bytes.count)] ^= UInt8(1 + draw.below(255))
            #expect(decoded(flipped) == nil)
            #expect(decoded(bytes + [0]) == nil)
        }
    }

    /// With a sum that fits, so that the bytes behind it are looked at.
    @Test func whateverBytesComeTheyAreReadOrRefused() {
        var draw = SplitMix(seed: 3)
        var taken = 0
        for (record, _) in log(seed: 2, 1_000) {
            var bytes = Array(TimeCodec.encode(record).dropLast(4))
            for _ in 0...draw.below(3) { bytes[draw.below(bytes.count)] = UInt8(draw.below(256)) }
            if draw.below(4) == 0 { bytes.removeLast(draw.below(bytes.count)) }
            var writer = ByteWriter()
            bytes.withUnsafeBytes { writer.put($0) }
            guard let read = decoded(writer.sealed()) else { continue }
            taken += 1
            var state = TimeState(lanes: lanes, mergeLanes: merges)
            state.apply(read, at: 0)
        }
        #expect(taken > 30)
    }

    @Test func aGroupWithOtherLanesCanNotReadIt() {
        for (record, _) in log(seed: 4, 40) where record.snapshot != nil {
            let bytes = TimeCodec.encode(record)
            #expect(decoded(bytes, lanes: lanes - 1) == nil && decoded(bytes, merges: merges + 1) == nil)
        }
    }
}

struct TimeLogTests {
    /// Whoever begins anywhere has, from the first snapshot on that it can use, the state of those who were always there.
    @Test func aNewcomerHasTheStateOfThoseWhoWereThere() {
        var exact = 0
        for seed in 0..<60 {
            let log = log(seed: UInt64(seed), 40)
            for start in 0..<log.count {
                var newcomer = TimeLog(lanes: lanes, mergeLanes: merges, start: Int64(start))
                for offset in start..<log.count {
                    newcomer.apply(log[offset].record, at: Int64(offset))
                    guard newcomer.isExact else { continue }
                    exact += 1
                    #expect(newcomer.state == log[offset].after && newcomer.position == Int64(offset) + 1)
                }
            }
        }
        #expect(exact > 20_000)
    }

    @Test func whatIsCommonNeverGoesBack() {
        for seed in 0..<60 {
            var before = TimeState(lanes: lanes, mergeLanes: merges)
            for (_, state) in log(seed: UInt64(seed), 60) {
                #expect((state.combined?.milliseconds ?? .min) >= (before.combined?.milliseconds ?? .min))
                #expect((state.closable?.milliseconds ?? .min) >= (before.closable?.milliseconds ?? .min))
                #expect((state.closable?.milliseconds ?? .min) <= (state.combined?.milliseconds ?? .min))
                before = state
            }
        }
    }

    /// What a group of two lanes says, one record each.
    private enum Step {
        case say(LaneNumber, TimeRecord.Report.Standing, Int64?, hold: Int64?)
        case both(Int64, TimeRecord.Report.Standing, Int64, TimeRecord.Report.Standing)
        case advance(Int64, read: Int64)
    }

    /// What is combined and closable after it.
    private struct Story {
        var combined: Int64?
        var closable: Int64?
        var steps: [Step]
        init(_ combined: Int64?, _ closable: Int64?, _ steps: [Step]) {
            self.combined = combined
            self.closable = closable
            self.steps = steps
        }
    }

    private static let stories: [Story] = [
        // One of which nothing was heard holds back; a lane that leaves does not.
        Story(nil, nil, [.say(0, .active, 100, hold: nil)]),
        Story(50, 50, [.both(100, .active, 50, .active)]),
        Story(100, 100, [.both(100, .active, 50, .active), .say(1, .idle, 50, hold: nil)]),
        Story(100, 100, [.say(0, .active, 100, hold: nil), .say(1, .idle, nil, hold: nil)]),
        // Who leaves counts once more, and nothing closes that an idle lane holds.
        Story(70, 70, [.both(100, .active, 50, .active), .both(200, .idle, 70, .idle)]),
        Story(200, 79, [.both(100, .active, 50, .active), .say(1, .idle, 50, hold: 80), .say(0, .active, 200, hold: nil)]),
        Story(200, 200, [.both(100, .active, 50, .idle), .say(0, .active, 200, hold: nil), .say(1, .idle, 50, hold: nil)]),
        // A turn holds the combined watermark where it began, until the lane speaks or doesn't.
        Story(100, 100, [.both(100, .active, 50, .idle), .say(1, .wants, 50, hold: nil), .say(0, .active, 200, hold: nil)]),
        Story(
            130, 130,
            [
                .both(100, .active, 50, .idle), .say(1, .wants, 50, hold: nil), .say(0, .active, 200, hold: nil),
                .say(1, .active, 130, hold: nil),
            ]),
        Story(200, 200, [.both(100, .active, 50, .idle), .say(1, .wants, 50, hold: nil), .both(200, .active, 100, .idle)]),
        // Asked for anew, it begins anew.
        Story(200, 200, [.both(100, .active, 50, .idle), .say(1, .wants, 50, hold: nil), .both(200, .active, 50, .wants)]),
        // Silence counts where its writer knew who is left out, and not past what holds data.
        Story(180, 180, [.both(100, .idle, 50, .idle), .advance(180, read: 1)]),
        Story(500, 500, [.both(100, .idle, 50, .idle), .advance(900, read: 1)]),
        Story(50, 50, [.both(100, .idle, 50, .idle), .advance(180, read: 0)]),
        Story(50, 50, [.both(100, .idle, 50, .active), .advance(180, read: 1)]),
        Story(
            50, 50,
            [
                .both(50, .idle, 50, .active), .say(1, .idle, 50, hold: nil), .say(1, .wants, 50, hold: nil),
                .both(50, .idle, 50, .idle),
                .advance(180, read: 3),
            ]),
    ]

    @Test(arguments: 0..<stories.count) func timeMovesAsSaid(_ story: Int) {
        let (steps, combined, closable) = (Self.stories[story].steps, Self.stories[story].combined, Self.stories[story].closable)
        var state = TimeState(lanes: 2, mergeLanes: 0)
        for (offset, step) in steps.enumerated() {
            var record = TimeRecord(writer: 1, number: Int64(offset) + 1, read: Int64(offset))
            func report(_ lane: LaneNumber, _ standing: TimeRecord.Report.Standing, _ watermark: Int64?, _ hold: Int64?) {
                record.reports.append(
                    TimeRecord.Report(
                        lane: lane, standing: standing, watermark: watermark.map(EventTime.init(milliseconds:)),
                        newestEventTime: nil, largestClose: EventTime(milliseconds: 500),
                        hold: hold.map(EventTime.init(milliseconds:))))
            }
            switch step {
            case .say(let lane, let standing, let watermark, let hold): report(lane, standing, watermark, hold)
            case .both(let first, let standing, let second, let other):
                report(0, standing, first, nil)
                report(1, other, second, nil)
            case .advance(let to, let read):
                record.advance = EventTime(milliseconds: to)
                record.read = read
            }
            state.apply(record, at: Int64(offset))
        }
        #expect(state.combined?.milliseconds == combined && state.closable?.milliseconds == closable)
    }
}

struct MergeClockTests {
    /// State after state, with the end of partials that its record told of; then how far the lane read; then what counts.
    private struct Reading: Sendable {
        var states: [(closable: Int64, end: Int64)]
        var position: Int64
        var closable: Int64?
    }

    private static let readings: [Reading] = [
        Reading(states: [(10, 0)], position: 0, closable: 10), Reading(states: [(10, 5)], position: 4, closable: nil),
        Reading(states: [(10, 5)], position: 5, closable: 10),
        Reading(states: [(10, 5), (20, 5), (30, 7)], position: 5, closable: 20),
        Reading(states: [(10, 0), (20, 5), (30, 7)], position: 6, closable: 20),
        Reading(states: [(10, 0), (20, 5), (30, 7)], position: 7, closable: 30),
        Reading(states: [(10, 3), (20, 5)], position: 4, closable: 10),
    ]

    @Test(arguments: 0..<readings.count) func theLogCountsAsFarAsThePartialsItTellsOfWereRead(_ at: Int) {
        let (states, position, closable) = (Self.readings[at].states, Self.readings[at].position, Self.readings[at].closable)
        for isReadFirst in [true, false] {
            var clock = MergeClock(partition: 0, position: 0)
            if isReadFirst { clock.reach(position) }
            for (closable, end) in states {
                var state = TimeState(lanes: 1, mergeLanes: 1)
                state.closable = EventTime(milliseconds: closable)
                state.ends = [end]
                clock.note(state)
            }
            clock.reach(position)
            #expect(clock.moment.closable?.milliseconds == closable)
        }
    }
}
