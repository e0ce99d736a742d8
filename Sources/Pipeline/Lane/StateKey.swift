import Model

/// The keys of a lane's state. They sort as unsigned bytes, so numbers are written big-endian with the sign bit turned.
/// `c` cells: output, window start, group; `a` pages of cells that have no entry of their own: output, window start, number. `k` remembered identities: expiry bucket, chunk. In the merge lane: `p` partials:
/// output, window start, group, source lane; `r` what was emitted: output, window start, group, of a session the lane too; `s` and
/// `b` what a roll-up took: its output, the window and group of its source; its own window and group. `o` only goes to the merge:
/// the last word on a session. Of a lane also: behind each chunk, under its key and one byte more, what is noted of its keys; `q` the
/// sample of keys that are remembered longer, in chunks like `k`; `d` and `w` figures of copies and of bad clocks; `m` what an
/// operator ordered of copies; `t`, of a group's re-keyed lane, what its log has told of the inputs' time; in a group `h` how far it has
/// applied late events again. Under `closedLane`, in a group under the unit:
/// `x` cells of closed windows in chunks, by the first group in each; `y` one of them that was applied to again; `z` since when they
/// are kept.
enum StateKey {
    static let cell = UInt8(ascii: "c")
    static let page = UInt8(ascii: "a")
    static let chunk = UInt8(ascii: "k")
    static let partial = UInt8(ascii: "p")
    static let emitted = UInt8(ascii: "r")
    static let share = UInt8(ascii: "s")
    static let base = UInt8(ascii: "b")
    static let over = UInt8(ascii: "o")
    static let sample = UInt8(ascii: "q")
    static let copies = UInt8(ascii: "d")
    static let clocks = UInt8(ascii: "w")
    static let order = UInt8(ascii: "m")
    static let inputTimes = UInt8(ascii: "t")
    static let closedChunk = UInt8(ascii: "x")
    static let closedCell = UInt8(ascii: "y")
    static let closedMark = UInt8(ascii: "z")
    static let late = UInt8(ascii: "h")

    /// Tag, output, window start: where the group begins.
    static let windowPrefix = 11
    static let chunkLength = 13
    static let notesLength = 14

    @inline(__always)
    static func ordered(_ number: Int64) -> UInt64 { (UInt64(bitPattern: number) ^ (1 << 63)).bigEndian }

    @inline(__always)
    static func number(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int64 {
        Int64(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ (1 << 63))
    }

    /// Writes tag, output and window start.
    static func writeWindow(_ target: UnsafeMutableRawPointer, _ tag: UInt8, output: UInt16, start: Int64) {
        target.storeBytes(of: tag, as: UInt8.self)
        target.storeBytes(of: output.bigEndian, toByteOffset: 1, as: UInt16.self)
        target.storeBytes(of: ordered(start), toByteOffset: 3, as: UInt64.self)
    }

    /// Hands `body` the key of a group in a window.
    static func ofGroup(
        _ tag: UInt8, output: UInt16, start: Int64, _ group: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        let length = windowPrefix + group.count
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { key in
            let target = key.baseAddress!
            writeWindow(target, tag, output: output, start: start)
            if let from = group.baseAddress, group.count > 0 {
                (target + windowPrefix).copyMemory(from: from, byteCount: group.count)
            }
            body(UnsafeRawBufferPointer(key))
        }
    }

    /// Hands `body` the key of a group in a window, and of a lane's part in it.
    static func ofGroup(
        _ tag: UInt8, output: UInt16, start: Int64, _ group: GroupKey, lane: LaneNumber?, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        let length = windowPrefix + group.bytes.count + (lane == nil ? 0 : 4)
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { key in
            let target = key.baseAddress!
            writeWindow(target, tag, output: output, start: start)
            group.bytes.withUnsafeBytes { bytes in
                if let from = bytes.baseAddress, bytes.count > 0 {
                    (target + windowPrefix).copyMemory(from: from, byteCount: bytes.count)
                }
            }
            if let lane { target.storeBytes(of: lane.bigEndian, toByteOffset: length - 4, as: Int32.self) }
            body(UnsafeRawBufferPointer(key))
        }
    }

    /// Hands `body` the key of a page of cells.
    static func ofPage(output: UInt16, start: Int64, number: UInt32, _ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: windowPrefix + 4, alignment: 8) { key in
            let target = key.baseAddress!
            writeWindow(target, page, output: output, start: start)
            target.storeBytes(of: number.bigEndian, toByteOffset: windowPrefix, as: UInt32.self)
            body(UnsafeRawBufferPointer(key))
        }
    }

    /// The lane at the end of a key that has one.
    static func lane(_ key: UnsafeRawBufferPointer) -> LaneNumber {
        Int32(bigEndian: key.loadUnaligned(fromByteOffset: key.count - 4, as: Int32.self))
    }

    static func writeChunk(_ target: UnsafeMutableRawPointer, _ tag: UInt8, bucket: Int64, number: UInt32) {
        target.storeBytes(of: tag, as: UInt8.self)
        target.storeBytes(of: ordered(bucket), toByteOffset: 1, as: UInt64.self)
        target.storeBytes(of: number.bigEndian, toByteOffset: 9, as: UInt32.self)
    }

    /// Turns the key of a chunk into that of what is noted of its keys.
    static func notes(of name: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        name[chunkLength] = UInt8(ascii: "n")
        return UnsafeRawBufferPointer(rebasing: name[..<notesLength])
    }

    /// The keys of one window of one output.
    static func window(_ tag: UInt8, output: UInt16, start: Int64) -> (from: [UInt8], to: [UInt8]) {
        func key(_ start: Int64) -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: windowPrefix) { buffer, count in
                writeWindow(UnsafeMutableRawPointer(buffer.baseAddress!), tag, output: output, start: start)
                count = windowPrefix
            }
        }
        return (key(start), key(start + 1))
    }

    /// Deletes everything of one window of one output.
    static func deleteWindow(_ log: StateLog, _ tag: UInt8, output: UInt16, start: Int64) {
        withUnsafeTemporaryAllocation(byteCount: windowPrefix * 2, alignment: 8) { buffer in
            let from = UnsafeMutableRawPointer(buffer.baseAddress!)
            let to = from + windowPrefix
            writeWindow(from, tag, output: output, start: start)
            writeWindow(to, tag, output: output, start: start + 1)
            log.deleteRange(
                from: UnsafeRawBufferPointer(start: from, count: windowPrefix),
                to: UnsafeRawBufferPointer(start: to, count: windowPrefix))
        }
    }
}

/// The stored keys, of every lane and of the merge, that belong to one output: what goes when the output goes.
public func stateKeyRanges(ofOutput stored: UInt16) -> [(from: [UInt8], to: [UInt8])] {
    [
        StateKey.base, StateKey.cell, StateKey.page, StateKey.partial, StateKey.emitted, StateKey.share, StateKey.closedChunk,
        StateKey.closedCell, StateKey.closedMark,
    ].map {
        StateKey.range($0, ofOutput: stored)
    }
}

extension StateKey {
    /// The keys of one output under one tag.
    static func range(_ tag: UInt8, ofOutput stored: UInt16) -> (from: [UInt8], to: [UInt8]) {
        let next = stored == .max ? [tag + 1] : [tag, UInt8((stored + 1) >> 8), UInt8((stored + 1) & 255)]
        return ([tag, UInt8(stored >> 8), UInt8(stored & 255)], next)
    }
}

extension CellCodec {
    /// Puts a cell under the key of its group and `start`.
    func write(_ cell: CellPointer, _ tag: UInt8, output: UInt16, start: Int64, to log: StateLog) {
        let measures = cell + CellWord.measures
        settle(measures)
        StateKey.ofGroup(tag, output: output, start: start, CellStore.group(cell)) { key in
            encode(measures, into: log.put(key, valueLength: encodedLength(measures)))
        }
    }
}
