import CRdKafka
public import Model

/// How a transaction ended, as far as its producer can know.
public enum TransactionOutcome: Equatable, Sendable {
    /// All of it is there, offsets included.
    case committed
    /// Nothing of it will ever be seen. The same work can be done again.
    case aborted(Fault)
    /// It may have been committed or not: forget everything since the last commit, and restore from the log with a new producer.
    case doubtful(Fault)
    /// Somebody else writes under this name now. The process must end; what became of the transaction is in the log.
    case fenced(Fault)
}

/// A refusal by one of the transactional calls, and what has to follow. The order of the questions is the library's documented one; what
/// answers none of them counts as fatal.
struct TransactionFailure {
    enum Step: Equatable {
        /// The handle is of no more use.
        case replace
        case abort
        /// The same call with the same arguments.
        case again
    }

    var code: rd_kafka_resp_err_t
    var text: String
    var step: Step

    init(code: rd_kafka_resp_err_t, text: String, isFatal: Bool, requiresAbort: Bool, isRetriable: Bool) {
        self.code = code
        self.text = text
        step = isFatal ? .replace : requiresAbort ? .abort : isRetriable ? .again : .replace
    }

    /// nil: the call succeeded. Frees the error.
    init?(_ error: OpaquePointer?) {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        self.init(
            code: rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0, requiresAbort: rd_kafka_error_txn_requires_abort(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0)
    }

    var isFence: Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH: true
        default: false
        }
    }
}
