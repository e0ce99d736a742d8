import Testing

@testable import State

struct LogReadersTests {
    /// Lines of `/proc/locks`: kind, mode, process, device and inode, first and last byte.
    @Test(
        arguments: [
            ("1: POSIX  ADVISORY  READ  1234 fd:01:5678 124 124", 1_234), ("2: POSIX  ADVISORY  READ 77 00:2b:5678 123 123", 77),
            ("3: POSIX  ADVISORY  WRITE 1234 fd:01:5678 120 120", nil), ("4: POSIX  ADVISORY  READ 1234 fd:01:5678 128 128", nil),
            ("5: POSIX  ADVISORY  READ 1234 fd:01:5679 124 124", nil), ("6: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF", nil),
            ("6: -> POSIX  ADVISORY  READ 1234 fd:01:5678 124 124", nil), ("", nil), ("7: POSIX", nil),
        ] as [(String, Int32?)]
    ) func aReaderIsKnownByItsLock(_ line: String, _ process: Int32?) {
        #expect(StateDirectory.reader(line[...], inode: 5_678) == process)
    }
}
