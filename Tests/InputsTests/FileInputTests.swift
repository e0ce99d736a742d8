import Foundation
import Model
import Testing

@testable import Inputs

private func input(_ path: String, maxRecord: Int = 1 << 20, block: Int = InputLimits.blockBytes, prefix: Int? = nil) -> FileInput
{
    FileInput(path: path, maxRecord: maxRecord, block: block, prefix: prefix ?? min(InputLimits.oversizePrefixBytes, block / 2))
}

/// What is in a file, and the records it must give.
private let shapes: [(String, [String])] = [
    ("", []),
    ("\n", [""]),
    ("\n\n", ["", ""]),
    ("a", ["a"]),
    ("a\n", ["a"]),
    ("a\nb", ["a", "b"]),
    ("a\n\nb\n", ["a", "", "b"]),
    ("a\r\nb\r\n", ["a\r", "b\r"]),
    ("\r\n", ["\r"]),
    ("a\n\r", ["a", "\r"]),
    ("{\"x\":1}\n{\"x\":22}\n{\"x\":333}", ["{\"x\":1}", "{\"x\":22}", "{\"x\":333}"]),
    ("a\0b\nc", ["a\0b", "c"]),
    (
        "0123456789abcdef\n0123456789abcde\n0123456789abcdefg\nz",
        ["0123456789abcdef", "0123456789abcde", "0123456789abcdefg", "z"]
    ),
]

struct FileInputTests {
    @Test(arguments: Packing.allCases)
    func everyShapeOfFileGivesItsLinesWhateverTheBlocks(_ packing: Packing) throws {
        let scratch = Scratch()
        for (i, (text, lines)) in shapes.enumerated() {
            let path = try scratch.write("\(i).ndjson" + packing.suffix, try packing.pack(Array(text.utf8)))
            for block in [2, 3, 7, 16, 17, 1_024] {
                for limit in [1, 2, 100] {
                    let file = input(path, block: block, prefix: 1)
                    try file.open(at: 0, wake: {})
                    let reading = readAll(file, limit: limit)
                    #expect(reading.texts == lines, "\(text.debugDescription) in blocks of \(block)")
                    #expect(reading.offsets == Array(0..<Int64(lines.count)))
                    #expect(reading.timestamps == lines.map { _ in RecordBatch.noTimestamp })
                    #expect(reading.fault == nil)
                    #expect(file.endOffset == Int64(lines.count))
                }
            }
        }
    }

    @Test(arguments: Packing.allCases)
    func theShareThatWasReadGrowsToTheWhole(_ packing: Packing) throws {
        let scratch = Scratch()
        let lines = (0..<200_000).map { "\($0 &* 7_919 % 1_000_003)\n" }.joined()
        let file = input(try scratch.write("x.ndjson" + packing.suffix, try packing.pack(Array(lines.utf8))), block: 4_096)
        #expect(file.share == nil)
        try file.open(at: 0, wake: {})
        var shares: [Double] = []
        while case .records = file.take(limit: 1_000) {
            if let share = file.share { shares.append(share) }
            file.release()
        }
        #expect(shares.count >= 200 && shares == shares.sorted() && shares[0] < 0.9)
        #expect(file.share == 1)
    }

    @Test(arguments: Packing.allCases)
    func aRestartAtEveryOffsetGivesTheSameTail(_ packing: Packing) throws {
        let scratch = Scratch()
        for (i, (text, lines)) in shapes.enumerated() {
            let path = try scratch.write("\(i).ndjson" + packing.suffix, try packing.pack(Array(text.utf8)))
            for offset in 0...lines.count {
                let file = input(path, block: 5, prefix: 1)
                try file.open(at: Int64(offset), wake: {})
                let reading = readAll(file)
                #expect(reading.texts == Array(lines[offset...]))
                #expect(reading.offsets == Array(Int64(offset)..<Int64(lines.count)))
            }
            let short = input(path)
            #expect(throws: Fault.self) { try short.open(at: Int64(lines.count + 1), wake: {}) }
        }
    }

    @Test(arguments: [Packing.gz, .zst])
    func membersAndFramesFollowOneAnother(_ packing: Packing) throws {
        let scratch = Scratch()
        var bytes: [UInt8] = []
        for part in ["a\nb", "", "b\n", "c\n"] { bytes += try packing.pack(Array(part.utf8)) }
        if packing == .gz { bytes += [UInt8](repeating: 0, count: 600) }
        let file = input(try scratch.write("x" + packing.suffix, bytes))
        try file.open(at: 0, wake: {})
        let reading = readAll(file)
        #expect(reading.texts == ["a", "bb", "c"])
        #expect(reading.fault == nil)
    }

    /// Many lines that compress badly, so that damage lies between them.
    private func lines(_ count: Int) -> [String] {
        var random = SplittableRandom(seed: 11)
        return (0..<count).map { "{\"n\":\($0),\"r\":\(random.nextUInt64())}" }
    }

    @Test(arguments: [Packing.gz, .zst])
    func ofATruncatedFileEveryWholeLineComesFirst(_ packing: Packing) throws {
        let scratch = Scratch()
        let lines = lines(50_000)
        let packed = try packing.pack(Array((lines.joined(separator: "\n") + "\n").utf8))
        for cut in [0, 1, 5, packed.count / 3, packed.count - 9, packed.count - 1] {
            let path = try scratch.write("cut\(cut)" + packing.suffix, Array(packed[..<cut]))
            let file = input(path)
            try file.open(at: 0, wake: {})
            let reading = readAll(file)
            #expect(reading.texts == Array(lines[..<reading.records.count]))
            if cut > packed.count - 10 { #expect(reading.records.count > 40_000) }
            #expect(reading.fault?.code == "file_truncated", "cut at \(cut)")
            #expect(reading.fault?.place == "\(path):\(reading.records.count + 1)")
            #expect(file.endOffset == nil)
            // It stays failed.
            #expect(readAll(file).fault == reading.fault)
        }
    }

    @Test(arguments: [Packing.gz, .zst])
    func ofADamagedFileEveryLineBeforeTheDamageComesFirst(_ packing: Packing) throws {
        let scratch = Scratch()
        let lines = lines(50_000)
        var packed = try packing.pack(Array((lines.joined(separator: "\n") + "\n").utf8))
        let middle = packed.count / 2
        for i in middle..<(middle + 64) { packed[i] = 0xff }
        let path = try scratch.write("damaged" + packing.suffix, packed)
        let file = input(path)
        try file.open(at: 0, wake: {})
        let reading = readAll(file)
        #expect(reading.fault?.code == "file_damaged")
        #expect(reading.fault?.place == "\(path):\(reading.records.count + 1)")
        #expect(reading.records.count > 5_000)
        // Up to the block in which the damage lies all is as it was; what a decoder makes of that block its checksum judges.
        #expect(Array(reading.texts.prefix(5_000)) == Array(lines[..<5_000]))
        let late = input(path)
        #expect(throws: Fault.self) { try late.open(at: 49_000, wake: {}) }
    }

    @Test(arguments: [Packing.gz, .zst])
    func aFileThatIsNotWhatItsNameSaysIsDamaged(_ packing: Packing) throws {
        let scratch = Scratch()
        let file = input(try scratch.write("x" + packing.suffix, Array("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n".utf8)))
        try file.open(at: 0, wake: {})
        #expect(readAll(file).fault?.code == "file_damaged")
    }

    @Test func aLineLongerThanMaxRecordKeepsItsLengthAndItsBeginning() throws {
        let scratch = Scratch()
        let long = String(repeating: "abcdefghij", count: 100)
        for tail in ["", "\n", "\nnext", "\n\n", "\nnext\n" + long] {
            let path = try scratch.write("long", Array(("first\n" + long + tail).utf8))
            for (maxRecord, block) in [(10, 16), (999, 16), (1_000, 16), (1_000, 4_096), (300, 64)] {
                let file = input(path, maxRecord: maxRecord, block: block, prefix: 8)
                try file.open(at: 0, wake: {})
                let reading = readAll(file, keep: 8)
                let lines = ("first\n" + long + tail).split(separator: "\n", omittingEmptySubsequences: false)
                let expected = lines.last == "" ? lines.dropLast() : lines[...]
                #expect(reading.lengths == expected.map(\.utf8.count))
                #expect(reading.texts == expected.map { String($0.prefix(8)) })
            }
        }
    }

    @Test func aLineOf200MegabytesDoesNotTakeThem() throws {
        let scratch = Scratch()
        let path = scratch.path + "/sparse.ndjson"
        let length = 200 << 20
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: UInt64(length))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("\n{}\n".utf8))
        try handle.close()
        let file = input(path, maxRecord: 2 << 20)
        try file.open(at: 0, wake: {})
        let reading = readAll(file, keep: 64 << 10)
        #expect(reading.lengths == [length, 2])
        #expect(reading.records[0] == [UInt8](repeating: 0, count: 64 << 10))
        #expect(file.bufferBytesPeak == (2 << 20) + 1)
    }

    @Test func patternsAreExpandedSortedAndEachFileComesOnce() throws {
        let scratch = Scratch()
        for name in ["b.ndjson", "a.ndjson", "c.txt", "odd[1].ndjson"] { _ = try scratch.write(name, []) }
        let files = try FileInputs(
            patterns: ["\(scratch.path)/*.ndjson", "\(scratch.path)/a*", "\(scratch.path)/odd[1].ndjson"],
            maxRecord: .mebibytes(1))
        #expect(
            files.partitions.map(\.id)
                == ["a.ndjson", "b.ndjson", "odd[1].ndjson"].map { PartitionID(topic: "\(scratch.path)/\($0)", number: 0) })
    }

    @Test func whatCanNotBeReadIsAFaultThatNamesIt() throws {
        let scratch = Scratch()
        let missing = "\(scratch.path)/*.ndjson"
        for (pattern, code) in [
            (missing, "file_missing"), ("\(scratch.path)/none", "file_missing"), (scratch.path, "not_a_file"),
        ] {
            let fault = #expect(throws: Fault.self) { try FileInputs(patterns: [pattern], maxRecord: .mebibytes(1)) }
            #expect(fault?.code == code)
            #expect(fault?.place == pattern)
            #expect(fault?.exit == .usage)
        }
        let gone = input("\(scratch.path)/gone")
        #expect(throws: Fault.self) { try gone.open(at: 0, wake: {}) }
    }

    @Test func aChangedFileIsNotTheSame() throws {
        let scratch = Scratch()
        var bytes = [UInt8](repeating: 0x61, count: 300_000)
        let path = try scratch.write("x", bytes)
        let file = input(path)
        let stored = try file.fingerprint()
        try file.check(against: stored)
        #expect(FileFingerprint(bytes: stored)?.bytes == stored)
        for (change, isSame) in [(0, false), (65_535, false), (299_999, false), (150_000, true)] {
            bytes[change] = 0x62
            _ = try scratch.write("x", bytes)
            #expect(FileFingerprint.isSame(stored, try file.fingerprint()) == isSame)
            bytes[change] = 0x61
        }
        _ = try scratch.write("x", bytes + [0x61])
        #expect(#expect(throws: Fault.self) { try file.check(against: stored) }?.code == "file_changed")
        _ = try scratch.write("x", bytes)
        try file.check(against: stored)
        #expect(!FileFingerprint.isSame(stored, []))
        #expect(!FileFingerprint.isSame([], []))
    }
}
