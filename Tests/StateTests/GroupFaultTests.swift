import Model
import Testing
import Testkit

@testable import State

/// Fails at the n-th step, whichever it is.
private final class Countdown {
    private(set) var left: Int
    init(_ steps: Int) { left = steps }

    func step() throws(Fault) {
        left -= 1
        if left == 0 { throw SQLiteFault.diskFull("here") }
    }
}

struct GroupFaultTests {
    private func opened(_ scratch: Scratch) throws -> (StateDirectory, GroupStore) {
        let (directory, store) = try openGroup(scratch, GroupStoreTests.short)
        for lane in GroupContent.lanes { try store.finishRestore(of: lane) }
        return (directory, store)
    }

    /// After a failure at any step, in the process that lives on and in the one that follows a kill: the commit before.
    @Test func anApplyThatFailsAtAnyStepChangesNothingAndCanBeMadeAgain() throws {
        let scratch = Scratch()
        let (_, store) = try opened(scratch)
        var commits = RandomUnits(seed: 4)
        var topic = FakeChangelog()
        for _ in 0..<6 { try topic.commit(commits.next(), to: store) }
        let before = try GroupContent(store)
        let next = GroupContent.lanes.map { commits.unit($0) }
        let ends = try topic.write(next, from: store)
        var steps = 0
        while true {
            steps += 1
            let countdown = Countdown(steps)
            store.beforeStep = { _ throws(Fault) in try countdown.step() }
            guard faultCode({ try store.apply(next, ends: ends) }) != nil else { break }
            #expect(try GroupContent(store) == before)
            if steps % 5 == 0 { #expect(try GroupContent(opened(scratch.copy()).1) == before) }
        }
        #expect(steps == 6 * 4 + 3)
        let after = try GroupContent(store)
        #expect(after != before)
        #expect(try GroupContent(opened(scratch.copy()).1) == after)
    }

    /// A restore that dies at any step is continued by the next process, from whatever it left.
    @Test func aRestoreThatFailsAtAnyStepGoesOnWhereItStood() throws {
        let (_, source) = try opened(Scratch())
        var commits = RandomUnits(seed: 8)
        var topic = FakeChangelog()
        for _ in 0..<20 { try topic.commit(commits.next(), to: source) }
        let whole = try GroupContent(source)
        var random = SplitMix(seed: 3)
        var steps = 1
        var failures = 0
        while true {
            let scratch = Scratch()
            let countdown = Countdown(steps)
            var code: String?
            do {
                let (_, copy) = try openGroup(scratch, GroupStoreTests.short)
                copy.beforeStep = { _ throws(Fault) in try countdown.step() }
                code = faultCode { for lane in GroupContent.lanes { try topic.restore(lane, into: copy, &random) } }
            }
            if code == nil { break }
            failures += 1
            let (_, again) = try openGroup(scratch, GroupStoreTests.short)
            for lane in GroupContent.lanes { try topic.restore(lane, into: again, &random) }
            #expect(try GroupContent(again) == whole)
            steps = steps * 4 / 3 + 1
        }
        #expect(failures > 10)
    }

    @Test func aUnitIsWipedWhollyOrNotAtAll() throws {
        let scratch = Scratch()
        let (_, store) = try opened(scratch)
        var commits = RandomUnits(seed: 2)
        var topic = FakeChangelog()
        for _ in 0..<9 { try topic.commit(GroupContent.lanes.map { commits.unit($0) }, to: store) }
        let before = try GroupContent(store)
        var without = before
        without.state[1] = [:]
        without.heads[1] = nil
        without.owed[1] = []
        without.nextEntries[1] = nil
        without.tables = [:]
        for steps in 1...5 {
            let left = scratch.copy()
            do {
                let (_, copy) = try openGroup(left, GroupStoreTests.short)
                let countdown = Countdown(steps)
                copy.beforeStep = { _ throws(Fault) in try countdown.step() }
                #expect((faultCode { try copy.wipe(1) } != nil) == (steps < 5))
            }
            let (_, again) = try openGroup(left, GroupStoreTests.short)
            var content = try GroupContent(again)
            #expect(again.positions()[1] == (steps == 1 ? store.positions()[1] : nil))
            if steps == 1 {
                #expect(content == before)
                continue
            }
            var random = SplitMix(seed: 1)
            try topic.restore(1, into: again, &random)
            #expect(try GroupContent(again) == before)
            try again.wipe(1)
            content = try GroupContent(again)
            #expect(content.tables["books"]?.count == 2)
            content.tables = [:]
            #expect(content == without)
        }
    }

    /// What is damaged is moved aside and told, and the changelog gives it back; what is whole is used.
    @Test(arguments: [
        ("a clean end", "true", true, nil as String?), ("an unclean end", "true", false, nil),
        ("a page", "dd if=/dev/urandom of=$F bs=16384 seek=3 count=4 conv=notrunc status=none", false, "state_moved_aside"),
        ("the header", "dd if=/dev/urandom of=$F bs=100 count=1 conv=notrunc status=none", true, "state_moved_aside"),
        ("a file that ends early", "truncate -s 20000 $F", false, "state_moved_aside"),
        ("no file", "rm $F", true, nil),
    ])
    func aDamagedCopyIsMovedAsideAndRestored(name: String, damage: String, clean: Bool, code: String?) throws {
        let scratch = Scratch()
        var topic = FakeChangelog()
        let whole: GroupContent
        let left: Scratch
        do {
            let (_, store) = try opened(scratch)
            var commits = RandomUnits(seed: 6)
            for _ in 0..<20 { try topic.commit(commits.next(), to: store) }
            whole = try GroupContent(store)
            try store.tend(quiet: true)
            if clean { store.close() }
            left = scratch.copy()
        }
        shell("F='\(left.path)/state.db'; \(damage); rm -f $F-wal $F-shm")
        let (_, store) = try openGroup(left, GroupStoreTests.short)
        #expect(store.notice?.code == code, "\(name)")
        let isThere = shell("ls '\(left.path)'").contains("state.db.corrupt-1000000")
        #expect(isThere == (code != nil))
        #expect(store.positions().isEmpty == (code != nil || damage.hasPrefix("rm")))
        var random = SplitMix(seed: 1)
        for lane in GroupContent.lanes { try topic.restore(lane, into: store, &random) }
        #expect(try GroupContent(store) == whole)
    }
}
