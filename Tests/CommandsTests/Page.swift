/// The commands of a page, read from its fences called `console`: a line behind `$ ` is a command, with what follows up to
/// `END` if it feeds a text that way; the lines under it are what it says.
struct Page {
    struct Step: Equatable {
        /// Of the command on the page, from 1.
        var line: Int
        var command: String
        var says: [String]
    }

    let steps: [Step]

    init(_ text: String) {
        var steps: [Step] = []
        var isOpen = false
        var isFeeding = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if isFeeding {
                steps[steps.count - 1].command += "\n" + line
                isFeeding = line != "END"
            } else if !isOpen {
                isOpen = line == "```console"
            } else if line == "```" {
                isOpen = false
            } else if line.hasPrefix("$ ") {
                steps.append(Step(line: index + 1, command: String(line.dropFirst(2)), says: []))
                isFeeding = line.contains("<<'END'")
            } else {
                // Without a command above it nothing would look at the line.
                if steps.isEmpty { steps.append(Step(line: index + 1, command: "false", says: [])) }
                steps[steps.count - 1].says.append(String(line))
            }
        }
        self.steps = steps
    }

    /// The first line of `said` that is not what the page shows, and what it shows instead; nil if all is as shown. `…` stands
    /// for any text within a line.
    static func difference(shown: [String], said: [String]) -> (shown: String, said: String)? {
        for index in 0..<max(shown.count, said.count) {
            guard index < shown.count else { return ("nothing", said[index]) }
            guard index < said.count else { return (shown[index], "nothing") }
            if !matches(Array(shown[index]), Array(said[index])) { return (shown[index], said[index]) }
        }
        return nil
    }

    private static func matches(_ pattern: [Character], _ text: [Character]) -> Bool {
        // Where the last `…` stood, and how much of the text it took.
        var (p, t, star, taken) = (0, 0, -1, 0)
        while t < text.count {
            if p < pattern.count, pattern[p] == "…" {
                (star, taken) = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if star >= 0 {
                taken += 1
                (p, t) = (star + 1, taken)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "…" }
    }
}
