import Glibc
import Model
import Testing

/// Dates and times beside the C library's, and at the ends of what can be written.
struct CivilDateTests {
    /// 2^62 is far beyond what a 64-bit number of milliseconds has days for.
    private static let days: [Int64] =
        [0, -1, 1, 59, 60, -719_468, -719_469, 2_932_896, 2_932_897, 106_751_991_167, -106_751_991_168]
        + stride(from: -800_000, to: 800_000, by: 997)

    @Test func aDateIsTheOneThatTheCLibraryGives() throws {
        for days in Self.days {
            // The library's year is a 32-bit number.
            var seconds = time_t(days * 86_400)
            var parts = tm()
            _ = try #require(gmtime_r(&seconds, &parts), "\(days)")
            let date = CivilDate(days: days)
            #expect(date == CivilDate(Int64(parts.tm_year) + 1_900, Int64(parts.tm_mon) + 1, Int64(parts.tm_mday)), "\(days)")
            #expect(date.days == days)
            #expect((1...CivilDate.days(in: date.month, of: date.year)).contains(date.day))
            #expect(CivilDate.isLeap(date.year) == (CivilDate(date.year + 1, 1, 1).days - CivilDate(date.year, 1, 1).days == 366))
        }
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (1_767_225_600_123, "2026-01-01T00:00:00.123Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    ])
    func anInstantIsWrittenAsItIsRead(_ milliseconds: Int64, _ text: String) throws {
        #expect(Instant.text(milliseconds) == text)
        let bytes = try #require(Self.written(milliseconds))
        #expect(String(decoding: bytes, as: UTF8.self) == text)
        let read = try #require(Instant.parse(text))
        #expect(read.milliseconds == milliseconds && !read.isFiner)
    }

    private static func written(_ milliseconds: Int64) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Instant.length)
        return bytes.withUnsafeMutableBufferPointer { Instant.write(milliseconds, $0.baseAddress!) } ? bytes : nil
    }

    @Test func everyNumberHasATextAndOnlyFourDigitsOfAYearAreWritten() {
        #expect(Instant.text(.min) == "-292275055-05-16T16:47:04.192Z")
        #expect(Instant.text(.max) == "292278994-08-17T07:12:55.807Z")
        for beyond in [Int64.min, .min + 1, Instant.written.lowerBound - 1, Instant.written.upperBound + 1, .max] {
            #expect(Self.written(beyond) == nil, "\(beyond)")
        }
    }

    @Test(arguments: [
        ("6b1e0000-0000-4000-8000-00000000000f", true), ("6B1E000000004000800000000000000F", true), ("", false), ("6b1e", false),
        ("6b1e0000-0000-4000-8000-00000000000g", false), ("6b1e00000-000-4000-8000-00000000000f", false),
        ("6b1e0000-0000-4000-8000-0000000000éf", false), ("6b1e000000004000800000000000000fé", false),
    ])
    func aUUIDHasThirtyTwoDigits(_ text: String, _ isOne: Bool) {
        let found = UUIDText.parse(text)
        #expect((found != nil) == isOne)
        if let found { #expect(UUIDText.text(high: found.high, low: found.low) == "6b1e0000-0000-4000-8000-00000000000f") }
    }
}
