import Model
import Observe
import Synchronization
import Testing

/// A clock that stands until it is moved.
final class StandingClock: Clock {
    let now = Mutex<Int64>(0)
    func wall() -> WallTime { WallTime(milliseconds: noon.milliseconds + now.withLock { $0 }) }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: now.withLock { $0 } * 1_000_000) }
    func advance(_ milliseconds: Int64) { now.withLock { $0 += milliseconds } }
}

/// Whole lines, in the order they were told.
final class Lines: Sendable {
    let all = Mutex<[String]>([])
    func add(_ bytes: [UInt8]) { all.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
    var text: String { all.withLock { $0.joined() } }
    var count: Int { all.withLock(\.count) }
}

private let partition = PartitionID(topic: "telemetry.events", number: 3)
private let away = Fault(
    "broker_away", "no broker answers", place: "localhost:9092", next: "Start it.", exit: .broker, isTransient: true)

private let everyEvent: [OperationalEvent] = [
    .started(topology: "product-usage", version: "1.2.3", partitions: 8), .listening(host: "127.0.0.1", port: 8_080),
    .restored(keys: 1_000, cells: 20, took: .milliseconds(321)), .brokerAway(away), .brokerBack(after: .seconds(75)),
    .partitionFound(partition, from: 0), .partitionStopped(partition, away), .idle(partition, silentFor: .seconds(30)),
    .speaks(partition), .resumed(partition, from: 10, to: 25),
    .observeOrdered(true, since: WallTime(milliseconds: 1_767_225_600_000)),
    .committed(number: 7, rows: 3, took: .milliseconds(12), bytes: ByteCount(4_096)),
    .slowCommit(number: 8, took: .seconds(2), expected: .milliseconds(250)), .commitFailed(number: 9, away),
    .diskFull(free: ByteCount(1_024)), .diskBack(free: .mebibytes(100), after: .minutes(3)),
    .lateBurst(partition, late: 300, of: 1_000), .rejectedBurst(partition, .futureTime, rejected: 30, of: 1_000),
    .expressionError(partition, place: "usage.calls", errors: 2), .commitBack(after: .seconds(40)),
    .memoryBound(used: .mebibytes(500), budget: .mebibytes(512)), .outboxStuck(output: "usage", rows: 12, away),
    .outboxBack(output: "usage"), .outputAdded(name: "usage", since: EventTime(milliseconds: 1_767_225_600_000)),
    .deadLettersFull(.mebibytes(1_024), limit: .mebibytes(1_024)), .failed(away),
    .kafkaLibrary(version: "2.8.0", queues: .mebibytes(128), queueBackoff: .milliseconds(5), canScram: true),
    .diedOf(partition, from: 100, through: 4_099, deaths: 1), .quarantined(partition, at: 1_234, deaths: 3),
    .ended(read: 2_000_000), .stopped(commits: 40, after: .milliseconds(1_250)),
]

@Suite struct EventLogTests {
    private func log(_ form: EventLog.Form, _ level: OperationalEvent.Level = .debug) -> (EventLog, Lines, StandingClock) {
        let lines = Lines()
        let clock = StandingClock()
        return (EventLog(clock: clock, form: form, leastLevel: level) { lines.add($0) }, lines, clock)
    }

    @Test func everyEventIsOneLineOfJSON() {
        let (log, lines, _) = log(.json)
        for event in everyEvent { log.tell(event) }
        #expect(lines.count == everyEvent.count && lines.text.count { $0 == "\n" } == everyEvent.count)
        expectGolden(lines.text, "log.jsonl")
    }

    @Test func everyEventIsOneLineOfText() {
        let (log, lines, _) = log(.text)
        for event in everyEvent { log.tell(event) }
        #expect(lines.text.count { $0 == "\n" } == everyEvent.count && !lines.text.contains("\u{1B}"))
        expectGolden(lines.text, "log.txt")
    }

    @Test func codesAreDistinct() {
        #expect(Set(everyEvent.map(\.code)).count == everyEvent.count)
    }

    @Test func whatIsBelowTheLevelIsNotTold() {
        let (log, lines, _) = log(.json, .warning)
        for event in everyEvent { log.tell(event) }
        #expect(lines.count == everyEvent.filter { $0.level >= .warning }.count && !lines.text.contains("\"committed\""))
    }

    @Test func aFloodIsHeldBackAndItsCountTold() {
        let (log, lines, clock) = log(.json)
        for _ in 0..<100 { log.tell(.failed(away)) }
        #expect(lines.count == ObserveLimits.logBurst)
        log.tell(.outboxBack(output: "usage"))
        #expect(lines.count == ObserveLimits.logBurst + 1, "another code has a burst of its own")
        clock.advance(ObserveLimits.logPeriod.milliseconds)
        log.tell(.failed(away))
        #expect(lines.text.contains("\"suppressed\":95"))
    }

    @Test func aFloodThatEndedIsToldToo() {
        let (log, lines, clock) = log(.json)
        for _ in 0..<7 { log.tell(.failed(away)) }
        log.tellSuppressed()
        #expect(lines.count == 5, "its period is not over")
        clock.advance(ObserveLimits.logPeriod.milliseconds)
        log.tellSuppressed()
        log.tellSuppressed(all: true)
        #expect(lines.count == 6 && lines.text.hasSuffix("\"event\":\"suppressed\",\"code\":\"failed\",\"lines\":2}\n"))
    }

    @Test func manyPartitionsMaySpeakAtOnce() {
        let (log, lines, _) = log(.text)
        for number in Int32(0)..<64 { log.tell(.partitionFound(PartitionID(topic: "t", number: number), from: 0)) }
        #expect(lines.count == 64)
    }

    @Test func threadsTellAtOnceAndNothingIsLost() async {
        let (log, lines, clock) = log(.json)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<50 { log.tell(.failed(away)) } } }
        }
        clock.advance(ObserveLimits.logPeriod.milliseconds)
        log.tellSuppressed()
        #expect(lines.count == ObserveLimits.logBurst + 1 && lines.text.contains("\"lines\":\(400 - ObserveLimits.logBurst)}"))
    }
}

@Suite struct TimeTextTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_767_268_800_123, "2026-01-01T12:00:00.123Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"), (-2_208_988_800_000, "1900-01-01T00:00:00.000Z"),
        (.max, "292278994-08-17T07:12:55.807Z"),
    ])
    func timesAreRFC3339(milliseconds: Int64, text: String) {
        #expect(TimeText.utc(milliseconds) == text)
    }

    @Test(arguments: [
        (Int64(0), "0ms"), (999, "999ms"), (-999, "-999ms"), (2_450, "2.4s"), (200_000, "3m 20s"), (18_720_000, "5h 12m"),
        (-356_400_000, "-4d 3h"), (.min, "-106751991167d 7h"),
    ])
    func spansTakeTwoUnits(milliseconds: Int64, text: String) {
        #expect(TimeText.span(TimeSpan(milliseconds: milliseconds)) == text)
    }
}
