//! A named network namespace, as `ip netns` makes them.

use super::rt::Rt;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};
use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::Arc,
    thread,
};

#[derive(Clone)]
pub struct Namespace {
    pub name: String,
    file: Arc<File>,
}

impl Namespace {
    /// Makes `/run/netns/NAME`, with `lo` up. Ends with the test.
    pub fn create(name: &str) -> io::Result<Self> {
        let path = Path::new("/run/netns").join(name);
        File::create_new(&path)?;
        // On a thread of its own: there is no way back for the one that unshares.
        let file = apart(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let own = "/proc/thread-self/ns/net";
            mount(Some(own), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
            Rt::open()?.up("lo")?;
            File::open(&path)
        })?;
        Ok(Self { name: name.to_owned(), file: Arc::new(file) })
    }

    /// Runs this in the namespace. Sockets opened there stay there, and may be used from anywhere.
    #[track_caller]
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        apart(|| {
            setns(&*self.file, CloneFlags::CLONE_NEWNET)
                .unwrap_or_else(|e| panic!("cannot enter {}: {e}", self.name));
            work()
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A panic in there is a panic here, with its own message.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
