//! What is remembered between runs: which policies are started, and what each owns.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::whole::{remove_whole, write_whole};
use crate::error::{Error, Kind, Result};
use crate::model::{ServiceKey, State};
use crate::plan::Owned;
use crate::script::Clock;

const FORMAT_VERSION: &str = "1.0";

/// A started policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved<M = Box<RawValue>> {
    pub format_version: String,
    pub boot_id: String,
    pub policy: String,
    pub path: PathBuf,
    /// Seconds since boot.
    pub started: f64,
    pub owned: Owned,
    /// Of `made`. Another version of the program may count it otherwise; then the file is written once more.
    #[serde(default)]
    digest: u64,
    /// Text until somebody asks: on a big director it is nearly all of the file, and a run with nothing to do asks not.
    made: M,
}

impl Saved {
    /// What it owns, as it left it; what differs now is drift.
    pub fn made(&self) -> State {
        // The file was checked to be JSON; a picture that is none of ours leaves nothing to compare with.
        serde_json::from_str(self.made.get()).unwrap_or_default()
    }

    /// Whether `now` is what it left.
    pub fn left_as(&self, now: &State) -> bool {
        self.digest == digest(now)
    }
}

/// Nobody chooses a machine's state to deceive; a fast hash does.
fn digest(state: &State) -> u64 {
    let mut hasher = FxHasher::default();
    state.hash(&mut hasher);
    hasher.finish()
}

/// What was found under a policy's name.
#[derive(Debug, Default)]
pub struct Found {
    pub saved: Option<Saved>,
    /// Something is wrong, and what was done about it.
    pub warning: Option<String>,
    /// For `-v`.
    pub note: Option<String>,
}

/// A state file to be. Its text takes a while for a big director, and can be made on any thread.
pub struct Draft(Saved<State>);

/// The text of a state file.
pub struct Text(String);

impl Draft {
    pub fn text(mut self) -> Result<Text> {
        self.0.digest = digest(&self.0.made);
        let why = |error| {
            Error::new(Kind::Io, "state", format!("cannot write state of {}: {error}", self.0.policy))
        };
        serde_json::to_string(&self.0).map(Text).map_err(why)
    }
}

/// The folder for state of one network namespace.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    boot_id: String,
    clock: Clock,
    /// Where decisions are, when that does not follow from the folder.
    decided: Option<PathBuf>,
}

impl Store {
    pub fn new(folder: PathBuf, boot_id: String, clock: Clock) -> Store {
        Store { folder, boot_id, clock, decided: None }
    }

    /// The same, with another place for what survives a reboot.
    pub fn deciding_in(self, folder: PathBuf) -> Store {
        Store { decided: Some(folder), ..self }
    }

    /// The clock of the times that are kept here.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Seconds since boot.
    pub fn now(&self) -> f64 {
        self.clock.since_boot().as_secs_f64()
    }

    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    pub fn prepare(&self) -> Result<()> {
        make_folder(&self.folder).map_err(|error| {
            Error::io("make folder", &self.folder, &error).hint("run as root, or give --state-dir")
        })
    }

    /// Where what an operator decided is kept, which survives a reboot: /var/lib/lvsh for /run/lvsh, else in the
    /// folder itself.
    pub fn decisions(&self) -> PathBuf {
        match (&self.decided, self.folder.strip_prefix("/run/lvsh")) {
            (Some(folder), _) => folder.clone(),
            (None, Ok(rest)) => Path::new("/var/lib/lvsh").join(rest),
            (None, Err(_)) => self.folder.join("decided"),
        }
    }

    pub fn file(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ending}"))
    }

    pub fn lock_file(&self, name: &str) -> PathBuf {
        self.file(name, "lock")
    }

    pub fn journal_file(&self, name: &str) -> PathBuf {
        self.file(name, "journal")
    }

    /// What is known of a policy. `repair`: whether an unreadable file may be put aside.
    pub fn load(&self, name: &str, repair: bool) -> Result<Found> {
        let path = self.file(name, "json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::default()),
            Err(error) => return Err(Error::io("read state", &path, &error)),
        };
        let wrong = match serde_json::from_slice::<Saved>(&bytes) {
            Ok(saved) if saved.boot_id != self.boot_id => {
                let note = format!("{} is of an earlier boot and is ignored", path.display());
                return Ok(Found { note: Some(note), ..Found::default() });
            }
            Ok(saved) if major(&saved.format_version) == major(FORMAT_VERSION) => {
                return Ok(Found { saved: Some(saved), ..Found::default() });
            }
            Ok(saved) => format!("its format is {}, not {FORMAT_VERSION}", saved.format_version),
            Err(error) => error.to_string(),
        };
        let mut warning = format!("{} is unreadable: {wrong}; ", path.display());
        if repair {
            let aside = self.file(name, &format!("bad-{}", self.clock.since_boot().as_secs()));
            fs::rename(&path, &aside).map_err(|error| Error::io("rename", &path, &error))?;
            warning.push_str(&format!("kept as {}, started afresh", aside.display()));
        } else {
            warning.push_str("read as if the policy were not started");
        }
        Ok(Found { warning: Some(warning), ..Found::default() })
    }

    pub fn save(&self, name: &str, path: &Path, started: f64, owned: Owned, made: State) -> Result<()> {
        self.write(name, self.draft(name, path, started, owned, made).text()?)
    }

    /// What [`Store::save`] would write.
    pub fn draft(&self, name: &str, path: &Path, started: f64, owned: Owned, made: State) -> Draft {
        Draft(Saved {
            format_version: FORMAT_VERSION.to_string(),
            boot_id: self.boot_id.clone(),
            policy: name.to_string(),
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
            started,
            owned,
            digest: 0,
            made,
        })
    }

    pub fn write(&self, name: &str, text: Text) -> Result<()> {
        self.prepare()?;
        write_whole(&self.file(name, "json"), text.0.as_bytes())
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        remove_whole(&self.file(name, "json"))
    }

    /// All started policies of this boot, by name.
    pub fn all(&self) -> BTreeMap<String, Saved> {
        self.others("")
    }

    /// All started policies but one. That one's file, which may be large, is not read.
    pub fn others(&self, name: &str) -> BTreeMap<String, Saved> {
        let own = self.file(name, "json");
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "json") && *path != own);
        let saved = files.filter_map(|path| serde_json::from_slice::<Saved>(&fs::read(path).ok()?).ok());
        saved
            .filter(|saved| saved.boot_id == self.boot_id)
            .map(|saved| (saved.policy.clone(), saved))
            .collect()
    }

    /// Which policy made which service.
    pub fn owners(&self) -> BTreeMap<ServiceKey, String> {
        let all = self.all().into_iter();
        all.flat_map(|(name, saved)| saved.owned.services.into_keys().map(move |key| (key, name.clone())))
            .collect()
    }
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

/// A folder for root's eyes, with its parents.
pub fn make_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
