//! Stands between the shell that booted the lab and QEMU, so that QEMU never outlives its use: it ends with this
//! process, with the owner, and after a bounded life.

use crate::{Context, Result, paths, qemu, state, state::State};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

pub fn supervise(args: &[&str]) -> Result<ExitCode> {
    let [kernel, version, vmlinuz, initramfs, image, owner, life] = args else {
        return Err("supervise is started by boot only".to_owned());
    };
    let owner: Option<u32> = owner.parse().ok();
    let born = owner.and_then(start_time);
    let life = Duration::from_secs(life.parse().context("life")?);
    let port = qemu::free_port()?;
    let log = File::create(paths::run().join("qemu.log")).context("qemu.log")?;
    let mut command = qemu::command(Path::new(vmlinuz), Path::new(initramfs), port)?;
    command.stdin(std::process::Stdio::null()).stdout(log.try_clone().context("qemu.log")?).stderr(log);
    // SAFETY: prctl is async-signal-safe and takes integers.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    // SAFETY: the handler only stores to an atomic.
    unsafe { signal(Signal::SIGTERM, SigHandler::Handler(stop)) }.context("SIGTERM")?;
    let start = Instant::now();
    let mut child = command.spawn().context("qemu-system-x86_64")?;
    let state = State {
        pid: std::process::id(),
        port,
        kernel: (*kernel).to_owned(),
        version: (*version).to_owned(),
        image: (*image).to_owned(),
        owner,
    };
    state.write()?;
    loop {
        if let Some(status) = child.try_wait().context("qemu")? {
            state::forget();
            return Err(format!("QEMU ended: {status}"));
        }
        let orphaned = owner.is_some() && owner.and_then(start_time) != born;
        if orphaned || start.elapsed() > life || STOP.load(Ordering::Relaxed) {
            child.kill().ok();
            child.wait().context("qemu")?;
            state::forget();
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// When a process started: with its number, this names it for good.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name comes second, in parentheses, and may hold anything.
    let after = stat.rsplit_once(')')?.1;
    after.split_whitespace().nth(19).map(str::to_owned)
}
