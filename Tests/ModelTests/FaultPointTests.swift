import Glibc
import Model
import Testing

/// What tests rely on when they ask for a death at a named moment. The environment is read once, so each case is a process of its own.
struct FaultPointTests {
    @Test func aPointEndsTheProcessAtItsNthHit() async {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            setenv("WEIR_CRASH_AT", "after_flush:2", 1)
            FaultPoint.hit(.afterFlush)
            FaultPoint.hit(.afterOffsets)
            setenv("WEIR_CRASH_AT", "seen too late", 1)
            FaultPoint.hit(.afterFlush)
            exit(3)
        }
        await #expect(processExitsWith: .exitCode(3)) {
            setenv("WEIR_CRASH_AT", "after_flush:2", 1)
            FaultPoint.hit(.afterFlush)
            exit(3)
        }
    }

    @Test func aDeathCanComeWhileTheProcessGoesOn() async {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            setenv("WEIR_CRASH_AT", "during_commit:1:30", 1)
            FaultPoint.hit(.duringCommit)
            while true { pause() }
        }
    }

    @Test func aFaultThatNobodyKnowsIsNotPassedOver() async {
        await #expect(processExitsWith: .signal(SIGABRT)) {
            setenv("WEIR_CRASH_AT", "somewhere", 1)
            FaultPoint.hit(.afterFlush)
        }
        await #expect(processExitsWith: .signal(SIGABRT)) {
            setenv("WEIR_DELAY_AT", "after_flush:1", 1)
            FaultPoint.hit(.afterFlush)
        }
        await #expect(processExitsWith: .signal(SIGABRT)) {
            setenv("WEIR_MUTANT", "unheard_of", 1)
            _ = Mutant.partialLost.isOn
        }
    }

    @Test func oneMutantIsOnAtATimeAndNoneUnlessAskedFor() async {
        await #expect(processExitsWith: .exitCode(0)) {
            setenv("WEIR_MUTANT", "partial_lost", 1)
            exit(Mutant.allCases.filter(\.isOn) == [.partialLost] ? 0 : 1)
        }
        #expect(Mutant.allCases.filter(\.isOn).isEmpty)
        #expect(!FaultPoint.redelivers())
    }

    @Test func everyNthBatchComesTwice() async {
        await #expect(processExitsWith: .exitCode(0)) {
            setenv("WEIR_REDELIVER", "3", 1)
            exit((0..<7).map { _ in FaultPoint.redelivers() } == [false, false, true, false, false, true, false] ? 0 : 1)
        }
    }
}
