internal import Glibc
internal import Model
internal import Observe
internal import Synchronization

/// Where words go: results to stdout, progress, logs and faults to stderr. Any thread may use it; a text is one write.
final class Console: Sendable {
    enum Stream: Sendable {
        case out, error
    }

    private struct Face {
        /// Lines of what stands at the bottom of the terminal and is drawn anew; 0: none.
        var drawn = 0
        var drawnOn = Stream.error
        var isOutClosed = false
    }

    let isOutTerminal: Bool
    let isErrorTerminal: Bool
    let hasColour: Bool
    private let sink: @Sendable (Stream, [UInt8]) -> Bool
    /// Guards what stands on the terminal, and the order of writes.
    private let face = Mutex(Face())

    /// `sink` writes bytes; false: nobody reads them any more.
    init(
        isOutTerminal: Bool = false, isErrorTerminal: Bool = false, hasColour: Bool = false,
        sink: @escaping @Sendable (Stream, [UInt8]) -> Bool
    ) {
        self.isOutTerminal = isOutTerminal
        self.isErrorTerminal = isErrorTerminal
        self.hasColour = hasColour
        self.sink = sink
    }

    static var standard: Console {
        let term = getenv("TERM").map { String(cString: $0) } ?? ""
        let isCapable = !term.isEmpty && term != "dumb"
        let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        return Console(
            isOutTerminal: isatty(1) == 1 && isCapable, isErrorTerminal: isatty(2) == 1 && isCapable,
            hasColour: isCapable && !noColour
        ) { stream, bytes in
            Console.write(bytes, to: stream == .out ? 1 : 2)
        }
    }

    func out(_ text: String) { say(text, on: .out) }
    func error(_ text: String) { say(text, on: .error) }

    /// Nobody reads stdout any more.
    var isOutClosed: Bool { face.withLock { $0.isOutClosed } }

    /// Draws `text` over what was drawn before. Lines must fit the width; for terminals only.
    func draw(_ text: String, on stream: Stream) {
        face.withLock { face in
            let erase = Self.erasure(of: face.drawn)
            let lines = text.utf8.reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
            write(erase + text, on: stream, &face)
            face.drawn = lines
            face.drawnOn = stream
        }
    }

    /// What was drawn stays, and new text goes below it.
    func keepDrawn() { face.withLock { $0.drawn = 0 } }

    /// Takes away what was drawn.
    func erase() {
        face.withLock { face in
            write(Self.erasure(of: face.drawn), on: face.drawnOn, &face)
            face.drawn = 0
        }
    }

    func tell(_ fault: Fault, asJSON: Bool) {
        if asJSON {
            out(FaultText.json(fault))
        } else {
            error(FaultText.words(fault, hasColour: hasColour && isErrorTerminal))
        }
    }

    var size: (columns: Int, lines: Int) {
        var size = winsize()
        let descriptor: Int32 = isOutTerminal ? 1 : 2
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (CommandsLimits.columns, CommandsLimits.helpLines)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// What is drawn goes away first: whoever drew it draws it again at its next turn.
    private func say(_ text: String, on stream: Stream) {
        face.withLock { face in
            if face.drawn > 0 {
                write(Self.erasure(of: face.drawn), on: face.drawnOn, &face)
                face.drawn = 0
            }
            write(text, on: stream, &face)
        }
    }

    private func write(_ text: String, on stream: Stream, _ face: inout Face) {
        guard !text.isEmpty else { return }
        if !sink(stream, Array(text.utf8)), stream == .out { face.isOutClosed = true }
    }

    private static func erasure(of lines: Int) -> String { lines == 0 ? "" : "\u{1B}[\(lines)A\r\u{1B}[J" }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, 1_000)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}

/// A fault for people and for machines.
enum FaultText {
    static func words(_ fault: Fault, hasColour: Bool = false) -> String {
        let code = hasColour ? "\u{1B}[31m\(fault.code)\u{1B}[0m" : fault.code
        let place = fault.place.isEmpty ? "" : " (\(printable(fault.place)))"
        return "weir: \(code): \(printable(fault.what))\(place)\n  \(printable(fault.next))\n"
    }

    static func json(_ fault: Fault) -> String {
        var text = JSONText()
        text.beginObject()
        text.key("error")
        members(fault, &text)
        text.endObject()
        return text.text + "\n"
    }

    static func members(_ fault: Fault, _ text: inout JSONText) {
        text.beginObject()
        text.member("code", fault.code)
        text.member("what", fault.what)
        text.member("place", fault.place)
        text.member("next", fault.next)
        text.endObject()
    }
}
