import Kafka
import Model

/// Sends rows after the commit that owes them (S21): in order, and again until the broker has confirmed all. Used on the run's
/// thread.
final class GroupSender {
    private let settings: KafkaSettings
    private let isStopping: () -> Bool
    private let onFault: (Fault) -> Void
    private var producer: KafkaProducer

    init(_ settings: KafkaSettings, isStopping: @escaping () -> Bool, onFault: @escaping (Fault) -> Void) throws(Fault) {
        self.settings = settings
        self.isStopping = isStopping
        self.onFault = onFault
        producer = try KafkaProducer(settings, onEvent: { _ in })
    }

    /// Blocks until all are confirmed. False: the run is to stop first; they stay owed, and are sent by whoever restores the unit.
    func send(_ rows: [OwedRow]) throws(Fault) -> Bool {
        var told = false
        while true {
            do throws(Fault) {
                if producer.spent != nil { try renew() }
                let half = rows.count / 2
                try producer.send(rows[..<half].map(Self.record), within: RuntimeLimits.owedLimit)
                FaultPoint.hit(.duringOwedRows)
                try producer.send(rows[half...].map(Self.record), within: RuntimeLimits.owedLimit)
                let report = producer.flush(within: RuntimeLimits.owedLimit)
                if report.isComplete { return true }
                if let failure = report.failures.first?.fault { throw failure }
            } catch {
                if !error.isTransient { throw error }
                if !told { onFault(error) }
                told = true
            }
            if isStopping() { return false }
            // What is still on its way must not arrive behind what is sent again.
            try renew()
        }
    }

    func close() { producer.close(within: RuntimeLimits.closeLimit) }

    private func renew() throws(Fault) {
        producer.close(within: RuntimeLimits.closeLimit)
        producer = try KafkaProducer(settings, onEvent: { _ in })
    }

    static func record(_ row: OwedRow) -> OutgoingRecord {
        OutgoingRecord(topic: row.topic, key: row.key, value: row.value, headers: [.init("weir-output", Array(row.output.utf8))])
    }
}
