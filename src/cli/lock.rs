//! One run at a time per policy.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::LockMode;
use crate::error::{Error, Kind, Result};
use crate::script::Cancel;

/// How long `--lock wait` waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// A lock that goes with the process, however that ends. Its file is never removed: another run may have it open,
/// and two runs with two files of one name would both believe that they are alone.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// `None` when another run has it and `how` is `skip`.
    pub fn take(
        path: &Path,
        name: &str,
        how: LockMode,
        command: &str,
        cancel: &Cancel,
    ) -> Result<Option<Lock>> {
        let open =
            || OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
        let mut file = open().map_err(|error| Error::io("open lock", path, &error))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
                Err(TryLockError::WouldBlock) => {}
            }
            match how {
                LockMode::Skip => return Ok(None),
                LockMode::Wait if start.elapsed() < PATIENCE => {}
                _ => return Err(held(&mut file, name, how)),
            }
            if let Some(kind) = cancel.reason() {
                return Err(Error::new(kind, "locked", "stopped while waiting for the lock"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // For the message of who waits; the lock itself is the kernel's.
        let text = format!("{}\n{command}\n", std::process::id());
        let wrote =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        wrote.map_err(|error| Error::io("write lock", path, &error))?;
        Ok(Some(Lock { _file: file }))
    }
}

/// Whether another run has the lock just now, and which one.
pub fn holder(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(who(&fs::read_to_string(path).unwrap_or_default())),
        _ => None,
    }
}

fn who(text: &str) -> String {
    match text.split_once('\n') {
        Some((pid, command)) => format!("pid {pid} ({})", command.trim()),
        None => "another run".to_string(),
    }
}

fn held(file: &mut File, name: &str, how: LockMode) -> Error {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let by = if read.is_ok() { who(&text) } else { "another run".to_string() };
    let waited =
        if how == LockMode::Wait { format!(" after {} s", PATIENCE.as_secs()) } else { String::new() };
    let message = format!("'{name}' is locked by {by}{waited}");
    Error::new(Kind::Locked, "locked", message).about(name).hint("--lock wait waits 5 s, --lock skip exits 0")
}
