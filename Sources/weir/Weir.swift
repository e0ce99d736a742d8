import Commands

@main
enum Weir {
    /// Nothing but the call: closures written here would be bound to the main actor, and libraries call back on threads of their own.
    static func main() {
        WeirCommand.runAndExit(CommandLine.arguments)
    }
}
