import Model

/// What stands at a key, typed by its declaration.
struct Item {
    indirect enum Content {
        case text(String)
        case word(String)
        case flag(Bool)
        case integer(Int64)
        case number(Double)
        case span(TimeSpan)
        case size(ByteCount)
        case instant(Int64)
        case listen(host: String, port: UInt16)
        /// A scalar that is read further by someone who knows its type.
        case scalar(Scalar)
        case list([Item])
        case named([(name: String, item: Item)])
        case section(SectionItem)
    }

    var content: Content
    var path: String
    /// Of the value.
    var place: Place
    /// Of the key, or of the value where there is none.
    var keyPlace: Place
    /// The declaration's default, not the file's word.
    var isDefault: Bool
    /// A single value as it was written, before substitution.
    var written = ""

    var text: String? {
        switch content {
        case .text(let text), .word(let text): text
        default: nil
        }
    }
    var word: String? { if case .word(let word) = content { word } else { nil } }
    var flag: Bool? { if case .flag(let flag) = content { flag } else { nil } }
    var integer: Int64? { if case .integer(let integer) = content { integer } else { nil } }
    var number: Double? { if case .number(let number) = content { number } else { nil } }
    var span: TimeSpan? { if case .span(let span) = content { span } else { nil } }
    var size: ByteCount? { if case .size(let size) = content { size } else { nil } }
    var instant: Int64? { if case .instant(let instant) = content { instant } else { nil } }
    var scalar: Scalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
    var list: [Item]? { if case .list(let list) = content { list } else { nil } }
    var named: [(name: String, item: Item)]? { if case .named(let named) = content { named } else { nil } }
    var section: SectionItem? { if case .section(let section) = content { section } else { nil } }
}

/// A map with declared keys: what is there and what has a default. A key that was wrong is missing.
struct SectionItem {
    var items: [String: Item] = [:]
    /// Keys that stand in the file and were not readable: their absence is no news.
    var broken: Set<String> = []
    /// What holds where a key is left out, in words, if its value hangs on what is not in the file.
    var notes: [String: String] = [:]

    subscript(_ name: String) -> Item? { items[name] }
    func section(_ name: String) -> SectionItem? { items[name]?.section }
}
