import Glibc
import Model
import Synchronization

/// Runs programs for tests.
enum Command {
    /// Standard output without trailing white space. A fault carries what it wrote.
    static func run(_ arguments: [String]) throws(Fault) -> String {
        let (process, output) = try spawning.withLock { _ throws(Fault) in try begin(arguments) }
        defer { close(output) }
        var said: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let got = read(output, &buffer, buffer.count)
            if got < 0, errno == EINTR { continue }
            if got <= 0 { break }
            said += buffer[0..<got]
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        while let last = said.last, last == 10 || last == 32 { said.removeLast() }
        let text = String(decoding: said, as: UTF8.self)
        guard status == 0 else { throw KafkaCluster.broken("\(arguments.prefix(3).joined(separator: " ")) failed: \(text)") }
        return text
    }

    /// Guards the moment between a pipe's making and its close-on-exec mark: another program started then would keep it open.
    private static let spawning = Mutex(())

    private static func begin(_ arguments: [String]) throws(Fault) -> (pid_t, Int32) {
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw KafkaCluster.broken("no pipe") }
        defer { close(pipes[1]) }
        _ = fcntl(pipes[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(pipes[1], F_SETFD, FD_CLOEXEC)
        do throws(Fault) {
            return (try spawn(arguments, output: pipes[1]), pipes[0])
        } catch {
            close(pipes[0])
            throw error
        }
    }

    /// Runs a program and drops what it says.
    static func start(_ arguments: [String]) throws(Fault) { _ = try run(arguments) }

    private static func spawn(_ arguments: [String], output: Int32) throws(Fault) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var words = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var process = pid_t()
        guard posix_spawn(&process, arguments[0], &actions, nil, words, environ) == 0 else {
            throw KafkaCluster.broken("could not start \(arguments[0])")
        }
        return process
    }
}

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

var ownProcess: Int32 { getpid() }

/// A new empty folder of the test's own.
func temporaryDirectory(_ prefix: String) throws(Fault) -> String {
    var template = Array("\(environment("TMPDIR") ?? "/tmp")/\(prefix)-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw KafkaCluster.broken("no temporary directory") }
    return String(cString: made)
}
