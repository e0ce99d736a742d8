import Foundation
import Testing

/// One text file of the project, for rules that can be read off the text.
struct TextFile: Sendable {
    /// From the package's root, such as `Sources/Model/Time.swift`.
    let path: String
    /// The text with every byte outside ASCII replaced, so that offsets, columns and bytes are one thing.
    let text: String
    /// The same with comments and the insides of strings blanked, for rules about code. Only Swift and C++ differ.
    let code: String

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    /// `Model` of `Sources/Model/Time.swift`.
    var room: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    var lineCount: Int { text.utf8.count { $0 == UInt8(ascii: "\n") } }
}

/// A place where a rule is broken.
struct Finding: Hashable, Sendable {
    var path: String
    var line: Int
    var what: String
}

/// The project's own files, read once for all rules.
struct Repository: Sendable {
    static let here = Repository()

    let root: String
    let files: [TextFile]

    private init() {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        self.root = root.path
        var found: [TextFile] = []
        for top in ["Sources", "Tests", "bench", "docs", "scripts", "deploy", "topologies", ".ci"] {
            for path in FileManager.default.enumerator(atPath: "\(root.path)/\(top)") ?? .init() {
                if let file = Repository.read("\(top)/\(path)", root: root.path) { found.append(file) }
            }
        }
        for name in ["Package.swift", "Makefile", "Dockerfile", "docker-compose.yml", "README.md", "LICENSE"] {
            if let file = Repository.read(name, root: root.path) { found.append(file) }
        }
        files = found.sorted { $0.path < $1.path }
    }

    private static let textual: Set<String> = [
        "swift", "cpp", "c", "h", "hpp", "md", "sh", "yaml", "yml", "html", "css", "js", "awk", "modulemap", "json", "txt",
    ]

    private static func read(_ path: String, root: String) -> TextFile? {
        let url = URL(fileURLWithPath: "\(root)/\(path)")
        let known = textual.contains(url.pathExtension) || url.pathExtension.isEmpty
        guard known, let data = FileManager.default.contents(atPath: url.path) else { return nil }
        let bytes = data.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }
        let isCode = ["swift", "cpp", "c", "h", "hpp"].contains(url.pathExtension)
        return TextFile(
            path: path, text: String(decoding: bytes, as: UTF8.self),
            code: String(decoding: isCode ? blanked(bytes) : bytes, as: UTF8.self))
    }

    func file(_ path: String) -> TextFile? { files.first { $0.path == path } }

    /// The Swift files below a folder (or several).
    func swift(_ folders: String...) -> [TextFile] {
        files.filter { file in file.path.hasSuffix(".swift") && folders.contains { file.path.hasPrefix("\($0)/") } }
    }

    /// Swift, C and C++ below `Sources`.
    var sources: [TextFile] {
        files.filter { file in
            file.path.hasPrefix("Sources/") && [".swift", ".cpp", ".c", ".h"].contains { file.path.hasSuffix($0) }
        }
    }
}

/// One hit of a pattern in a text.
struct Hit {
    var line: Int
    /// The whole hit, then its groups; a group that took no part is empty.
    var groups: [String]
}

/// All hits of an ICU pattern in an ASCII text.
func hits(_ pattern: String, in text: String) throws -> [Hit] {
    let expression = try NSRegularExpression(pattern: pattern, options: [.anchorsMatchLines])
    let bytes = Array(text.utf8)
    var line = 1
    var at = 0
    return expression.matches(in: text, range: NSRange(location: 0, length: bytes.count)).map { match in
        while at < match.range.location {
            if bytes[at] == UInt8(ascii: "\n") { line += 1 }
            at += 1
        }
        let groups = (0..<match.numberOfRanges).map { index -> String in
            let range = match.range(at: index)
            guard range.location != NSNotFound else { return "" }
            return String(decoding: bytes[range.location..<range.location + range.length], as: UTF8.self)
        }
        return Hit(line: line, groups: groups)
    }
}

/// Each hit of a pattern in the files' code as a finding.
func findings(_ pattern: String, in files: [TextFile], of text: KeyPath<TextFile, String> = \.code, _ what: String) throws
    -> [Finding]
{
    try files.flatMap { file in
        try hits(pattern, in: file[keyPath: text]).map {
            Finding(path: file.path, line: $0.line, what: "\(what): \($0.groups[0])")
        }
    }
}
