import Runtime
import Testing

struct GroupEndTests {
    private static let untils: [RunOptions.Until] = [.stopped, .now, .end]
    private static let answers = [true, false]

    /// Every look there is, with what the words of S6 make of it.
    @Test func eachLookIsJudgedAsItsWordsSay() {
        for until in Self.untils {
            for wasClosed in [nil, true, false] as [Bool?] {
                for mask in 0..<16 {
                    let look = GroupEnd.Look(
                        wasAllClosed: wasClosed, isAllClosed: mask & 1 != 0, isSettled: mask & 2 != 0, isEnded: mask & 4 != 0,
                        isRead: mask & 8 != 0)
                    #expect(GroupEnd(until: until).judge(look) == expected(until, look), "\(until) \(look)")
                }
            }
        }
    }

    private func expected(_ until: RunOptions.Until, _ look: GroupEnd.Look) -> GroupEnd.Verdict {
        let wasOver = look.wasAllClosed ?? false
        if look.isSettled && wasOver && look.isEnded { return .wasEnded }
        if look.isSettled && until == .now && look.isRead { return .commitAndStop }
        if look.isSettled && until == .end && look.isAllClosed && look.isEnded { return .ended }
        return .goOn
    }

    /// A run until now leaves windows open, for whoever goes on: the group must not hear that its input is over.
    @Test func onlyARunToTheEndSaysThatALaneIsFinished() {
        for until in Self.untils {
            let end = GroupEnd(until: until)
            #expect(end.isFinished(isRead: true, isEnded: false) == (until == .end))
            #expect(!end.isFinished(isRead: false, isEnded: false))
            // Its last owner has said so.
            #expect(end.isFinished(isRead: false, isEnded: true) && end.isFinished(isRead: true, isEnded: true))
        }
    }

    /// What is learned late of the time before the run: the end that the run itself has brought about is no earlier one.
    @Test func anEndOfWhichNobodyKnowsWhenItCameIsThisRuns() {
        let look = GroupEnd.Look(wasAllClosed: nil, isAllClosed: true, isSettled: true, isEnded: true, isRead: true)
        #expect(GroupEnd(until: .end).judge(look) == .ended)
    }
}
