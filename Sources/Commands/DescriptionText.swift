internal import Model
internal import Observe
internal import Topology

/// A description for people.
enum DescriptionText {
    static func tables(_ description: Description) -> String {
        var stages = TextTable([("stage", .left), ("does", .left)])
        for stage in description.stages { stages.row([stage.name, stage.does]) }
        var fields = TextTable([("field", .left), ("type", .left), ("path", .left), ("used by", .left)])
        for use in description.fields {
            let place = use.computed == nil ? use.path : "computed"
            fields.row([use.field, use.type, place, use.usedBy.isEmpty ? "nothing" : use.usedBy.joined(separator: ", ")])
        }
        var touched = TextTable([("touches", .left), ("what", .left), ("name", .left), ("made", .left), ("holds", .left)])
        for touch in description.touched {
            let made = touch.how != "writes" ? "" : touch.isMade ? "if missing" : "not by Weir"
            let rows = touch.rows.map { [$0 == "all" ? "rows of the whole group" : "rows of its own partitions"] } ?? []
            touched.row([touch.how, touch.kind, touch.name, made, (touch.holds + rows).joined(separator: ", ")])
        }
        var memory = TextTable([("memory", .left), ("bytes", .right), ("", .left)])
        for share in description.memory { memory.row([share.name, NumberText.bytes(share.bytes), share.says]) }
        return [stages.text, fields.text, columns(description), touched.text, memory.text, estimate(description.estimate)]
            .joined(separator: "\n")
    }

    private static func columns(_ description: Description) -> String {
        var table = TextTable([("column", .left), ("is", .left), ("from", .left), ("goes to", .left)])
        func list(_ sources: [Lineage.Source]) -> String { sources.map(\.text).joined(separator: ", ") }
        var output: String?
        for column in description.columns {
            // What all columns of an output share stands once.
            let own = column.decided.filter { $0.by == "its where" }
            if column.output != output {
                output = column.output
                let shared = column.decided.map { "\($0.by) (\(list($0.fields)))" }
                table.row([
                    column.output, shared.isEmpty ? "every record" : "records by", shared.joined(separator: ", "),
                    column.to.joined(separator: ", "),
                ])
            }
            let from = [list(column.from)] + own.map { "where (\(list($0.fields)))" }
            table.row(["  \(column.name)", column.means, from.filter { !$0.isEmpty }.joined(separator: ", "), ""])
        }
        return table.text
    }

    private static func estimate(_ estimate: StateEstimate) -> String {
        let assumed = estimate.assumed
        var text = table("a million events", estimate.perMillion)
        if let rate = assumed.rate, let standing = estimate.standing {
            text += "\n" + table("held at \(NumberText.grouped(Int64(rate.rounded())))/s", standing)
        }
        text += "Assumed: \(NumberText.grouped(assumed.keysPerMillion)) keys among a million events, "
        text += "\(NumberText.grouped(assumed.groups)) groups a window, \(NumberText.grouped(assumed.partitions)) partitions, "
        text += "\(EstimateLimits.text) bytes a text"
        text += assumed.rate == nil ? "; with --rate also what is held at one time.\n" : ".\n"
        return text
    }

    private static func table(_ title: String, _ parts: [StateEstimate.Part]) -> String {
        var table = TextTable([
            (title, .left), ("count", .right), ("memory", .right), ("at least", .right), ("state.db", .right),
            ("each for", .right),
        ])
        for part in parts {
            table.row([
                part.name, NumberText.grouped(part.count), NumberText.bytes(part.memory), NumberText.bytes(part.least),
                NumberText.bytes(part.disk), TimeText.span(part.held),
            ])
        }
        table.row([
            "in all", "", NumberText.bytes(StateEstimate.memory(parts)), NumberText.bytes(StateEstimate.least(parts)),
            NumberText.bytes(StateEstimate.disk(parts)), "",
        ])
        return table.text
    }
}
