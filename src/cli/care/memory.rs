//! What is remembered from run to run: by rounds of health (rows of good and bad answers, since when, and the weights
//! that followed), and by scripts (`lvs.state`).
//!
//! Kept beside the policy's state, and gone with the boot as that is: the boot clock begins anew.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::store::Store;
use crate::cli::whole::{remove_whole, write_whole};
use crate::error::{Error, Kind, Result};

/// Of which sort a memory is; the ending of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Health,
    Script,
}

impl Of {
    fn ending(self) -> &'static str {
        match self {
            Of::Health => "health",
            Of::Script => "state",
        }
    }
}

const FORMAT_VERSION: &str = "1.0";

#[derive(Serialize, Deserialize)]
struct File {
    format_version: String,
    boot_id: String,
    memory: Value,
}

/// What was found.
pub struct Found {
    /// `null` when there is none.
    pub memory: Value,
    pub warning: Option<String>,
}

/// The last round's memory; one that cannot be read is put aside, and begun afresh.
pub fn load(store: &Store, name: &str, of: Of) -> Found {
    let path = store.file(name, of.ending());
    let none = |warning| Found { memory: Value::Null, warning };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return none(None),
        Err(error) => return none(Some(format!("{}: {error}; begun afresh", path.display()))),
    };
    match serde_json::from_slice::<File>(&bytes) {
        Ok(file) if file.format_version == FORMAT_VERSION && file.boot_id == store.boot_id() => {
            Found { memory: file.memory, warning: None }
        }
        // Of an earlier boot: its times mean nothing now.
        Ok(_) => none(None),
        Err(error) => {
            let aside =
                store.file(name, &format!("{}.bad-{}", of.ending(), store.clock().since_boot().as_secs()));
            let kept = match std::fs::rename(&path, &aside) {
                Ok(()) => format!("kept as {}", aside.display()),
                Err(error) => format!("it could not be put aside: {error}"),
            };
            none(Some(format!("{} is unreadable: {error}; {kept}; begun afresh", path.display())))
        }
    }
}

pub fn save(store: &Store, name: &str, of: Of, memory: &Value) -> Result<()> {
    let file = File {
        format_version: FORMAT_VERSION.to_string(),
        boot_id: store.boot_id().to_string(),
        memory: memory.clone(),
    };
    let text = serde_json::to_string(&file).map_err(|error| {
        Error::new(Kind::Io, "state", format!("cannot write what {name} remembers: {error}"))
    })?;
    store.prepare()?;
    write_whole(&store.file(name, of.ending()), text.as_bytes())
}

pub fn forget(store: &Store, name: &str) -> Result<()> {
    remove_whole(&store.file(name, Of::Health.ending()))
}
