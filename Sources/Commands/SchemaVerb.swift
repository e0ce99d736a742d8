internal import Inputs
internal import Model
internal import Observe
internal import Topology

extension Verbs {
    static let schema = Verb(
        name: "schema", summary: "the JSON Schema of the topology language", usage: "[option…]",
        options: [
            .flag("markdown", "the reference of all keys instead, as a page"),
            .value("out", "FILE", "write it there instead of to stdout"),
        ],
        notes: [
            "An editor with the YAML language server takes the schema from a topology's first",
            "line: # yaml-language-server: $schema=FILE. The schema is JSON with and without --json.",
        ]
    ) { arguments, console throws(Fault) in
        let isPage = arguments.has("markdown")
        let text = isPage ? Topology.reference : Topology.schema
        guard let path = arguments.value("out") else {
            guard isPage, arguments.has("json") else {
                console.out(text)
                return .done
            }
            var json = JSONText()
            json.beginObject()
            json.member("markdown", text)
            json.endObject()
            console.out(json.text + "\n")
            return .done
        }
        let file = try FileOutput(path: path)
        try file.write(text)
        try file.finish()
        var json = JSONText()
        json.beginObject()
        json.member("file", path)
        json.member("bytes", text.utf8.count)
        json.endObject()
        console.out(arguments.has("json") ? json.text + "\n" : "\(printable(path)): \(text.utf8.count) bytes\n")
        return .done
    }
}
