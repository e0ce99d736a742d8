internal import Model
internal import Observe
internal import Topology

extension Verbs {
    static let describe = Verb(
        name: "describe", summary: "the plan with every default, and what uses what", usage: "FILE [option…]",
        operands: 1...1,
        options: [
            .value("with", "FILE", "laid over FILE, such as a file for production", repeatable: true),
            .flag("yaml", "only the topology with every default, as a file that reads back to the same plan"),
        ],
        notes: [
            "Values stand as they were written: what comes from the environment or a file, secrets too, is shown",
            "as its ${…}. A wrong topology is told as weir check tells it, with the same exit codes.",
        ]
    ) { arguments, console throws(Fault) in
        let file = arguments.operands[0]
        let reading = Topology.read(files: [file] + arguments.all("with"))
        guard let plan = reading.plan else {
            if arguments.has("json") {
                console.out(TopologyInput.problemsJSON(file: file, reading) + "\n")
            } else {
                for problem in reading.problems {
                    console.out(
                        TopologyInput.text(
                            problem, caret: console.isOutTerminal, hasColour: console.hasColour && console.isOutTerminal))
                }
                console.out(TopologyInput.summary(file, reading) + "\n")
            }
            return reading.exit
        }
        let description = Description(plan)
        if arguments.has("json") {
            console.out(DescriptionText.json(description, name: plan.name, spelled: reading.spelled))
        } else if arguments.has("yaml") {
            console.out(reading.spelled)
        } else {
            console.out(reading.spelled + "\n" + DescriptionText.tables(description))
        }
        return .done
    }
}

/// A description for people and for machines.
enum DescriptionText {
    static func tables(_ description: Description) -> String {
        var stages = TextTable([("stage", .left), ("does", .left)])
        for stage in description.stages { stages.row([stage.name, stage.does]) }
        var fields = TextTable([("field", .left), ("type", .left), ("path", .left), ("used by", .left)])
        for use in description.fields {
            fields.row([use.field, use.type, use.path, use.usedBy.isEmpty ? "nothing" : use.usedBy.joined(separator: ", ")])
        }
        var touched = TextTable([("touches", .left), ("what", .left), ("name", .left)])
        for touch in description.touched { touched.row([touch.how, touch.kind, touch.name]) }
        return [stages.text, fields.text, touched.text].joined(separator: "\n")
    }

    static func json(_ description: Description, name: String, spelled: String) -> String {
        var json = JSONText()
        func list<T>(_ key: String, _ items: [T], _ members: (T, inout JSONText) -> Void) {
            json.key(key)
            json.beginArray()
            for item in items {
                json.beginObject()
                members(item, &json)
                json.endObject()
            }
            json.endArray()
        }
        json.beginObject()
        json.member("name", name)
        json.member("yaml", spelled)
        list("stages", description.stages) { stage, json in
            json.member("name", stage.name)
            json.member("does", stage.does)
        }
        list("fields", description.fields) { use, json in
            json.member("name", use.field)
            json.member("type", use.type)
            json.member("path", use.path)
            json.key("used_by")
            json.beginArray()
            for user in use.usedBy { json.string(user) }
            json.endArray()
        }
        list("touches", description.touched) { touch, json in
            json.member("how", touch.how)
            json.member("kind", touch.kind)
            json.member("name", touch.name)
        }
        json.endObject()
        return json.text + "\n"
    }
}
