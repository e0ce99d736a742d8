public import Model

/// What is committed of a lane, for what left its memory: read-only, and as new as the last commit that the lane was told of. Called
/// on the lane's queue alone; the only thing that a lane ever waits for. What it hands out is valid until the next call. Errors: what the
/// disk gives.
public protocol ColdState: AnyObject {
    /// The reads up to `end` are of one commit.
    func begin() throws(Fault)
    func end()
    /// nil: there is no such key.
    func value(of key: UnsafeRawBufferPointer) throws(Fault) -> UnsafeRawBufferPointer?
    /// Begins to go through the keys in `[from, to)`.
    func scan(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) throws(Fault)
    /// The next of them in the order of their bytes; nil: that was all.
    func next() throws(Fault) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)?
}

extension ColdState {
    func scan(_ from: [UInt8], _ to: [UInt8]) throws(Fault) {
        var fault: Fault?
        from.withUnsafeBytes { from in
            to.withUnsafeBytes { to in
                do throws(Fault) { try scan(from: from, to: to) } catch { fault = error }
            }
        }
        if let fault { throw fault }
    }
}

/// A lane's way to its cold state, shared by its stages. After a fault nothing that the lane computed since its last seal is of any use.
final class ColdAccess {
    var state: (any ColdState)?
    private(set) var fault: Fault?
    /// Seals that were handed out, and the last of them that `state` shows.
    var seals: Int64 = 0
    var settled: Int64 = 0
    /// Bytes of a delta that asks to be sealed.
    var deltaLimit = PipelineLimits.deltaBytes
    /// Bytes of the last seal: until the next one they are on their way to the disk.
    var sealedBytes = 0
    /// What was asked of it.
    private(set) var reads: Int64 = 0

    /// nil: nothing is cold, or what is can't be read.
    func begin() -> (any ColdState)? {
        guard fault == nil, let state else { return nil }
        do throws(Fault) {
            try state.begin()
            return state
        } catch {
            fault = error
            return nil
        }
    }

    func end() { state?.end() }

    func value(of key: UnsafeRawBufferPointer, _ state: any ColdState) -> UnsafeRawBufferPointer? {
        reads += 1
        do throws(Fault) {
            return try state.value(of: key)
        } catch {
            fail(error)
            return nil
        }
    }

    func fail(_ error: Fault) { fault = fault ?? error }

    func damaged(_ what: String) {
        fail(
            Fault(
                "state_damaged", "\(what) that had left memory can't be read back.", place: "state.db",
                next: "Restore the state directory from a backup, or start with another one.", exit: .state))
    }
}
