import Model

/// Computes each row's 128-bit identity (S9): a UUID's own bits if the key is one UUID field, else a keyed hash of the
/// values, each with its type and length, so that no two different keys are written alike.
struct IdentityColumn: ~Copyable {
    private let columns: UnsafeMutablePointer<KeyColumn>
    private let count: Int
    private let isOneUUID: Bool
    private let hashKey: SipHash.Key
    private var scratch: UnsafeMutableRawPointer
    private var scratchCapacity = 256

    private struct KeyColumn {
        var index: Int
        var kind: ColumnKind
    }

    init(_ key: [Int], fields: [FieldPlan], topology: String) {
        count = key.count
        columns = .allocate(capacity: max(key.count, 1))
        for (at, index) in key.enumerated() {
            (columns + at).initialize(to: KeyColumn(index: index, kind: ColumnKind(fields[index].type)))
        }
        isOneUUID = key.count == 1 && fields[key[0]].type == .uuid
        hashKey = SipHash.key(forTopology: topology)
        scratch = .allocate(byteCount: scratchCapacity, alignment: 8)
    }

    deinit {
        columns.deallocate()
        scratch.deallocate()
    }

    /// For the rows listed in `rows`: their identity, or false in `known` where a part of the key is null, empty or the nil
    /// UUID.
    mutating func compute(
        _ source: Columns, rows: UnsafePointer<Int32>, count rowCount: Int, into identities: UnsafeMutablePointer<Identity>,
        known: UnsafeMutablePointer<Bool>
    ) {
        if isOneUUID {
            let state = source.state(columns[0].index)
            let bits = source.uuid(columns[0].index)
            for at in 0..<rowCount {
                let row = Int(rows[at])
                let key = Identity(high: bits[row].high, low: bits[row].low)
                identities[row] = key
                known[row] = state[row] == ColumnState.ok && (key.high | key.low) != 0
            }
            return
        }
        for at in 0..<rowCount {
            let row = Int(rows[at])
            known[row] = write(source, row, identity: &identities[row])
        }
    }

    private mutating func write(_ source: Columns, _ row: Int, identity: inout Identity) -> Bool {
        var length = 0
        for at in 0..<count {
            let column = columns[at]
            if source.state(column.index)[row] != ColumnState.ok { return false }
            reserve(length + 13)
            scratch.storeBytes(of: column.kind.rawValue, toByteOffset: length, as: UInt8.self)
            switch column.kind {
            case .string, .json:
                let slice = source.slices(column.index)[row]
                if slice.length == 0 { return false }
                reserve(length + 5 + Int(slice.length))
                scratch.storeBytes(of: slice.length, toByteOffset: length + 1, as: UInt32.self)
                (scratch + (length + 5)).copyMemory(from: source.arena + Int(slice.offset), byteCount: Int(slice.length))
                length += 5 + Int(slice.length)
            case .uuid:
                let bits = source.uuid(column.index)[row]
                if bits.high | bits.low == 0 { return false }
                reserve(length + 21)
                scratch.storeBytes(of: UInt32(16), toByteOffset: length + 1, as: UInt32.self)
                scratch.storeBytes(of: bits.high, toByteOffset: length + 5, as: UInt64.self)
                scratch.storeBytes(of: bits.low, toByteOffset: length + 13, as: UInt64.self)
                length += 21
            case .double:
                scratch.storeBytes(of: UInt32(8), toByteOffset: length + 1, as: UInt32.self)
                let value = source.double(column.index)[row]
                scratch.storeBytes(of: (value == 0 ? 0 : value).bitPattern, toByteOffset: length + 5, as: UInt64.self)
                length += 13
            case .int, .bool, .time:
                scratch.storeBytes(of: UInt32(8), toByteOffset: length + 1, as: UInt32.self)
                scratch.storeBytes(of: source.int64(column.index)[row], toByteOffset: length + 5, as: Int64.self)
                length += 13
            }
        }
        identity = SipHash.hash128(key: hashKey, UnsafeRawBufferPointer(start: scratch, count: length))
        return true
    }

    @inline(__always)
    private mutating func reserve(_ needed: Int) {
        if needed > scratchCapacity { grow(needed) }
    }

    @inline(never)
    private mutating func grow(_ needed: Int) {
        let held = scratchCapacity
        scratch = scratch.grown(&scratchCapacity, to: needed, keeping: held)
    }
}
