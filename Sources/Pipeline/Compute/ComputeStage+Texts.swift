import Glibc
import Model

extension ComputeStage {
    @inline(__always) private func bytes(_ slice: Slice) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: arena + Int(slice.offset), count: Int(slice.length))
    }

    /// Rows where all operands are there; the others get their state. nil is an error.
    @inline(__always) private func rows(_ step: Step, _ body: (Int) -> Bool) {
        let out = state(step.result)
        for row in 0..<count {
            var found = Known.ok
            for operand in step.operands { found = Known.of(found, state(operand)[row]) }
            out[row] = found == Known.ok && !body(row) ? Known.error : found
        }
    }

    func text(_ step: Step) {
        let subject = slices(step.operands[0])
        let result = slices(step.result)
        switch step.operation {
        case .lower: letters(step, from: 0x41)
        case .upper: letters(step, from: 0x61)
        case .length:
            let lengths = ints(step.result)
            rows(step) { row in
                lengths[row] = Int64(UTF8Text.scalars(bytes(subject[row])))
                return true
            }
        case .trim:
            rows(step) { row in
                var slice = subject[row]
                let text = bytes(slice)
                var end = text.count
                while end > 0, text[end - 1] == 0x20 { end -= 1 }
                var start = 0
                while start < end, text[start] == 0x20 { start += 1 }
                slice.offset += UInt32(start)
                slice.length = UInt32(end - start)
                result[row] = slice
                return true
            }
        case .substr:
            let starts = ints(step.operands[1])
            let lengths = step.operands.count > 2 ? ints(step.operands[2]) : nil
            rows(step) { row in
                var end = Int64.max
                if let length = lengths?[row] {
                    if length < 0 { return false }
                    let (sum, isOver) = starts[row].addingReportingOverflow(length)
                    end = isOver ? .max : sum
                }
                let part = UTF8Text.part(bytes(subject[row]), from: starts[row], to: end)
                result[row] = Slice(
                    offset: subject[row].offset + UInt32(part.lowerBound), length: UInt32(part.upperBound - part.lowerBound))
                return true
            }
        case .concatenate:
            let second = slices(step.operands[1])
            rows(step) { row in
                let a = subject[row]
                let b = second[row]
                guard let to = reserve(Int(a.length) + Int(b.length)) else { return false }
                memcpy(to, arena + Int(a.offset), Int(a.length))
                memcpy(to + Int(a.length), arena + Int(b.offset), Int(b.length))
                result[row] = keep(Int(a.length) + Int(b.length))
                return true
            }
        case .replace: replace(step)
        case .like(let escape):
            let patterns = slices(step.operands[1])
            let answers = ints(step.result)
            let sign = escape.map { UInt8(truncatingIfNeeded: $0) }
            rows(step) { row in
                guard let isLike = LikePattern.matches(bytes(subject[row]), bytes(patterns[row]), escape: sign) else {
                    return false
                }
                answers[row] = isLike ? 1 : 0
                return true
            }
        default: preconditionFailure("an operation of texts")
        }
    }

    private func letters(_ step: Step, from first: UInt8) {
        let subject = slices(step.operands[0])
        let result = slices(step.result)
        rows(step) { row in
            let slice = subject[row]
            guard let to = reserve(Int(slice.length)) else { return false }
            let from = arena + Int(slice.offset)
            for at in 0..<Int(slice.length) {
                let byte = from[at]
                to[at] = byte &- first < 26 ? byte ^ 0x20 : byte
            }
            result[row] = keep(Int(slice.length))
            return true
        }
    }

    private func replace(_ step: Step) {
        let subject = slices(step.operands[0])
        let what = slices(step.operands[1])
        let by = slices(step.operands[2])
        let result = slices(step.result)
        rows(step) { row in
            let length = Int(subject[row].length)
            let wanted = Int(what[row].length)
            let put = Int(by[row].length)
            if wanted == 0 || wanted > length {
                result[row] = subject[row]
                return true
            }
            // Once to count, so that a text which grows has its room before it is written.
            var hits = 0
            var at = 0
            while let hit = UTF8Text.find(bytes(what[row]), in: bytes(subject[row]), from: at) {
                hits += 1
                at = hit + wanted
            }
            let total = length + hits * (put - wanted)
            guard let to = reserve(total) else { return false }
            let from = arena + Int(subject[row].offset)
            let new = arena + Int(by[row].offset)
            var written = 0
            at = 0
            while let hit = UTF8Text.find(bytes(what[row]), in: bytes(subject[row]), from: at) {
                memcpy(to + written, from + at, hit - at)
                memcpy(to + written + hit - at, new, put)
                written += hit - at + put
                at = hit + wanted
            }
            memcpy(to + written, from + at, length - at)
            result[row] = keep(total)
            return true
        }
    }

    func extremeText(_ step: Step) {
        let a = slices(step.operands[0])
        let b = slices(step.operands[1])
        let result = slices(step.result)
        let wantsLess = step.operation == .least
        rows(step) { row in
            let x = bytes(a[row])
            let y = bytes(b[row])
            result[row] = UTF8Text.isLess(x, y) == wantsLess ? a[row] : b[row]
            return true
        }
    }

    // MARK: - Casts

    func cast(_ step: Step) {
        let operand = step.operands[0]
        let numbers = ints(operand)
        let texts = slices(operand)
        let to = ints(step.result)
        switch (step.from, step.to) {
        case (.int, .double):
            let result = doubles(step.result)
            let from = state(operand)
            let out = state(step.result)
            for row in 0..<count {
                result[row] = Double(numbers[row])
                out[row] = Known.of(from[row])
            }
        case (.double, .int):
            let values = doubles(operand)
            rows(step) { row in
                guard let whole = Int64(exactly: values[row]) else { return false }
                to[row] = whole
                return true
            }
        case (.string, .int):
            rows(step) { row in
                guard let number = DecimalText.integer(utf8: bytes(texts[row])) else { return false }
                to[row] = number
                return true
            }
        case (.string, .double):
            let result = doubles(step.result)
            rows(step) { row in
                guard let number = DecimalText.double(utf8: bytes(texts[row])) else { return false }
                result[row] = number + 0
                return true
            }
        case (.string, .bool):
            rows(step) { row in
                let text = bytes(texts[row])
                let isTrue = text.elementsEqual("true".utf8)
                to[row] = isTrue ? 1 : 0
                return isTrue || text.elementsEqual("false".utf8)
            }
        case (.string, .time):
            rows(step) { row in
                // What is finer than a millisecond would be lost.
                guard let instant = Instant.parse(utf8: bytes(texts[row])), !instant.isFiner else { return false }
                to[row] = instant.milliseconds
                return true
            }
        case (.string, .uuid):
            let result = uuids(step.result)
            rows(step) { row in
                guard let uuid = UUIDText.parse(utf8: bytes(texts[row])) else { return false }
                result[row] = UUIDBits(high: uuid.high, low: uuid.low)
                return true
            }
        case (.int, .string): written(step) { UTF8Text.write(numbers[$0], $1) }
        case (.bool, .string): written(step) { UTF8Text.write(numbers[$0] != 0 ? "true" : "false", $1) }
        case (.time, .string): written(step) { Instant.write(numbers[$0], $1) ? Instant.length : nil }
        case (.uuid, .string):
            let values = uuids(operand)
            written(step) { row, to in
                UUIDText.write(high: values[row].high, low: values[row].low, to)
                return UUIDText.length
            }
        case (.double, .string):
            let values = doubles(operand)
            written(step) { UTF8Text.write(values[$0].description, $1) }
        // Ints, bools and instants lie alike.
        default: unary(step) { $0 }
        }
    }

    /// Texts of at most 40 bytes; nil is an error.
    @inline(__always) private func written(_ step: Step, _ write: (Int, UnsafeMutablePointer<UInt8>) -> Int?) {
        let result = slices(step.result)
        rows(step) { row in
            guard let to = reserve(40), let length = write(row, to) else { return false }
            result[row] = keep(length)
            return true
        }
    }
}
