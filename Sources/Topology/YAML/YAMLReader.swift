import CYAML

/// Bytes to a tree, through libyaml's events. Everything that a file can do wrong is a problem with a place.
struct YAMLReader {
    private let file: String
    private let problems: ProblemList
    /// Without the mark of byte order.
    private let bytes: ArraySlice<UInt8>
    private let source: SourceText
    private var parser: UnsafeMutablePointer<yaml_parser_t>
    private var anchors: [String: (node: Node, count: Int)] = [:]
    private var nodes = 0
    /// Nodes after aliases were expanded.
    private let limit: Int

    /// Stops the reading of a file; the problem is in the list already.
    private struct Stop: Error {}

    /// The tree, nil where the file has none that can be read, and the lines; nil where there are not even lines.
    static func read(
        _ bytes: [UInt8], file: String, problems: ProblemList, limit: Int = TopologyLimits.nodes
    ) -> (root: Node?, source: SourceText)? {
        let start = Place(file: file, line: 1, column: 1)
        guard bytes.count <= TopologyLimits.fileBytes else {
            problems.error(
                .tooLarge, at: start, "", "the file has \(bytes.count) bytes",
                next: "keep it under \(TopologyLimits.fileBytes) bytes")
            return nil
        }
        // libyaml looks for the mark of byte order only where it guesses the encoding.
        let body = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
        guard let text = String(validating: bytes, as: UTF8.self) else {
            problems.error(.encoding, at: firstBad(body, file), "", "the file is not UTF-8", next: "save it as UTF-8")
            return nil
        }
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { return nil }
        defer { yaml_parser_delete(parser) }
        let source = SourceText(text)
        var reader = YAMLReader(file: file, problems: problems, bytes: body, source: source, parser: parser, limit: limit)
        let root = body.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            return try? reader.document()
        }
        return (root, source)
    }

    private init(
        file: String, problems: ProblemList, bytes: ArraySlice<UInt8>, source: SourceText,
        parser: UnsafeMutablePointer<yaml_parser_t>, limit: Int
    ) {
        self.limit = limit
        self.source = source
        self.file = file
        self.problems = problems
        self.bytes = bytes
        self.parser = parser
    }

    private mutating func document() throws(Stop) -> Node {
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT: continue
            case YAML_STREAM_END_EVENT:
                return try stop(.yaml, at: place(event), "the file is empty", next: "write a topology into it")
            default: break
            }
            let root = try node(&event, depth: 0)
            while true {
                var event = try next()
                defer { yaml_event_delete(&event) }
                if event.type == YAML_STREAM_END_EVENT { return root }
                if event.type == YAML_DOCUMENT_START_EVENT {
                    return try stop(.yaml, at: place(event), "a second document begins", next: "keep one topology per file")
                }
            }
        }
    }

    /// The node that `event` begins.
    private mutating func node(_ event: inout yaml_event_t, depth: Int) throws(Stop) -> Node {
        let place = place(event)
        nodes += 1
        guard nodes <= limit else {
            return try stop(
                .tooLarge, at: place, "the file has more than \(limit) values", next: "use fewer aliases")
        }
        guard depth <= TopologyLimits.depth else {
            return try stop(
                .tooDeep, at: place, "maps and lists are more than \(TopologyLimits.depth) deep", next: "no key lies that deep")
        }
        let anchor: String?
        let result: Node
        switch event.type {
        case YAML_ALIAS_EVENT: return try alias(Self.text(event.data.alias.anchor), at: place)
        case YAML_SCALAR_EVENT:
            let data = event.data.scalar
            anchor = data.anchor.map { Self.text($0) }
            refuseTag(data.tag, at: place)
            let bytes = UnsafeBufferPointer(start: data.value, count: data.length)
            let isBare = data.anchor == nil && data.tag == nil
            result = Node(
                content: .scalar(Scalar(String(decoding: bytes, as: UTF8.self), style: Self.style(data.style))),
                place: isBare ? place : source.behindProperties(place))
        case YAML_SEQUENCE_START_EVENT:
            anchor = event.data.sequence_start.anchor.map { Self.text($0) }
            refuseTag(event.data.sequence_start.tag, at: place)
            var items: [Node] = []
            while true {
                var event = try next()
                defer { yaml_event_delete(&event) }
                if event.type == YAML_SEQUENCE_END_EVENT { break }
                items.append(try node(&event, depth: depth + 1))
            }
            result = Node(content: .list(items), place: place)
        default:
            anchor = event.data.mapping_start.anchor.map { Self.text($0) }
            refuseTag(event.data.mapping_start.tag, at: place)
            result = Node(content: .map(try entries(depth: depth)), place: place)
        }
        if let anchor { anchors[anchor] = (result, result.count) }
        return result
    }

    private mutating func entries(depth: Int) throws(Stop) -> [Node.Entry] {
        var entries: [Node.Entry] = []
        var seen: [String: Place] = [:]
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            if event.type == YAML_MAPPING_END_EVENT { return entries }
            let key = try node(&event, depth: depth + 1)
            var event2 = try next()
            defer { yaml_event_delete(&event2) }
            let value = try node(&event2, depth: depth + 1)
            guard case .scalar(let scalar) = key.content else {
                problems.error(.yaml, at: key.place, "", "\(key.kind) stands as a key", next: "keys are single words")
                continue
            }
            if let first = seen[scalar.text] {
                problems.error(
                    .duplicateKey, at: key.place, "",
                    "the key `\(scalar.text)` stands here a second time (first in line \(first.line))",
                    next: "keep one of them")
                continue
            }
            seen[scalar.text] = key.place
            entries.append(Node.Entry(key: scalar.text, keyPlace: key.place, value: value))
        }
    }

    private mutating func alias(_ name: String, at place: Place) throws(Stop) -> Node {
        guard let anchor = anchors[name] else {
            return try stop(.yaml, at: place, "no anchor `&\(name)` stands above this alias", next: "set the anchor first")
        }
        nodes += anchor.count
        guard nodes <= limit else {
            return try stop(
                .tooLarge, at: place, "with its aliases the file has more than \(limit) values",
                next: "use fewer aliases")
        }
        return anchor.node
    }

    /// A tag would give a scalar a type that the language doesn't look at.
    private func refuseTag(_ tag: UnsafeMutablePointer<UInt8>?, at place: Place) {
        guard let tag, Self.text(tag) != "!" else { return }
        problems.error(.yaml, at: place, "", "a YAML tag stands here", next: "leave tags out; each key has its type")
    }

    private func next() throws(Stop) -> yaml_event_t {
        var event = yaml_event_t()
        if yaml_parser_parse(parser, &event) == 1 { return event }
        let mark = parser.pointee.problem_mark
        let what = parser.pointee.problem.map { String(cString: $0) } ?? "unknown"
        let context = parser.pointee.context.map {
            " \(String(cString: $0)) that begins in line \(source.place(at: parser.pointee.context_mark.index, in: file).line)"
        }
        // Errors of libyaml's own reader have an offset in bytes instead of a mark.
        let isUnreadable = parser.pointee.error == YAML_READER_ERROR
        let at =
            isUnreadable
            ? Self.place(after: bytes.prefix(parser.pointee.problem_offset), file)
            : source.place(at: mark.index, in: file)
        return try stop(
            .yaml, at: at,
            "this is not YAML: \(what)\(context ?? "")",
            next: what.contains("cannot start any token")
                ? "indent with spaces, and quote texts that begin with a special character"
                : "check indentation, colons and quotes")
    }

    private func stop<T>(_ code: Problem.Code, at place: Place, _ what: String, next: String) throws(Stop) -> T {
        problems.error(code, at: place, "", what, next: next)
        throw Stop()
    }

    private func place(_ event: yaml_event_t) -> Place {
        source.place(at: event.start_mark.index, in: file)
    }

    private static func text(_ pointer: UnsafeMutablePointer<UInt8>) -> String { String(cString: UnsafePointer(pointer)) }

    private static func style(_ style: yaml_scalar_style_t) -> Scalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .single
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .double
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
    }

    private static func firstBad(_ bytes: ArraySlice<UInt8>, _ file: String) -> Place {
        // Half the bytes are bad or good as a whole: bisect for the longest valid beginning.
        var low = bytes.startIndex
        var high = bytes.endIndex
        while low < high {
            let middle = (low + high + 1) / 2
            let isGood = (0..<4).contains { cut in
                middle >= bytes.startIndex + cut && String(validating: bytes[..<(middle - cut)], as: UTF8.self) != nil
            }
            if isGood { low = middle } else { high = middle - 1 }
        }
        return place(after: bytes[..<max(bytes.startIndex, low - 1)], file)
    }

    private static func place(after good: ArraySlice<UInt8>, _ file: String) -> Place {
        let line = good.count { $0 == 0x0a } + 1
        let column = good.reversed().prefix { $0 != 0x0a }.count { $0 & 0xc0 != 0x80 } + 1
        return Place(file: file, line: line, column: column)
    }
}
