//! From a policy's name to its file, and whether that file may be trusted.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::context::Context;
use crate::error::{Error, Kind, Result, did_you_mean};

/// Policies that a package brings.
const SHARED: &str = "/usr/share/lvsh/policies";

/// The file of a policy, and whether it is known only because the policy was started from it.
pub struct Found {
    pub path: PathBuf,
    pub recorded: bool,
}

/// A path if it looks like one, else a name in the folders for policies, else the file that a policy of this name was
/// started from.
pub fn find(policy: &str, context: &Context) -> Result<Found> {
    let found = |path: PathBuf| Found { path, recorded: false };
    if policy.contains('/') || policy.ends_with(".lua") {
        let path = PathBuf::from(policy);
        check(&path)?;
        return Ok(found(path));
    }
    let folders = [context.common.config_dir.as_path(), Path::new(SHARED)];
    let file = format!("{policy}.lua");
    if let Some(path) = folders.iter().map(|folder| folder.join(&file)).find(|path| path.exists()) {
        check(&path)?;
        return Ok(found(path));
    }
    let mut started = context.store.as_ref().map(|store| store.all()).unwrap_or_default();
    match started.remove(policy) {
        Some(saved) => {
            let note =
                format!("'{policy}' was started from this file; lvsh stop {policy} removes what it owns");
            check(&saved.path).map_err(|error| error.note(note))?;
            Ok(Found { path: saved.path, recorded: true })
        }
        None => Err(unknown(policy, &folders, started.into_keys().collect())),
    }
}

fn unknown(policy: &str, folders: &[&Path], started: Vec<String>) -> Error {
    let mut names = started;
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "lua") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    names.dedup();
    let message = format!("there is no policy '{policy}' in {}", folders[0].display());
    let error = Error::new(Kind::Usage, "unknown_name", message).about(policy);
    let near = did_you_mean(policy, names.iter().map(String::as_str));
    let error = match (near, names.is_empty()) {
        (Some(near), _) => error.hint(format!("did you mean '{near}'?")),
        (None, true) => {
            error.hint(format!("write it to {}/{policy}.lua, or give a path", folders[0].display()))
        }
        (None, false) => error.hint("give one of these names, or a path"),
    };
    if names.is_empty() { error } else { error.note(format!("policies: {}", names.join(", "))) }
}

/// Refuses what others could have written: these files run as root. The folder counts too, because who may write
/// there may exchange the file or put a module beside it.
pub fn check(path: &Path) -> Result<()> {
    let real = fs::canonicalize(path).map_err(|error| missing(path, &error))?;
    let data = fs::metadata(&real).map_err(|error| missing(path, &error))?;
    if !data.is_file() {
        let message = format!("{} is not a file", path.display());
        return Err(Error::new(Kind::Usage, "not_a_file", message).hint("give the policy's own path"));
    }
    trusted(&real, &data)?;
    let mut folders: Vec<PathBuf> = [path.to_path_buf(), real]
        .iter()
        .filter_map(|path| fs::canonicalize(path.parent()?.join(".")).ok().or_else(|| Some(here(path))))
        .collect();
    folders.dedup();
    for folder in folders {
        let data = fs::metadata(&folder).map_err(|error| Error::io("read", &folder, &error))?;
        trusted(&folder, &data)?;
    }
    fs::File::open(path).map_err(|error| Error::io("read", path, &error)).map(drop)
}

/// The folder of a bare file name is the one we are in.
fn here(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::io("read", path, error);
    }
    let message = format!("there is no file {}", path.display());
    let mut error = Error::new(Kind::Usage, "ENOENT", message).about(path.display().to_string());
    error.errno = Some(libc::ENOENT);
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = fs::read_dir(here(path)).into_iter().flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let lua = names.iter().map(String::as_str).filter(|name| name.ends_with(".lua") && *name != wanted);
    match did_you_mean(&wanted, lua) {
        Some(near) => error.hint(format!("did you mean {}?", path.with_file_name(near).display())),
        None => error,
    }
}

fn trusted(path: &Path, data: &Metadata) -> Result<()> {
    let me = nix::unistd::geteuid().as_raw();
    let name = path.display();
    let what = if data.is_dir() { "its folder" } else { "it" };
    if data.uid() != 0 && data.uid() != me {
        let message =
            format!("{name} belongs to user {}, not to root or to you; {what} is not trusted", data.uid());
        return Err(Error::new(Kind::Io, "not_trusted", message).hint(format!("chown root {name}")));
    }
    let others = data.mode() & 0o022;
    if others == 0 {
        return Ok(());
    }
    let who = match others {
        0o020 => "its group",
        0o002 => "everyone",
        _ => "its group and everyone",
    };
    let message =
        format!("{name} can be written by {who}: a policy runs with your rights, so {what} is not trusted");
    let hint = match data.mode() & 0o1000 {
        0 => format!("chmod go-w {name}"),
        _ => "move the policy to a folder of your own: a file put beside it could be required".to_string(),
    };
    Err(Error::new(Kind::Io, "not_trusted", message).about(path.display().to_string()).hint(hint))
}
