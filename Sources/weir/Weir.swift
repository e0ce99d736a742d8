import Model

@main
enum Weir {
    static func main() {}
}
