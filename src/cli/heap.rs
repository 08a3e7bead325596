//! How the program takes memory: one process, soon over.

/// Makes the allocator take memory in large pieces and keep it.
///
/// By default every thread but the first gets an arena of its own that glibc grows page by page, a system call for
/// every 4 KiB; with a policy of ten thousand servers, whose tables live on the thread of Lua, these calls and their
/// page faults are half of the run. One arena that grows by megabytes has neither.
pub fn prepare() {
    const MEGABYTE: libc::c_int = 1024 * 1024;
    // SAFETY: called before there is a second thread; takes numbers only. What it refuses stays as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, 4 * MEGABYTE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 512 * MEGABYTE);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 * MEGABYTE);
    }
}
