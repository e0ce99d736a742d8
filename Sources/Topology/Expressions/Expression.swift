import Model

/// What an expression says, before anyone knows the fields. Offsets count Unicode scalars.
struct Expression: Equatable {
    indirect enum Kind: Equatable {
        /// `isQuoted`: it stood in double quotes.
        case name(String, isQuoted: Bool)
        /// Digits as written, with a sign where one stood before them.
        case number(String)
        case text(String)
        case bool(Bool)
        case null
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case compare(Expression, Comparison, Expression)
        case isNull(Expression, negated: Bool)
        case isIn(Expression, [Expression], negated: Bool)
        case arithmetic(Expression, String, Expression)
        case negative(Expression)
        case call(String, [Expression])
        case like(Expression, Expression, escape: Expression?)
        case between(Expression, Expression, Expression)
        /// `base` is compared with each of `when`, or they are conditions; as many values, and what stands behind ELSE.
        case choose(base: Expression?, when: [Expression], then: [Expression], otherwise: Expression?)
        /// What was typed already.
        case column(Int)
        /// The type as it was written.
        case cast(Expression, String)
    }

    var kind: Kind
    var offset: Int

    var isLiteral: Bool {
        switch kind {
        case .number, .text, .bool, .null: true
        default: false
        }
    }
}

/// `sum(duration_ms) where country = 'DE'`
struct MeasureExpression: Equatable {
    var function: String
    var offset: Int
    var arguments: [Expression]
    var admits: Expression?
}
