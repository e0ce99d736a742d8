import Glibc
import Model

/// The other side of the socket: asks the service that holds a state directory.
enum ControlClient {
    /// nil: no service listens there. Blocks until it has answered, at most `RuntimeLimits.commandWait`. Errors: the command's own,
    /// `command_unanswered`.
    static func ask(_ command: Command, directory: String, clock: any Clock) throws(Fault) -> CommandAnswer? {
        guard let connection = try connect(directory) else { return nil }
        defer { close(connection) }
        let line = ControlLine(connection, clock)
        guard line.write(command.line + [0x0A]),
            let answer = line.read(limit: RuntimeLimits.answerBytes, within: RuntimeLimits.commandWait)
        else { throw unanswered(directory) }
        return try CommandAnswer(line: answer)
    }

    static func unanswered(_ directory: String) -> Fault {
        Fault(
            "command_unanswered", "The service did not answer; whether it did what it was told stands in its decisions.",
            place: directory, next: "See its log and the table `decisions`, and ask again.", exit: .answerIsNo, isTransient: true)
    }

    private static func connect(_ directory: String) throws(Fault) -> Int32? {
        let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var code = errno
        guard connection >= 0 else { throw noRight(directory, code) }
        code = 0
        ControlSocket.withAddress(directory) { address, length in
            guard let address, Glibc.connect(connection, address, length) == 0 else {
                code = errno
                return
            }
        }
        if code == 0 {
            _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK)
            return connection
        }
        close(connection)
        // The file of a process that is gone refuses.
        if code == ENOENT || code == ECONNREFUSED { return nil }
        throw noRight(directory, code)
    }

    private static func noRight(_ directory: String, _ code: Int32) -> Fault {
        Fault(
            "control_no_right", "The service's socket can't be used: \(String(cString: strerror(code))).",
            place: "\(directory)/\(ControlSocket.name)", next: "Run the command as the user that the service runs as.",
            exit: .state)
    }
}
