internal import Model

/// The pages of `--help` for machines, from the same declarations as the text.
enum HelpDocument {
    /// `{"commands":[{"name":…,"summary":…,"usage":…}]}`, and a line end.
    static var page: String {
        var json = JSONText()
        json.beginObject()
        json.key("commands")
        json.beginArray()
        for verb in Verbs.all {
            json.beginObject()
            members(verb, &json)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.text + "\n"
    }

    /// `{"name":…,"summary":…,"usage":…,"options":[…],"notes":…}`, and a line end. A flag's `value` is null.
    static func of(_ verb: Verb) -> String {
        var json = JSONText()
        json.beginObject()
        members(verb, &json)
        json.key("options")
        json.beginArray()
        for option in verb.allOptions {
            json.beginObject()
            json.member("name", "--\(option.name)")
            json.key("value")
            if let value = option.value { json.string(value) } else { json.null() }
            json.member("repeatable", option.isRepeatable)
            json.member("help", option.help)
            json.endObject()
        }
        json.endArray()
        json.member("notes", verb.notes.joined(separator: " "))
        json.endObject()
        return json.text + "\n"
    }

    private static func members(_ verb: Verb, _ json: inout JSONText) {
        json.member("name", verb.name)
        json.member("summary", verb.summary)
        json.member("usage", "weir \(verb.name)\(verb.usage.isEmpty ? "" : " \(verb.usage)")")
    }
}
