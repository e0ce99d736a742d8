public import Model

/// A topic of Weir's own, and how it has to be.
public struct InternalTopic: Equatable, Sendable {
    public struct Setting: Equatable, Sendable {
        public enum Rule: Sendable {
            /// Anything else would lose data or never end.
            case exactly
            /// More does no harm; -1 is without end.
            case atLeast
            /// A good value for a new topic, no matter of right or wrong.
            case whenCreated
        }
        public var name: String
        public var value: String
        public var rule: Rule
        public init(_ name: String, _ value: String, _ rule: Rule) {
            self.name = name
            self.value = value
            self.rule = rule
        }

        /// Whether the broker's value will do.
        func allows(_ found: String) -> Bool {
            switch rule {
            case .whenCreated: return true
            case .exactly: return found == value
            case .atLeast:
                guard let found = Int64(found), let wanted = Int64(value) else { return false }
                return found == -1 || (wanted != -1 && found >= wanted)
            }
        }
    }

    public var name: String
    public var partitions: Int32
    public var settings: [Setting]

    public init(_ name: String, partitions: Int32, settings: [Setting]) {
        self.name = name
        self.partitions = partitions
        self.settings = settings
    }

    /// The last value of each key is kept for good: state, and rows for tables. What was deleted stays known as such for a week, so that
    /// a copy that is older knows itself to be too old.
    public static func compacted(_ name: String, partitions: Int32) -> InternalTopic {
        InternalTopic(
            name, partitions: partitions,
            settings: [
                Setting("cleanup.policy", "compact", .exactly),
                Setting("delete.retention.ms", "\(TimeSpan.days(7).milliseconds)", .atLeast),
                Setting("max.message.bytes", "\(KafkaLimits.internalRecordBytes)", .atLeast),
                // Only closed segments are compacted.
                Setting("segment.bytes", "\(KafkaLimits.internalSegmentBytes)", .whenCreated),
                index,
            ])
    }

    /// Records that are of no use once they were read: kept for `time`, whatever their size.
    public static func passing(_ name: String, partitions: Int32, kept time: TimeSpan) -> InternalTopic {
        InternalTopic(
            name, partitions: partitions,
            settings: [
                Setting("cleanup.policy", "delete", .exactly),
                Setting("retention.ms", "\(time.milliseconds)", .atLeast),
                Setting("retention.bytes", "-1", .atLeast),
                Setting("max.message.bytes", "\(KafkaLimits.internalRecordBytes)", .atLeast),
                Setting("segment.bytes", "\(KafkaLimits.internalSegmentBytes)", .whenCreated),
                index,
            ])
    }

    /// Kept by size and never by age: whole states of the log stand in it again and again, and the last one must be there however
    /// long the group was away.
    public static func timeLog(_ name: String) -> InternalTopic {
        InternalTopic(
            name, partitions: 1,
            settings: [
                Setting("cleanup.policy", "delete", .exactly), Setting("retention.ms", "-1", .exactly),
                Setting("retention.bytes", "\(4 * KafkaLimits.internalSegmentBytes)", .atLeast),
                Setting("max.message.bytes", "\(KafkaLimits.internalRecordBytes)", .atLeast),
                Setting("segment.bytes", "\(KafkaLimits.internalSegmentBytes)", .whenCreated),
                index,
            ])
    }

    private static var index: Setting { Setting("segment.index.bytes", "\(KafkaLimits.internalIndexBytes)", .whenCreated) }

    /// Those of a group. `hasResults`: tables are among the outputs; `hasControl`: there is something that operators can order.
    public static func all(of layout: GroupLayout, hasResults: Bool, hasControl: Bool = false) -> [InternalTopic] {
        var all = [
            compacted(layout.topics.changelog, partitions: Int32(layout.units)),
            timeLog(layout.topics.watermarks),
        ]
        // A merge lane may be without an owner for as long as its offset is remembered by default.
        if layout.mergeLanes > 0 {
            all.append(passing(layout.topics.partials, partitions: Int32(layout.mergeLanes), kept: .days(7)))
        }
        // A re-keyed lane too.
        if !layout.rekeyed.isEmpty {
            all.append(passing(layout.topics.rekey, partitions: Int32(layout.rekeyed.count), kept: .days(7)))
        }
        if hasControl { all.append(compacted(layout.topics.control, partitions: 1)) }
        if hasResults { all.append(compacted(layout.topics.results, partitions: Int32(layout.inputs.count))) }
        return all
    }

    /// For somebody who may what Weir may not.
    public var createCommand: String {
        "kafka-topics --bootstrap-server ADDRESS --create --topic \(name) --partitions \(partitions)"
            + settings.map { " --config \($0.name)=\($0.value)" }.joined()
    }

    func alterCommand(_ wrong: [Setting]) -> String {
        "kafka-configs --bootstrap-server ADDRESS --alter --entity-type topics --entity-name \(name) --add-config "
            + wrong.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
    }
}
