// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is built with these: strict about existentials, imports and warnings.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

/// One of Debian's C libraries, found by pkg-config.
func debian(_ name: String, _ pkgConfig: String?, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// `debug`: a condition that holds in debug builds only.
func part(_ name: String, _ dependencies: [Target.Dependency], debug: String? = nil) -> Target {
    let conditional = debug.map { [SwiftSetting.define($0, .when(configuration: .debug))] } ?? []
    return .target(name: name, dependencies: dependencies, swiftSettings: strict + conditional)
}

/// `goldens`: the folder of expected texts beside the tests, which read it where it lies.
func tests(_ name: String, _ dependencies: [Target.Dependency], goldens: String? = nil) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, exclude: goldens.map { [$0] } ?? [], swiftSettings: strict)
}

let package = Package(
    name: "weir",
    products: [.executable(name: "weir", targets: ["weir"])],
    targets: [
        debian("CRdKafka", "rdkafka", apt: "librdkafka-dev"),
        debian("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        debian("CYAML", "yaml-0.1", apt: "libyaml-dev"),
        debian("CMicrohttpd", "libmicrohttpd", apt: "libmicrohttpd-dev"),
        debian("CZstd", "libzstd", apt: "libzstd-dev"),
        debian("CZlib", "zlib", apt: "zlib1g-dev"),
        .systemLibrary(name: "CSys", path: "Sources/CSys"),
        .target(
            name: "CDecode",
            // Without optimisation the C++ templates cost 20 times as much, which makes debug tests crawl.
            cxxSettings: [.unsafeFlags(["-O2"])],
            linkerSettings: [.linkedLibrary("simdjson")]),

        // Debug builds can be ended at named moments and told to make mistakes (FaultPoint, Mutant); release builds can not.
        part("Model", [], debug: "FAULT_POINTS"),
        part("Topology", ["Model", "CYAML"]),
        part("Pipeline", ["Model", "CDecode"]),
        part("Freshness", ["Model"]),
        part("State", ["Model", "CSQLite", "CSys"]),
        part("Kafka", ["Model", "CRdKafka", "CSys"]),
        part("Inputs", ["Model", "CZstd", "CZlib"]),
        part("Observe", ["Model", "Freshness", "CMicrohttpd"]),
        part(
            "Runtime",
            ["Model", "Topology", "Pipeline", "Freshness", "State", "Kafka", "Inputs", "Observe", "CSys"]),
        part("Rehearsal", ["Model", "Topology", "Pipeline", "Freshness", "State", "Runtime"]),
        part(
            "Testkit", ["Model", "Topology", "Pipeline", "Freshness", "State", "Kafka", "Inputs", "Runtime", "CRdKafka"]),
        part(
            "Commands",
            ["Model", "Topology", "Runtime", "Rehearsal", "Freshness", "Observe", "Inputs", "Kafka", "State", "CSys"]),
        .executableTarget(name: "weir", dependencies: ["Commands"], swiftSettings: strict),

        .executableTarget(
            name: "weir-bench",
            dependencies: [
                "Model", "Observe", "Topology", "Pipeline", "State", "Runtime", "Kafka", "Inputs", "Testkit", "CRdKafka",
                "CSQLite", "CSys",
            ],
            path: "bench", exclude: ["expressions.yaml", "sessions.yaml", "sketches.yaml", "keys.yaml", "groups.yaml"],
            swiftSettings: strict),

        tests("Model", ["Model"]),
        tests("Topology", ["Topology", "Model", "Testkit"], goldens: "Goldens"),
        tests("Pipeline", ["Pipeline", "Topology", "Model", "Testkit"]),
        tests("Expression", ["Topology", "Pipeline", "Model", "Testkit", "CSQLite"]),
        tests("Freshness", ["Freshness", "Model"]),
        tests("State", ["State", "Model", "Testkit", "CSQLite", "CSys"]),
        tests("Kafka", ["Kafka", "Model", "CRdKafka", "Testkit"]),
        tests("Inputs", ["Inputs", "Model"]),
        tests("Runtime", ["Runtime", "Pipeline", "State", "Testkit", "Model"]),
        tests("Rehearsal", ["Rehearsal", "Model", "Pipeline", "State", "Runtime", "Testkit"]),
        tests("Observe", ["Observe", "Freshness", "Model"], goldens: "Goldens"),
        tests(
            "Commands",
            [
                "Commands", "Model", "Freshness", "Runtime", "Rehearsal", "Observe", "Topology", "Testkit", "CRdKafka", "CSys",
                "weir",
            ],
            goldens: "Goldens"),
        tests(
            "EndToEnd",
            ["Testkit", "Model", "Topology", "Runtime", "Kafka", "Inputs", "Observe", "Freshness", "CSQLite", "CRdKafka", "CSys"]),
        tests("Chaos", ["Model", "Kafka", "Runtime", "Testkit", "CRdKafka", "CSQLite", "CSys"]),
        tests("Tidy", []),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
