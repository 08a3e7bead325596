//! The verbs for people and scripts: boot, stop, status.

use crate::{Context, Result, exec, initramfs, kernel, paths, qemu, state, state::State};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, setsid},
};
use std::{
    fs::{self, File},
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

pub fn boot(args: &[&str]) -> Result<ExitCode> {
    let start = Instant::now();
    let (mut name, mut owner, mut life) = ("default", "", None);
    for pair in args.chunks(2) {
        match pair {
            ["--kernel", value] => name = value,
            ["--owner", value] => owner = value,
            ["--life", value] => life = Some(*value),
            other => return Err(format!("boot does not understand {}", other.join(" "))),
        }
    }
    // With an owner this is for the case that it hangs.
    let life = life.unwrap_or(if owner.is_empty() { "3600" } else { "14400" });
    fs::create_dir_all(paths::run()).context("run")?;
    let me = std::env::current_exe().context("my own path")?;
    shortcut(&me)?;
    let kernel = kernel::get(name)?;
    let (initramfs, image) = initramfs::get(&kernel)?;
    if let Some(running) = State::read()? {
        if running.version == kernel.version && running.image == image {
            eprintln!("lab: joining the one that runs, kernel {}", running.version);
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("lab: ending one with another kernel or other tools");
        end(&running)?;
    }
    let prepared = start.elapsed();
    for old in ["console.log", "qemu.log"] {
        fs::remove_file(paths::run().join(old)).ok();
    }
    let log = File::create(paths::log()).context("supervise.log")?;
    let mut command = Command::new(me);
    command
        .args(["supervise", name, &kernel.version])
        .args([&kernel.image, &initramfs])
        .args([&image, owner, life])
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("supervise.log")?)
        .stderr(log);
    // SAFETY: setsid is async-signal-safe. It keeps the terminal's Ctrl-C away; the owner's end is noticed otherwise.
    unsafe {
        command.pre_exec(|| setsid().map(drop).map_err(Into::into));
    }
    let mut supervisor = command.spawn().context("supervisor")?;
    let lab = wait_ready(&mut supervisor)?;
    eprintln!(
        "lab: kernel {} is up: prepared in {:.1} s, booted in {:.1} s",
        lab.version,
        prepared.as_secs_f32(),
        (start.elapsed() - prepared).as_secs_f32()
    );
    Ok(ExitCode::SUCCESS)
}

/// `target/lab/lab`, for people: cargo's own name for this program holds a number.
fn shortcut(me: &Path) -> Result<()> {
    let link = paths::lab().join("lab");
    fs::remove_file(&link).ok();
    symlink(me, &link).context(link.display())
}

fn wait_ready(supervisor: &mut Child) -> Result<State> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        thread::sleep(Duration::from_millis(50));
        if let Some(status) = supervisor.try_wait().context("supervisor")? {
            return Err(format!("{status}: {}\n{}", paths::said(), qemu::console_tail()));
        }
        if Instant::now() > deadline {
            supervisor.kill().ok();
            return Err(format!("no sign of life\n{}", qemu::console_tail()));
        }
        let console = fs::read(paths::run().join("console.log")).unwrap_or_default();
        if !String::from_utf8_lossy(&console).contains(qemu::READY) {
            continue;
        }
        if let Some(lab) = State::read()?
            && exec::connect(lab.port, Duration::from_secs(2)).is_ok()
        {
            return Ok(lab);
        }
    }
}

pub fn stop(args: &[&str]) -> Result<ExitCode> {
    let only = match args {
        [] => None,
        ["--owner", pid] => Some(pid.parse().context("--owner")?),
        other => return Err(format!("stop does not understand {}", other.join(" "))),
    };
    match State::read()? {
        Some(lab) if only.is_none() || lab.owner == only => end(&lab)?,
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn end(lab: &State) -> Result<()> {
    let pid = i32::try_from(lab.pid).context("pid")?;
    kill(Pid::from_raw(pid), Signal::SIGTERM).context("ending the lab")?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while lab.alive() {
        if Instant::now() > deadline {
            return Err(format!("the lab's supervisor, process {pid}, does not end"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    state::forget();
    match paths::said().trim() {
        "" => {}
        what => eprintln!("lab: while it ran: {what}"),
    }
    Ok(())
}

pub fn status() -> Result<ExitCode> {
    match State::read()? {
        Some(lab) => {
            println!("kernel {} ({}), port {}, pid {}", lab.version, lab.kernel, lab.port, lab.pid);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            println!("no lab runs");
            Ok(ExitCode::FAILURE)
        }
    }
}
