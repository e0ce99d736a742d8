internal import Model
internal import Observe
internal import Rehearsal

/// What the cases of all test files of a run reach of one topology.
struct CoveredTopology {
    /// The topology's file, or the test file in which it stands.
    var file: String
    var coverage: Coverage

    /// By topology, in the order of the files. A case that failed shows nothing of what it reached.
    static func of(_ tested: [TestedFile]) -> [CoveredTopology] {
        var order: [String] = []
        var reached: [String: (plan: Plan, reach: Reach)] = [:]
        for one in tested {
            guard let plan = one.plan else { continue }
            let file = one.topology ?? one.file
            if reached[file] == nil {
                order.append(file)
                reached[file] = (plan, Reach(plan: plan))
            }
            for (result, _) in one.results where result.isOK {
                if let reach = result.reach { reached[file]!.reach.merge(reach) }
            }
        }
        return order.map { CoveredTopology(file: $0, coverage: Coverage(plan: reached[$0]!.plan, reach: reached[$0]!.reach)) }
    }
}

/// Coverage as text and JSON.
enum CoverageReport {
    static func text(_ one: CoveredTopology) -> String {
        let coverage = one.coverage
        var text = "coverage  \(printable(one.file))  \(coverage.percent) %, \(coverage.reached) of \(coverage.items.count)\n"
        let width = coverage.missing.map { $0.place.count + $0.branch.count + 2 }.max() ?? 0
        for item in coverage.missing {
            let name = "\(item.place): \(item.branch)"
            text += "  missing  \(name)\(String(repeating: " ", count: width - name.count))  \(item.hint)\n"
        }
        return text
    }

    static func json(_ all: [CoveredTopology], into json: inout JSONText) {
        json.key("coverage")
        json.beginArray()
        for one in all {
            json.beginObject()
            json.member("topology", one.file)
            json.member("percent", one.coverage.percent)
            json.member("reached", one.coverage.reached)
            json.member("possible", one.coverage.items.count)
            json.key("missing")
            json.beginArray()
            for item in one.coverage.missing {
                json.beginObject()
                json.member("place", item.place)
                json.member("branch", item.branch)
                json.member("hint", item.hint)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
        json.endArray()
    }
}
