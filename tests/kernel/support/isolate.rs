//! A test's own corner of the machine: mounts, network and state folders that no other test sees.

use super::rt::Rt;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use std::{cell::Cell, fs, io};

/// Folders that a test finds empty and may write to.
const PRIVATE: &[&str] = &["/run", "/var/lib/lvsh", "/etc/lvsh"];

/// Moves this thread, and all that it starts, into namespaces of its own; once per test. The kernel does this per
/// thread, so tests keep apart in one process as well as in many.
pub fn isolate() -> io::Result<()> {
    thread_local!(static DONE: Cell<bool> = const { Cell::new(false) });
    if DONE.get() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    let nothing = None::<&str>;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(nothing, "/", nothing, private, nothing)?;
    for dir in PRIVATE {
        fs::create_dir_all(dir)?;
        let options = Some("mode=755");
        mount(Some("tmpfs"), *dir, Some("tmpfs"), MsFlags::empty(), options)?;
    }
    fs::create_dir("/run/netns")?;
    fresh_sys()?;
    Rt::open()?.up("lo")?;
    DONE.set(true);
    Ok(())
}

/// `/sys/class/net` shows the network namespace of whoever mounted it.
pub fn fresh_sys() -> io::Result<()> {
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>)?;
    Ok(())
}
