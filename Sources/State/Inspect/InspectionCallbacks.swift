import CSQLite
import Model

/// When the running query has to end, and what a callback refused.
final class QueryGuardian {
    var deadline = MonotonicTime(nanoseconds: .max)
    var refused: String?
    let clock: any Clock
    init(clock: any Clock) { self.clock = clock }
}

func sqlValue(_ value: OpaquePointer?) -> SQLValue {
    switch sqlite3_value_type(value) {
    case SQLITE_INTEGER: return .int(sqlite3_value_int64(value))
    case SQLITE_FLOAT: return .double(sqlite3_value_double(value))
    case SQLITE_TEXT:
        let start = UnsafeRawPointer(sqlite3_value_text(value))
        return .text(
            String(decoding: UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(value))), as: UTF8.self))
    case SQLITE_BLOB:
        let start = sqlite3_value_blob(value)
        return .blob(Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(value)))))
    default: return .null
    }
}

final class FunctionBox {
    let function: SQLFunction
    init(_ function: SQLFunction) { self.function = function }
}

final class AggregateBox {
    let aggregate: SQLAggregate
    /// The totals of the groups that are being folded, by SQLite's own number for each.
    var totals: [Int64: SQLValue] = [:]
    var next: Int64 = 1
    init(_ aggregate: SQLAggregate) { self.aggregate = aggregate }
}

func give(_ value: SQLValue, _ context: OpaquePointer?) {
    switch value {
    case .null: sqlite3_result_null(context)
    case .int(let number): sqlite3_result_int64(context, number)
    case .double(let number): sqlite3_result_double(context, number)
    case .text(let text):
        Array(text.utf8).withUnsafeBytes {
            sqlite3_result_text64(
                context, $0.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(bitPattern: 16), UInt64($0.count),
                weir_sqlite_transient(), UInt8(SQLITE_UTF8))
        }
    case .blob(let bytes):
        bytes.withUnsafeBytes {
            if $0.isEmpty {
                sqlite3_result_zeroblob(context, 0)
            } else {
                sqlite3_result_blob64(context, $0.baseAddress, UInt64($0.count), weir_sqlite_transient())
            }
        }
    }
}

func callFunction(_ context: OpaquePointer?, _ count: Int32, _ arguments: UnsafeMutablePointer<OpaquePointer?>?) {
    let box = Unmanaged<FunctionBox>.fromOpaque(sqlite3_user_data(context)).takeUnretainedValue()
    let values = (0..<Int(count)).map { sqlValue(arguments?[$0]) }
    do throws(SQLFunction.Refusal) { give(try box.function.call(values), context) } catch {
        sqlite3_result_error(context, error.what, -1)
    }
}

func stepAggregate(_ context: OpaquePointer?, _ count: Int32, _ arguments: UnsafeMutablePointer<OpaquePointer?>?) {
    let box = Unmanaged<AggregateBox>.fromOpaque(sqlite3_user_data(context)).takeUnretainedValue()
    guard let place = sqlite3_aggregate_context(context, 8)?.assumingMemoryBound(to: Int64.self) else {
        return sqlite3_result_error_nomem(context)
    }
    if place.pointee == 0 {
        place.pointee = box.next
        box.next += 1
    }
    do throws(SQLFunction.Refusal) {
        box.totals[place.pointee] = try box.aggregate.fold(box.totals[place.pointee], sqlValue(arguments?[0]))
    } catch {
        sqlite3_result_error(context, error.what, -1)
    }
}

func endAggregate(_ context: OpaquePointer?) {
    let box = Unmanaged<AggregateBox>.fromOpaque(sqlite3_user_data(context)).takeUnretainedValue()
    guard let place = sqlite3_aggregate_context(context, 0)?.assumingMemoryBound(to: Int64.self) else {
        return sqlite3_result_null(context)
    }
    give(box.totals.removeValue(forKey: place.pointee) ?? .null, context)
}

func checkTime(_ guardian: UnsafeMutableRawPointer?) -> Int32 {
    guard let guardian else { return 0 }
    let own = Unmanaged<QueryGuardian>.fromOpaque(guardian).takeUnretainedValue()
    return own.clock.monotonic() > own.deadline ? 1 : 0
}

/// Reading, and what tells about tables; nothing else.
func authorize(
    _ guardian: UnsafeMutableRawPointer?, _ action: Int32, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?,
    _ schema: UnsafePointer<CChar>?, _ trigger: UnsafePointer<CChar>?
) -> Int32 {
    switch action {
    case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
    case SQLITE_FUNCTION:
        if second.map({ String(cString: $0).lowercased() }) != "load_extension" { return SQLITE_OK }
    case SQLITE_PRAGMA:
        let name = first.map { String(cString: $0).lowercased() } ?? ""
        if ["table_info", "table_xinfo", "table_list", "index_list", "index_info", "database_list", "function_list"].contains(
            name)
        {
            return SQLITE_OK
        }
    case SQLITE_UPDATE:
        // SQLite's own tables of PRAGMAs are declared as if the schema were written; no statement that writes gets this far.
        if first.map({ String(cString: $0) }) == "sqlite_master" { return SQLITE_OK }
    default: break
    }
    if let guardian {
        Unmanaged<QueryGuardian>.fromOpaque(guardian).takeUnretainedValue().refused = "\(action)"
    }
    return SQLITE_DENY
}
