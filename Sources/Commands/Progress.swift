internal import Model
internal import Observe

/// How far long work is: a bar on a terminal, a line now and then elsewhere. Both on stderr.
struct Progress {
    private let console: Console
    private let what: String
    private let isQuiet: Bool
    private let start: MonotonicTime
    private var samples: [(at: MonotonicTime, done: Int64)]
    private var nextLine: MonotonicTime

    /// `what`: the thing that is counted, such as `records`.
    init(of what: String, on console: Console, isQuiet: Bool = false, now: MonotonicTime) {
        self.what = what
        self.console = console
        self.isQuiet = isQuiet
        start = now
        samples = [(now, 0)]
        nextLine = now + .seconds(CommandsLimits.progressSeconds)
    }

    /// `total`: nil where nobody knows it.
    mutating func update(done: Int64, total: Int64?, now: MonotonicTime) {
        samples.append((now, done))
        while samples.count > 2, (now - samples[1].at).milliseconds > CommandsLimits.rateMilliseconds { samples.removeFirst() }
        guard !isQuiet else { return }
        let line = Self.line(what, done: done, total: total, rate: rate, elapsed: now - start)
        if console.isErrorTerminal {
            console.draw(Self.cut(Self.bar(done: done, total: total) + line, console.size.columns - 1) + "\n", on: .error)
        } else if now >= nextLine {
            nextLine = now + .seconds(CommandsLimits.progressSeconds)
            console.error(line + "\n")
        }
    }

    func end() {
        if console.isErrorTerminal, !isQuiet { console.erase() }
    }

    /// Per second, lately.
    private var rate: Double {
        let span = (samples[samples.count - 1].at - samples[0].at).milliseconds
        return span > 0 ? Double(samples[samples.count - 1].done - samples[0].done) * 1_000 / Double(span) : 0
    }

    static func line(_ what: String, done: Int64, total: Int64?, rate: Double, elapsed: TimeSpan) -> String {
        let pace = "\(NumberText.grouped(Int64(rate.rounded())))/s"
        guard let total, total > 0 else {
            return "\(NumberText.grouped(done)) \(what), \(pace), \(TimeText.span(elapsed)) so far"
        }
        let percent = min(100, done * 100 / total)
        let left = max(0, total - done)
        let rest = rate > 0 ? ", \(TimeText.span(TimeSpan(milliseconds: Int64(Double(left) / rate * 1_000)))) left" : ""
        return "\(percent) %, \(NumberText.grouped(done)) of \(NumberText.grouped(total)) \(what), \(pace)\(rest)"
    }

    static func bar(done: Int64, total: Int64?) -> String {
        guard let total, total > 0 else { return "" }
        let width: Int64 = 14
        let full = Int(min(width, max(0, done) * width / total))
        return "[\(String(repeating: "#", count: full))\(String(repeating: ".", count: Int(width) - full))] "
    }

    static func cut(_ line: String, _ width: Int) -> String { line.count > width ? String(line.prefix(width)) : line }
}
