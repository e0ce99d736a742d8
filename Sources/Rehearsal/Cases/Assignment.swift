/// The largest assignment of expected rows to rows that came, each used once. A greedy one would fail right lists: a row that
/// names few columns may take what a fuller row needs.
struct Assignment {
    /// By expected row: the row that came; nil: none is left for it.
    private(set) var actual: [Int?]
    /// By row that came.
    private var expected: [Int?]

    /// Augmenting paths (Kuhn): at most expected x pairs.
    init(expected expectedCount: Int, actual actualCount: Int, fits: (Int, Int) -> Bool) {
        actual = Array(repeating: nil, count: expectedCount)
        expected = Array(repeating: nil, count: actualCount)
        let edges = (0..<expectedCount).map { row in (0..<actualCount).filter { fits(row, $0) } }
        for row in 0..<expectedCount { augment(row, edges, actualCount) }
    }

    var unused: [Int] { expected.indices.filter { expected[$0] == nil } }

    /// Breadth first, so that a long chain of rows needs no deep stack.
    private mutating func augment(_ start: Int, _ edges: [[Int]], _ count: Int) {
        var reachedFrom = [Int?](repeating: nil, count: count)
        var queue = [start]
        var at = 0
        while at < queue.count {
            let row = queue[at]
            at += 1
            for candidate in edges[row] where reachedFrom[candidate] == nil {
                reachedFrom[candidate] = row
                if let holder = expected[candidate] {
                    queue.append(holder)
                    continue
                }
                var free: Int? = candidate
                while let place = free, let taker = reachedFrom[place] {
                    let former = actual[taker]
                    actual[taker] = place
                    expected[place] = taker
                    if taker == start { return }
                    free = former
                }
                return
            }
        }
    }
}
