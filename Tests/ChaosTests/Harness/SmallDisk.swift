import CSys
import Glibc
import Testing

/// A file system with room for little, mounted for one instance's state. Needs the right to mount.
final class SmallDisk {
    let path: String
    private(set) var isFull = false

    static var isPossible: Bool { geteuid() == 0 }

    init(_ path: String) throws {
        self.path = path
        mkdir(path, 0o700)
        try #require(
            mount("weir-chaos", path, "tmpfs", 0, "size=48m") == 0, "no small file system: \(String(cString: strerror(errno)))")
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }

    /// Leaves no byte.
    func fill() {
        let file = open("\(path)/filler", O_WRONLY | O_CREAT, 0o600)
        defer { close(file) }
        for size in [1 << 20, 4_096, 512] {
            let zeros = [UInt8](repeating: 0, count: size)
            while write(file, zeros, size) == size {}
        }
        isFull = true
    }

    func free() {
        unlink("\(path)/filler")
        isFull = false
    }
}
