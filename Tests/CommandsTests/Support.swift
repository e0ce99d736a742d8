import Glibc
import Model
import Synchronization
import Testing
import Testkit

@testable import Commands

/// What a command said, and what it ended with.
struct Said: Equatable {
    var exit: Int32
    var out: String
    var error: String
}

/// Runs a command in this process, for verbs that neither wait nor listen to signals.
func said(_ words: String...) -> Said { said(words) }

func said(_ words: [String]) -> Said {
    let heard = Mutex((out: [UInt8](), error: [UInt8]()))
    let console = Console { stream, bytes in
        heard.withLock { if stream == .out { $0.out += bytes } else { $0.error += bytes } }
        return true
    }
    let exit = WeirCommand.run(words, on: console)
    return heard.withLock {
        Said(exit: exit.rawValue, out: String(decoding: $0.out, as: UTF8.self), error: String(decoding: $0.error, as: UTF8.self))
    }
}

extension Scratch {
    /// Where the text was written.
    func file(_ name: String, _ text: String) throws -> String {
        let file = write(name, Array(text.utf8))
        try #require(read(file) == text)
        return file
    }
}

/// Every file below a folder of the repository (empty: all of it) as paths from `root`, sorted. What is hidden is left out,
/// and links are not followed.
func files(under folder: String, of root: String = packageFolder) throws -> [String] {
    var found: [String] = []
    let listing = try #require(opendir("\(root)/\(folder)"), "\(folder)")
    defer { closedir(listing) }
    while let entry = readdir(listing) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasPrefix(".") { continue }
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        if entry.pointee.d_type == UInt8(DT_DIR) { found += try files(under: path, of: root) } else { found.append(path) }
    }
    return found.sorted()
}

/// Compares with a file beside the tests; `WEIR_GOLDENS=write` rewrites it instead.
func expectGolden(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let path = "\(packageFolder)/Tests/CommandsTests/Goldens/\(name)"
    if getenv("WEIR_GOLDENS").map({ String(cString: $0) }) == "write" {
        #expect(write(text, to: path), "can't write \(path)", sourceLocation: sourceLocation)
        return
    }
    #expect(text == read(path), "\(name) differs", sourceLocation: sourceLocation)
}

func read(_ path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    return String(decoding: bytes(of: file), as: UTF8.self)
}

/// Everything up to the end.
func bytes(of descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        if count <= 0 { return bytes }
        bytes.append(contentsOf: chunk[0..<count])
    }
}

func write(_ text: String, to path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { return false }
    defer { close(file) }
    let bytes = Array(text.utf8)
    return Glibc.write(file, bytes, bytes.count) == bytes.count
}
