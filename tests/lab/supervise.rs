//! Stands between the shell that booted the lab and QEMU, so that QEMU never outlives its use: it ends with this
//! process, with the owner, and after a bounded life. A guest that dies or hangs is begun anew, and the log says so.

use crate::{Context, Result, paths, pulse, pulse::Pulse, qemu, state, state::State};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// One that dies again and again has a fault that is to be seen.
const RESTARTS: u32 = 3;

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
    // SAFETY: the handler only stores to an atomic.
    unsafe { signal(Signal::SIGTERM, SigHandler::Handler(stop)) }.context("SIGTERM")?;
    let start = Instant::now();
    let boot = || launch(Path::new(vmlinuz), Path::new(initramfs), port);
    let mut child = boot()?;
    let state = State {
        pid: std::process::id(),
        port,
        kernel: (*kernel).to_owned(),
        version: (*version).to_owned(),
        image: (*image).to_owned(),
        owner,
    };
    state.write()?;
    let pulse = Pulse::watch(port);
    let mut restarts = 0;
    loop {
        if let Some(why) = fate(&mut child, &pulse, port)? {
            if !pulse.felt() || restarts == RESTARTS {
                state::forget();
                return Err(why);
            }
            restarts += 1;
            let console = paths::run().join(format!("console-{restarts}.log"));
            fs::rename(paths::run().join("console.log"), &console).context(console.display())?;
            eprintln!(
                "{why}, {} s after the lab was booted; begun anew, for the {restarts}. time. Its console is {}",
                start.elapsed().as_secs(),
                console.display()
            );
            child = boot()?;
            pulse.set(Instant::now());
        }
        let orphaned = owner.is_some() && owner.and_then(start_time) != born;
        if orphaned || start.elapsed() > life || STOP.load(Ordering::Relaxed) {
            end(&mut child)?;
            state::forget();
            if start.elapsed() > life {
                return Err(format!("ended after {} s, which is its life", life.as_secs()));
            }
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn launch(vmlinuz: &Path, initramfs: &Path, port: u16) -> Result<Child> {
    let log = File::options().append(true).create(true).open(paths::run().join("qemu.log"));
    let log = log.context("qemu.log")?;
    let mut command = qemu::command(vmlinuz, initramfs, port)?;
    command.stdin(Stdio::null()).stdout(log.try_clone().context("qemu.log")?).stderr(log);
    // SAFETY: prctl is async-signal-safe and takes integers.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    command.spawn().context("qemu-system-x86_64")
}

/// What became of a guest that is no more.
fn fate(child: &mut Child, pulse: &Pulse, port: u16) -> Result<Option<String>> {
    if let Some(status) = child.try_wait().context("qemu")? {
        return Ok(Some(format!("QEMU ended: {status}")));
    }
    if !pulse.lost() {
        return Ok(None);
    }
    pulse::last_words(port);
    end(child)?;
    Ok(Some("the guest hung".to_owned()))
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().ok();
    child.wait().context("qemu").map(drop)
}

/// When a process started: with its number, this names it for good.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name comes second, in parentheses, and may hold anything.
    let after = stat.rsplit_once(')')?.1;
    after.split_whitespace().nth(19).map(str::to_owned)
}
