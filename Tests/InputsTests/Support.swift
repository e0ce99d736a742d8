import Foundation
import Model
import Synchronization

@testable import Inputs

/// A directory of the test's own, removed when the test lets go of it.
final class Scratch {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("weir-inputs-\(UUID().uuidString)").path
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            preconditionFailure("no temporary directory: \(error)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }
}

/// How a file's bytes are kept.
enum Packing: String, CaseIterable, Sendable {
    case plain, gz, zst

    var suffix: String { self == .plain ? "" : ".\(rawValue)" }

    func pack(_ bytes: [UInt8]) throws -> [UInt8] {
        switch self {
        case .plain: bytes
        case .gz: try piped("gzip", bytes)
        case .zst: try piped("zstd", bytes)
        }
    }
}

/// What the system's own tool makes of the bytes: the reference for our reading.
func piped(_ tool: String, _ bytes: [UInt8], _ arguments: [String] = ["-c"]) throws -> [UInt8] {
    let scratch = Scratch()
    let from = try scratch.write("in", bytes)
    let to = try scratch.write("out", [])
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [tool] + arguments
    process.standardInput = FileHandle(forReadingAtPath: from)
    process.standardOutput = FileHandle(forWritingAtPath: to)
    try process.run()
    process.waitUntilExit()
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: to)))
}

/// All that an input gave: records, and how it ended.
struct Reading: Equatable {
    var records: [[UInt8]] = []
    var offsets: [Int64] = []
    var timestamps: [Int64] = []
    var lengths: [Int] = []
    var fault: Fault?

    var texts: [String] { records.map { String(decoding: $0, as: UTF8.self) } }
}

/// Takes until the input is over, failed, or has nothing now.
func readAll(_ input: any PartitionInput, limit: Int = 1_000, keep: Int = .max) -> Reading {
    var reading = Reading()
    while true {
        switch input.take(limit: limit) {
        case .records(let batch):
            for i in 0..<batch.count {
                let kept = UnsafeRawBufferPointer(start: batch.payloads[i], count: min(batch.lengths[i], keep))
                reading.records.append([UInt8](kept))
                reading.offsets.append(batch.offsets[i])
                reading.timestamps.append(batch.timestamps[i])
                reading.lengths.append(batch.lengths[i])
            }
            input.release()
        case .failed(let fault):
            reading.fault = fault
            return reading
        case .nothing, .end:
            return reading
        }
    }
}

/// A clock that moves when a test says so.
final class HandClock: Clock, Sendable {
    private let time: Mutex<Int64>
    init(_ milliseconds: Int64) { time = Mutex(milliseconds) }
    func wall() -> WallTime { WallTime(milliseconds: time.withLock { $0 }) }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: time.withLock { $0 } * 1_000_000) }
    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}
