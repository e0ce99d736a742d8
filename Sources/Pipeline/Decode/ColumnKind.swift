import Model

/// How a column's values lie in memory.
enum ColumnKind: UInt8 {
    case string = 1
    case int = 2
    case double = 3
    case bool = 4
    case uuid = 5
    case time = 6
    case json = 7

    init(_ type: FieldType) {
        switch type {
        case .string: self = .string
        case .int: self = .int
        case .double: self = .double
        case .bool: self = .bool
        case .uuid: self = .uuid
        case .timestamp: self = .time
        case .json: self = .json
        }
    }
}
