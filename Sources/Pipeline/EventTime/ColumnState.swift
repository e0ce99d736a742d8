/// The decoder's field states as bytes, for loops over state columns.
enum ColumnState {
    static let ok = FieldState.ok.rawValue
    static let wrongType = FieldState.wrongType.rawValue
    static let badTime = FieldState.badTime.rawValue
}
