//! What is in the guest.

use crate::{Context, Result, image::Image, kernel::Kernel, output, paths};
use std::{
    fs,
    io::BufWriter,
    path::{Path, PathBuf},
    process::Command,
};

/// Programs that the guest has, taken from this machine with the libraries they need. To add a tool, add its name
/// here and its Debian package to `tests/run`.
const TOOLS: &[&str] = &[
    "bash",
    "busybox",
    "ip",
    "ss",
    "tc",
    "bridge",
    "nft",
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "iptables-legacy",
    "ip6tables-legacy",
    "iptables-nft",
    "ip6tables-nft",
    "ipvsadm",
    "ipvsadm-save",
    "ipvsadm-restore",
    "sysctl",
    "curl",
    "modprobe",
    "lsmod",
    "rmmod",
    "timeout",
];

/// Taken when the machine has them.
const EXTRA_TOOLS: &[&str] = &["tcpdump", "strace", "conntrack", "ping", "jq"];

/// Files and folders that those read.
const DATA: &[&str] = &[
    "/etc/protocols",
    "/etc/services",
    "/etc/ethertypes",
    "/etc/iproute2",
    "/usr/share/iproute2",
    "/usr/lib/iproute2",
    "/usr/lib/x86_64-linux-gnu/xtables",
];

const FOLDERS: &[&str] =
    &["/dev", "/etc/lvsh", "/proc", "/root", "/run/netns", "/sys", "/tmp", "/var/lib/lvsh", "/var/log"];

/// The initramfs for this kernel, and its fingerprint; made anew when something that goes into it changed.
pub fn get(kernel: &Kernel) -> Result<(PathBuf, String)> {
    let image = describe(kernel)?;
    let fingerprint = image.fingerprint()?;
    let dir = paths::lab().join("initramfs");
    fs::create_dir_all(&dir).context(dir.display())?;
    let file = dir.join(format!("{}-{fingerprint}.cpio", kernel.version));
    if !file.exists() {
        for old in fs::read_dir(&dir).context(dir.display())?.flatten() {
            let name = old.file_name();
            if name.to_string_lossy().starts_with(&kernel.version) {
                // A leftover only costs space.
                fs::remove_file(old.path()).ok();
            }
        }
        let new = dir.join(format!("new-{}", std::process::id()));
        let out = fs::File::create(&new).context(new.display())?;
        image.write(&mut BufWriter::with_capacity(1 << 20, out))?;
        fs::rename(&new, &file).context(file.display())?;
    }
    Ok((file, fingerprint))
}

fn describe(kernel: &Kernel) -> Result<Image> {
    let mut image = Image::default();
    for top in ["/bin", "/sbin", "/lib", "/lib64"] {
        match fs::read_link(top) {
            Ok(target) => {
                image.dir(Path::new("/").join(&target));
                image.link(top, target);
            }
            Err(_) => image.dir(top),
        }
    }
    for folder in FOLDERS {
        image.dir(folder);
    }
    for tool in TOOLS {
        let path = find(tool)
            .ok_or_else(|| format!("this machine has no {tool}; tests/run installs what is missing"))?;
        image.host(&path)?;
    }
    for path in EXTRA_TOOLS.iter().filter_map(|tool| find(tool)) {
        image.host(&path)?;
    }
    for path in DATA.iter().map(Path::new).filter(|p| p.exists()) {
        image.host(path)?;
    }
    // Host programs only: the modules below are no programs.
    let me = std::env::current_exe().context("my own path")?;
    let me = crate::install::stripped(&me)?;
    let mut programs = image.host_files();
    programs.push(me.clone());
    for library in libraries(&programs)? {
        image.host(&library)?;
    }
    image.file("/init", &me);
    applets(&mut image)?;
    let modules = format!("/lib/modules/{}", kernel.version);
    let from = kernel.tree.join(&modules[1..]);
    // /lib may be a link in the image.
    let real = fs::canonicalize("/lib").context("/lib")?;
    for entry in fs::read_dir(&from).context(from.display())?.flatten() {
        let name = entry.file_name();
        let to = real.join("modules").join(&kernel.version).join(&name);
        image.file(&to.to_string_lossy(), &entry.path());
    }
    image.text("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
    image.text("/etc/group", "root:x:0:\n");
    image.text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
    image.text("/etc/hostname", "lab\n");
    image.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    Ok(image)
}

/// Where a program is, also for users whose search path lacks the system's folders.
pub fn find(tool: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(tool))
        .find(|path| path.exists())
}

fn libraries(programs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let elf = programs.iter().filter(|p| {
        fs::File::open(p).is_ok_and(|mut f| {
            let mut magic = [0; 4];
            std::io::Read::read_exact(&mut f, &mut magic).is_ok() && magic == *b"\x7fELF"
        })
    });
    // ldd fails when one of them is static; its list of the others is complete all the same.
    let said = Command::new("ldd").args(elf).output().context("ldd")?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut found: Vec<PathBuf> = text
        .lines()
        .filter(|l| l.starts_with('\t'))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// What no tool of its own gives (cat, ls, nc, …) is busybox's.
fn applets(image: &mut Image) -> Result<()> {
    let busybox = find("busybox").ok_or("this machine has no busybox")?;
    let list = output(Command::new(&busybox).arg("--list"))?;
    for applet in list.lines() {
        let places = ["bin", "sbin"].map(|dir| format!("/usr/{dir}/{applet}"));
        if !places.iter().any(|p| image.contains(p)) {
            image.link(&places[0], &busybox);
        }
    }
    Ok(())
}
