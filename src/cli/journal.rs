//! The plan of a run on disk while it is carried out.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::{Action, Journal, Owned, Plan, Step};
use crate::script::Clock;

/// A journal in a file of JSON lines: who wrote it, then one line per plan, and a number for so many changes taken
/// back, last first.
///
/// A script's plan is written in steps, because what was killed is taken back step by step; the servers of a service
/// that the plan itself adds go with it, and are only counted. A policy converges from what the kernel has, and needs
/// to know only what may be its own. Either is a tenth of the time for a big director.
///
/// Nothing is synced: the file is in /run and dies with the boot, as the kernel's table does. What it must survive
/// is a killed process, and for that a write is enough.
///
/// `end` leaves it: the run removes it by [`discard`] when its state is saved, which is later.
pub struct FileJournal {
    path: PathBuf,
    header: Header,
    keep: Keep,
    begun: bool,
}

/// What is written of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Steps,
    Claims,
}

/// A line after the header.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Undone(usize),
    Claims(Claims),
    Steps(Vec<Written>),
}

/// A change, or so many that are gone when an earlier one is taken back.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<A = Action> {
    Follow(usize),
    Whole(A),
}

impl Written {
    fn of(plan: &Plan) -> Vec<Written<&Action>> {
        let (mut written, mut added) = (Vec::new(), BTreeSet::new());
        for action in &plan.actions {
            match &action.step {
                Step::AddService { key, .. } => _ = added.insert(*key),
                Step::DelService { key, .. } => _ = added.remove(key),
                Step::AddServer { service, .. }
                | Step::SetServer { service, .. }
                | Step::DelServer { service, .. }
                    if added.contains(service) =>
                {
                    match written.last_mut() {
                        Some(Written::Follow(count)) => *count += 1,
                        _ => written.push(Written::Follow(1)),
                    }
                    continue;
                }
                _ => {}
            }
            written.push(Written::Whole(action));
        }
        written
    }

    /// One for each change; `None` for one that follows.
    fn each(self) -> impl Iterator<Item = Option<Action>> {
        let (count, action) = match self {
            Written::Follow(count) => (count, None),
            Written::Whole(action) => (1, Some(action)),
        };
        std::iter::repeat_n(action, count)
    }
}

/// A policy's plan: how long it is, and what is the policy's as soon as it is begun.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Claims {
    changes: usize,
    owned: Owned,
}

impl Claims {
    fn of(plan: &Plan) -> Claims {
        let mut owned = Owned::default();
        owned.absorb(plan.steps());
        Claims { changes: plan.len(), owned }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub format_version: String,
    pub boot_id: String,
    pub pid: u32,
    pub command: String,
}

/// What a run that did not end left behind.
#[derive(Debug)]
pub struct Leftover {
    pub header: Header,
    /// What a script did or was going to do, in order, without what follows from it.
    pub actions: Vec<Action>,
    /// What a policy may have made.
    pub owned: Owned,
    changes: usize,
}

impl FileJournal {
    pub fn new(path: PathBuf, boot_id: &str, command: &str, keep: Keep) -> FileJournal {
        let header = Header {
            format_version: "1.0".to_string(),
            boot_id: boot_id.to_string(),
            pid: std::process::id(),
            command: command.to_string(),
        };
        FileJournal { path, header, keep, begun: false }
    }

    fn write(&mut self, plan: &Plan) -> std::io::Result<()> {
        let mut text = Vec::new();
        if !self.begun {
            if let Some(folder) = self.path.parent() {
                super::store::make_folder(folder)?;
            }
            serde_json::to_writer(&mut text, &self.header)?;
            text.push(b'\n');
        }
        match self.keep {
            Keep::Steps => serde_json::to_writer(&mut text, &Written::of(plan))?,
            Keep::Claims => serde_json::to_writer(&mut text, &Claims::of(plan))?,
        }
        text.push(b'\n');
        let mut options = OpenOptions::new();
        options.create(true).mode(0o600);
        if self.begun {
            options.append(true)
        } else {
            options.write(true).truncate(true)
        };
        options.open(&self.path)?.write_all(&text)?;
        self.begun = true;
        Ok(())
    }
}

impl Journal for FileJournal {
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        self.write(plan).map_err(|error| {
            let error = Error::io("write journal", &self.path, &error);
            error.note("nothing is sent to the kernel without it").hint("run as root, or give --state-dir")
        })
    }

    fn undone(&mut self, count: usize) -> Result<()> {
        let append = || {
            let mut file = OpenOptions::new().append(true).open(&self.path)?;
            file.write_all(format!("{count}\n").as_bytes())
        };
        append().map_err(|error| Error::io("write journal", &self.path, &error))
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Removes a journal whose run is over.
pub fn discard(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove journal", path, &error))
        }
        _ => Ok(()),
    }
}

/// Puts a journal aside that nobody can read, and says so. A journal is written in one piece before anything is
/// sent, so this is no kill but a disk or a hand.
pub fn put_aside(path: &Path) -> Result<Option<String>> {
    let Ok(bytes) = fs::read(path) else { return Ok(None) };
    let readable = |(number, line): (usize, &[u8])| match number {
        0 => serde_json::from_slice::<Header>(line).is_ok(),
        _ => serde_json::from_slice::<Line>(line).is_ok(),
    };
    // The last line may be half written: of a plan that was not begun.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.as_slice(), |end| &bytes[..end]);
    if bytes.is_empty() || whole.split(|byte| *byte == b'\n').enumerate().all(readable) {
        return Ok(None);
    }
    let aside = path.with_extension(format!("journal-bad-{}", Clock::default().since_boot().as_secs()));
    fs::rename(path, &aside).map_err(|error| Error::io("rename", path, &error))?;
    let (path, aside) = (path.display(), aside.display());
    Ok(Some(format!(
        "{path} is unreadable; kept as {aside}. An earlier run may have been killed: compare lvsh plan with what you expect"
    )))
}

/// What is left of a run of this boot. A line that was not written whole was of a plan that was not begun.
pub fn leftover(path: &Path, boot_id: &str) -> Option<Leftover> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next()?).ok()?;
    if header.boot_id != boot_id {
        return None;
    }
    let (mut actions, mut claims): (Vec<Option<Action>>, Claims) = Default::default();
    for line in lines.map_while(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Steps(steps) => actions.extend(steps.into_iter().flat_map(Written::each)),
            // A policy has one plan, which is taken back as a whole.
            Line::Claims(plan) => claims = plan,
            Line::Undone(count) => {
                actions.truncate(actions.len().saturating_sub(count));
                claims = Claims::default();
            }
        }
    }
    let changes = actions.len() + claims.changes;
    let actions: Vec<Action> = actions.into_iter().flatten().collect();
    let mut owned = claims.owned;
    owned.absorb(actions.iter().map(|action| &action.step));
    (changes > 0).then_some(Leftover { header, actions, owned, changes })
}

impl Leftover {
    /// For the user: what was found.
    pub fn words(&self, what: &str) -> String {
        let Header { command, pid, .. } = &self.header;
        let count = self.changes;
        let plural = if count == 1 { "" } else { "s" };
        format!(
            "an earlier run of {what} (pid {pid}, {command}) was killed after its plan of {count} change{plural} was written"
        )
    }
}
