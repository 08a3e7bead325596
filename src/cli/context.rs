//! What every verb needs to know of this run.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use signal_hook::SigId;

use super::args::{Color, Common, LockMode, Machine as Which};
use super::care::Hand;
use super::clock;
use super::lock::Lock;
use super::log::{Entry, Log, Priority};
use super::machine::{Machine, Notes};
use super::store::Store;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::kernel::netns;
use crate::plan::{Action, Warning};
use crate::script::{
    Cancel, Clock, Deciding, Engine, Level, Limits, Logged, Outside, Simulate, print_aside, set_log_level,
};
use crate::view::{Style, error_text, warning_text};

/// Bytes a script may use.
const MEMORY_LIMIT: usize = 64 << 20;

/// Options made usable, and what was said on the way.
pub struct Context {
    pub common: Common,
    /// `lvsh start web`, for journals and locks.
    pub command: String,
    pub machine: Machine,
    /// `None` for a machine in memory that nothing outlives.
    pub store: Option<Store>,
    pub cancel: Cancel,
    pub outside: Outside,
    start: Instant,
    warnings: RefCell<Vec<Warning>>,
    notes: Notes,
    pub log: Log,
    /// What makes a second Ctrl-C end the program.
    second_interrupt: Option<SigId>,
    /// What makes SIGHUP end it.
    hangup: Vec<SigId>,
}

impl Context {
    /// Enters the network namespace first: what is opened before stays outside.
    pub fn new(common: Common, command: String, start: Instant) -> Result<Context> {
        if let Some(name) = &common.netns {
            netns::enter_netns(name)?;
        }
        let log = Log::new(common.log);
        set_log_level(match (common.quiet, common.verbose) {
            // Quiet is for who reads stderr.
            (true, _) if !log.elsewhere() => Level::Warn,
            (true, _) => Level::Info,
            (false, true) => Level::Debug,
            (false, false) => Level::Info,
        });
        if common.json {
            print_aside();
        }
        let machine = match (common.backend, &common.memory) {
            _ if common.against.is_some() => Machine::Dump(common.against.clone().unwrap_or_default()),
            (_, Some(file)) => Machine::Memory(Some(file.clone())),
            (Which::Memory, None) => Machine::Memory(None),
            (Which::Kernel, None) => Machine::Kernel,
        };
        let store = store(&common, &machine);
        let cancel = Cancel::new(common.timeout.and_then(|time| start.checked_add(time)));
        let (second_interrupt, hangup) = catch_signals(&cancel);
        let (heard, outside) = (log.clone(), Outside::default());
        let logged =
            Logged(Arc::new(move |level: Level, text: &str| heard.tell(&Entry::new(level.into(), text))));
        let outside = Outside { logged: log.elsewhere().then_some(logged), ..outside };
        Ok(Context {
            common,
            command,
            machine,
            store,
            cancel,
            outside,
            start,
            warnings: RefCell::default(),
            notes: Notes::default(),
            log,
            second_interrupt,
            hangup,
        })
    }

    /// A run within this program, on a machine of a test. It says nothing itself: what it has to say is in its document.
    pub fn inside(
        common: Common,
        command: String,
        (machine, store): (Machine, Store),
        cancel: Cancel,
        outside: Outside,
    ) -> Context {
        let common = Common { json: true, exit_code: true, ..common };
        Context {
            common,
            command,
            machine,
            store: Some(store),
            cancel,
            outside,
            start: Instant::now(),
            warnings: RefCell::default(),
            notes: Notes::default(),
            log: Log::default(),
            second_interrupt: None,
            hangup: Vec::new(),
        }
    }

    /// Whether the process goes on when this run is over.
    pub fn is_inside(&self) -> bool {
        matches!(self.machine, Machine::Shared(_))
    }

    /// From here on Ctrl-C ends what runs and never the program: who is impatient at a prompt presses it twice.
    pub fn outlive_interrupts(&self) {
        self.second_interrupt.map(signal_hook::low_level::unregister);
    }

    /// From here on SIGHUP ends nothing: the flag that is given tells that one came.
    pub fn hangup_is_no_end(&self) -> Arc<AtomicBool> {
        let came = Arc::new(AtomicBool::new(false));
        // Before the others go: without any, the signal would end the program.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&came));
        for id in &self.hangup {
            signal_hook::low_level::unregister(*id);
        }
        came
    }

    /// The machine; `read_only` even where the command line does not say it.
    pub fn backend(&self, read_only: bool) -> Result<Box<dyn Backend>> {
        self.machine.open(read_only, &self.notes)
    }

    /// Says what the kernel had to say beside its answers.
    pub fn say_notes(&self) {
        let notes = self.notes.lock().map(|mut notes| std::mem::take(&mut *notes)).unwrap_or_default();
        for note in notes {
            self.warn("", note);
        }
    }

    pub fn engine(&self) -> Result<Engine> {
        self.engine_with(&self.cancel)
    }

    /// A VM that is ended by another stop, as that of a prompt whose VM was given up.
    pub fn engine_with(&self, cancel: &Cancel) -> Result<Engine> {
        self.make_engine(cancel, None, None)
    }

    /// A VM in which tests can be declared.
    pub fn engine_for_tests(&self, simulate: Simulate) -> Result<Engine> {
        self.make_engine(&self.cancel, Some(simulate), None)
    }

    /// A VM of a script, which may say what an operator says.
    pub fn engine_for_script(&self, cancel: &Cancel, hand: Option<&Arc<Hand>>) -> Result<Engine> {
        self.make_engine(cancel, None, hand.map(Hand::deciding))
    }

    fn make_engine(
        &self,
        cancel: &Cancel,
        simulate: Option<Simulate>,
        deciding: Option<Deciding>,
    ) -> Result<Engine> {
        let lib_dirs = vec![self.common.config_dir.join("lib")];
        let stdlib = self.common.stdlib.into();
        let recall = super::care::recall(self.store.as_ref());
        let dry = self.dry() || matches!(self.machine, Machine::Dump(_));
        let outside = Outside { dry, ..self.outside.clone() };
        let trust = super::find::check;
        let limits =
            Limits { memory: MEMORY_LIMIT, stdlib, lib_dirs, trust, recall, outside, deciding, simulate };
        Engine::new(limits, cancel.clone())
    }

    /// How long this run has taken so far.
    pub fn elapsed_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Whether nothing is to be sent.
    pub fn dry(&self) -> bool {
        self.common.dry_run || self.common.read_only
    }

    /// Colours for stdout.
    pub fn style(&self) -> Style {
        style(self.common.color, std::io::stdout().is_terminal())
    }

    /// Whether stdout is coloured.
    pub fn colored(&self) -> bool {
        self.style() == Style::new(true)
    }

    /// Colours for stderr.
    pub fn error_style(&self) -> Style {
        style(self.common.color, std::io::stderr().is_terminal())
    }

    /// Something is not as it should be; said even with `--quiet`.
    pub fn warn(&self, subject: &str, message: impl Into<String>) {
        let warning = Warning { subject: subject.to_string(), message: message.into() };
        self.say_warning(&warning);
        self.warnings.borrow_mut().push(warning);
    }

    fn say_warning(&self, warning: &Warning) {
        let Warning { subject, message } = warning;
        let colon = if subject.is_empty() { "" } else { ": " };
        let entry = Entry::new(Priority::Warning, format!("{subject}{colon}{message}"));
        if !self.log.tell(&entry.with("POLICY", subject)) && !self.common.json {
            eprint!("{}", warning_text(None, subject, message, self.error_style()));
        }
    }

    /// An error that does not end the run.
    pub fn trouble(&self, error: &Error, what_now: &str) {
        let entry = Entry::new(Priority::Error, format!("{error}; {what_now}"));
        if !self.log.tell(&entry) {
            eprint!("{}", error_text(error, what_now, self.error_style()));
        }
    }

    /// Changes that were made and verified, for the log; where that is stderr, the verb prints them itself.
    pub fn changed<'a>(&self, policy: &str, actions: impl IntoIterator<Item = &'a Action>) {
        if !self.log.elsewhere() {
            return;
        }
        for action in actions {
            let entry = Entry::of(policy, action).with("COMMAND", self.command.as_str());
            if !self.log.tell(&entry) {
                eprintln!("{}", entry.message);
            }
        }
    }

    /// A trap that lint knows; `--quiet` has read it before.
    pub fn advise(&self, warning: Warning) {
        if !self.common.quiet {
            self.say_warning(&warning);
        }
        self.warnings.borrow_mut().push(warning);
    }

    /// For `-v`.
    pub fn note(&self, message: &str) {
        if self.common.verbose && !self.common.json {
            eprintln!("lvsh: {message}");
        }
    }

    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings.borrow().clone()
    }

    /// An error if the time is over or someone pressed Ctrl-C. Called between changes, never during one.
    pub fn check_cancel(&self) -> Result<()> {
        match self.cancel.reason() {
            Some(kind) => Err(stopped(kind)),
            None => Ok(()),
        }
    }

    /// Takes the lock of a policy or script; `Ok(None)` without a store.
    ///
    /// # Errors
    /// [`Skipped`] is told by `Ok(Err(Skipped))`: another run has it and `--lock skip` says to leave.
    pub fn lock(&self, store: &Store, name: &str) -> Result<Result<Lock, Skipped>> {
        store.prepare()?;
        let path = store.lock_file(name);
        let lock =
            Lock::take(&path, name, self.common.lock.unwrap_or(LockMode::Wait), &self.command, &self.cancel)?;
        Ok(lock.ok_or(Skipped))
    }

    /// Columns of the terminal that stdout is; `None` for a pipe.
    pub fn width(&self) -> Option<u16> {
        if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()) {
            return Some(columns);
        }
        terminal_width()
    }
}

/// Another run is at work, and this one was told to leave then.
#[derive(Clone, Copy, Debug)]
pub struct Skipped;

/// The error of a run that was told to stop.
pub fn stopped(kind: crate::error::Kind) -> Error {
    match kind {
        crate::error::Kind::Timeout => Error::new(kind, "timeout", "the time given by --timeout is over"),
        _ => Error::new(kind, "interrupted", "interrupted"),
    }
}

fn store(common: &Common, machine: &Machine) -> Option<Store> {
    let boot_id = || match machine {
        Machine::Kernel => clock::boot_id(),
        // A file outlives a boot, and what is owned in it does too.
        _ => "memory".to_string(),
    };
    let folder = match (machine, &common.state_dir) {
        (Machine::Memory(None) | Machine::Dump(_) | Machine::Shared(_), _) => return None,
        (_, Some(folder)) => folder.clone(),
        (Machine::Memory(Some(file)), None) => beside(file),
        (Machine::Kernel, None) => PathBuf::from("/run/lvsh"),
    };
    let folder = match (machine, netns::netns_id()) {
        (Machine::Kernel, Some(id)) => folder.join("netns").join(id),
        _ => folder,
    };
    Some(Store::new(folder, boot_id(), Clock::default()))
}

/// `web.json` keeps its state in `web.json.state/`.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".state");
    PathBuf::from(name)
}

fn style(color: Color, terminal: bool) -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style::new(match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color,
    })
}

/// The first Ctrl-C or SIGTERM asks the run to stop and roll back; the second ends it at once, and its journal
/// tells the next run what may be half made.
fn catch_signals(cancel: &Cancel) -> (Option<SigId>, Vec<SigId>) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let (mut second_interrupt, mut hangup) = (None, Vec::new());
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Registering fails only for signals that cannot be caught.
        let second = signal_hook::flag::register_conditional_shutdown(signal, 130, cancel.flag());
        if signal == SIGINT {
            second_interrupt = second.as_ref().ok().copied();
        }
        let first = signal_hook::flag::register(signal, cancel.flag());
        if signal == SIGHUP {
            hangup.extend(second.ok().into_iter().chain(first.ok()));
        }
    }
    (second_interrupt, hangup)
}

fn terminal_width() -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, which lives until after the call.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(size.ws_col)
}
