/// What a vendor's records look like, and how long it calls copies duplicates: the one place where this is known.
public struct VendorShape: Sendable {
    struct Field: Sendable {
        enum Role: Sendable {
            case id, time, event, personal, group, other
        }
        var name: String
        /// As the language says it: `string`, `uuid`, `timestamp` with a unit or none.
        var type: String
        var path: String?
        var role: Role
        var isRequired = false
    }
    public var name: String
    var fields: [Field]
    /// Where other records say when it happened.
    var unit: EpochUnit? = nil
    var zone: String? = nil
    /// Milliseconds for which the vendor recognises copies.
    var horizon: Int64
    /// What tells copies; empty: the fields that are ids.
    var key: [String] = []
    /// Lines of comment over `deduplicate`.
    var notes: [String]

    public static let all: [VendorShape] = [
        segment, rudderstack, amplitude, mixpanel, snowplow, posthog, cloudevents,
    ]
    private static let day: Int64 = 86_400_000

    private static let segment = VendorShape(
        name: "segment",
        fields: [
            Field(name: "message_id", type: "string", path: "messageId", role: .id, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "timestamp", role: .time, isRequired: true),
            Field(name: "type", type: "string", role: .event, isRequired: true),
            Field(name: "event", type: "string", role: .group),
            Field(name: "user_id", type: "string", path: "userId", role: .personal),
            Field(name: "anonymous_id", type: "string", path: "anonymousId", role: .personal),
        ], horizon: day,
        notes: [
            "Segment calls equal messageIds duplicates, over at least 24 h and across all sources.",
            "`timestamp` is corrected for the clock of the device; `originalTimestamp` is not.",
        ])

    private static let rudderstack = VendorShape(
        name: "rudderstack",
        fields: [
            Field(name: "message_id", type: "string", path: "messageId", role: .id, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "timestamp", role: .time, isRequired: true),
            Field(name: "type", type: "string", role: .event, isRequired: true),
            Field(name: "event", type: "string", role: .group),
            Field(name: "user_id", type: "string", path: "userId", role: .personal),
            Field(name: "anonymous_id", type: "string", path: "anonymousId", role: .personal),
        ], horizon: 7 * day,
        notes: [
            "RudderStack's hosted service remembers a messageId for 7 days; its server for an hour unless set.",
            "An id that a producer uses twice drops another event: watch the count of duplicates.",
        ])

    private static let amplitude = VendorShape(
        name: "amplitude",
        fields: [
            Field(name: "device_id", type: "string", role: .id, isRequired: true),
            Field(name: "insert_id", type: "string", role: .id, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "time", role: .time, isRequired: true),
            Field(name: "event_type", type: "string", role: .event, isRequired: true),
            Field(name: "platform", type: "string", role: .group),
            Field(name: "user_id", type: "string", role: .personal),
        ], unit: .ms, horizon: 7 * day,
        notes: [
            "Amplitude: the same insert_id on the same device_id, over 7 days.",
            "These are the names of its HTTP API; an export says $insert_id and event_time.",
        ])

    private static let mixpanel = VendorShape(
        name: "mixpanel",
        fields: [
            Field(name: "event", type: "string", role: .event, isRequired: true),
            Field(name: "distinct_id", type: "string", path: "properties.distinct_id", role: .personal, isRequired: true),
            Field(name: "insert_id", type: "string", path: "properties.$insert_id", role: .id, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "properties.time", role: .time, isRequired: true),
        ], unit: .s, horizon: day, key: ["event", "distinct_id", "insert_id"],
        notes: [
            "Mixpanel: event, distinct_id and $insert_id within one calendar day; here a rolling day stands for it.",
            "Events without $insert_id are never copies to Mixpanel. Its times are seconds; the newer API sends ms too.",
        ])

    private static let snowplow = VendorShape(
        name: "snowplow",
        fields: [
            Field(name: "event_id", type: "uuid", role: .id, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "derived_tstamp", role: .time, isRequired: true),
            Field(name: "event_name", type: "string", role: .event, isRequired: true),
            Field(name: "app_id", type: "string", role: .group),
            Field(name: "domain_userid", type: "string", role: .personal),
            Field(name: "user_ipaddress", type: "string", role: .personal),
        ], zone: "UTC", horizon: 7 * day,
        notes: [
            "Snowplow: event_id and a fingerprint of the payload, within a batch and for 180 days across batches. A week here.",
            "Bots and content filters reuse event_ids for other events: those are dropped here and kept there.",
        ])

    private static let posthog = VendorShape(
        name: "posthog",
        fields: [
            Field(name: "token", type: "string", role: .id, isRequired: true),
            Field(name: "distinct_id", type: "string", role: .personal, isRequired: true),
            Field(name: "event", type: "string", role: .event, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "timestamp", role: .time, isRequired: true),
            Field(name: "lib", type: "string", path: "properties.$lib", role: .group),
        ], horizon: day, key: ["token", "distinct_id", "event", "ts"],
        notes: [
            "PostHog's own job keys by token, distinct_id, event and time: some SDKs give each retry a fresh uuid.",
            "It remembers what its disks hold and states no horizon. A day here.",
            "Old browser SDKs gave each retry a new time as well; such copies pass.",
        ])

    private static let cloudevents = VendorShape(
        name: "cloudevents",
        fields: [
            Field(name: "source", type: "string", role: .id, isRequired: true),
            Field(name: "id", type: "string", role: .id, isRequired: true),
            Field(name: "type", type: "string", role: .event, isRequired: true),
            Field(name: "ts", type: "timestamp", path: "time", role: .time, isRequired: true),
        ], horizon: day,
        notes: [
            "CloudEvents: source and id together name an event. The specification states no horizon: 24 h covers retries.",
            "`time` is optional there; records without it are rejected here. Structured mode only, not binary.",
        ])
}
