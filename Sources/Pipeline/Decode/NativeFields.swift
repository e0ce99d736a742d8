import CDecode
import Model

/// The declared fields as the decoder's C interface takes them, for the length of one call.
struct NativeFields: ~Copyable {
    private(set) var fields: UnsafeMutablePointer<weir_field>
    private let count: Int
    private var blocks: [UnsafeMutableRawPointer] = []

    init(_ plans: [FieldPlan]) {
        count = plans.count
        fields = .allocate(capacity: max(count, 1))
        for (index, plan) in plans.enumerated() {
            var field = weir_field()
            let segments = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: max(plan.path.count, 1))
            let lengths = UnsafeMutablePointer<Int>.allocate(capacity: max(plan.path.count, 1))
            blocks += [UnsafeMutableRawPointer(segments), UnsafeMutableRawPointer(lengths)]
            for (depth, key) in plan.path.enumerated() {
                let bytes = copy(Array(key.utf8))
                segments[depth] = UnsafePointer(bytes.assumingMemoryBound(to: CChar.self))
                lengths[depth] = key.utf8.count
            }
            field.segments = UnsafePointer(segments)
            field.segment_lengths = UnsafePointer(lengths)
            field.segment_count = plan.path.count
            field.kind = plan.type.nativeKind
            setFallback(plan.fallback, of: plan.type, in: &field)
            (fields + index).initialize(to: field)
        }
    }

    deinit {
        for block in blocks { block.deallocate() }
        fields.deallocate()
    }

    private mutating func copy(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
        block.copyMemory(from: bytes, byteCount: bytes.count)
        blocks.append(block)
        return block
    }

    private mutating func setFallback(_ value: Value?, of type: FieldType, in field: inout weir_field) {
        guard let value, value != .null else { return }
        field.has_fallback = 1
        switch (type, value) {
        case (.string, .string(let text)), (.json, .string(let text)):
            field.fallback_bytes = UnsafeRawPointer(copy(Array(text.utf8)))
            field.fallback_length = text.utf8.count
        case (.int, .int(let number)): field.fallback_int64 = number
        case (.double, .double(let number)): field.fallback_double = number
        case (.double, .int(let number)): field.fallback_double = Double(number)
        case (.bool, .bool(let truth)): field.fallback_int64 = truth ? 1 : 0
        case (.uuid, .uuid(let high, let low)): field.fallback_uuid = weir_uuid(high: high, low: low)
        case (.timestamp, .time(let time)): field.fallback_int64 = time.milliseconds
        default: preconditionFailure("the topology's reader gives a fallback its field's type")
        }
    }
}

extension FieldType {
    fileprivate var nativeKind: UInt32 {
        let kind =
            switch self {
            case .string: WEIR_STRING
            case .int: WEIR_INT
            case .double: WEIR_DOUBLE
            case .bool: WEIR_BOOL
            case .uuid: WEIR_UUID
            case .json: WEIR_JSON
            case .timestamp(.seconds): WEIR_TIME_SECONDS
            case .timestamp(.milliseconds): WEIR_TIME_MILLISECONDS
            case .timestamp(.microseconds): WEIR_TIME_MICROSECONDS
            case .timestamp(.nanoseconds): WEIR_TIME_NANOSECONDS
            case .timestamp(.text(nil)): WEIR_TIME_TEXT
            case .timestamp(.text(.some)): WEIR_TIME_TEXT_LOCAL
            }
        return UInt32(kind.rawValue)
    }
}
