/// The page at `/`.
enum StatusPage {
    static let bytes = Array("<!doctype html><title>weir</title><a href=\"status.txt\">status</a>\n".utf8)
    static let policy = "default-src 'none'"
}
