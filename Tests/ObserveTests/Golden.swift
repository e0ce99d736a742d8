import Glibc
import Testing

/// Compares with a file beside the tests; `WEIR_GOLDENS=write` rewrites it instead.
func expectGolden(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let path = "\(folder)/Goldens/\(name)"
    if getenv("WEIR_GOLDENS").map({ String(cString: $0) }) == "write" {
        #expect(write(text, to: path), "can't write \(path)", sourceLocation: sourceLocation)
        return
    }
    let expected = read(path).split(separator: "\n", omittingEmptySubsequences: false)
    let actual = text.split(separator: "\n", omittingEmptySubsequences: false)
    let first = zip(expected, actual).enumerated().first { $0.element.0 != $0.element.1 }
    if let first {
        let message = "\(name):\(first.offset + 1)\n  golden: \(first.element.0)\n  actual: \(first.element.1)"
        Issue.record(Comment(rawValue: message), sourceLocation: sourceLocation)
    } else {
        #expect(expected.count == actual.count, "\(name) has other lines at its end", sourceLocation: sourceLocation)
    }
}

func read(_ path: String) -> String {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = Glibc.read(file, &chunk, chunk.count)
        if count <= 0 { break }
        bytes.append(contentsOf: chunk[0..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
}

private func write(_ text: String, to path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard file >= 0 else { return false }
    defer { close(file) }
    let bytes = Array(text.utf8)
    return Glibc.write(file, bytes, bytes.count) == bytes.count
}
