//! Brings executables into the guest. Running one from the shared folder costs half a second per start, so the guest
//! keeps copies in memory and mounts them over the paths that the programs have on the host. Debug information is
//! left behind; symbols stay, for backtraces.

use crate::{Context, Result, initramfs, output, paths, wire::Binary};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// On the host: a stripped copy whose name changes when the program does.
pub fn stripped(program: &Path) -> Result<PathBuf> {
    let meta = fs::metadata(program).context(program.display())?;
    let dir = paths::share().join("bin");
    fs::create_dir_all(&dir).context(dir.display())?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let copy = dir.join(format!("{name}.{}.{}.{}", meta.len(), meta.mtime(), meta.mtime_nsec()));
    if copy.exists() {
        return Ok(copy);
    }
    remove_old(&dir, &name);
    // By rename, because several runners start at once.
    let new = dir.join(format!("new.{name}.{}", std::process::id()));
    match initramfs::find("strip") {
        Some(strip) => {
            output(Command::new(strip).arg("--strip-debug").arg("-o").arg(&new).arg(program))?;
        }
        None => {
            fs::copy(program, &new).context(program.display())?;
        }
    }
    fs::rename(&new, &copy).context(copy.display())?;
    Ok(copy)
}

/// Removes copies of earlier builds. A running lab read them long ago.
fn remove_old(dir: &Path, name: &str) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        let same = entry.file_name().to_string_lossy().starts_with(&format!("{name}."));
        if same && age.is_some_and(|age| age > Duration::from_secs(600)) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// In the guest: what is mounted where, path to copy.
static INSTALLED: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);

/// In the guest: puts a program at its path.
pub fn install(binary: &Binary) -> Result<()> {
    // One at a time; the state is right after every step, so a panic elsewhere does not matter.
    let mut guard = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let installed = guard.get_or_insert_default();
    let path = Path::new(&binary.path);
    let local = Path::new("/bin-cache").join(Path::new(&binary.copy).file_name().unwrap_or_default());
    let known = installed.get(&binary.path) == Some(&binary.copy);
    if known && same_file(path, &local) {
        return Ok(());
    }
    if !local.exists() {
        fs::create_dir_all("/bin-cache").context("/bin-cache")?;
        fs::copy(&binary.copy, &local).context(&binary.copy)?;
    }
    if let Some(old) = installed.remove(&binary.path) {
        // Gone by itself when the host replaced the file below it.
        umount2(path, MntFlags::MNT_DETACH).ok();
        if old != binary.copy {
            let name = Path::new(&old).file_name().unwrap_or_default();
            fs::remove_file(Path::new("/bin-cache").join(name)).ok();
        }
    }
    if !path.exists() {
        // A target folder outside the checkout.
        let parent = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).context(parent.display())?;
        fs::write(path, "").context(path.display())?;
    }
    mount(Some(&local), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).context(path.display())?;
    installed.insert(binary.path.clone(), binary.copy.clone());
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
