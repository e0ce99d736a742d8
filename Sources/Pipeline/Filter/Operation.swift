import Model

/// One step of a compiled condition: reads columns and registers, writes the whole of one register. Plain bytes; what has
/// no fixed size (texts, lists) lies in the program's `Constants`.
struct Operation {
    enum Code {
        case constant(UInt8)
        /// The same answer for every value that is not null.
        case always(column: Int, UInt8)
        case isNull(column: Int, negated: Bool)
        case truth(column: Int)
        case int64(column: Int, Comparison, Int64)
        case double(column: Int, Comparison, Double)
        case text(column: Int, Comparison, Constants.Text)
        case uuid(column: Int, Comparison, high: UInt64, low: UInt64)
        case int64s(Int, Comparison, Int)
        case doubles(Int, Comparison, Int)
        case int64AndDouble(Int, Comparison, Int)
        case texts(Int, Comparison, Int)
        case uuids(Int, Comparison, Int)
        /// `whenAbsent` is the answer for a value that the list doesn't hold: unknown if a NULL stands in the list.
        case int64In(column: Int, Constants.List, whenAbsent: UInt8)
        case doubleIn(column: Int, Constants.List, whenAbsent: UInt8)
        case textIn(column: Int, Constants.List, whenAbsent: UInt8)
        case uuidIn(column: Int, Constants.List, whenAbsent: UInt8)
        /// With the register after the destination.
        case and
        case or
        case not
    }

    var code: Code
    /// The register that is written.
    var destination: Int
}

/// The texts and lists of a condition, in memory that stays where it is.
final class Constants {
    struct Text: Equatable {
        var start: UnsafePointer<UInt8>
        var count: Int
    }

    /// Numbers sorted, so that long lists are searched in halves.
    struct List {
        var start: UnsafeRawPointer
        var count: Int
    }

    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    func text(_ value: String) -> Text {
        let list = list(Array(value.utf8))
        return Text(start: list.start.assumingMemoryBound(to: UInt8.self), count: list.count)
    }

    /// Of plain values only: they are never deinitialized.
    func list<T: BitwiseCopyable>(_ values: [T]) -> List {
        let block = UnsafeMutablePointer<T>.allocate(capacity: max(values.count, 1))
        block.initialize(from: values, count: values.count)
        blocks.append(UnsafeMutableRawPointer(block))
        return List(start: UnsafeRawPointer(block), count: values.count)
    }
}
