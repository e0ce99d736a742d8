import CSys
import Glibc

extension StateDirectory {
    /// A file of this size, mapped and shared, for what must outlive a process that dies between two instructions; zeros at first. The
    /// caller unmaps it. nil: the directory is only in memory, or there is no room: then a death leaves nothing behind.
    public func marks(bytes: Int) -> UnsafeMutableRawPointer? {
        guard !isInMemory else { return nil }
        let file = open("\(path)/in-hand", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return nil }
        defer { Glibc.close(file) }
        var about = stat()
        guard fstat(file, &about) == 0 else { return nil }
        if about.st_size != off_t(bytes), ftruncate(file, 0) != 0 { return nil }
        // A hole that the disk has no room for would end the process when it is touched.
        guard posix_fallocate(file, 0, off_t(bytes)) == 0 else { return nil }
        let mapped = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        return mapped == MAP_FAILED ? nil : mapped
    }
}
