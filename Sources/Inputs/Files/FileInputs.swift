internal import Glibc
public import Model

/// Files as input partitions: one line is one record, its number the offset. Plain NDJSON, `.gz` and `.zst`.
///
/// ```swift
/// let files = try FileInputs(patterns: ["data/*.ndjson.zst"], maxRecord: plan.source.maxRecord)
/// for file in files.partitions { try file.open(at: 0, wake: {}) }
/// ```
public struct FileInputs: Sendable {
    /// Sorted by path, each file once.
    public let partitions: [FileInput]

    /// Expands the globs: what appears later is not read (a file source is bounded). Blocks on the file system; called once at
    /// start. Throws `file_missing` for a pattern that matches nothing, `file_unreadable` and `not_a_file` for what can't be read.
    public init(patterns: [String], maxRecord: ByteCount) throws(Fault) {
        var paths: Set<String> = []
        for pattern in patterns { paths.formUnion(try expand(pattern)) }
        var inputs: [FileInput] = []
        for path in paths.sorted() {
            // Opened once now, so that all that is missing is known before anything is read.
            _ = try PlainSource(path: path)
            inputs.append(FileInput(path: path, maxRecord: maxRecord))
        }
        partitions = inputs
    }
}

private func expand(_ pattern: String) throws(Fault) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    switch glob(pattern, GLOB_NOSORT, nil, &found) {
    case 0:
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    case GLOB_NOMATCH where access(pattern, F_OK) == 0:
        // A file whose very name has brackets or stars in it.
        return [pattern]
    case GLOB_NOMATCH:
        throw Fault(
            "file_missing", "No file matches \(pattern).", place: pattern,
            next: "Check source.files; a relative path starts at the directory that the command runs in.", exit: .usage)
    default:
        throw Fault(
            "file_unreadable", "The pattern \(pattern) can't be expanded.", place: pattern,
            next: "Check the rights of the directories in it.", exit: .usage)
    }
}
