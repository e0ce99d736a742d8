import Model
import Testing

@testable import Kafka

@Suite struct KafkaSettingsTests {
    private let scram = KafkaPlan(
        tls: .init(ca: nil, certificate: nil, key: nil), sasl: .init(mechanism: "SCRAM-SHA-256", user: "u", password: "secret"))

    @Test(arguments: [(Int32(0x0200_02ff), true), (0x0206_00ff, true), (0x0206_01ff, false), (0x0208_00ff, false)])
    func scramIsRefusedBeforeItsHandshakeWasMended(version: Int32, isRefused: Bool) throws {
        let settings = KafkaSettings(scram)
        if isRefused {
            let fault = #expect(throws: Fault.self) { try settings.check(with: KafkaLibrary(number: version)) }
            #expect(fault?.code == "scram_unsupported")
            #expect(fault?.what.contains("2.6.1") == true)
            #expect(fault.map { "\($0)".contains("secret") } == false)
        } else {
            #expect(throws: Never.self) { try settings.check(with: KafkaLibrary(number: version)) }
        }
    }

    @Test func plainWithoutTLSIsRefused() {
        let plan = KafkaPlan(sasl: .init(mechanism: "PLAIN", user: "u", password: "p"))
        #expect(#expect(throws: Fault.self) { try KafkaSettings(plan).check() }?.code == "password_in_clear")
    }

    @Test(arguments: ["enable.auto.commit", "isolation.level", "bootstrap.servers", "sasl.password", "plugin.library.paths"])
    func whatThePromisesRestOnIsNotATopologys(name: String) {
        let plan = KafkaPlan(sasl: .init(mechanism: "PLAIN", user: "u", password: "p"), client: [name: "x"])
        let fault = #expect(throws: Fault.self) {
            try KafkaSettings(plan).properties(for: .queries(group: nil), with: KafkaLibrary(number: 0x0200_02ff))
        }
        #expect(fault == KafkaFault.settingReserved(name))
    }

    @Test func aTopologysOwnSettingsWin() throws {
        let plan = KafkaPlan(client: ["queued.max.messages.kbytes": "777", "linger.ms": "9"])
        let share = QueueShare(budget: .mebibytes(64), partitions: 4)
        func value(_ name: String, _ role: KafkaSettings.Role) throws -> [String] {
            try KafkaSettings(plan).properties(for: role, with: KafkaLibrary(number: 0x0200_02ff))
                .filter { $0.name == name }.map(\.value)
        }
        #expect(try value("queued.max.messages.kbytes", .consumer(share)) == ["777"])
        #expect(try value("queued.max.messages.kbytes", .producer) == [])
        #expect(try value("linger.ms", .producer) == ["9"])
        #expect(try value("linger.ms", .consumer(share)) == [])
    }

    @Test(arguments: [(Int32(0x0200_02ff), false), (0x0202_0000, true), (0x0208_00ff, true)])
    func theQueueBackoffIsSetWhereTheLibraryKnowsIt(version: Int32, isSet: Bool) throws {
        let share = QueueShare(budget: .mebibytes(64), partitions: 4)
        let names = try KafkaSettings(KafkaPlan()).properties(for: .consumer(share), with: KafkaLibrary(number: version)).map(
            \.name)
        #expect(names.contains("fetch.queue.backoff.ms") == isSet)
    }

    @Test func aVersionIsToldAsItIsWritten() {
        #expect(KafkaLibrary(number: 0x0206_01ff).version == "2.6.1")
        #expect(KafkaLibrary(number: 0x020c_0aff).version == "2.12.10")
    }

    @Test func aWrongSettingIsToldWithoutItsValue() {
        let plan = KafkaPlan(client: ["socket.timeout.ms": "soon-ish"])
        let fault = #expect(throws: Fault.self) { try KafkaSettings(plan).configuration(for: .producer) }
        #expect(fault?.code == "client_setting")
        #expect(fault?.place == "kafka.client.socket.timeout.ms")
        #expect(fault.map { "\($0)".contains("soon-ish") } == false)
    }

    @Test func theQueueBudgetIsSharedOut() {
        #expect(
            QueueShare(budget: .mebibytes(128), partitions: 8)
                == QueueShare(kilobytes: 5_592, records: 13_981, fetchBytes: 1_048_576, responseBytes: 4_194_304))
        let tiny = QueueShare(budget: .mebibytes(1), partitions: 1_000)
        #expect(tiny == QueueShare(kilobytes: 256, records: 1_000, fetchBytes: 65_536, responseBytes: 262_144))
        #expect(QueueShare.budget(of: .mebibytes(512)) == .mebibytes(128))
    }
}
