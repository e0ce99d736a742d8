import CSys
import Glibc
import Testing

@testable import Commands
@testable import Runtime

/// Memory that was given back to the C library's allocator goes back to the system.
struct AllocatorTests {
    @Test func theProgramGivesBackWhatItFreed() async {
        await #expect(processExitsWith: .exitCode(42)) {
            for name in settingsByEnvironment { unsetenv(name) }
            // What the program set holds until its very end.
            atexit { _exit(residentAfterFreeing() < 8 << 20 ? 42 : 43) }
            WeirCommand.runAndExit(["weir", "--version"])
        }
    }

    @Test(arguments: [
        ([:], [M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]),
        (["MALLOC_ARENA_MAX": "1"], [M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]),
        (["MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"], [M_ARENA_MAX]),
        (["GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"], [M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]),
        (["GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1:glibc.malloc.mmap_threshold=2"], [M_ARENA_MAX]),
        (["GLIBC_TUNABLES": ":nonsense="], [M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]),
    ])
    func whatTheEnvironmentSetsIsLeftAlone(_ environment: [String: String], _ ours: [Int32]) {
        #expect(AllocatorSettings.left { environment[$0] }.map(\.code) == ours)
    }
}

private let settingsByEnvironment = [
    "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES",
]

/// Bytes that 32 MiB in large blocks leave behind. Each has a small one behind it that stays, so that nothing goes by being the last; the first
/// large one to be freed would teach an allocator that is left alone to keep the others.
private func residentAfterFreeing() -> Int {
    free(touched(8 << 20))
    let before = resident()
    let blocks = (0..<8).map { _ in (large: touched(4 << 20), small: touched(64)) }
    for block in blocks { free(block.large) }
    return resident() - before
}

private func touched(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let block = malloc(bytes)
    // The compiler may not know that nobody reads it.
    if let block { memset(block, Int32(getpid() & 0x7f), bytes) }
    return block
}

private func resident() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * Int(getpagesize()) : 0
}
