import Glibc
import Testing
import Testkit

/// The built program at work on a topology file, to be killed.
final class WeirProcess {
    private let child: Child
    private let said: String

    init(_ arguments: [String], log: String, environment: [String: String] = [:]) throws {
        said = log
        child = try Child(
            try #require(Child.weir(orFrom: "WEIR_BINARY"), "weir is not built"), arguments, environment: environment, out: log)
    }

    var pid: Int32 { child.pid }

    /// What it wrote so far.
    var log: String {
        guard let file = fopen(said, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    func signal(_ number: Int32) { child.signal(number) }

    /// Its exit code once it is over, 128 + the signal that ended it, or nil.
    var exit: Int32? { child.exit }

    func end(within seconds: Double = 60) throws -> Int32 { try child.end(within: seconds) }
}
