internal import Model
internal import Topology

/// A description for machines: all that the text has, and the plan as an object.
enum DescriptionJSON {
    static func text(_ description: Description, name: String, _ reading: Topology.Reading) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("name", name)
        json.member("yaml", reading.spelled)
        json.key("plan")
        json.raw(reading.spelledJSON.utf8)
        list("defaults", reading.defaults, &json) { json, item in
            json.member("path", item.path)
            json.member("value", item.value)
        }
        list("stages", description.stages, &json) { json, stage in
            json.member("name", stage.name)
            json.member("does", stage.does)
        }
        list("fields", description.fields, &json) { json, use in
            json.member("name", use.field)
            json.member("type", use.type)
            if let computed = use.computed { json.member("computed", computed) } else { json.member("path", use.path) }
            texts("used_by", use.usedBy, &json)
        }
        list("columns", description.columns, &json) { json, column in
            json.member("output", column.output)
            json.member("name", column.name)
            json.member("is", column.means)
            sources("from", column.from, &json)
            list("decided_by", column.decided, &json) { json, stage in
                json.member("stage", stage.by)
                sources("fields", stage.fields, &json)
            }
            texts("to", column.to, &json)
        }
        list("touches", description.touched, &json) { json, touch in
            json.member("how", touch.how)
            json.member("kind", touch.kind)
            json.member("name", touch.name)
            json.member("made", touch.isMade)
            texts("holds", touch.holds, &json)
            if let rows = touch.rows { json.member("rows", rows) }
        }
        list("memory", description.memory, &json) { json, share in
            json.member("name", share.name)
            json.member("bytes", share.bytes.bytes)
            json.member("says", share.says)
        }
        estimate(description.estimate, &json)
        json.endObject()
        return json.text + "\n"
    }

    private static func estimate(_ estimate: StateEstimate, _ json: inout JSONText) {
        json.key("estimate")
        json.beginObject()
        json.key("assumed")
        json.beginObject()
        json.member("keys_per_million", estimate.assumed.keysPerMillion)
        json.member("groups", estimate.assumed.groups)
        json.member("partitions", estimate.assumed.partitions)
        json.member("text_bytes", EstimateLimits.text)
        json.key("rate")
        if let rate = estimate.assumed.rate { json.double(rate) } else { json.null() }
        json.endObject()
        parts("a_million_events", estimate.perMillion, &json)
        if let standing = estimate.standing { parts("held_at_rate", standing, &json) }
        json.endObject()
    }

    private static func parts(_ name: String, _ parts: [StateEstimate.Part], _ json: inout JSONText) {
        list(name, parts, &json) { json, part in
            json.member("name", part.name)
            json.member("count", part.count)
            json.member("memory_bytes", part.memory.bytes)
            json.member("least_memory_bytes", part.least.bytes)
            json.member("state_db_bytes", part.disk.bytes)
            json.member("held_ms", part.held.milliseconds)
        }
    }

    private static func sources(_ name: String, _ sources: [Lineage.Source], _ json: inout JSONText) {
        list(name, sources, &json) { json, source in
            json.member("field", source.field)
            texts("via", source.via, &json)
        }
    }

    private static func texts(_ name: String, _ texts: [String], _ json: inout JSONText) {
        json.key(name)
        json.beginArray()
        for text in texts { json.string(text) }
        json.endArray()
    }

    private static func list<T>(
        _ name: String, _ items: [T], _ json: inout JSONText, _ members: (inout JSONText, T) -> Void
    ) {
        json.key(name)
        json.beginArray()
        for item in items {
            json.beginObject()
            members(&json, item)
            json.endObject()
        }
        json.endArray()
    }
}
