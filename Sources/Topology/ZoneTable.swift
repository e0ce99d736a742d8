import Model

/// The layout of a TZif file (RFC 8536, chapter 3): two blocks, of which the second has 64-bit times, then a rule for the time
/// after the table.
enum ZoneTable {
    /// nil where the bytes are not a sound file of version 2 or later.
    static func parse(_ bytes: [UInt8], name: String) -> Zone? {
        guard let first = Header(bytes, at: 0), first.version >= UInt8(ascii: "2") else { return nil }
        let secondAt = Header.size + first.dataSize(timeSize: 4)
        guard let header = Header(bytes, at: secondAt) else { return nil }
        let data = secondAt + Header.size
        let footer = data + header.dataSize(timeSize: 8)
        // Zones that count leap seconds would shift every time.
        guard footer <= bytes.count, header.leapCount == 0, header.typeCount > 0 else { return nil }
        guard var zone = table(bytes, data, header, name) else { return nil }

        guard footer < bytes.count, bytes[footer] == UInt8(ascii: "\n"), bytes.last == UInt8(ascii: "\n") else { return nil }
        let rule = bytes[(footer + 1)...].dropLast()
        if rule.isEmpty { return zone }
        guard let rule = ZoneRule(rule) else { return nil }
        rule.extend(&zone)
        return zone
    }

    private static func table(_ bytes: [UInt8], _ data: Int, _ header: Header, _ name: String) -> Zone? {
        let indexes = data + header.timeCount * 8
        let types = indexes + header.timeCount
        let offsets = (0..<header.typeCount).map { Int32(truncatingIfNeeded: big(bytes, types + $0 * 6, 4)) }
        guard offsets.allSatisfy({ abs(Int64($0)) < ZoneLimits.widestOffset }) else { return nil }
        // Before the first transition type 0 holds.
        var zone = Zone(name: name, transitions: [], offsets: [offsets[0]])
        var previous: Int64?
        for index in 0..<header.timeCount {
            let time = big(bytes, data + index * 8, 8)
            let type = Int(bytes[indexes + index])
            guard type < offsets.count, previous.map({ $0 < time }) ?? true else { return nil }
            previous = time
            zone.append(offsets[type], from: time)
        }
        return zone
    }

    private struct Header {
        static let size = 44
        let version: UInt8
        let utCount, standardCount, leapCount, timeCount, typeCount, characterCount: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start + Header.size <= bytes.count, bytes[start..<start + 4].elementsEqual("TZif".utf8) else { return nil }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(UInt32(truncatingIfNeeded: big(bytes, start + 20 + $0 * 4, 4))) }
            // Far more than any zone has, and far from overflow.
            guard counts.allSatisfy({ $0 <= ZoneFileLimits.fileBytes }) else { return nil }
            utCount = counts[0]
            standardCount = counts[1]
            leapCount = counts[2]
            timeCount = counts[3]
            typeCount = counts[4]
            characterCount = counts[5]
        }

        func dataSize(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + characterCount + leapCount * (timeSize + 4) + standardCount + utCount
        }
    }

    private static func big(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int64 {
        bytes[start..<start + count].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }
}

extension Zone {
    /// Changes of the name or of the daylight flag alone are no transitions.
    mutating func append(_ offset: Int32, from time: Int64) {
        guard offset != offsets[offsets.count - 1] else { return }
        transitions.append(time)
        offsets.append(offset)
    }
}
