//! The file that says which lab runs: `target/lab/run/state`, `key=value` lines.

use crate::{Context, Result, paths};
use std::{fs, io::ErrorKind};

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The supervisor; when it ends, QEMU ends.
    pub pid: u32,
    pub port: u16,
    /// As asked for, and as it calls itself.
    pub kernel: String,
    pub version: String,
    /// The initramfs, by content.
    pub image: String,
    /// The process that booted it and takes it along when it ends.
    pub owner: Option<u32>,
}

impl State {
    pub fn write(&self) -> Result<()> {
        let owner = self.owner.map(|o| o.to_string()).unwrap_or_default();
        let text = format!(
            "pid={}\nport={}\nkernel={}\nversion={}\nimage={}\nowner={owner}\n",
            self.pid, self.port, self.kernel, self.version, self.image
        );
        // By rename: runners read it at any time.
        let file = paths::run().join("state");
        let new = paths::run().join("state.new");
        fs::write(&new, text).context(new.display())?;
        fs::rename(&new, &file).context(file.display())
    }

    /// The lab that runs, if one does. A file left by one that died counts as none.
    pub fn read() -> Result<Option<Self>> {
        let file = paths::run().join("state");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("{}: {e}", file.display())),
        };
        Ok(Self::parse(&text).filter(Self::alive))
    }

    fn parse(text: &str) -> Option<Self> {
        let get = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        Some(Self {
            pid: get("pid")?.parse().ok()?,
            port: get("port")?.parse().ok()?,
            kernel: get("kernel")?.to_owned(),
            version: get("version")?.to_owned(),
            image: get("image")?.to_owned(),
            owner: get("owner")?.parse().ok(),
        })
    }

    pub fn alive(&self) -> bool {
        // The command line is compared because a process id is given out again.
        fs::read(format!("/proc/{}/cmdline", self.pid))
            .is_ok_and(|line| line.split(|b| *b == 0).any(|word| word == b"supervise".as_slice()))
    }
}

pub fn forget() {
    // Absent is what is wanted.
    fs::remove_file(paths::run().join("state")).ok();
}
