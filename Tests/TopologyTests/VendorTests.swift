import Testing

@testable import Topology

private let hour: Int64 = 3_600_000
private let day = 24 * hour

/// What each vendor itself calls a duplicate and for how long, with where that is said. Where a draft differs, its comments
/// say so: `words` are of them.
struct VendorTests {
    struct Promise: Sendable, CustomTestStringConvertible {
        var vendor: String
        /// Paths in a record, in the order of the key.
        var key: [String]
        /// Milliseconds; nil: the vendor states none.
        var horizon: Int64?
        var drafted: Int64
        var source: String
        var words: String = ""
        var testDescription: String { vendor }
    }

    static let promises = [
        Promise(
            vendor: "segment", key: ["messageId"], horizon: day, drafted: day,
            source: "twilio.com/docs/segment/guides/duplicate-data", words: "over at least 24 h and across all sources"),
        Promise(
            vendor: "rudderstack", key: ["messageId"], horizon: 7 * day, drafted: 7 * day,
            source: "rudderstack.com/docs, event deduplication", words: "its server for an hour unless set"),
        Promise(
            vendor: "amplitude", key: ["device_id", "insert_id"], horizon: 7 * day, drafted: 7 * day,
            source: "amplitude.com/docs, track-your-progress", words: "over 7 days"),
        Promise(
            vendor: "mixpanel", key: ["event", "properties.distinct_id", "properties.$insert_id"], horizon: day, drafted: day,
            source: "docs.mixpanel.com, event deduplication at compaction", words: "one calendar day; here a rolling day"),
        Promise(
            vendor: "snowplow", key: ["event_id"], horizon: 180 * day, drafted: 7 * day,
            source: "docs.snowplow.io, deduplication: natural copies across batches", words: "A week here"),
        Promise(
            vendor: "posthog", key: ["token", "distinct_id", "event", "timestamp"], horizon: nil, drafted: day,
            source: "PostHog/posthog, kafka-deduplicator: store/keys.rs and store_manager.rs", words: "A day here"),
        Promise(
            vendor: "cloudevents", key: ["source", "id"], horizon: nil, drafted: day,
            source: "cloudevents spec, context attributes", words: "The specification states no horizon"),
    ]

    @Test(arguments: promises) func aShapesKeyAndHorizonAreItsVendors(promise: Promise) throws {
        let shape = try #require(VendorShape.all.first { $0.name == promise.vendor })
        let names = shape.key.isEmpty ? shape.fields.filter { $0.role == .id }.map(\.name) : shape.key
        let paths = names.map { name in shape.fields.first { $0.name == name }.map { $0.path ?? $0.name } ?? "" }
        #expect(paths == promise.key, "\(promise.source)")
        #expect(shape.horizon == promise.drafted, "\(promise.source)")
        let notes = shape.notes.joined(separator: " ")
        #expect(notes.contains(promise.words), "\(notes)")
        // A key is no key where it may be missing: such events are never copies.
        #expect(shape.fields.allSatisfy { $0.isRequired || !names.contains($0.name) })
        let draft = try Inference.propose(
            name: promise.vendor, owner: "you", source: .topic("events", bootstrap: "b:1"), vendor: shape, sample: nil)
        #expect(draft.horizons.first { $0.name == "within" }?.milliseconds == promise.drafted)
        #expect(draft.topology.contains(promise.words) && draft.key == names)
    }

    @Test func everyShapeHasItsPromise() {
        #expect(Self.promises.map(\.vendor).sorted() == VendorShape.all.map(\.name).sorted())
    }
}
