import Model
import Pipeline
import Runtime

/// Reads one record's event time with a lane of its own, so that it is the one that production reads.
struct EventTimeProbe {
    private let core: LaneCore

    init(_ plan: Plan) throws(Fault) {
        var bare = plan
        bare.filter = nil
        bare.deduplicate = nil
        bare.aggregates = []
        bare.eventTime.outOfOrderness = .zero
        // Whatever else is wrong with a record, its time may be readable.
        for at in bare.fields.indices { bare.fields[at].required = false }
        core = try LaneCore(
            LaneConfiguration(
                plan: bare, lane: 0, partition: PartitionID(topic: "probe", number: 0), partitionOrder: 0, storedOutputs: []))
    }

    /// nil: it can't be read, or comes from the record's timestamp, which the caller did not give.
    func time(of payload: [UInt8]) throws(Fault) -> EventTime? {
        core.restore(books: Books(outputs: 0), watermark: nil, newestEventTime: nil, nextOffset: 0, lastRecord: nil)
        try core.process([payload], offsets: [0], timestamps: [RecordBatch.noTimestamp])
        let time = core.watermark
        // What it noted of a refused record goes.
        _ = core.seal(SealRequest(due: []))
        return time
    }
}
