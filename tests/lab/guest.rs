//! PID 1 of the guest: mounts, modules, one network card for the host's commands, then the agent; afterwards it only
//! collects ended processes.

use crate::{Context, Result, output, paths, qemu};
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sys::wait::{WaitStatus, wait},
};
use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

pub fn init() -> ! {
    let why = match start() {
        Ok(agent) => reap(agent),
        Err(why) => why,
    };
    eprintln!("lab: init: {why}");
    // Not a panic: this way QEMU ends at once, and the console log says why.
    // SAFETY: takes an integer; ends the machine.
    unsafe { libc::reboot(libc::RB_AUTOBOOT) };
    std::process::exit(1)
}

fn start() -> Result<u32> {
    let none = MsFlags::empty();
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for (kind, at, flags, options) in [
        ("proc", "/proc", quiet, ""),
        ("sysfs", "/sys", quiet, ""),
        ("devtmpfs", "/dev", none, ""),
        ("devpts", "/dev/pts", none, "ptmxmode=666"),
        ("tmpfs", "/dev/shm", quiet, ""),
        ("tmpfs", "/tmp", quiet, ""),
        // Every command of the host gets a group of its own, so that all it left behind can be killed.
        ("cgroup2", "/cgroup", quiet, ""),
    ] {
        fs::create_dir_all(at).context(at)?;
        mount(Some(kind), at, Some(kind), flags, Some(options)).context(at)?;
    }
    for (file, text) in [
        ("/proc/sys/kernel/hostname", "lab"),
        ("/proc/sys/kernel/printk", "3"),
        // Every test process makes several.
        ("/proc/sys/user/max_net_namespaces", "10000"),
        // Otherwise loading a tunnel module in one test gives a device to every namespace of all the others.
        ("/proc/sys/net/core/fb_tunnels_only_for_init_net", "2"),
        // Every deleted service, server and namespace waits for all processors: milliseconds instead of tens.
        ("/sys/kernel/rcu_expedited", "1"),
    ] {
        fs::write(file, text).context(file)?;
    }
    for (link, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, link).context(link)?;
    }
    // SAFETY: PID 1 has no other thread yet.
    unsafe { std::env::set_var("PATH", PATH) };
    output(Command::new("modprobe").args(["-a", "virtio_pci", "virtio_net", "9p", "9pnet_virtio"]))?;
    share(qemu::REPO_TAG, Path::new(paths::REPO), MsFlags::MS_RDONLY)?;
    share(qemu::SHARE_TAG, &paths::share(), none)?;
    network()?;
    // On kernels before 6.x nothing loads it on use; its schedulers load themselves.
    output(Command::new("modprobe").args(["-a", "ip_vs", "nf_tables"]))?;
    let agent = Command::new("/init").arg("agent").spawn().context("agent")?;
    Ok(agent.id())
}

/// A folder of the host, at the path that it has there.
fn share(tag: &str, at: &Path, flags: MsFlags) -> Result<()> {
    // Inside the read-only checkout it exists already.
    if !at.exists() {
        fs::create_dir_all(at).context(at.display())?;
    }
    let options = "trans=virtio,version=9p2000.L,msize=512000";
    mount(Some(tag), at, Some("9p"), flags, Some(options)).context(at.display())
}

/// The card that QEMU forwards a port to. Tests use namespaces of their own and never see it.
fn network() -> Result<()> {
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().context("ip")?;
    let mut input = ip.stdin.take().ok_or("ip has no input")?;
    input.write_all(b"link set lo up\nlink set eth0 up\naddr add 10.0.2.15/24 dev eth0\n").context("ip")?;
    drop(input);
    let status = ip.wait().context("ip")?;
    if status.success() { Ok(()) } else { Err(format!("ip: {status}")) }
}

/// Until the agent ends, which it does not.
fn reap(agent: u32) -> String {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() as u32 == agent => {
                return format!("the agent ended with {code}");
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() as u32 == agent => {
                return format!("the agent ended by {signal}");
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return format!("wait: {e}"),
        }
    }
}
