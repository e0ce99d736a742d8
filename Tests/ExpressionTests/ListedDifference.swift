/// Where Weir and SQLite are known to differ; each has its entry in docs/expressions.md.
enum ListedDifference: String, CaseIterable {
    case exactFractions = "exact-fractions"
    case wideNumbers = "wide-numbers"
    case uuidLetters = "uuid-letters"

    /// The class of a difference, of a condition that can't be made smaller; nil is a defect.
    static func of(_ least: Condition) -> ListedDifference? {
        let (fields, terms): ([String], [Term])
        switch least {
        case .compare(let left, _, let right):
            let sides = [left, right]
            (fields, terms) = (sides.filter { $0.kind == .field }.map(\.weir), sides.filter { $0.kind != .field })
        case .isIn(let field, let list, _): (fields, terms) = ([field], list)
        case .not(let inner): return of(inner)
        default: return nil
        }
        if fields.allSatisfy({ ["u", "v"].contains($0) }) {
            return terms.contains { $0.kind == .uuid && $0.weir != $0.weir.lowercased() } ? .uuidLetters : nil
        }
        let numbers = ["i", "j", "d", "e"]
        if fields.allSatisfy(numbers.contains), terms.contains(where: { $0.kind == .number && isWide($0.weir) }) {
            return .wideNumbers
        }
        if fields.allSatisfy({ ["i", "j"].contains($0) }) {
            return terms.contains { $0.kind == .number && isLongFraction($0.weir) } ? .exactFractions : nil
        }
        return nil
    }

    /// A point or an exponent, and more digits than every double keeps.
    private static func isLongFraction(_ number: String) -> Bool {
        let digits = number.lowercased().prefix { $0 != "e" }.filter(\.isNumber).drop { $0 == "0" }
        return number.contains { ".eE".contains($0) } && digits.count > 15
    }

    /// Written whole, and no 64-bit integer.
    private static func isWide(_ number: String) -> Bool {
        !number.contains { ".eE".contains($0) } && Int64(number.filter { $0 != " " }) == nil
    }
}
