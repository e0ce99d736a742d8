import Model

/// The declared fields by name, also those whose declaration is wrong: a reference to one of them is not a second problem.
struct FieldTable {
    private(set) var plans: [FieldPlan] = []
    private(set) var names: [String] = []
    private var columns: [String: Int] = [:]
    private var broken: Set<String> = []
    /// Under one key stand texts that only look alike, too: Swift's texts are equal by what they show, ours by their bytes.
    private var computed: [Computed: [Int]] = [:]
    /// Derived fields that are declared below what is being read.
    var later: Set<String> = []

    enum Found {
        case column(Int)
        case broken
        case unknown(nearest: String?)
    }

    init(_ plans: [FieldPlan] = []) { for plan in plans { add(plan) } }

    mutating func add(_ plan: FieldPlan) {
        columns[plan.name] = plans.count
        names.append(plan.name)
        later.remove(plan.name)
        if let computed = plan.computed { self.computed[computed, default: []].append(plans.count) }
        plans.append(plan)
    }

    /// The column that holds this, a new one where there is none.
    mutating func hidden(_ computed: Computed, type: FieldType) -> Int {
        let name = CanonicalText.computed(computed, type, plans)
        for column in self.computed[computed] ?? [] where plans[column].type == type {
            guard let other = plans[column].computed else { continue }
            if CanonicalText.computed(other, type, plans).utf8.elementsEqual(name.utf8) { return column }
        }
        self.computed[computed, default: []].append(plans.count)
        let isPersonal = computed.columns.contains { plans[$0].isPersonal }
        plans.append(
            FieldPlan(
                name: name, type: type, path: [], isPersonal: isPersonal,
                computed: computed, isHidden: true))
        return plans.count - 1
    }

    mutating func addBroken(_ name: String) {
        broken.insert(name)
        names.append(name)
    }

    mutating func require(_ column: Int) { plans[column].required = true }

    func find(_ name: String) -> Found {
        if let column = columns[name] { return .column(column) }
        if broken.contains(name) { return .broken }
        return .unknown(nearest: Spelling.nearest(to: name, among: names))
    }
}
