//! An initramfs being put together: newc cpio, written directly. Not compressed, because QEMU loads it from the page
//! cache and the emulated machine would spend a second on unpacking it.

use crate::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

enum Entry {
    Dir,
    /// Content of this host file.
    File(PathBuf),
    Text(String),
    Link(PathBuf),
}

/// Paths in the guest, sorted, so that a folder comes before what is in it and equal inputs give equal images.
#[derive(Default)]
pub struct Image {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Image {
    pub fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(Path::new(path))
    }

    pub fn dir(&mut self, path: impl AsRef<Path>) {
        for dir in path.as_ref().ancestors() {
            if dir != Path::new("/") && !self.entries.contains_key(dir) {
                self.entries.insert(dir.to_owned(), Entry::Dir);
            }
        }
    }

    fn put(&mut self, path: PathBuf, entry: Entry) {
        if let Some(parent) = path.parent() {
            self.dir(parent);
        }
        self.entries.insert(path, entry);
    }

    pub fn link(&mut self, path: &str, target: impl Into<PathBuf>) {
        self.put(path.into(), Entry::Link(target.into()));
    }

    pub fn text(&mut self, path: &str, text: impl Into<String>) {
        self.put(path.into(), Entry::Text(text.into()));
    }

    pub fn file(&mut self, path: &str, from: &Path) {
        self.put(path.into(), Entry::File(from.to_owned()));
    }

    /// A host file, folder or symbolic link, at its own path, with all that a link points to.
    pub fn host(&mut self, path: &Path) -> Result<()> {
        let (parent, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => (parent, name),
            _ => return Err(format!("{} has no name", path.display())),
        };
        // Links among the parents (such as /bin) are in the image already.
        let parent = fs::canonicalize(parent).context(parent.display())?;
        let path = parent.join(name);
        if self.entries.contains_key(&path) {
            return Ok(());
        }
        let meta = fs::symlink_metadata(&path).context(path.display())?;
        if meta.is_symlink() {
            let target = fs::read_link(&path).context(path.display())?;
            self.put(path, Entry::Link(target.clone()));
            self.host(&parent.join(target))
        } else if meta.is_dir() {
            self.dir(&path);
            for entry in fs::read_dir(&path).context(path.display())?.flatten() {
                self.host(&entry.path())?;
            }
            Ok(())
        } else {
            self.put(path.clone(), Entry::File(path));
            Ok(())
        }
    }

    /// Regular files taken from the host that may be programs or libraries.
    pub fn host_files(&self) -> Vec<PathBuf> {
        let files = self.entries.values().filter_map(|e| match e {
            Entry::File(path) => Some(path.clone()),
            _ => None,
        });
        files.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Equal for equal inputs; files count by path, size and time.
    pub fn fingerprint(&self) -> Result<String> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hash = DefaultHasher::new();
        for (path, entry) in &self.entries {
            path.hash(&mut hash);
            match entry {
                Entry::Dir => {}
                Entry::Text(text) => text.hash(&mut hash),
                Entry::Link(target) => target.hash(&mut hash),
                // Cargo links this program anew when anything in the package changed, mostly to the same bytes.
                Entry::File(from) if path == Path::new("/init") => {
                    fs::read(from).context(from.display())?.hash(&mut hash);
                }
                Entry::File(from) => {
                    let meta = fs::metadata(from).context(from.display())?;
                    (from, meta.len(), meta.mtime(), meta.mtime_nsec()).hash(&mut hash);
                }
            }
        }
        Ok(format!("{:016x}", hash.finish()))
    }

    pub fn write(&self, to: &mut impl Write) -> Result<()> {
        for (number, (path, entry)) in self.entries.iter().enumerate() {
            let (mode, content) = match entry {
                Entry::Dir => (0o040_755, Vec::new()),
                Entry::Link(target) => (0o120_777, target.as_os_str().as_encoded_bytes().to_vec()),
                Entry::Text(text) => (0o100_644, text.clone().into_bytes()),
                Entry::File(from) => {
                    let meta = fs::metadata(from).context(from.display())?;
                    let executable = meta.permissions().mode() & 0o111;
                    let content = fs::read(from).context(from.display())?;
                    (0o100_644 | executable, content)
                }
            };
            let name = path.strip_prefix("/").unwrap_or(path);
            record(to, number + 1, mode, name.as_os_str().as_encoded_bytes(), &content)?;
        }
        record(to, 0, 0, b"TRAILER!!!", &[])
    }
}

fn record(to: &mut impl Write, number: usize, mode: u32, name: &[u8], content: &[u8]) -> Result<()> {
    let mut head = String::from("070701");
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    let (size, name_size) = (content.len(), name.len() + 1);
    for field in [number, mode as usize, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
        head.push_str(&format!("{field:08x}"));
    }
    let padding = |length: usize| &[0u8; 3][..length.wrapping_neg() & 3];
    let parts = [head.as_bytes(), name, b"\0", padding(head.len() + name_size), content, padding(size)];
    for part in parts {
        to.write_all(part).context("writing the initramfs")?;
    }
    Ok(())
}
