import Model

/// A condition, compiled once and run operation by operation over whole columns, in SQL's three-valued logic.
///
/// One lane owns it and calls it on its own queue. A batch costs one pass over memory per operation and allocates nothing
/// once the largest batch came.
final class PredicateProgram {
    private let constants = Constants()
    private let operations: [Operation]
    private let registerCount: Int
    private var capacity: Int
    /// `registerCount` registers of `capacity` rows each.
    private var registers: UnsafeMutablePointer<UInt8>

    /// `capacity`: rows that the largest batch usually has; a larger one makes room for itself.
    init(_ predicate: Predicate, fields: [FieldPlan], capacity: Int) {
        var compiler = PredicateCompiler(fields, constants)
        compiler.compile(predicate, into: 0)
        operations = compiler.operations
        registerCount = compiler.registers
        self.capacity = max(capacity, 1)
        registers = .allocate(capacity: compiler.registers * self.capacity)
    }

    deinit { registers.deallocate() }

    /// One `Truth` byte per row of the first `count`: 0 false, 1 true, 2 null. Values that are not there, or not of their
    /// type, are null. Valid until the next call.
    func evaluate(_ columns: Columns, count: Int) -> UnsafePointer<UInt8> {
        if count > capacity {
            registers.deallocate()
            capacity = count
            registers = .allocate(capacity: registerCount * count)
        }
        let run = OperationRun(columns: columns, count: count)
        operations.withUnsafeBufferPointer { operations in
            for operation in operations {
                let register = registers + operation.destination * capacity
                run.perform(operation.code, register, above: register + capacity)
            }
        }
        return UnsafePointer(registers)
    }
}
