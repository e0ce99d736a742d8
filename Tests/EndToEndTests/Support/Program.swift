import Glibc
import Testing

/// A tool of the system.
enum Program {
    static func run(_ arguments: [String]) throws {
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        try #require(posix_spawnp(&process, arguments[0], nil, nil, &words, environ) == 0, "\(arguments[0]) is not there")
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        try #require(status == 0, "\(arguments.joined(separator: " ")) failed")
    }
}
