public import Model

/// A small file written as a whole.
public enum TextFile {
    /// It appears under its name only when it is complete. Faults: `file_unwritable`, `disk_full`.
    public static func write(_ text: String, to path: String) throws(Fault) {
        let output = try FileOutput(path: path)
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBufferPointer { bytes throws(Fault) in try output.write(UnsafeRawBufferPointer(bytes)) }
        try output.finish()
    }
}
