import Model
import Testing

@Suite struct Hash64Tests {
    private func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { Hash64.of($0) } }

    /// Stored in fingerprints: these values may never change.
    @Test(arguments: [
        "": 11_604_625_753_023_137_980 as UInt64, "a": 3_093_405_806_783_951_964, "sixteen bytes...": 6_175_205_885_192_343_146,
        "a little more than sixteen bytes": 5_233_040_924_864_138_558,
    ])
    func aTextAlwaysHasTheSameHash(text: String, expected: UInt64) { #expect(hash(Array(text.utf8)) == expected) }

    @Test func everyByteAndTheLengthCount() {
        var seen: Set<UInt64> = []
        for length in 0...70 {
            seen.insert(hash([UInt8](repeating: 0, count: length)))
            for at in 0..<length {
                var bytes = [UInt8](repeating: 0, count: length)
                bytes[at] = 1
                seen.insert(hash(bytes))
            }
        }
        #expect(seen.count == 71 + (0...70).reduce(0, +))
    }

    @Test func oneBitChangesHalfOfTheHash() {
        var bytes = (0..<64).map { UInt8($0) }
        let before = hash(bytes)
        var changed = 0
        for bit in 0..<512 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            changed += (hash(bytes) ^ before).nonzeroBitCount
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        #expect((28...36).contains(changed / 512))
    }
}
