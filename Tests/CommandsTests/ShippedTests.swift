import Testing
import Testkit

/// Every topology to start from has a test file, and its cases reach all that records can reach.
@Test func theTestsOfEveryShippedTopologyReachAllOfIt() throws {
    let names = try files(under: "topologies").map { $0.split(separator: "/").last.map(String.init) ?? "" }
    let topologies = names.filter { $0.hasSuffix(".yaml") && !$0.hasSuffix(".test.yaml") }.map { String($0.dropLast(5)) }
    let tested = names.filter { $0.hasSuffix(".test.yaml") }.map { String($0.dropLast(10)) }
    #expect(topologies.filter { !tested.contains($0) } == ["demo", "reference"])
    #expect(tested.count >= 7)
    let said = said(["test", "--coverage", "--min", "100"] + tested.map { "\(packageFolder)/topologies/\($0).test.yaml" })
    #expect(said.exit == 0, "\(said.out)")
    #expect(said.out.ranges(of: "  100 %, ").count == tested.count)
}
