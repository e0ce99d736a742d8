internal import Glibc
internal import Model
internal import Runtime

/// Tries `body` every millisecond until it gives something: the only way a test may wait. Throws after `seconds`, spent in waiting
/// between tries; tries that take long themselves add to that, up to four times `seconds` by the clock.
public func eventually<T>(_ what: String, within seconds: Double = 30, _ body: () throws -> T?) throws -> T {
    let clock = SystemClock()
    // A body that takes long itself must not make it wait for hours.
    let deadline = clock.monotonic() + .milliseconds(Int64(seconds * 4_000))
    for _ in 0..<Int(seconds * 1_000) where clock.monotonic() < deadline {
        if let found = try body() { return found }
        rest(milliseconds: 1)
    }
    throw Waited(description: "waited \(seconds) s in vain for \(what)")
}

struct Waited: Error, CustomStringConvertible {
    var description: String
}

/// Between two looks at something that takes its time; never for an outcome.
public func rest(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
