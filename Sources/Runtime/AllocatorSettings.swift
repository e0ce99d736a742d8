internal import CSys
internal import Glibc

/// The C library's allocator, set so that memory which was given back to it goes back to the system too. Left alone it raises its own
/// thresholds with the first large block that is freed, and keeps for each thread what others could use: a run with state larger than
/// memory took twice of `state.memory` instead of a little more than it.
///
/// What the environment sets stays as it is, setting by setting: `MALLOC_ARENA_MAX`, `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`,
/// and their names in `GLIBC_TUNABLES`.
public enum AllocatorSettings {
    private static let all: [(code: Int32, value: Int32, variable: String, tunable: String)] = [
        (M_ARENA_MAX, RuntimeLimits.arenas, "MALLOC_ARENA_MAX", "glibc.malloc.arena_max"),
        (M_MMAP_THRESHOLD, RuntimeLimits.mappedBlock, "MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold"),
        (M_TRIM_THRESHOLD, RuntimeLimits.keptFree, "MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold"),
    ]

    /// Called once at the start of a program, before it has threads: arenas that exist stay.
    public static func apply() {
        for setting in left(by: { name in getenv(name).map { String(cString: $0) } }) { mallopt(setting.code, setting.value) }
    }

    /// The settings that are the program's to make.
    static func left(by environment: (String) -> String?) -> [(code: Int32, value: Int32)] {
        let tunables = (environment("GLIBC_TUNABLES") ?? "").split(separator: ":").compactMap { $0.split(separator: "=").first }
        return all.filter { setting in
            environment(setting.variable) == nil && !tunables.contains { $0 == setting.tunable }
        }.map { ($0.code, $0.value) }
    }
}
