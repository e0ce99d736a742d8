import Foundation
import Testing
import Topology

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../topologies").standardized

/// The topologies that come with Weir, tests (`*.test.yaml`) apart.
private let shipped = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".yaml") && !$0.hasSuffix(".test.yaml") }.sorted()

@Test func everyShippedTopologyCanBeRun() {
    #expect(!shipped.isEmpty)
    for name in shipped {
        let reading = Topology.read(files: [folder.appending(path: name).path], strict: true)
        #expect(
            reading.plan != nil && reading.problems.isEmpty,
            "\(name): \(reading.problems.map { $0.text() }.joined(separator: "\n"))")
    }
}

@Test func theFirstTopologyOfTheReadmeIsAboveReproach() {
    let reading = Topology.read(files: [folder.appending(path: "product-usage.yaml").path], strict: true)
    #expect(texts(reading) == [])
}

/// With the places of production laid over it too.
@Test func everyShippedTopologyReadsBackFromItsDescription() throws {
    let overlay = """
        kafka: {bootstrap: "b:1", tls: {}, sasl: {mechanism: plain, user: u, password: "${PASSWORD}"}}
        commit: {every: 1s}
        state: {directory: /var/lib/weir, memory: 8GiB}
        http: {listen: 0.0.0.0:9090}
        """
    for name in shipped {
        let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        readsBack(text)
        readsBack(text, with: ["o.yaml": overlay], variables: ["PASSWORD": "geheim"])
    }
}
