import Model
import Testing

@testable import Topology

struct ZoneFileTests {
    /// Local time as days and seconds, so that the table reads like a clock.
    private static func local(_ days: Int64, _ hour: Int64, _ minute: Int64) -> Int64 {
        (days * 86_400 + hour * 3_600 + minute * 60) * 1_000
    }

    @Test(
        arguments: [
            // 2024-03-31 is day 19813: clocks go from 02:00 to 03:00. 2024-10-27 is day 20023: 03:00 to 02:00.
            ("Europe/Berlin", 19_813, 1, 59, 3_600), ("Europe/Berlin", 19_813, 2, 0, 3_600),
            ("Europe/Berlin", 19_813, 2, 59, 3_600),
            ("Europe/Berlin", 19_813, 3, 0, 7_200), ("Europe/Berlin", 20_023, 1, 59, 7_200),
            ("Europe/Berlin", 20_023, 2, 0, 7_200),
            ("Europe/Berlin", 20_023, 2, 59, 7_200), ("Europe/Berlin", 20_023, 3, 0, 3_600),
            // 2024-03-10 is day 19792, 2024-11-03 is day 20030.
            ("America/New_York", 19_792, 1, 59, -18_000), ("America/New_York", 19_792, 2, 30, -18_000),
            ("America/New_York", 19_792, 3, 0, -14_400), ("America/New_York", 20_030, 0, 59, -14_400),
            ("America/New_York", 20_030, 1, 0, -14_400), ("America/New_York", 20_030, 1, 59, -14_400),
            ("America/New_York", 20_030, 2, 0, -18_000),
            // 2100-07-01, past every table: by the rule. 2100-01-01. 2300: the last offset holds.
            ("Europe/Berlin", 47_663, 12, 0, 7_200), ("Europe/Berlin", 47_482, 12, 0, 3_600),
            ("Europe/Berlin", 120_711, 12, 0, 3_600),
            ("Asia/Kolkata", 19_813, 12, 0, 19_800), ("Asia/Kathmandu", 19_813, 12, 0, 20_700), ("UTC", 19_813, 12, 0, 0),
            // A zone that has no winter time and half an hour of summer time; day 19820 is 2024-04-07.
            ("Australia/Lord_Howe", 19_820, 1, 29, 39_600), ("Australia/Lord_Howe", 19_820, 1, 45, 39_600),
            ("Australia/Lord_Howe", 19_820, 2, 0, 37_800),
            // Samoa skipped 2011-12-30 (day 15338) whole.
            ("Pacific/Apia", 15_338, 12, 0, -36_000), ("Pacific/Apia", 15_339, 0, 0, 50_400),
        ] as [(String, Int64, Int64, Int64, Int64)])
    func localTimesAreThoseOfTheirClocks(_ name: String, _ day: Int64, _ hour: Int64, _ minute: Int64, _ offset: Int64) throws {
        let zone = try ZoneFile.load(name)
        let local = Self.local(day, hour, minute) + 7
        #expect(zone.utcMilliseconds(local: local) == local - offset * 1_000)
    }

    @Test func everyHourOfTwoYearsGoesThereAndBack() throws {
        for name in [
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Africa/Casablanca", "America/Nuuk",
        ] {
            let zone = try ZoneFile.load(name)
            for instant in stride(from: Int64(1_704_067_200), to: 1_767_225_600, by: 1_800) {
                let local = instant + Int64(zone.offset(at: instant))
                let back = zone.utcMilliseconds(local: local * 1_000) / 1_000
                // Of two instants that show the same local time, the earlier one comes back.
                #expect(back <= instant && back + Int64(zone.offset(at: back)) == local, "\(name) \(instant)")
            }
        }
    }

    @Test func theRuleGoesOnWhereTheTableEnds() throws {
        let zone = try ZoneFile.load("Europe/Berlin")
        #expect(zone.transitions.count > 400)
        #expect(zip(zone.transitions, zone.transitions.dropFirst()).allSatisfy { $0 < $1 })
        #expect(zone.transitions.last == 7_283_869_200)
    }

    @Test(
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", 3_600, 7_200), ("EST5EDT,M3.2.0,M11.1.0", -18_000, -14_400),
            ("<+0330>-3:30", 12_600, nil),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7_200, -3_600), ("IST-2IDT,M3.4.4/26,M10.5.0", 7_200, 10_800),
            ("XXX3EDT4,0/0,J365/23", -10_800, -14_400),
        ] as [(String, Int32, Int32?)])
    func rulesAreRead(_ text: String, _ standard: Int32, _ daylight: Int32?) {
        let rule = ZoneRule(Array(text.utf8))
        #expect(rule?.standard == standard)
        #expect(rule?.daylight?.offset == daylight)
    }

    @Test func aSummerWithoutEndHasNoTransitions() throws {
        var zone = Zone(name: "X", transitions: [0], offsets: [0, -10_800])
        try #require(ZoneRule(Array("XXX3EDT4,0/0,J365/23".utf8))).extend(&zone)
        #expect(zone == Zone(name: "X", transitions: [0, 10_800, 7_289_665_200], offsets: [0, -10_800, -14_400, -10_800]))
    }

    @Test(arguments: ["", "C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-25", "<+03-3", "CET-1x"])
    func unsoundRulesAreRefused(_ text: String) {
        #expect(ZoneRule(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        ("../../etc/passwd", "zone_name"), ("/etc/passwd", "zone_name"), ("Europe//Berlin", "zone_name"), ("", "zone_name"),
        ("Europe/", "zone_name"), ("zone.tab", "zone_name"), ("right/Europe/Berlin", "zone_name"),
        ("Europe/Berl\u{0}in", "zone_name"),
        (String(repeating: "a", count: 65), "zone_name"), ("Europe/Belrin", "zone_unknown"), ("Europe", "zone_unknown"),
        ("leapseconds", "zone_file"), ("leap-seconds", "zone_unknown"),
    ])
    func namesThatAreNoZonesAreFaults(_ name: String, _ code: String) {
        #expect(throws: Fault.self) { try ZoneFile.load(name) }
        do {
            _ = try ZoneFile.load(name)
        } catch {
            #expect(error.code == code)
        }
    }

    @Test func cutOffFilesAreRefused() throws {
        var bytes: [UInt8] = Array("TZif2".utf8) + Array(repeating: 0, count: 39)
        #expect(ZoneTable.parse(bytes, name: "X") == nil)
        bytes[23] = 0xFF
        #expect(ZoneTable.parse(bytes, name: "X") == nil)
        bytes[20] = 0xFF
        #expect(ZoneTable.parse(bytes + bytes, name: "X") == nil)
    }
}
