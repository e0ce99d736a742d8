import CRdKafka

/// A librdkafka, by its version, and what follows from it: the only place that knows which version can what.
public struct KafkaLibrary: Equatable, Sendable {
    /// `0xMMmmrrpp`, as the library says it.
    let number: Int32

    init(number: Int32) { self.number = number }

    /// The one that this process runs with, whatever it was built against.
    public static var linked: KafkaLibrary { KafkaLibrary(number: rd_kafka_version()) }

    /// `2.6.1` for `0x020601ff`.
    public var version: String { "\(number >> 24 & 0xff).\(number >> 16 & 0xff).\(number >> 8 & 0xff)" }

    /// From 2.2.0 on a full queue is looked at again after `fetch.queue.backoff.ms`; before that only when its broker's thread
    /// wakes up, after up to a second.
    public var hasQueueBackoff: Bool { number >= 0x0202_0000 }

    /// From 2.6.1 on SCRAM sends the nonce that Kafka 4 expects.
    public var canScram: Bool { number >= 0x0206_0100 }
}
