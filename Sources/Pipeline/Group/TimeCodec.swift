public import Model

/// The bytes of a record of the log of time. First the version of their form.
public enum TimeCodec {
    private static let version: UInt8 = 1

    private enum Has {
        static let advance: UInt8 = 1
        static let snapshot: UInt8 = 2
        static let watermark: UInt8 = 1 << 2
        static let newest: UInt8 = 1 << 3
        static let close: UInt8 = 1 << 4
        static let hold: UInt8 = 1 << 5
        static let finished: UInt8 = 1 << 6
        static let closed: UInt8 = 1 << 7
        static let combined: UInt8 = 1
        static let closable: UInt8 = 2
    }

    public static func encode(_ record: TimeRecord) -> [UInt8] {
        var out = ByteWriter(capacity: 64 + 48 * record.reports.count)
        out.put(version)
        out.put((record.advance == nil ? 0 : Has.advance) | (record.snapshot == nil ? 0 : Has.snapshot))
        out.put(record.writer)
        out.put(record.number)
        out.put(record.read)
        if let advance = record.advance { out.put(advance) }
        out.put(UInt32(record.reports.count))
        for report in record.reports { put(report, &out) }
        out.put(UInt32(record.ends.count))
        for (partition, end) in record.ends.sorted(by: { $0.key < $1.key }) {
            out.put(partition)
            out.put(end)
        }
        if let snapshot = record.snapshot { put(snapshot, &out) }
        return out.sealed()
    }

    /// nil: damaged, of another version, or of a group with other lanes.
    public static func decode(_ bytes: UnsafeRawBufferPointer, lanes: Int, mergeLanes: Int, rekeyed: Int = 0) -> TimeRecord? {
        guard var from = ByteReader(sealed: bytes), from.take(UInt8.self) == version, let has = from.take(UInt8.self),
            has <= Has.advance | Has.snapshot, let writer = from.take(UInt64.self), let number = from.take(Int64.self),
            let read = from.take(Int64.self)
        else { return nil }
        var record = TimeRecord(writer: writer, number: number, read: read)
        if has & Has.advance != 0 {
            guard let advance = from.time() else { return nil }
            record.advance = advance
        }
        guard let reports = from.take(UInt32.self), reports <= lanes + rekeyed else { return nil }
        var next: LaneNumber = 0
        for _ in 0..<reports {
            // In ascending order, so that none is there twice.
            guard let report = report(&from), report.lane >= next, report.lane < lanes + rekeyed else { return nil }
            next = report.lane + 1
            record.reports.append(report)
        }
        guard let ends = from.take(UInt32.self), ends <= mergeLanes + rekeyed else { return nil }
        for _ in 0..<ends {
            guard let partition = from.take(Int32.self), (0..<Int32(mergeLanes + rekeyed)).contains(partition),
                let end = from.take(Int64.self), record.ends.updateValue(end, forKey: partition) == nil
            else { return nil }
        }
        if has & Has.snapshot != 0 {
            guard let snapshot = state(&from, lanes: lanes, mergeLanes: mergeLanes, rekeyed: rekeyed) else { return nil }
            record.snapshot = snapshot
        }
        return from.isAtEnd ? record : nil
    }

    // MARK: Lanes

    static func put(_ report: TimeRecord.Report, _ out: inout ByteWriter) {
        out.put(report.lane)
        put(TimeState.Lane(report), standing: report.standing.rawValue, &out)
    }

    static func report(_ from: inout ByteReader) -> TimeRecord.Report? {
        guard let number = from.take(LaneNumber.self), let (lane, standing) = lane(&from),
            let standing = TimeRecord.Report.Standing(rawValue: standing)
        else { return nil }
        return lane.report(number, standing)
    }

    private static func put(_ lane: TimeState.Lane, standing: UInt8, _ out: inout ByteWriter) {
        var has = standing
        if lane.watermark != nil { has |= Has.watermark }
        if lane.newestEventTime != nil { has |= Has.newest }
        if lane.largestClose != nil { has |= Has.close }
        if lane.hold != nil { has |= Has.hold }
        if lane.isFinished { has |= Has.finished }
        if lane.isClosed { has |= Has.closed }
        out.put(has)
        for time in [lane.watermark, lane.newestEventTime, lane.largestClose, lane.hold] { if let time { out.put(time) } }
    }

    private static func lane(_ from: inout ByteReader) -> (TimeState.Lane, standing: UInt8)? {
        guard let has = from.take(UInt8.self) else { return nil }
        var lane = TimeState.Lane()
        func time(_ flag: UInt8, _ into: inout EventTime?) -> Bool {
            guard has & flag != 0 else { return true }
            into = from.time()
            return into != nil
        }
        guard time(Has.watermark, &lane.watermark), time(Has.newest, &lane.newestEventTime),
            time(Has.close, &lane.largestClose), time(Has.hold, &lane.hold)
        else { return nil }
        lane.isFinished = has & Has.finished != 0
        lane.isClosed = has & Has.closed != 0
        return (lane, has & 3)
    }

    // MARK: Snapshots

    static func put(_ state: TimeState, _ out: inout ByteWriter) {
        out.put((state.combined == nil ? 0 : Has.combined) | (state.closable == nil ? 0 : Has.closable))
        if let combined = state.combined { out.put(combined) }
        if let closable = state.closable { out.put(closable) }
        out.put(state.changedAt)
        out.put(UInt32(state.lanes.count))
        for lane in state.lanes {
            switch lane.standing {
            case .active: put(lane, standing: 0, &out)
            case .idle: put(lane, standing: 1, &out)
            case .turn(let turn):
                put(lane, standing: 2, &out)
                out.put(turn.writer)
                out.put(turn.number)
                out.put(UInt8(turn.floor == nil ? 0 : 1))
                if let floor = turn.floor { out.put(floor) }
            }
        }
        out.put(UInt32(state.ends.count))
        for end in state.ends { out.put(end) }
        for lane in state.rekeyed { put(lane, standing: 0, &out) }
    }

    static func state(_ from: inout ByteReader, lanes: Int, mergeLanes: Int, rekeyed: Int = 0) -> TimeState? {
        var state = TimeState(lanes: lanes, mergeLanes: mergeLanes, rekeyed: rekeyed)
        guard let has = from.take(UInt8.self), has <= Has.combined | Has.closable else { return nil }
        if has & Has.combined != 0 {
            guard let combined = from.time() else { return nil }
            state.combined = combined
        }
        if has & Has.closable != 0 {
            guard let closable = from.time() else { return nil }
            state.closable = closable
        }
        guard let changedAt = from.take(Int64.self), from.take(UInt32.self) == UInt32(lanes) else { return nil }
        state.changedAt = changedAt
        for at in 0..<lanes {
            guard case (var lane, let standing)? = lane(&from) else { return nil }
            switch standing {
            case 0: lane.standing = .active
            case 1: lane.standing = .idle
            case 2:
                guard let writer = from.take(UInt64.self), let number = from.take(Int64.self), let floors = from.take(UInt8.self),
                    floors <= 1
                else { return nil }
                var turn = TimeState.Turn(floor: nil, writer: writer, number: number)
                if floors == 1 {
                    guard let floor = from.time() else { return nil }
                    turn.floor = floor
                }
                lane.standing = .turn(turn)
            default: return nil
            }
            state.lanes[at] = lane
        }
        guard from.take(UInt32.self) == UInt32(mergeLanes + rekeyed) else { return nil }
        for at in state.ends.indices {
            guard let end = from.take(Int64.self) else { return nil }
            state.ends[at] = end
        }
        for at in 0..<rekeyed {
            guard case (let lane, 0)? = lane(&from) else { return nil }
            state.rekeyed[at] = lane
        }
        return state
    }
}

extension TimeState.Lane {
    fileprivate init(_ report: TimeRecord.Report) {
        self.init()
        watermark = report.watermark
        newestEventTime = report.newestEventTime
        largestClose = report.largestClose
        hold = report.hold
        isFinished = report.isFinished
        isClosed = report.isClosed
    }

    fileprivate func report(_ number: LaneNumber, _ standing: TimeRecord.Report.Standing) -> TimeRecord.Report {
        TimeRecord.Report(
            lane: number, standing: standing, watermark: watermark, newestEventTime: newestEventTime, largestClose: largestClose,
            hold: hold, isFinished: isFinished, isClosed: isClosed)
    }
}
