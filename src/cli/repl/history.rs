//! The lines of earlier sessions, in one file for all of them, for the eyes of their user only.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use crate::cli::store::make_folder;

/// Lines that are kept.
pub const LINES: usize = 5_000;

/// The file, made if it is not there; `None` where none can be.
///
/// `LVSH_HISTORY`, else `lvsh/history` in `XDG_STATE_HOME` or `~/.local/state`.
pub fn file() -> Option<PathBuf> {
    let path = match std::env::var_os("LVSH_HISTORY") {
        Some(path) if path.is_empty() => return None,
        Some(path) => PathBuf::from(path),
        None => {
            let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
            let home = || {
                Some(
                    PathBuf::from(std::env::var_os("HOME").filter(|path| !path.is_empty())?)
                        .join(".local/state"),
                )
            };
            state.or_else(home)?.join("lvsh/history")
        }
    };
    make_folder(path.parent()?).ok()?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(&path).ok()?;
    // It may be older, or copied: what was typed at a prompt of root is nobody else's.
    let data = fs::metadata(&path).ok()?;
    if data.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(&path, Permissions::from_mode(0o600)).ok()?;
    }
    Some(path)
}
