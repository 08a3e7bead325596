//! Kernel settings under /proc/sys.
//!
//! `net.ipv4.vs.*` is there only after ip_vs is loaded, and `net.*` belongs to the namespace of the thread that
//! opens the file.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};

use crate::backend::Outcome;
use crate::error::{Error, Result};
use crate::model::SysctlName;
use crate::plan::{Step, refusal};

/// The value: without its line end, tabs as single spaces, as sysctl(8) prints it. `None` when this kernel has no
/// such setting.
pub fn read(name: &SysctlName) -> Result<Option<String>> {
    let path = name.path();
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(tidy(&String::from_utf8_lossy(&bytes)))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Writes the value; the errno is the kernel's: ENOENT no such setting, EINVAL a value it does not take, EACCES not
/// permitted.
pub fn write(name: &SysctlName, value: &str) -> std::result::Result<(), i32> {
    // Never made, and nothing to cut: it is not a file of bytes. One write, because each is a setting.
    let file = OpenOptions::new().write(true).open(name.path());
    let result = file.and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()));
    result.map_err(|error| match error {
        error if is_absent(&error) => libc::ENOENT,
        error => error.raw_os_error().unwrap_or(libc::EIO),
    })
}

/// Makes the changes one after the other, up to the first that fails.
pub fn apply(steps: &[&Step]) -> Vec<Outcome> {
    let mut failed = false;
    let one = |step: &&Step| {
        if failed {
            return Outcome::NotSent;
        }
        let result = match step {
            Step::SetSysctl { name, to, .. } => write(name, to),
            _ => Err(libc::EINVAL),
        };
        match result {
            Ok(()) => Outcome::Done,
            Err(errno) => {
                failed = true;
                Outcome::Failed(refusal(step, errno))
            }
        }
    };
    steps.iter().map(one).collect()
}

/// A name that goes through a file (`net.ipv4.ip_forward.x`) or ends at a directory is no setting either.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

fn tidy(text: &str) -> String {
    text.trim().split(['\t', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
