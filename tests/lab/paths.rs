//! Where things are. The guest sees the checkout at the same path, so these constants hold on both sides.

use std::path::{Path, PathBuf};

pub const REPO: &str = env!("CARGO_MANIFEST_DIR");

/// `target/lab`: everything the lab fetches, builds or writes.
pub fn lab() -> PathBuf {
    // cargo gives integration tests `target/tmp`; its parent is the target folder, wherever that was configured.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).join("lab")
}

/// State of the lab that runs now.
pub fn run() -> PathBuf {
    lab().join("run")
}

pub fn log() -> PathBuf {
    run().join("supervise.log")
}

/// What the supervisor had to say: of a lab that did its work, nothing.
pub fn said() -> String {
    std::fs::read_to_string(log()).unwrap_or_default()
}

/// The folder that the guest may write to; stripped executables go in through it.
pub fn share() -> PathBuf {
    lab().join("share")
}
