import Testing

/// What each room may import, C modules apart (docs/architecture.md). Widening this table is a decision, not a repair.
private let rooms: [String: Set<String>] = [
    "Model": [],
    "Topology": ["Model"],
    "Pipeline": ["Model"],
    "Freshness": ["Model"],
    "State": ["Model"],
    "Kafka": ["Model"],
    "Inputs": ["Model"],
    "Observe": ["Model", "Freshness"],
    "Runtime": ["Model", "Topology", "Pipeline", "Freshness", "State", "Kafka", "Inputs", "Observe"],
    "Rehearsal": ["Model", "Topology", "Pipeline", "Freshness", "State", "Runtime"],
    "Testkit": ["Model", "Topology", "Pipeline", "Freshness", "State", "Kafka", "Inputs", "Observe", "Runtime"],
    "Commands": ["Model", "Topology", "Pipeline", "Freshness", "State", "Kafka", "Inputs", "Observe", "Runtime", "Rehearsal"],
    "weir": ["Commands"],
]

/// The C modules of each room.
private let foreign: [String: Set<String>] = [
    "Topology": ["CYAML"],
    "Pipeline": ["CDecode"],
    "State": ["CSQLite", "CSys"],
    "Kafka": ["CRdKafka", "CSys"],
    "Inputs": ["CZstd", "CZlib", "CSys"],
    "Observe": ["CMicrohttpd", "CSys"],
    "Runtime": ["CSys"],
    "Testkit": ["CRdKafka", "CSys"],
    "Commands": ["CSys"],
]

/// Rooms that only compute: nothing that waits, nothing that starts something.
private let pure: Set<String> = ["Model", "Topology", "Pipeline", "Freshness"]

private let stages = ["Decode", "EventTime", "Filter", "Deduplicate", "Late", "Window", "Aggregate", "Emit"]

private let importLine =
    #"^\s*(?:@\w+\s+)*(?:public |package |internal |private |fileprivate )?import (?:struct |class |enum |func |let )?(\w+)"#

/// The targets that Package.swift declares for us, each with what it depends on.
private func declaredTargets() throws -> [String: Set<String>] {
    let package = try #require(Repository.here.file("Package.swift")).text
    var targets: [String: Set<String>] = [:]
    let patterns = [#"\bpart\(\s*"(\w+)",\s*\[([^\]]*)\]"#, #"executableTarget\(\s*name: "(\w+)",\s*dependencies: \[([^\]]*)\]"#]
    for hit in try patterns.flatMap({ try hits($0, in: package) }) {
        targets[hit.groups[1]] = Set(try hits(#""(\w+)""#, in: hit.groups[2]).map { $0.groups[1] })
    }
    return targets
}

@Test func thePackageLetsRoomsSeeOnlyWhatTheyMay() throws {
    var found: [Finding] = []
    for (target, dependencies) in try declaredTargets() where rooms[target] != nil {
        let allowed = rooms[target, default: []].union(foreign[target, default: []])
        for name in dependencies.subtracting(allowed).sorted() {
            found.append(Finding(path: "Package.swift", line: 1, what: "\(target) may not depend on \(name)"))
        }
    }
    holds(.rooms, found)
    #expect(try Set(declaredTargets().keys).isSuperset(of: rooms.keys))
}

@Test func everyImportIsDeclaredAndPointsOneWay() throws {
    let declared = try declaredTargets()
    let system: Set<String> = ["Glibc", "Synchronization"]
    var found: [Finding] = []
    for file in Repository.here.swift("Sources") {
        let allowed = declared[file.room, default: []].union(system).union(pure.contains(file.room) ? [] : ["Dispatch"])
        for hit in try hits(importLine, in: file.code) where !allowed.contains(hit.groups[1]) && hit.groups[1] != "Foundation" {
            let why = "\(file.room) imports \(hit.groups[1]), which Package.swift and the rooms do not allow it"
            found.append(Finding(path: file.path, line: hit.line, what: why))
        }
    }
    holds(.imports, found)
}

/// What judges a run by computing its answer again must share nothing with what it judges.
@Test func theVerifierImportsNothing() throws {
    let files = Repository.here.swift("Tests/ChaosTests/Verifier")
    #expect(files.count >= 5)
    var found: [Finding] = []
    for file in files {
        for hit in try hits(importLine, in: file.code) where hit.groups[1] != "Testing" {
            found.append(Finding(path: file.path, line: hit.line, what: "the verifier imports \(hit.groups[1])"))
        }
    }
    holds(.imports, found)
}

@Test func noSourceImportsFoundation() throws {
    holds(
        .foundation,
        try findings(#"^.*\bimport (Foundation\w*)"#, in: Repository.here.swift("Sources"), "Foundation costs 20 MB and 10 ms"))
}

@Test func noStageNamesATypeOfALaterStage() throws {
    let declaration =
        #"^(?:(?:public|package|internal|private|fileprivate|final|indirect|@\w+(?:\([^)]*\))?) )*"#
        + #"(?:struct|class|enum|actor|protocol|typealias) (\w+)"#
    var stageOf: [String: Int] = [:]
    for (index, stage) in stages.enumerated() {
        for file in Repository.here.swift("Sources/Pipeline/\(stage)") {
            for hit in try hits(declaration, in: file.code) { stageOf[hit.groups[1]] = index }
        }
    }
    var found: [Finding] = []
    for (index, stage) in stages.enumerated() {
        for file in Repository.here.swift("Sources/Pipeline/\(stage)") {
            for hit in try hits(#"\b[A-Z]\w+"#, in: file.code) {
                guard let later = stageOf[hit.groups[0]], later > index else { continue }
                let why = "\(stage) names \(hit.groups[0]) of the later stage \(stages[later])"
                found.append(Finding(path: file.path, line: hit.line, what: why))
            }
        }
    }
    holds(.stages, found)
}
