public import Model

/// What a client has to tell beside records.
public enum KafkaEvent: Equatable, Sendable {
    /// No broker answers any more. Told once until `brokersBack`.
    case brokersAway(Fault)
    /// A broker answers again. Told once after `brokersAway`.
    case brokersBack
    /// A broker refuses us (login, TLS, rights); told once per code until a broker answers.
    case refused(Fault)
    /// A partition has to be opened anew at this offset after a broken batch; the third time at one offset it fails.
    case reopened(PartitionID, at: Int64)
    /// A line of librdkafka's log. `level` as in syslog: 3 is an error, 7 is debugging.
    case log(level: Int32, facility: String, text: String)
}
