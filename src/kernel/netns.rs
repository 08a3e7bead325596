//! Network namespaces: entering one by its name, and knowing in which one we are.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Kind, Result, did_you_mean};

/// Where `ip netns add` puts names (ip-netns(8)).
const NAMED: &str = "/run/netns";

/// Moves the calling thread into a namespace: a name under `/run/netns`, or a path such as `/proc/1234/ns/net`.
///
/// Only this thread and those it starts later move; sockets that are open stay where they are. So it must come
/// before everything else. `/proc/sys/net` follows the thread; `/sys` is left as it is, because mounting it anew
/// (as `ip netns exec` does for the programs it starts) would split the mount namespace and nothing here reads it.
pub fn enter_netns(name: &str) -> Result<()> {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => Path::new(NAMED).join(name),
    };
    if name.is_empty() || name == "." || name == ".." {
        return Err(unknown(name));
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unknown(name)),
        Err(error) => return Err(Error::io("open", &path, &error)),
    };
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| {
        let errno = errno as i32;
        let kind = if errno == libc::EPERM { Kind::Unable } else { Kind::Usage };
        let error = Error::system(kind, "enter network namespace", format!("'{name}'"), errno);
        match errno {
            libc::EPERM => error.hint("run as root: entering a namespace needs CAP_SYS_ADMIN"),
            libc::EINVAL => error.hint(format!("{} is not a network namespace", path.display())),
            _ => error,
        }
    })
}

fn unknown(name: &str) -> Error {
    let known = names();
    let error = Error::new(Kind::Usage, "unknown_name", format!("there is no network namespace '{name}'"));
    let error = error.about(name);
    if name.contains('/') {
        return error.hint("a path must lead to a file such as /proc/PID/ns/net");
    }
    if known.is_empty() {
        return error.hint(format!("none has a name; ip netns add {name} makes one"));
    }
    let error = error.note(format!("known: {}", known.join(", ")));
    match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error.hint("ip netns list shows those that have a name"),
    }
}

/// Names of all named namespaces, sorted.
fn names() -> Vec<String> {
    let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Which namespace the calling thread is in: `None` when it is that of process 1, else its name under
/// `/run/netns`, else its inode number.
pub fn netns_id() -> Option<String> {
    // /proc/self is the process' first thread; this one may have gone elsewhere. Each namespace has its own
    // files under net/, and unlike /proc/1/ns/net they may be looked at by everybody.
    let here = identity(Path::new("/proc/thread-self/net/dev"))?;
    if identity(Path::new("/proc/1/net/dev")) == Some(here) {
        return None;
    }
    let here = identity(Path::new("/proc/thread-self/ns/net"))?;
    let named = names().into_iter().find(|name| identity(&Path::new(NAMED).join(name)) == Some(here));
    Some(named.unwrap_or_else(|| here.1.to_string()))
}

/// Two files with the same device and inode are the same file (stat(2)), or the same namespace (namespaces(7)).
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}
