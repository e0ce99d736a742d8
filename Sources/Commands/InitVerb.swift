internal import Glibc
internal import Inputs
internal import Model
internal import Observe
internal import Topology

extension Verbs {
    static let `init` = Verb(
        name: "init", summary: "a topology and its tests from a sample or a vendor",
        usage: "(--from-file PATH | --from VENDOR | both) [option…]",
        options: [
            .value("from-file", "PATH", "NDJSON to look at; also .gz and .zst", repeatable: true),
            .value("from", "VENDOR", VendorShape.all.map(\.name).joined(separator: ", ")),
            .value("topic", "NAME", "the topic to read; default: the files, else events"),
            .value("bootstrap", "HOST:PORT,…", "its brokers; default localhost:9092"),
            .value("name", "NAME", "the topology's name; default: of the vendor or file"),
            .value("owner", "WHO", "who is told when something is wrong; default: you"),
            .value("out", "DIR", "where to write; default: here"),
            .flag("force", "overwrite files that are there"),
        ],
        notes: [
            "Writes NAME.yaml, NAME.test.yaml and docker-compose.yml. No value of the sample is",
            "written, only names, types and times. With both, a vendor's shape is measured.",
        ],
        run: { arguments, console throws(Fault) in try InitVerb.run(arguments, console) })
}

enum InitVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let files = arguments.all("from-file")
        let vendor = try vendor(arguments)
        if files.isEmpty, vendor == nil {
            throw usageFault("there is nothing to begin with", of: "init", hint: "write --from-file PATH or --from VENDOR")
        }
        let sample = files.isEmpty ? nil : try read(files)
        let source = try source(arguments, files)
        let name = try name(arguments, files, vendor)
        let proposal = try Inference.propose(
            name: name, owner: arguments.value("owner") ?? "you", source: source, vendor: vendor, sample: sample)
        let folder = arguments.value("out") ?? "."
        let texts = [
            ("\(folder)/\(name).yaml", proposal.topology), ("\(folder)/\(name).test.yaml", proposal.test),
            ("\(folder)/docker-compose.yml", proposal.compose),
        ]
        if !arguments.has("force") {
            let there = texts.map(\.0).filter { access($0, F_OK) == 0 }
            if !there.isEmpty {
                throw Fault(
                    "file_exists", "There already: \(there.joined(separator: ", ")).", place: there[0],
                    next: "Write elsewhere with --out DIR or --name NAME, or overwrite with --force.", exit: .usage)
            }
        }
        for (path, text) in texts { try TextFile.write(text, to: path) }
        console.out(arguments.has("json") ? json(proposal, texts.map(\.0)) : words(proposal, texts.map(\.0)))
        return .done
    }

    private static func vendor(_ arguments: Arguments) throws(Fault) -> VendorShape? {
        guard let name = arguments.value("from") else { return nil }
        if let found = VendorShape.all.first(where: { $0.name == name }) { return found }
        let known = VendorShape.all.map(\.name)
        let near = Spelling.nearest(to: name, among: known)
        throw usageFault(
            "--from is `\(printableWord(name))`", of: "init",
            hint: near.map { "did you mean `\($0)`?" } ?? "known are \(known.joined(separator: ", "))")
    }

    private static func source(_ arguments: Arguments, _ files: [String]) throws(Fault) -> DraftSource {
        let bootstrap = arguments.value("bootstrap") ?? "localhost:9092"
        for broker in bootstrap.split(separator: ",", omittingEmptySubsequences: false) where HostPort(String(broker)) == nil {
            throw usageFault("--bootstrap is `\(printableWord(bootstrap))`", of: "init", hint: "write HOST:PORT")
        }
        if let topic = arguments.value("topic") {
            guard topic.utf8.count <= 249, topic != ".", topic != "..", isName(topic) else {
                throw usageFault("--topic is `\(printableWord(topic))`", of: "init", hint: "write a topic's name")
            }
            return .topic(topic, bootstrap: bootstrap)
        }
        if files.isEmpty { return .topic("events", bootstrap: bootstrap) }
        if arguments.has("bootstrap") { throw usageFault("--bootstrap is for topics", of: "init", hint: "name one with --topic") }
        return .files(files)
    }

    private static func name(_ arguments: Arguments, _ files: [String], _ vendor: VendorShape?) throws(Fault) -> String {
        if let name = arguments.value("name") {
            guard name.utf8.count <= 63, isName(name), !name.hasPrefix("."), !name.hasPrefix("-") else {
                throw usageFault("--name is `\(printableWord(name))`", of: "init", hint: "write letters, digits, `_` and `-`")
            }
            return name
        }
        if let vendor { return vendor.name }
        let last = files[0].split(separator: "/").last.map(String.init) ?? ""
        let stem = last.split(separator: ".").first.map(String.init) ?? ""
        let clean = String(stem.map { isName(String($0)) ? $0 : "-" }.prefix(63))
        return clean.isEmpty || clean.hasPrefix("-") ? "events" : clean
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == 0x2d || byte == 0x2e
                    || byte == 0x5f
            }
    }

    /// Blocks on the file system. The first records of each file, so that all of them are in the sample.
    private static func read(_ files: [String]) throws(Fault) -> Sample {
        var sample = Sample()
        let partitions = try FileInputs(patterns: files, maxRecord: .mebibytes(1)).partitions
        let share = InferLimits.records / partitions.count
        for (number, file) in partitions.enumerated() {
            try file.open(at: 0, wake: {})
            var left = share
            reading: while left > 0 {
                switch file.take(limit: left) {
                case .records(let batch):
                    left -= batch.count
                    for i in 0..<batch.count {
                        // An oversize line has a length that its memory has not.
                        let isWhole = batch.lengths[i] <= 1 << 20
                        let bytes = isWhole ? UnsafeRawBufferPointer(start: batch.payloads[i], count: batch.lengths[i]) : nil
                        if !sample.add(bytes, timestamp: nil, partition: number) { break reading }
                    }
                    file.release()
                case .nothing: break
                case .end: break reading
                case .failed(let fault): throw fault
                }
            }
            file.close()
        }
        return sample
    }

    private static func words(_ proposal: Proposal, _ paths: [String]) -> String {
        var lines: [String] = []
        if proposal.records > 0 { lines.append("\(proposal.records) records looked at, \(proposal.undecodable) undecodable") }
        lines.append(
            "event time: \(proposal.time ?? "the record's own"); copies by: \(proposal.key.isEmpty ? "nothing" : proposal.key.joined(separator: ", "))"
        )
        lines += paths.map { "wrote \($0)" }
        lines.append("next: weir check --strict \(paths[0])")
        return lines.map { printable($0) }.joined(separator: "\n") + "\n"
    }

    private static func json(_ proposal: Proposal, _ paths: [String]) -> String {
        var text = JSONText()
        text.beginObject()
        text.member("records", proposal.records)
        text.member("undecodable", proposal.undecodable)
        text.key("event_time")
        if let time = proposal.time { text.string(time) } else { text.null() }
        for (name, values) in [("key", proposal.key), ("fields", proposal.fields), ("written", paths)] {
            text.key(name)
            text.beginArray()
            for value in values { text.string(value) }
            text.endArray()
        }
        text.key("horizons_ms")
        text.beginObject()
        for horizon in proposal.horizons { text.member(horizon.name, horizon.milliseconds) }
        text.endObject()
        text.endObject()
        return text.text + "\n"
    }
}
