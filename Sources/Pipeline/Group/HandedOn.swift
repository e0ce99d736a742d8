public import Model

/// What one input lane hands on in one commit of a group, as the values of records of the re-keyed topic (S7): its records for one
/// partition, and behind the last of them what the lane says of itself, so that the partition knows the time of all inputs from its own
/// log alone.
public enum HandedOn {
    private static let version: UInt8 = 1
    private static let headLength = 64
    /// Offset, timestamp, watermark before it, length.
    private static let entryOverhead = 28

    /// Cuts what a lane has sealed into values of at most `limit` bytes, or of one record, in their order. `report`: goes to each of the
    /// `partitions`; nil: the lane says nothing new. The records are of no use afterwards.
    public static func encode(
        _ sealed: SealedLane, report: TimeRecord.Report?, partitions: Int, limit: Int = GroupLimits.handedOnBytes
    ) -> [Partials.Record] {
        var values: [Partials.Record] = []
        for partition in 0..<partitions {
            let records = partition < sealed.rekeyed.count ? sealed.rekeyed[partition] : nil
            var body = ByteWriter(capacity: min(limit, (records?.memory ?? 0) + headLength))
            var length = 0
            func close(_ report: TimeRecord.Report?) {
                var value = ByteWriter(capacity: body.bytes.count + headLength)
                value.put(version)
                value.put(sealed.lane)
                value.put(UInt8(report == nil ? 0 : 1))
                if let report { TimeCodec.put(report, &value) }
                body.bytes.withUnsafeBytes { value.put($0) }
                values.append(Partials.Record(partition: Int32(partition), bytes: value.sealed()))
                body = ByteWriter()
                length = 0
            }
            records?.eachRecord { payload, offset, timestamp, before in
                if length > 0, length + payload.count + entryOverhead + headLength > limit { close(nil) }
                body.put(offset)
                body.put(timestamp)
                body.put(before)
                body.put(UInt32(payload.count))
                body.put(payload)
                length += payload.count + entryOverhead
            }
            if length > 0 || report != nil { close(report) }
            records?.removeAll()
        }
        return values
    }

    /// nil: damaged, of another version, or of a group with other inputs.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, inputs: [PartitionID]
    ) -> (records: RekeyedRecords, report: TimeRecord.Report?)? {
        guard var from = ByteReader(sealed: bytes), from.take(UInt8.self) == version, let lane = from.take(LaneNumber.self),
            inputs.indices.contains(Int(lane)), let has = from.take(UInt8.self), has <= 1
        else { return nil }
        var report: TimeRecord.Report?
        if has == 1 {
            report = TimeCodec.report(&from)
            guard report?.lane == lane else { return nil }
        }
        let records = RekeyedRecords(source: inputs[Int(lane)], lane: lane, order: Int64(lane))
        while !from.isAtEnd {
            guard let offset = from.take(Int64.self), let timestamp = from.take(Int64.self), let before = from.take(Int64.self),
                let length = from.take(UInt32.self), let payload = from.take(count: Int(length))
            else { return nil }
            // Of an empty list there is no address.
            let start = payload.baseAddress ?? bytes.baseAddress
            guard let start else { return nil }
            records.append(
                start, length: payload.count, offset: offset, timestamp: timestamp, before: before, isWarm: false)
        }
        return (records, report)
    }
}

/// What a re-keyed lane of a group knows of its inputs: from its own partition the watermark before each record, and from the log of
/// time, as far as the partition was read, what silence and the end of the input decide.
final class InputTimes {
    let inputs: [PartitionID]
    /// The inputs as this partition's log has told them: the same function as of the group's, over this log alone.
    private(set) var state: TimeState
    private var isChanged = false
    var clock: MergeClock

    /// nil: the lane reads no re-keyed topic.
    init?(_ configuration: LaneConfiguration) {
        guard case .rekeyedByLog(let inputs, let end) = configuration.role else { return nil }
        self.inputs = inputs
        state = TimeState(lanes: inputs.count, mergeLanes: 0)
        clock = MergeClock(partition: end, position: 0)
    }

    /// The smallest watermark of the other inputs that count; `Int64.min`: one was never heard from; `Int64.max`: there is none.
    func held(besides lane: LaneNumber) -> Int64 {
        var least = Int64.max
        for (number, other) in state.lanes.enumerated() where number != Int(lane) {
            switch other.standing {
            case .idle: continue
            case .active: least = min(least, other.watermark?.milliseconds ?? .min)
            case .turn(let turn): least = min(least, turn.floor?.milliseconds ?? .min)
            }
        }
        return least
    }

    /// Gives the watermark behind it; nil: one of the inputs was never heard from.
    func take(_ report: TimeRecord.Report, at offset: Int64) -> EventTime? {
        state.apply(TimeRecord(writer: 0, number: 0, read: offset, reports: [report]), at: offset)
        isChanged = true
        return state.combined
    }

    func seal(into changes: StateLog) {
        guard isChanged else { return }
        isChanged = false
        var out = ByteWriter(capacity: 64 + 48 * inputs.count)
        TimeCodec.put(state, &out)
        let value = out.sealed()
        [StateKey.inputTimes].withUnsafeBytes { key in value.withUnsafeBytes { changes.put(key, $0) } }
    }

    /// False: damaged.
    func restore(_ value: UnsafeRawBufferPointer) -> Bool {
        guard var from = ByteReader(sealed: value),
            let stored = TimeCodec.state(&from, lanes: inputs.count, mergeLanes: 0), from.isAtEnd
        else { return false }
        state = stored
        return true
    }
}

/// A re-keyed lane of a group, which reads a log as every other unit does.
extension LaneCore {
    /// The values of records of its partition. One below the next offset was taken before. Errors: `rekeyed_damaged`.
    func receive(_ batch: RecordBatch, _ times: InputTimes) throws(Fault) {
        for index in 0..<batch.count where batch.offsets[index] >= state.nextOffset {
            let offset = batch.offsets[index]
            guard
                let (records, report) = HandedOn.decode(
                    UnsafeRawBufferPointer(
                        start: batch.payloads[index], count: batch.payloads[index] == nil ? 0 : batch.lengths[index]),
                    inputs: times.inputs)
            else { throw Self.damaged("\(state.partition)@\(offset)") }
            if records.count > 0 { try take(records, held: times.held(besides: records.lane)) }
            if let report, let reached = times.take(report, at: offset) { raise(to: reached) }
            state.nextOffset = offset + 1
        }
        times.clock.reach(state.nextOffset)
    }

    /// The log of time after each of its records, once it is exact, in order.
    public func note(_ time: TimeState) { state.inputTimes?.clock.note(time) }

    /// Before a seal: what silence and the end decided holds here once everything that was handed on before it was taken (S6). Only of
    /// a lane that reads a re-keyed topic.
    public func heed(_ request: inout SealRequest) {
        guard let moment = state.inputTimes?.clock.moment else { return }
        request.closesAll = moment.isInputOver
        if let combined = moment.combined { raise(to: combined) }
    }

    private static func damaged(_ place: String) -> Fault {
        Fault(
            "rekeyed_damaged", "A record of the internal topic that carries re-keyed records can't be read.", place: place,
            next: "See that nothing else writes to this topic; instances of different versions must not share a group.",
            exit: .state)
    }
}
