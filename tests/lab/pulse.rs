//! Whether the guest still does its work: asked again and again, because one whose kernel waits for itself neither ends
//! nor answers, and every test in it would wait for its own limit.

use crate::{
    Context, Result, exec, paths,
    wire::{self, Kind, Request},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Takes the locks that every test needs: that of namespaces, of their devices, and of IPVS.
const BEAT: [&str; 5] = ["busybox", "unshare", "-n", "ipvsadm", "-Ln"];
const EVERY: Duration = Duration::from_secs(15);
/// A busy machine takes its time; ten beats late is no longer busy.
const LOST: Duration = Duration::from_secs(150);

#[derive(Clone, Default)]
pub struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    /// Of the guest behind this port, from now on.
    pub fn watch(port: u16) -> Self {
        let pulse = Self::default();
        let felt = pulse.clone();
        // Never ends: it goes with the supervisor.
        thread::spawn(move || {
            loop {
                if ask(port, &BEAT, LOST).is_ok() {
                    felt.set(Instant::now());
                    thread::sleep(EVERY);
                } else {
                    thread::sleep(Duration::from_secs(1));
                }
            }
        });
        pulse
    }

    /// A guest that is begun anew has as long as one that was heard.
    pub fn set(&self, when: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(when);
    }

    /// Whether it was ever felt.
    pub fn felt(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub fn lost(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|last| last.elapsed() > LOST)
    }
}

/// Makes the guest's kernel write to its console which tasks wait, and what the processors do. It may be beyond that.
pub fn last_words(port: u16) {
    let words = ["sh", "-c", "echo w > /proc/sysrq-trigger; echo l > /proc/sysrq-trigger"];
    ask(port, &words, Duration::from_secs(10)).ok();
}

/// Runs a command in the guest, without input or output, each of its answers within `patience`.
fn ask(port: u16, command: &[&str], patience: Duration) -> Result<()> {
    let mut stream = exec::connect(port, patience).context("connect")?;
    stream.set_read_timeout(Some(patience)).context("patience")?;
    let request = Request {
        cwd: paths::REPO.to_owned(),
        argv: command.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        binaries: Vec::new(),
    };
    wire::send(&mut stream, Kind::Run, &request.encode()).context("lab")?;
    loop {
        match wire::receive(&mut stream).context("lab")? {
            (Kind::Exit, bytes) if bytes.iter().all(|byte| *byte == 0) => return Ok(()),
            (Kind::Stdout | Kind::Stderr, _) => {}
            (kind, bytes) => return Err(format!("{kind:?} {}", String::from_utf8_lossy(&bytes))),
        }
    }
}
