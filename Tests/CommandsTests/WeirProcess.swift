import Glibc
import Testing
import Testkit

/// The built program as a process of its own; what it says goes to files.
final class WeirProcess {
    private let child: Child
    private let folder = Scratch()

    static let binary = Child.weir()

    /// - Parameter program: another program, by its path.
    init(_ arguments: [String], program: String? = nil) throws {
        let binary = try #require(program ?? Self.binary, "weir is not built")
        child = try Child(binary, arguments, out: folder.file("out"), error: folder.file("error"))
    }

    var out: String { read(folder.file("out")) }
    var error: String { read(folder.file("error")) }
    var cpuSeconds: Double { child.cpuSeconds }

    func signal(_ number: Int32) { child.signal(number) }

    /// Waits for its end.
    func end(within seconds: Double) throws -> Said { Said(exit: try child.end(within: seconds), out: out, error: error) }
}
