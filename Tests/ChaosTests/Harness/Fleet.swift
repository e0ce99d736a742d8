import Dispatch
import Glibc
import Model
import Runtime
import Synchronization
import Testing
import Testkit

/// The instances of one scenario and everything that happens to them.
final class Fleet {
    let scenario: Scenario
    let cluster: KafkaCluster
    let topics: Job.Topics
    private let scratch = Scratch()
    var folder: String { scratch.path }
    private(set) var members: [Instance] = []
    private var guests: [Instance] = []
    private var retired: [Instance] = []
    private var random: SplitMix
    private var pending: [(at: Int64, act: () throws -> Void)] = []
    private let clock = SystemClock()
    private let began: MonotonicTime
    private let brokerWork = DispatchGroup()
    private let broker = Struck()
    private var rolled = 0
    private var mounts: [Int: SmallDisk] = [:]
    private var stranger: OpenTransaction?
    private var isEnding = false
    private(set) var figures = Figures()
    /// Who has read the bounded input to its end.
    private var finished: Set<String> = []
    /// When those that had stopped themselves went on.
    private var awake: [String: Int64] = [:]

    init(_ scenario: Scenario, _ cluster: KafkaCluster) throws {
        self.scenario = scenario
        self.cluster = cluster
        topics = Job.Topics(group: KafkaCluster.freshTopic("chaos"))
        random = SplitMix(seed: scenario.seed)
        began = clock.monotonic()
        figures.name = scenario.name
        figures.seed = scenario.seed
        for index in 0..<scenario.instances {
            if scenario.faults.contains(where: \.fillsDisks) { mounts[index] = try SmallDisk("\(folder)/disk-\(index)") }
            members.append(member("i\(index)", mounts[index].map { "\($0.path)/state" }))
        }
    }

    deinit {
        members = []
        guests = []
        mounts = [:]
        // For whoever wants to know why: logs and state of all instances.
        if let kept = variable("WEIR_CHAOS_KEEP") { rename(folder, "\(kept)/\(scenario.name)") }
    }

    /// Milliseconds since the beginning.
    var elapsed: Int64 { (clock.monotonic() - began).milliseconds }
    var all: [Instance] { members + guests }
    var directories: [String] { (members + guests + retired).map(\.directory) }

    private func member(_ name: String, _ directory: String? = nil) -> Instance {
        Instance(name: name, directory: directory ?? "\(folder)/\(name)", log: "\(folder)/\(name).log")
    }

    func start(_ instance: Instance, bounded: Bool = false) throws {
        let file = "\(folder)/\(instance.name).yaml"
        try Disk.write(
            file,
            scenario.job.yaml(topics, bootstrap: cluster.bootstrap, state: instance.directory, instance: instance.name))
        var variables = scenario.variables
        if let order = order(of: instance, start: instance.starts + 1) {
            if order.losesState { removeTree(instance.directory) }
            variables.merge(order.variables) { $1 }
        }
        let isBounded = bounded || scenario.feeding == .before
        try instance.start(
            try binary(), ["run", file, "--http", "off"] + (isBounded ? ["--until", "end"] : []), environment: variables)
        figures.starts += 1
    }

    private func binary() throws -> String {
        try #require(Child.weir(orFrom: scenario.needsDebug ? "WEIR_DEBUG_BINARY" : "WEIR_BINARY"), "weir is not built")
    }

    private func order(of instance: Instance, start: Int) -> Scenario.Order? {
        guard let index = members.firstIndex(where: { $0 === instance }) else { return nil }
        return scenario.orders[index]?.first { $0.start == start }
    }

    func startAll() throws {
        for instance in members { try start(instance) }
        for fault in scenario.faults { schedule(fault) }
    }

    /// One look at everything: what is due happens, who ended is started again. Called every few milliseconds.
    func tick() throws {
        let now = elapsed
        while let next = pending.indices.min(by: { pending[$0].at < pending[$1].at }), pending[next].at <= now {
            let act = pending.remove(at: next).act
            try act()
        }
        for instance in members where !isDone(instance) && !instance.isAwaited {
            if let length = order(of: instance, start: instance.starts)?.resumesAfter, instance.hasStopped {
                instance.pause()
                figures.pauses += 1
                after(length) { [self] in
                    instance.resume()
                    awake[instance.name] = elapsed
                }
            }
            guard let code = instance.end() else { continue }
            if scenario.feeding == .before, isOver(instance, code) { continue }
            ended(instance, code)
            after(500...1_500) { [self] in if !instance.isUp { try start(instance) } }
        }
    }

    /// Every death that was ordered has come, and who stopped itself has had time to do harm since.
    var isStruck: Bool {
        scenario.orders.allSatisfy { index, orders in
            let member = members[index]
            let isAwake = awake[member.name].map { elapsed - $0 > 10_000 } ?? !orders.contains { $0.resumesAfter != nil }
            return isAwake && member.ownEnds.count { $0 == 128 + SIGKILL } >= orders.count(where: \.mustDie)
        }
    }

    /// The bounded input is read, and this instance has said so.
    func isDone(_ instance: Instance) -> Bool { finished.contains(instance.name) }
    var isDone: Bool { members.allSatisfy(isDone) }

    /// Killed between the commit of the end and its own end, the next start says that the input is over.
    private func isOver(_ instance: Instance, _ code: Int32) -> Bool {
        guard code == 0 || code == ExitCode.state.rawValue && instance.words().contains("input_ended") else { return false }
        finished.insert(instance.name)
        return true
    }

    /// It ended, and nobody here asked for it.
    private func ended(_ instance: Instance, _ code: Int32) {
        figures.ownEnds.append(code)
        if code == 128 + SIGKILL {
            figures.kills += 1
        } else if !scenario.mayEndWith.contains(where: { $0.rawValue == code }) {
            figures.problems.append("\(instance.name) ended with \(code): \(instance.words())")
        }
    }

    private func endedWhenAsked(_ instance: Instance, _ code: Int32) {
        if code == 128 + SIGKILL, order(of: instance, start: instance.starts)?.variables["WEIR_CRASH_AT"] != nil {
            figures.kills += 1
        } else if code != 0 {
            figures.problems.append("\(instance.name) was asked to end and ended with \(code): \(instance.words())")
        }
    }

    private func after(_ delay: ClosedRange<Int>, _ act: @escaping () throws -> Void) {
        pending.append((elapsed + Int64(random.number(delay)), act))
    }

    private func schedule(_ fault: Scenario.Fault) {
        after(fault.every) { [self] in
            guard !isEnding else { return }
            try strike(fault)
            schedule(fault)
        }
    }

    private func victim(_ fits: (Instance) -> Bool = { $0.isUp && !$0.isPaused }) -> Instance? {
        members.filter(fits).randomElement(using: &random)
    }

    private func killed(_ instance: Instance) {
        instance.kill()
        figures.kills += 1
    }

    private func revive(_ instance: Instance, _ down: ClosedRange<Int>) {
        after(down) { [self] in if !instance.isUp { try start(instance) } }
    }

    private func strike(_ fault: Scenario.Fault) throws {
        switch fault {
        case .kill(_, let down):
            // A paused one can be killed too.
            guard let instance = victim({ $0.isUp }) else { return }
            killed(instance)
            revive(instance, down)
        case .killAll(_, let down):
            for instance in members where instance.isUp {
                killed(instance)
                revive(instance, down)
            }
        case .lose(_, let down):
            guard let instance = victim() else { return }
            killed(instance)
            removeTree(instance.directory)
            revive(instance, down)
        case .pause(_, let length):
            guard let instance = victim() else { return }
            instance.pause()
            figures.pauses += 1
            after(length) { instance.resume() }
        case .roll:
            let instance = members[rolled % members.count]
            rolled += 1
            guard instance.isUp, !instance.isPaused else { return }
            instance.terminate()
            revive(whenEnded: instance, by: elapsed + 30_000)
        case .applyLate:
            guard let instance = victim() else { return }
            let command = try Child(
                try binary(), ["late", "reapply", "\(folder)/\(instance.name).yaml", "--all"],
                out: "\(folder)/reapply-\(instance.name).log")
            // It may wait for one that was killed meanwhile, or that has no such partition any more.
            after(8_000...8_000) { command.killNow() }
        case .guest(_, let stay, let isKilled):
            let instance = member("guest-\(retired.count + guests.count)")
            guests.append(instance)
            try start(instance)
            after(stay) { [self] in leave(instance, isKilled) }
        case .broker(let blow, _, let length): strikeBroker(blow, length)
        case .fence:
            guard let instance = victim() else { return }
            figures.pauses += 1
            let name = "chaos-\(instance.name)"
            DispatchQueue.global().async(group: brokerWork) { [bootstrap = cluster.bootstrap] in
                try? OpenTransaction.take(name: name, bootstrap: bootstrap)
            }
        case .fullDisk(_, let length):
            guard let disk = mounts.sorted(by: { $0.key < $1.key }).randomElement(using: &random)?.value, !disk.isFull else {
                return
            }
            disk.fill()
            figures.pauses += 1
            after(length) { disk.free() }
        case .holdChangelog(_, let length):
            guard stranger == nil else { return }
            stranger = try? OpenTransaction(
                bootstrap: cluster.bootstrap, topic: topics.changelog,
                partitions: scenario.job.partitions * (scenario.job.isKeyed ? 1 : 2))
            after(length) { [self] in stranger = nil }
        }
    }

    private func revive(whenEnded instance: Instance, by deadline: Int64) {
        after(20...20) { [self] in
            if let code = instance.end() {
                endedWhenAsked(instance, code)
                try start(instance)
            } else if elapsed > deadline {
                figures.problems.append("\(instance.name) was asked to end and did not in 30 s: \(instance.words())")
                killed(instance)
                try start(instance)
            } else {
                revive(whenEnded: instance, by: deadline)
            }
        }
    }

    private func leave(_ guest: Instance, _ isKilled: Bool) {
        if isKilled {
            killed(guest)
        } else {
            guest.terminate()
            after(30_000...30_000) { guest.kill() }
        }
    }

    /// One broker at a time, since two of three must stay; or all of them.
    private func strikeBroker(_ blow: Scenario.Blow, _ length: ClosedRange<Int>) {
        guard !broker.isDown.exchange(true, ordering: .relaxed) else { return }
        figures.brokers += 1
        let number = random.number(1...3)
        let pause = UInt32(random.number(length))
        DispatchQueue.global().async(group: brokerWork) { [cluster, broker] in
            switch blow {
            case .kill:
                try? cluster.kill(broker: number)
                rest(milliseconds: pause)
                try? cluster.restart(broker: number)
            case .restart: try? cluster.restart(broker: number)
            case .pause:
                try? cluster.pause(broker: number)
                rest(milliseconds: pause)
                try? cluster.resume(broker: number)
            case .loseAnswers:
                cluster.relay?.loseAnswers()
                rest(milliseconds: pause)
                cluster.relay?.heal()
            case .killAll:
                for number in 1...3 { try? cluster.kill(broker: number) }
                rest(milliseconds: pause)
                // None of them starts without another.
                DispatchQueue.concurrentPerform(iterations: 3) { try? cluster.restart(broker: $0 + 1) }
            }
            broker.isDown.store(false, ordering: .relaxed)
        }
    }

    /// Whether a broker is away just now.
    private final class Struck: Sendable { let isDown = Atomic<Bool>(false) }

    /// No more faults; what is stopped goes on, what is down comes up.
    func calm() throws {
        isEnding = true
        pending = []
        brokerWork.wait()
        // What a fault meant to undo and could not, on a machine that is too busy.
        if figures.brokers > 0 { try cluster.bringUp() }
        stranger = nil
        for disk in mounts.values { disk.free() }
        for instance in all { instance.resume() }
    }

    /// Ends all of them, so that a bounded run can finish the input.
    func end() throws {
        if scenario.ending == .killedTogether {
            for instance in all where instance.isUp { killed(instance) }
        } else {
            for instance in all { instance.terminate() }
        }
        let deadline = elapsed + 45_000
        _ = try eventually("the end of all instances", within: 60) { () -> Bool? in
            for instance in all where instance.isUp {
                if let code = instance.end() { endedWhenAsked(instance, code) }
                if elapsed > deadline, instance.isUp {
                    figures.problems.append("\(instance.name) was asked to end and did not: \(instance.words())")
                    instance.kill()
                }
            }
            return all.allSatisfy { !$0.isUp } ? true : nil
        }
        retired += guests
        guests = []
    }

    /// Reads the input to its end with the instances that the scenario leaves.
    func drain(within seconds: Double = 150) throws {
        var crew = members
        switch scenario.ending {
        case .together, .killedTogether: break
        case .alone: crew = [members[0]]
        case .alonePlusEmpty:
            let empty = member("last")
            retired.append(empty)
            crew = [members[0], empty]
        }
        if scenario.feeding == .along { for instance in crew { try start(instance, bounded: true) } }
        _ = try eventually("the end of the input: \(crew.map { $0.words(600) })", within: seconds) { () -> Bool? in
            for instance in crew where !isDone(instance) {
                if let code = instance.end() {
                    if isOver(instance, code) { continue }
                    ended(instance, code)
                    if !figures.problems.isEmpty { throw Failed(what: figures.problems.joined(separator: "\n")) }
                }
                if !instance.isUp { try start(instance, bounded: true) }
            }
            return crew.allSatisfy(isDone) ? true : nil
        }
    }

    func note(_ change: (inout Figures) -> Void) { change(&figures) }

    /// How often a text stands in the logs of all instances.
    func told(_ text: String) -> Int { (members + guests + retired).reduce(0) { $0 + $1.count(text) } }

    struct Failed: Error { var what: String }
}

extension Scenario.Fault {
    var every: ClosedRange<Int> {
        switch self {
        case .kill(let every, _), .killAll(let every, _), .lose(let every, _), .pause(let every, _), .roll(let every),
            .applyLate(let every), .guest(let every, _, _), .fence(let every), .broker(_, let every, _), .fullDisk(let every, _),
            .holdChangelog(let every, _):
            every
        }
    }

    /// A cluster behind a relay is wanted.
    var losesAnswers: Bool { if case .broker(.loseAnswers, _, _) = self { true } else { false } }

    var fillsDisks: Bool { if case .fullDisk = self { true } else { false } }
}
