import Testing
import Testkit
import Topology

@testable import Commands

/// One value of a YAML file by its keys; list items by their number.
private func value(_ root: Node, _ keys: String...) -> Node? {
    keys.reduce(Optional(root)) { node, key in
        switch node?.content {
        case .map(let entries): entries.first { $0.key == key }?.value
        case .list(let items): Int(key).flatMap { items.indices.contains($0) ? items[$0] : nil }
        default: nil
        }
    }
}

private func text(_ node: Node?) -> String? {
    if case .scalar(let scalar)? = node?.content { scalar.text } else { nil }
}

private func texts(_ node: Node?) -> [String] {
    if case .list(let items)? = node?.content { items.compactMap { text($0) } } else { [] }
}

/// The words of the image's recipe behind an instruction, in its last stage or the base of it.
private func image(_ instruction: String) -> [String] {
    read("\(packageFolder)/Dockerfile").split(separator: "\n").filter { $0.hasPrefix(instruction + " ") }.map {
        String($0.dropFirst(instruction.count + 1))
    }
}

/// What a compose file says must fit the image that it starts and the topology that it mounts.
struct ComposeTests {
    private func compose(_ words: [String]) throws -> (root: Node, folder: Scratch) {
        let folder = Scratch()
        #expect(said(["init", "--out", folder.path, "--name", "t"] + words).exit == 0)
        let document = Topology.document("\(folder.path)/docker-compose.yml")
        #expect(document.problems.map { $0.text() } == [])
        return (try #require(document.root), folder)
    }

    private func checkService(_ root: Node, _ folder: Scratch) throws {
        let weir = try #require(value(root, "services", "weir"))
        #expect(text(value(weir, "image")) == "weir:latest")
        #expect(read("\(packageFolder)/Makefile").contains("IMAGE ?= weir:latest\n"))
        // The image begins every command with the program itself, and asks it for its health.
        #expect(image("ENTRYPOINT") == [#"["weir"]"#] && value(weir, "entrypoint") == nil)
        #expect(image("HEALTHCHECK").count == 1 && value(weir, "healthcheck") == nil)
        let command = texts(value(weir, "command"))
        #expect(command == ["run", "/etc/weir/t.yaml"])
        let volumes = texts(value(weir, "volumes"))
        #expect(volumes.contains("./t.yaml:\(command[1]):ro"))
        // The state stands on a volume of its own, which is what the image keeps writable.
        #expect(image("VOLUME") == ["/var/lib/weir"] && volumes.contains("weir-state:/var/lib/weir"))
        #expect(value(root, "volumes", "weir-state") != nil && text(value(weir, "read_only")) == "true")
        let environment = try #require(value(weir, "environment"))
        #expect(text(value(environment, "WEIR_STATE")) == "/var/lib/weir")
        #expect(text(value(environment, "WEIR_LISTEN")) == "0.0.0.0:8080")
        #expect(image("EXPOSE") == ["8080"] && texts(value(weir, "ports")) == ["127.0.0.1:8080:8080"])
        // Each variable is one that the topology reads.
        guard case .map(let variables) = environment.content else { return #expect(Bool(false)) }
        let topology = read("\(folder.path)/t.yaml")
        for variable in variables { #expect(topology.contains("${\(variable.key):-"), "\(variable.key)") }
    }

    @Test func aTopicsComposeFileFitsTheImageAndTheTopology() throws {
        let (root, folder) = try compose(["--from", "segment"])
        try checkService(root, folder)
        #expect(text(value(root, "services", "weir", "environment", "KAFKA_BOOTSTRAP")) == "kafka:19092")
        let kafka = try #require(value(root, "services", "kafka", "environment"))
        #expect(text(value(kafka, "KAFKA_LISTENERS"))?.contains("INSIDE://:19092") == true)
        #expect(text(value(kafka, "KAFKA_ADVERTISED_LISTENERS"))?.contains("INSIDE://kafka:19092") == true)
        // The default of the topology is the port that is let out.
        #expect(read("\(folder.path)/t.yaml").contains("${KAFKA_BOOTSTRAP:-localhost:9092}"))
        #expect(texts(value(root, "services", "kafka", "ports")) == ["127.0.0.1:9092:9092"])
    }

    @Test func aFilesComposeFileHasNoBrokerAndMountsWhatIsRead() throws {
        let other = Scratch()
        let file = try other.file("a.ndjson", #"{"ts":1767225600000}"#)
        let (root, folder) = try compose(["--from-file", file])
        try checkService(root, folder)
        #expect(value(root, "services", "kafka") == nil)
        #expect(texts(value(root, "services", "weir", "volumes")).contains("\(file):\(file):ro"))
    }
}
