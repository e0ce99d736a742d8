import Foundation
import Model
import Testing

@testable import Testkit
@testable import Topology

/// What the C library's clocks show, by the command `date`: a reader of zone files that shares nothing with ours.
private struct Clock {
    /// UTC seconds, ascending, `step` apart, and what the zone's clock shows at each: days since 1970 and seconds of the day.
    let instants: [Int64]
    let days: [Int64]
    let seconds: [Int64]
    let step: Int64

    init(_ zone: String, from: Int64, until: Int64, step: Int64) throws {
        instants = Array(stride(from: from, to: until, by: Int(step)))
        self.step = step
        let folder = try temporaryDirectory("weir-clock")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/instants"
        try instants.map { "@\($0)\n" }.joined().write(toFile: path, atomically: true, encoding: .utf8)
        let said = try Command.run(["/usr/bin/env", "TZ=\(zone)", "date", "-f", path, "+%Y %m %d %H %M %S"])
        let shown = said.split(separator: "\n").map { $0.split(separator: " ").map { Int64($0)! } }
        days = shown.map { CivilDate($0[0], $0[1], $0[2]).days }
        seconds = shown.map { $0[3] * 3_600 + $0[4] * 60 + $0[5] }
    }

    /// Where windows begin: where the clock first shows a later date than ever before; hours wherever its hour changes or it jumps.
    func boundaries(_ unit: CalendarUnit, weekStarts: Int) -> [Int64] {
        var found: [Int64] = []
        var reached = Int64.min
        for at in instants.indices {
            let date = CivilDate(days: days[at])
            switch unit {
            case .hour:
                guard at > 0 else { continue }
                let passed = (days[at] - days[at - 1]) * 86_400 + seconds[at] - seconds[at - 1]
                if passed != step || seconds[at] / 3_600 != seconds[at - 1] / 3_600 { found.append(instants[at] * 1_000) }
                continue
            case .day: if days[at] <= reached { continue }
            case .week: if floorDivide(days[at] + 4 - Int64(weekStarts), 7) <= reached { continue }
            case .month: if date.year * 12 + date.month <= reached { continue }
            }
            switch unit {
            case .hour, .day: reached = days[at]
            case .week: reached = floorDivide(days[at] + 4 - Int64(weekStarts), 7)
            case .month: reached = date.year * 12 + date.month
            }
            // The first window began before the clock was looked at.
            if at > 0 { found.append(instants[at] * 1_000) }
        }
        return found
    }
}

private let seconds2024: Int64 = 1_704_067_200

struct CalendarWindowsTests {
    /// Where clocks change by an hour, by half an hour, at midnight, before Ramadan, over midnight, or by a whole day.
    @Test(
        arguments: [
            ("Europe/Berlin", seconds2024, 500, 900), ("America/New_York", seconds2024, 400, 900),
            ("Australia/Lord_Howe", seconds2024, 400, 900), ("Africa/Casablanca", seconds2024, 400, 900),
            ("America/Nuuk", seconds2024, 400, 900), ("America/Havana", seconds2024, 400, 900),
            ("America/Santiago", seconds2024, 400, 900), ("Asia/Kathmandu", seconds2024, 100, 900),
            ("Pacific/Apia", 1_322_697_600, 60, 900), ("America/Sao_Paulo", 1_514_764_800, 400, 900),
            ("America/St_Johns", 1_288_000_000 / 60 * 60, 20, 60), ("America/Toronto", -1_602_000_000 / 60 * 60, 20, 60),
            ("UTC", -86_400 * 40, 80, 900),
        ] as [(String, Int64, Int64, Int64)])
    func windowsBeginWhereTheClocksOfTheirZoneSay(_ name: String, _ from: Int64, _ days: Int64, _ step: Int64) throws {
        let clock = try Clock(name, from: from, until: from + days * 86_400, step: step)
        let zone = try ZoneFile.load(name)
        for (unit, weekStarts) in [(CalendarUnit.hour, 1), (.day, 1), (.week, 1), (.week, 7), (.month, 1)] {
            let windows = CalendarWindows(unit, zone: zone, weekStarts: weekStarts)
            let boundaries = clock.boundaries(unit, weekStarts: weekStarts)
            for (start, end) in zip(boundaries, boundaries.dropFirst()) {
                for time in [start, start + 1, (start + end) / 2, end - 1] {
                    #expect(windows.start(holding: time) == start, "\(unit) at \(time)")
                    #expect(windows.end(holding: time) == end, "\(unit) at \(time)")
                }
            }
        }
    }

    /// A plan's windows are asked for in any order.
    @Test func whatWasAskedBeforeChangesNothing() throws {
        let zone = try ZoneFile.load("Europe/Berlin")
        var random = SplitMix(seed: 7)
        for unit in CalendarUnit.allCases {
            let windows = CalendarWindows(unit, zone: zone)
            for _ in 0..<2_000 {
                let time = Int64(truncatingIfNeeded: random.next() % 400_000_000_000_000) - 100_000_000_000_000
                let fresh = CalendarWindows(unit, zone: zone)
                let (start, end) = (windows.start(holding: time), windows.end(holding: time))
                #expect(start <= time && time < end)
                #expect((fresh.start(holding: time), fresh.end(holding: time)) == (start, end))
                #expect(fresh.start(holding: end) == end && fresh.end(holding: start - 1) == start)
            }
        }
    }

    @Test func aDayIsAsLongAsItsClocksMakeIt() throws {
        let windows = CalendarWindows(.day, zone: try ZoneFile.load("Europe/Berlin"))
        // 2024-03-31, 2024-07-01, 2024-10-27, each at noon UTC.
        let hours = [1_711_886_400_000, 1_719_835_200_000, 1_730_030_400_000].map { (time: Int64) in
            (windows.end(holding: time) - windows.start(holding: time)) / 3_600_000
        }
        #expect(hours == [23, 24, 25])
    }
}
