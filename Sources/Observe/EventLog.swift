internal import Glibc
public import Model
internal import Synchronization

/// Operational events as lines: JSON for machines, text for a terminal. Any thread may call `tell`; a line is one `write`, so
/// lines of several threads never mix. Of one event code at most a burst of lines is told per period; the rest is counted and told with
/// the next line of that code, or by `tellSuppressed`.
public final class EventLog: Sendable {
    public enum Form: Sendable {
        case json, text
    }

    private struct Tally {
        var since: MonotonicTime
        var told = 0
        var suppressed: Int64 = 0
    }

    private let clock: any Clock
    private let form: Form
    private let leastLevel: OperationalEvent.Level
    private let sink: @Sendable ([UInt8]) -> Void
    /// Guards the counts per event code; held for arithmetic only, never while a line is written.
    private let tallies = Mutex<[String: Tally]>([:])

    /// `sink` takes whole lines, newline included, on the thread that tells.
    public init(
        clock: any Clock, form: Form, leastLevel: OperationalEvent.Level = .info, sink: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.clock = clock
        self.form = form
        self.leastLevel = leastLevel
        self.sink = sink
    }

    /// Lines go to this file descriptor (2 is stderr); text where it is a terminal. A line that can't be written is lost; a pipe
    /// that nobody empties makes the caller wait, so lanes tell through whoever commits.
    public convenience init(clock: any Clock, descriptor: Int32 = 2, leastLevel: OperationalEvent.Level = .info) {
        self.init(clock: clock, form: isatty(descriptor) == 1 ? .text : .json, leastLevel: leastLevel) { line in
            _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    public func tell(_ event: OperationalEvent) {
        guard event.level >= leastLevel else { return }
        guard let suppressed = admit(event.code, burst: event.burst) else { return }
        sink(EventLine.bytes(event, at: clock.wall(), suppressed: suppressed, form: form))
    }

    /// Says how many lines were held back, for codes whose period is over. Call it now and then, and with `all` at the end.
    public func tellSuppressed(all: Bool = false) {
        let now = clock.monotonic()
        let held = tallies.withLock { tallies in
            var held: [(code: String, count: Int64)] = []
            for (code, tally) in tallies where tally.suppressed > 0 && (all || now - tally.since >= ObserveLimits.logPeriod) {
                held.append((code, tally.suppressed))
                tallies[code] = nil
            }
            return held.sorted { $0.code < $1.code }
        }
        for entry in held { sink(EventLine.suppression(of: entry.code, entry.count, at: clock.wall(), form: form)) }
    }

    /// nil: hold the line back. Else how many were held back before it.
    private func admit(_ code: String, burst: Int) -> Int64? {
        let now = clock.monotonic()
        return tallies.withLock { tallies in
            var tally = tallies[code] ?? Tally(since: now)
            defer { tallies[code] = tally }
            let isNewPeriod = now - tally.since >= ObserveLimits.logPeriod
            if !isNewPeriod && tally.told >= burst {
                tally.suppressed += 1
                return nil
            }
            let suppressed = tally.suppressed
            if isNewPeriod { tally = Tally(since: now) }
            tally.told += 1
            tally.suppressed = 0
            return suppressed
        }
    }
}

extension OperationalEvent {
    fileprivate var burst: Int { partition == nil ? ObserveLimits.logBurst : ObserveLimits.logPartitionBurst }
}

/// One event as one line.
enum EventLine {
    static func bytes(_ event: OperationalEvent, at time: WallTime, suppressed: Int64, form: EventLog.Form) -> [UInt8] {
        switch form {
        case .json: json(event, at: time, suppressed: suppressed)
        case .text: Array(text(event, at: time, suppressed: suppressed).utf8)
        }
    }

    static func suppression(of code: String, _ count: Int64, at time: WallTime, form: EventLog.Form) -> [UInt8] {
        guard form == .json else {
            return Array("\(TimeText.utc(time))  \(padded("info"))  suppressed  code=\(code) lines=\(count)\n".utf8)
        }
        var line = JSONText()
        line.beginObject()
        line.member("time", TimeText.utc(time))
        line.member("level", "info")
        line.member("event", "suppressed")
        line.member("code", code)
        line.member("lines", count)
        line.endObject()
        return line.bytes + [UInt8(ascii: "\n")]
    }

    private static func json(_ event: OperationalEvent, at time: WallTime, suppressed: Int64) -> [UInt8] {
        var line = JSONText()
        line.beginObject()
        line.member("time", TimeText.utc(time))
        line.member("level", event.level.word)
        line.member("event", event.code)
        if let partition = event.partition {
            line.member("topic", partition.topic)
            line.member("partition", partition.number)
        }
        for field in event.fields {
            switch field.value {
            case .text(let text): line.member(field.name, text)
            case .number(let number): line.member(field.name, number)
            case .span(let span): line.member("\(field.name)_ms", span.milliseconds)
            case .bytes(let size): line.member("\(field.name)_bytes", size.bytes)
            }
        }
        if let fault = event.fault {
            line.member("code", fault.code)
            line.member("what", fault.what)
            if !fault.place.isEmpty { line.member("place", fault.place) }
            line.member("next", fault.next)
        }
        if suppressed > 0 { line.member("suppressed", suppressed) }
        line.member("message", event.words)
        line.endObject()
        return line.bytes + [UInt8(ascii: "\n")]
    }

    private static func text(_ event: OperationalEvent, at time: WallTime, suppressed: Int64) -> String {
        var line = "\(TimeText.utc(time))  \(padded(event.level.word))  \(event.words)"
        if let partition = event.partition { line += " partition=\(printable(partition.description))" }
        for field in event.fields {
            switch field.value {
            case .text(let text): line += " \(field.name)=\(printable(text))"
            case .number(let number): line += " \(field.name)=\(number)"
            case .span(let span): line += " \(field.name)=\(TimeText.span(span).replacing(" ", with: ""))"
            case .bytes(let size): line += " \(field.name)=\(NumberText.bytes(size).replacing(" ", with: ""))"
            }
        }
        if let fault = event.fault {
            line += " [\(fault.code)] \(printable(fault.what))"
            if !fault.place.isEmpty { line += " at \(printable(fault.place))" }
            line += " → \(printable(fault.next))"
        }
        if suppressed > 0 { line += " (and \(suppressed) more like it before)" }
        return line + "\n"
    }

    private static func padded(_ word: String) -> String {
        word + String(repeating: " ", count: max(0, 7 - word.utf8.count))
    }
}

/// Text as a terminal may show it: control characters, which could move the cursor or hide a line, become `?`.
public func printable(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        scalars.append(isControl ? "?" : scalar)
    }
    return String(scalars)
}
