import Glibc
import Model
import Testing

@testable import Topology

/// Each `Goldens/NAME.yaml` is a wrong topology; beside it, `NAME.txt`, is what `weir check` says of it on a terminal.
/// `WEIR_GOLDENS=write` writes the texts anew.
@Suite struct GoldenTests {
    static let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Goldens"

    static let names: [String] = {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".yaml") { names.append(String(name.dropLast(5))) }
        }
        return names.sorted()
    }()

    static func problems(_ name: String) throws -> Topology.Reading {
        let bytes = try FileBytes.read("\(folder)/\(name).yaml")
        return read(
            bytes: ["\(name).yaml": bytes], order: ["\(name).yaml"], variables: ["EMPTY": "", "WORD": "geheim"],
            strict: name.hasPrefix("strict_"))
    }

    @Test(arguments: names)
    func aWrongTopologyIsToldAsRecorded(name: String) throws {
        let said = try Self.problems(name).problems.map { $0.text(caret: true) + "\n" }.joined()
        let path = "\(Self.folder)/\(name).txt"
        if getenv("WEIR_GOLDENS").map({ String(cString: $0) }) == "write" {
            let file = try #require(fopen(path, "w"))
            fputs(said, file)
            fclose(file)
            return
        }
        let recorded = String(decoding: try FileBytes.read(path), as: UTF8.self)
        #expect(said == recorded)
        #expect(!said.isEmpty)
        let reading = try Self.problems(name)
        #expect((reading.plan == nil) == reading.problems.contains { $0.severity == .error })
    }

    @Test func everyKindOfProblemHasAGolden() throws {
        #expect(Self.names.count >= 60)
        let shown = Set(try Self.names.flatMap { try Self.problems($0).problems.map(\.code) })
        let elsewhere: Set<Problem.Code> = [.unreadableFile]
        #expect(Set(Problem.Code.allCases).subtracting(shown) == elsewhere)
    }

    @Test func noMessageShowsASecretOrAVariablesValue() throws {
        for name in Self.names {
            let said = try Self.problems(name).problems.map { $0.text(caret: true) }.joined()
            #expect(!said.contains("geheim"), "\(name)")
        }
    }
}
