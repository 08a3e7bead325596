//! Files that others find whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A writer needs milliseconds; one that takes longer is stopped, or is no writer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes a file whole or not at all: a reader never meets half of one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_as(path, bytes, 0o600)
}

/// The same for what everybody may read.
pub fn write_for_all(path: &Path, bytes: &[u8]) -> Result<()> {
    write_as(path, bytes, 0o644)
}

/// What a killed writer left is the next one's to begin with, so there is never more than one such file. Two at once
/// take turns.
fn write_as(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let temporary = beside(path);
    let write = || {
        let mut file = alone(&temporary)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        // Not earlier: whoever may read a file may also hold its lock.
        file.set_permissions(Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error: std::io::Error| Error::io("write", path, &error))
}

/// Where a file is written before it has its name.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    path.with_file_name(name)
}

/// A file of this name that nobody else is writing.
fn alone(path: &Path) -> std::io::Result<File> {
    let begun = Instant::now();
    loop {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process has held {} for {PATIENCE:?}", path.display());
                return Err(std::io::Error::new(ErrorKind::TimedOut, message));
            }
            // Some network file systems have no locks; there two writers at once are as likely as here.
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // The one who had it has given it its name meanwhile: it is finished, and no longer for us to write.
        let ours = file.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Removes what [`write_whole`] wrote, and what it was killed over. It may be gone already.
pub fn remove_whole(path: &Path) -> Result<()> {
    for path in [&beside(path), path] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("remove", path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_a_killed_writer_left_is_used_up_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.json");
        let left = || fs::write(folder.path().join("web.json.tmp"), "half of something longer").unwrap();
        left();
        write_for_all(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644, "and the rights are its own");
        assert_eq!(names(folder.path()), ["web.json"]);
        left();
        remove_whole(&path).unwrap();
        remove_whole(&path).unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_that_somebody_holds_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let holder = File::create(folder.path().join("web.json.tmp")).unwrap();
        holder.lock().unwrap();
        let error = write_whole(&folder.path().join("web.json"), b"whole").unwrap_err();
        assert!(error.to_string().contains("another process has held"), "{error}");
        drop(holder);
        write_whole(&folder.path().join("web.json"), b"whole").unwrap();
    }

    #[test]
    fn a_link_in_the_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("web.json"), folder.path().join("other"));
        fs::write(&other, "not ours").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("web.json.tmp")).unwrap();
        assert!(write_whole(&path, b"whole").is_err());
        assert_eq!(fs::read(&other).unwrap(), b"not ours");
    }

    /// Each text is of one letter: a mixture would be two writers in one file.
    #[test]
    fn many_writers_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine.json");
        let text = |letter: u8| vec![letter; 10_000 + 100 * usize::from(letter)];
        write_whole(&path, &text(b'a')).unwrap();
        std::thread::scope(|scope| {
            for letter in b'a'..b'g' {
                let path = &path;
                scope.spawn(move || (0..100).for_each(|_| write_whole(path, &text(letter)).unwrap()));
            }
            for _ in 0..500 {
                let found = fs::read(&path).unwrap();
                assert_eq!(found, text(found[0]));
            }
        });
        assert_eq!(names(folder.path()), ["machine.json"]);
    }
}
