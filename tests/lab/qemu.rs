//! How QEMU is started.

use crate::{Context, Result, paths};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
};

pub const AGENT_PORT: u16 = 7000;
/// The guest's console shows this when its agent listens.
pub const READY: &str = "lab: ready";
/// Tags of the shared folders: the checkout (read-only) and the lab's own.
pub const REPO_TAG: &str = "repo";
pub const SHARE_TAG: &str = "share";

const MEMORY: &str = "1536";
/// The second half is for speed: no self-tests of ciphers, no interrupt routing through ACPI's interpreter, and the
/// clock that needs no exit from the emulation (it follows the host's).
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1 net.ifnames=0 random.trust_cpu=on rdinit=/init \
     mitigations=off audit=0 apparmor=0 no_timer_check cryptomgr.notests acpi=noirq tsc=reliable clocksource=tsc";

/// Software emulation works everywhere and is the default. `/dev/kvm`, even where it exists, may hang a guest.
///
/// A kernel that is told of fast string instructions clears and copies its pages with them, and the emulation does
/// those byte by byte.
fn acceleration() -> &'static [&'static str] {
    match std::env::var("LVSH_LAB_ACCEL").as_deref() {
        Ok("kvm") => &["-accel", "kvm", "-cpu", "host"],
        _ => &["-accel", "tcg,thread=multi", "-cpu", "max,erms=off,fsrm=off"],
    }
}

pub fn command(kernel: &Path, initramfs: &Path, port: u16) -> Result<Command> {
    let console = paths::run().join("console.log");
    fs::create_dir_all(paths::share()).context("share")?;
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(acceleration())
        .args(["-smp", "2", "-m", MEMORY, "-nodefaults", "-no-reboot", "-display", "none"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", KERNEL_LINE])
        .arg("-serial")
        .arg(format!("file:{}", comma(&console)))
        .arg("-netdev")
        .arg(format!("user,id=n,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{AGENT_PORT}"))
        .args(["-device", "virtio-net-pci,netdev=n,romfile="]);
    for (tag, path, access) in
        [(REPO_TAG, Path::new(paths::REPO).to_owned(), ",readonly=on"), (SHARE_TAG, paths::share(), "")]
    {
        qemu.arg("-virtfs").arg(format!(
            "local,path={},mount_tag={tag},security_model=none,multidevs=remap{access}",
            comma(&path)
        ));
    }
    Ok(qemu)
}

/// In QEMU's options a comma is written twice.
fn comma(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    Ok(listener.local_addr().context("a free port")?.port())
}

/// The last lines of the guest's console and of QEMU itself.
pub fn console_tail() -> String {
    ["console.log", "qemu.log"]
        .map(|name| {
            let text = fs::read(paths::run().join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        })
        .join("\n")
}
