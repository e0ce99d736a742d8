internal import Model
internal import Observe
internal import Runtime
internal import State

extension Verbs {
    static let late = Verb(
        name: "late", summary: "events that came too late: list, show, count them after all",
        usage: "list | show | reapply FILE [NUMBER…] [option…]", operands: 2...(2 + StateLimits.lateEntries), operand: "FILE",
        options: [
            .value("output", "NAME", "refused by this aggregate"),
            .value("partition", "TOPIC:NUMBER", "of this partition; a file is FILE:0"),
            .value("since", "TIME", "entered at or after TIME"),
            .value("after", "NUMBER", "entries after this one"),
            .value("limit", "COUNT", "at most so many entries; default: 100, of reapply: all"),
            .flag("all", "reapply: all that the other options leave"),
            .flag("personal", "show: the record even where fields are personal"),
            .value("with", "FILE", "laid over FILE", repeatable: true),
            .value("state", "DIRECTORY", "another directory than the topology's `state:` names"),
        ],
        notes: [
            "`show` and `reapply` read records again by their place. What `reapply` counts comes as the next",
            "revision of its row, once; the service does it if one runs. Ends with 1 if an event is not counted.",
        ],
        run: { arguments, console throws(Fault) in try LateVerb(arguments, console).run() })
}

/// The late ledger for people (S13).
struct LateVerb {
    private let arguments: Arguments
    private let console: Console
    private var isJSON: Bool { arguments.has("json") }

    init(_ arguments: Arguments, _ console: Console) {
        self.arguments = arguments
        self.console = console
    }

    func run() throws(Fault) -> ExitCode {
        let what = arguments.operands[0]
        guard ["list", "show", "reapply"].contains(what) else {
            throw usageFault("`\(printableWord(what))` is nothing that can be done with late events", of: "late")
        }
        let numbers = try self.numbers()
        if what == "show", numbers.count != 1 { throw usageFault("show wants the number of one entry", of: "late") }
        if what == "list", !numbers.isEmpty { throw usageFault("list takes no numbers", of: "late") }
        var selection = try selection(numbers)
        let (read, exit) = TopologyInput.plan([arguments.operands[1]] + arguments.all("with"), on: console, asJSON: isJSON)
        guard var plan = read else { return exit }
        if let directory = arguments.value("state") { plan.state.directory = directory }
        if let output = selection.output, !plan.aggregates.contains(where: { $0.name == output }) {
            throw usageFault("there is no aggregate `\(printableWord(output))`", of: "late")
        }
        switch what {
        case "list": return try list(selection, plan)
        case "show": return try show(numbers[0], plan)
        default:
            let isNarrow =
                !numbers.isEmpty || selection.output != nil || selection.partition != nil || selection.since != nil
            guard isNarrow || arguments.has("all") else {
                throw usageFault("reapply wants to know which", of: "late", hint: "name numbers, narrow it down, or say --all")
            }
            selection.includesReapplied = !numbers.isEmpty
            return try LateReapplying(plan, selection, limit: try limit(), console, isJSON: isJSON).run()
        }
    }

    private func numbers() throws(Fault) -> [Int64] {
        var numbers: [Int64] = []
        for word in arguments.operands.dropFirst(2) {
            guard let number = Int64(word), number > 0 else {
                throw usageFault("`\(printableWord(word))` is no entry's number", of: "late", hint: "weir late list tells them")
            }
            numbers.append(number)
        }
        return numbers
    }

    private func limit() throws(Fault) -> Int? { try arguments.integer("limit", in: 1...1_000_000, of: "late").map { Int($0) } }

    private func selection(_ numbers: [Int64]) throws(Fault) -> LateSelection {
        var partition: PartitionID?
        if let text = arguments.value("partition") {
            guard let place = HostPort.partition(text) else {
                throw usageFault("--partition is `\(printableWord(text))`", of: "late", hint: "write TOPIC:NUMBER")
            }
            partition = place
        }
        let since = try arguments.instant("since", of: "late").map { WallTime(milliseconds: $0.milliseconds) }
        let after = try arguments.integer("after", in: 0...Int64.max, of: "late") ?? 0
        return LateSelection(
            entries: numbers, output: arguments.value("output"), partition: partition, since: since, includesReapplied: true,
            after: after, limit: CommandsLimits.lateListed)
    }

    private func list(_ selection: LateSelection, _ plan: Plan) throws(Fault) -> ExitCode {
        var selection = selection
        selection.limit = try limit() ?? CommandsLimits.lateListed
        let ledger = try LateLedger(directory: plan.state.directory)
        defer { ledger.close() }
        let entries = try ledger.entries(selection)
        let next = entries.count == selection.limit ? entries.last?.number : nil
        if isJSON {
            console.out(LateText.json(entries, next: next))
            return .done
        }
        if case .ledger = plan.late {} else { console.error("the topology keeps no late ledger: late: ledger\n") }
        console.out(LateText.table(entries))
        if let next { console.error("there may be more: --after \(next)\n") }
        return .done
    }

    private func show(_ number: Int64, _ plan: Plan) throws(Fault) -> ExitCode {
        let ledger = try LateLedger(directory: plan.state.directory)
        defer { ledger.close() }
        guard let entry = try ledger.entries(LateSelection(entries: [number])).first else {
            throw Fault(
                "late_no_entry", "The late ledger has no entry \(number).", place: plan.state.directory,
                next: "See weir late list; entries are deleted when they are past their keep.", exit: .answerIsNo)
        }
        let record = try LateReader(plan, ledger).record(of: entry)
        let isHidden = plan.fields.contains(where: \.isPersonal) && !arguments.has("personal")
        console.out(
            isJSON
                ? LateText.json(entry, record, isHidden: isHidden, plan) : LateText.page(entry, record, isHidden: isHidden, plan))
        return record == nil ? .answerIsNo : .done
    }
}

extension HostPort {
    /// `TOPIC:NUMBER`; a file's path may hold colons itself.
    static func partition(_ text: String) -> PartitionID? {
        guard let colon = text.lastIndex(of: ":"), let number = Int32(text[text.index(after: colon)...]), number >= 0,
            colon > text.startIndex
        else { return nil }
        return PartitionID(topic: String(text[..<colon]), number: number)
    }
}
