internal import Glibc
internal import Inputs
internal import Model
internal import Observe
internal import Runtime
internal import Topology

extension Verbs {
    static let `init` = Verb(
        name: "init", summary: "a topology and its tests from a sample or a vendor",
        usage: "(--from-file PATH | --from-topic T | --from VENDOR) [option…]",
        options: [
            .value("from-file", "PATH", "NDJSON to look at; also .gz and .zst", repeatable: true),
            .value("from-topic", "TOPIC", "records of a topic to look at; no group, no commit"),
            .value("from", "VENDOR", VendorShape.all.map(\.name).joined(separator: ", ")),
            .value("topic", "NAME", "the topic to read; default: the sample, else events"),
            .value("bootstrap", "HOST:PORT,…", "its brokers; default localhost:9092"),
            .value("with", "FILE", "its kafka: has TLS and login", repeatable: true),
            .value("records", "N", "of each partition of --from-topic; default 10k"),
            .flag("oldest", "from the topic's start; else the newest records"),
            .value("name", "NAME", "the topology's name; default: of the sample or vendor"),
            .value("owner", "WHO", "who is told when something is wrong; default: you"),
            .value("out", "DIR", "where to write; default: here"),
            .flag("force", "overwrite files that are there"),
        ],
        notes: [
            "Writes NAME.yaml, NAME.test.yaml and docker-compose.yml. No value of the sample is",
            "written, only names, types and times. With a sample a vendor's shape is measured.",
        ],
        run: { arguments, console throws(Fault) in try InitVerb.run(arguments, console) })
}

enum InitVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let files = arguments.all("from-file")
        let vendor = try vendor(arguments)
        try checkTogether(arguments, files)
        if files.isEmpty, vendor == nil, !arguments.has("from-topic") {
            throw usageFault(
                "there is nothing to begin with", of: "init", hint: "write --from-file PATH, --from-topic TOPIC or --from VENDOR")
        }
        var source = try source(arguments, files)
        let name = try name(arguments, files, vendor)
        let folder = arguments.value("out") ?? "."
        let prefix = folder == "." ? "" : "\(folder)/"
        let paths = ["\(prefix)\(name).yaml", "\(prefix)\(name).test.yaml", "\(prefix)docker-compose.yml"]
        if !arguments.has("force") {
            let there = paths.filter { access($0, F_OK) == 0 }
            if !there.isEmpty {
                throw Fault(
                    "file_exists", "There already: \(there.joined(separator: ", ")).", place: there[0],
                    next: "Write elsewhere with --out DIR or --name NAME, or overwrite with --force.", exit: .usage)
            }
        }
        var sample: Sample?
        if arguments.has("from-topic"), case .topic(let topic, let bootstrap) = source {
            let overlays = arguments.all("with")
            let reading = Inference.connection(bootstrap: bootstrap, overlays: overlays)
            guard let plan = reading.plan else {
                for problem in reading.problems {
                    console.error(TopologyInput.text(problem, caret: console.isErrorTerminal, hasColour: false))
                }
                return reading.exit
            }
            source = .topic(topic, bootstrap: plan.kafka.bootstrap)
            let records = try arguments.integer("records", in: 1...Int64(InferLimits.records), of: "init")
            sample = try TopicSample(
                topic: topic, kafka: plan.kafka, records: records ?? InferLimits.partitionRecords,
                isOldest: arguments.has("oldest")
            ).read(SystemClock())
        } else if !files.isEmpty {
            sample = try read(files)
        }
        let proposal = try Inference.propose(
            name: name, owner: arguments.value("owner") ?? "you", source: source, vendor: vendor, sample: sample,
            hostFolder: hostFolder(folder))
        // Where it can't be made, the first file says so.
        if folder != "." { mkdir(folder, 0o777) }
        for (path, text) in zip(paths, [proposal.topology, proposal.test, proposal.compose]) {
            try TextFile.write(text, to: path)
        }
        console.out(arguments.has("json") ? json(proposal, paths) : words(proposal, paths, arguments.all("with")))
        return .done
    }

    private static func checkTogether(_ arguments: Arguments, _ files: [String]) throws(Fault) {
        if arguments.has("from-topic") {
            for other in ["from-file", "topic"] where arguments.has(other) {
                throw usageFault("--from-topic and --\(other) don't go together", of: "init", hint: "leave one out")
            }
        } else {
            for option in ["with", "records", "oldest"] where arguments.has(option) {
                throw usageFault("--\(option) is for --from-topic", of: "init", hint: "name a topic to look at")
            }
        }
    }

    /// Where the paths of files begin, as a compose file in `folder` sees it.
    private static func hostFolder(_ folder: String) -> String {
        guard folder != ".", let here = getcwd(nil, 0) else { return "." }
        defer { free(here) }
        return String(cString: here)
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
        let option = arguments.has("from-topic") ? "from-topic" : "topic"
        if let topic = arguments.value(option) {
            guard topic.utf8.count <= 249, topic != ".", topic != "..", isName(topic) else {
                throw usageFault("--\(option) is `\(printableWord(topic))`", of: "init", hint: "write a topic's name")
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
        if let topic = arguments.value("from-topic") { return String(topic.map { $0 == "." ? "-" : $0 }.prefix(63)) }
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
        let partitions = try FileInputs(patterns: files, maxRecord: .mebibytes(1)).partitions
        var sample = Sample(partitions: partitions.count, kind: .lines)
        for (number, file) in partitions.enumerated() {
            try file.open(at: 0, wake: {})
            reading: while true {
                switch file.take(limit: 1_000) {
                case .records(let batch):
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

    private static func words(_ proposal: Proposal, _ paths: [String], _ overlays: [String]) -> String {
        var lines: [String] = []
        if proposal.records > 0 {
            lines.append(
                "looked at: \(proposal.records) record\(proposal.records == 1 ? "" : "s")"
                    + (proposal.undecodable > 0
                        ? " and \(proposal.undecodable) that \(proposal.undecodable == 1 ? "is" : "are") no JSON object" : ""))
        }
        lines.append(
            "event time: \(proposal.time ?? "the record's own"); copies by: \(proposal.key.isEmpty ? "nothing" : proposal.key.joined(separator: ", "))"
        )
        lines += paths.map { "wrote \($0)" }
        lines.append("next: weir check --strict \(paths[0]); weir test \(paths[1])")
        if !overlays.isEmpty {
            lines.append("      weir run \(paths[0]) \(overlays.map { "--with \($0)" }.joined(separator: " "))")
        }
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
