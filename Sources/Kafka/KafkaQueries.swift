import CRdKafka
public import Model
import Synchronization

/// Questions to the brokers and offset commits, on a client that sees uncommitted records and joins no group. Every call waits on
/// its caller's thread, at most for the limit it is given: never call from a lane's queue.
///
/// `@unchecked Sendable` is true because: the handle may be used from any thread, and the topics are behind a `Mutex`.
public final class KafkaQueries: @unchecked Sendable {
    let handle: KafkaHandle
    private let group: String?
    private let topics = Mutex<[String: Shared]>([:])
    private let settings: KafkaSettings
    private let onEvent: @Sendable (KafkaEvent) -> Void
    /// To a client that sees uncommitted records a broker tells offsets that a commit under way is about to replace.
    private let stable = Mutex<KafkaHandle?>(nil)

    /// `group` is needed for `committedOffsets` and `commit` only.
    public init(
        _ settings: KafkaSettings, group: String? = nil, onEvent: @escaping @Sendable (KafkaEvent) -> Void = { _ in }
    ) throws(Fault) {
        handle = try KafkaHandle(settings, role: .queries(group: group), onEvent: onEvent)
        self.group = group
        self.settings = settings
        self.onEvent = onEvent
    }

    /// The topics' partitions, sorted. `toWrite`: what a refusal should ask for. Faults: `topic_missing`, `topic_forbidden`, `broker_unreachable`, `login_refused`, `tls_failed`.
    public func partitions(of names: [String], toWrite: Bool = false, within limit: TimeSpan) throws(Fault) -> [PartitionID] {
        var found: [PartitionID] = []
        for name in names {
            found += try KafkaMetadata.partitions(
                of: name, topic: topic(name).pointer, handle: handle, toWrite: toWrite, within: limit)
        }
        return found.sorted()
    }

    /// From the oldest record still there to the high watermark: transactions that are still open count.
    public func watermarks(
        of partitions: [PartitionID], within limit: TimeSpan
    ) throws(Fault) -> [PartitionID: Range<Int64>] {
        let low = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_BEGINNING), within: limit)
        let high = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_END), within: limit)
        var found: [PartitionID: Range<Int64>] = [:]
        for (id, from) in low { found[id] = from..<max(from, high[id] ?? from) }
        return found
    }

    /// The offset of the first record whose timestamp is at least `time`; the end of the log where there is none.
    public func offsets(
        of partitions: [PartitionID], from time: WallTime, within limit: TimeSpan
    ) throws(Fault) -> [PartitionID: Int64] {
        var found = try offsets(of: partitions, at: max(time.milliseconds, 0), within: limit)
        let missing = found.filter { $0.value < 0 }.map(\.key)
        guard !missing.isEmpty else { return found }
        for (id, end) in try offsets(of: missing, at: Int64(RD_KAFKA_OFFSET_END), within: limit) { found[id] = end }
        return found
    }

    /// The group's committed offsets; partitions without one are left out. Waits for a transaction that is just being ended.
    public func committedOffsets(
        of partitions: [PartitionID], within limit: TimeSpan
    ) throws(Fault) -> [PartitionID: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let doing = "tell committed offsets"
        let handle = try stableHandle()
        var left = limit.milliseconds
        while true {
            let slice = min(left, KafkaLimits.offsetsSlice.milliseconds)
            let list = PartitionList(partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) })
            let code = list.lend { rd_kafka_committed(handle.pointer, $0, Int32(clamping: slice)) }
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { return try list.offsets(doing: doing).filter { $0.value >= 0 } }
            let fault = KafkaMetadata.refusal(handle, code, doing: doing, place: group ?? "")
            left -= slice
            guard fault.isTransient else { throw fault }
            // The client asks on and on where the group is forbidden.
            try checkGroupRight(within: .milliseconds(slice))
            if left <= 0 { throw fault }
        }
    }

    /// Commits next offsets to the group without joining it, for tools that show lag. Refused (`group_active`) while the group has
    /// members.
    public func commit(_ offsets: [PartitionID: Int64], within limit: TimeSpan) throws(Fault) {
        let place = group ?? ""
        let list = PartitionList(offsets.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let replies: OpaquePointer = rd_kafka_queue_new(handle.pointer)
        defer { rd_kafka_queue_destroy(replies) }
        var code = list.lend { rd_kafka_commit_queue(handle.pointer, $0, replies, nil, nil) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFault.of(code, doing: "commit offsets", place: place) }
        guard let event = rd_kafka_queue_poll(replies, Int32(clamping: limit.milliseconds)) else {
            throw KafkaMetadata.refusal(handle, RD_KAFKA_RESP_ERR__TIMED_OUT, doing: "commit offsets", place: place)
        }
        defer { rd_kafka_event_destroy(event) }
        code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaMetadata.refusal(handle, code, doing: "commit offsets", place: place)
        }
        if let told = rd_kafka_event_topic_partition_list(event) {
            for i in 0..<Int(told.pointee.cnt) where told.pointee.elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR {
                let element = told.pointee.elems[i]
                throw KafkaFault.of(
                    element.err, doing: "commit offsets", place: "\(String(cString: element.topic))/\(element.partition)")
            }
        }
    }

    /// How many members a group has; 0 if there is no such group.
    public func members(of group: String, within limit: TimeSpan) throws(Fault) -> Int {
        var answer: UnsafePointer<rd_kafka_group_list>?
        let code = rd_kafka_list_groups(handle.pointer, group, &answer, Int32(clamping: limit.milliseconds))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__PARTIAL, let answer else {
            throw KafkaMetadata.refusal(handle, code, doing: "describe the group", place: group)
        }
        defer { rd_kafka_group_list_destroy(answer) }
        var members = 0
        for i in 0..<Int(answer.pointee.group_cnt) {
            let info = answer.pointee.groups[i]
            if info.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED {
                throw KafkaFault.of(info.err, doing: "describe the group", place: group)
            }
            members += Int(info.member_cnt)
        }
        return members
    }

    /// Refuses a group that somebody reads under: `group_active`.
    public func checkNoMembers(of group: String, within limit: TimeSpan) throws(Fault) {
        if try members(of: group, within: limit) > 0 { throw KafkaFault.groupActive(group) }
    }

    /// Creates a topic and waits until the brokers agree. Fault `topic_exists` if it was there.
    public func createTopic(
        _ name: String, partitions: Int32, replication: Int32 = -1, settings: [String: String] = [:], within limit: TimeSpan
    ) throws(Fault) {
        var text = [CChar](repeating: 0, count: 256)
        guard let topic = rd_kafka_NewTopic_new(name, partitions, replication, &text, text.count) else {
            throw KafkaFault.of(RD_KAFKA_RESP_ERR__INVALID_ARG, doing: "create the topic", place: name)
        }
        defer { rd_kafka_NewTopic_destroy(topic) }
        for (key, value) in settings { rd_kafka_NewTopic_set_config(topic, key, value) }
        var list: [OpaquePointer?] = [topic]
        let event = try request(RD_KAFKA_ADMIN_OP_CREATETOPICS, "create the topic", name, limit) { handle, options, replies in
            rd_kafka_CreateTopics(handle, &list, 1, options, replies)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let result = rd_kafka_event_CreateTopics_result(event),
            let told = rd_kafka_CreateTopics_result_topics(result, &count)
        else { return }
        for i in 0..<count {
            let code = rd_kafka_topic_result_error(told[i])
            if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaFault.of(code, doing: "create the topic", place: name) }
        }
        try awaitTopic(name, within: limit)
    }

    /// The record at exactly this offset, hashed, by which a recreated topic is recognised. nil: there is none (any more).
    public func fingerprint(_ id: PartitionID, at offset: Int64, within limit: TimeSpan) throws(Fault) -> RecordFingerprint? {
        try fingerprints(at: [id: offset], within: limit)[id]
    }

    /// False: the client hangs and is left behind.
    @discardableResult
    public func close(within limit: TimeSpan) -> Bool {
        let open = topics.withLock { topics in
            defer { topics = [:] }
            return Array(topics.values)
        }
        for topic in open { rd_kafka_topic_destroy(topic.pointer) }
        let other = stable.withLock { $0 }?.destroy(within: limit) ?? true
        return handle.destroy(within: limit) && other
    }

    deinit { close(within: .zero) }
}

extension KafkaQueries {
    private func stableHandle() throws(Fault) -> KafkaHandle {
        try stable.withLock { stable throws(Fault) in
            if let stable { return stable }
            let made = try KafkaHandle(settings, role: .offsets(group: group ?? ""), onEvent: onEvent)
            stable = made
            return made
        }
    }

    /// Fault `group_forbidden`; silent if it can't be told. A request of this kind stays with the coordinator it once found, so it is of no
    /// use for the offsets themselves.
    private func checkGroupRight(within limit: TimeSpan) throws(Fault) {
        var question = rd_kafka_ListConsumerGroupOffsets_new(group ?? "", nil)
        defer { rd_kafka_ListConsumerGroupOffsets_destroy(question) }
        do throws(Fault) {
            rd_kafka_event_destroy(
                try request(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, "tell committed offsets", group ?? "", limit) {
                    rd_kafka_ListConsumerGroupOffsets($0, &question, 1, $1, $2)
                })
        } catch {
            if error.code == "group_forbidden" { throw error }
        }
    }

    /// `at` is a timestamp, or one of librdkafka's words for the start and the end of a log.
    private func offsets(
        of partitions: [PartitionID], at: Int64, within limit: TimeSpan
    ) throws(Fault) -> [PartitionID: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(partitions.map { ($0, at) })
        let code = list.lend { rd_kafka_offsets_for_times(handle.pointer, $0, Int32(clamping: limit.milliseconds)) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaMetadata.refusal(handle, code, doing: "tell offsets", place: partitions[0].topic)
        }
        return try list.offsets(doing: "tell offsets")
    }

    /// The controller knows a new topic before the brokers do, which call it missing for some milliseconds.
    func awaitTopic(_ name: String, within limit: TimeSpan) throws(Fault) {
        var left = limit.milliseconds
        while true {
            do throws(Fault) {
                _ = try partitions(of: [name], within: limit)
                return
            } catch {
                guard error.code == "topic_missing", left > 0 else { throw error }
                rd_kafka_poll(handle.pointer, 20)
                left -= 20
            }
        }
    }

    func topic(_ name: String) throws(Fault) -> Shared {
        try topics.withLock { topics throws(Fault) -> Shared in
            if let known = topics[name] { return known }
            guard let made = rd_kafka_topic_new(handle.pointer, name, nil) else {
                throw KafkaFault.of(rd_kafka_last_error(), doing: "open the topic", place: name)
            }
            topics[name] = Shared(pointer: made)
            return Shared(pointer: made)
        }
    }

    /// One admin request and its answer, which the caller destroys.
    func request(
        _ operation: rd_kafka_admin_op_t, _ doing: String, _ place: String, _ limit: TimeSpan,
        _ send: (OpaquePointer, OpaquePointer?, OpaquePointer) -> Void
    ) throws(Fault) -> OpaquePointer {
        let options = rd_kafka_AdminOptions_new(handle.pointer, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 256)
        let milliseconds = Int32(clamping: limit.milliseconds)
        rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &text, text.count)
        rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, &text, text.count)
        let replies: OpaquePointer = rd_kafka_queue_new(handle.pointer)
        defer { rd_kafka_queue_destroy(replies) }
        send(handle.pointer, options, replies)
        guard let event = rd_kafka_queue_poll(replies, milliseconds + 1_000) else {
            throw KafkaMetadata.refusal(handle, RD_KAFKA_RESP_ERR__TIMED_OUT, doing: doing, place: place)
        }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            rd_kafka_event_destroy(event)
            throw KafkaMetadata.refusal(handle, code, doing: doing, place: place)
        }
        return event
    }
}
