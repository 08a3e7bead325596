//! Where a run's log goes: stderr, the journal of systemd, or syslog.
//!
//! A socket that cannot be reached loses nothing: the line goes to stderr then.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::plan::{Action, Step};
use crate::script::Level;
use crate::view::step_text;

/// `--log`. Its words have no help of their own: one that has makes clap print every help in its long form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogTo {
    #[default]
    Stderr,
    Journald,
    Syslog,
}

/// How much it matters, as syslog(3) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl From<Level> for Priority {
    fn from(level: Level) -> Priority {
        match level {
            Level::Debug => Priority::Debug,
            Level::Info => Priority::Info,
            Level::Notice => Priority::Notice,
            Level::Warn => Priority::Warning,
            Level::Error => Priority::Error,
        }
    }
}

/// One line, and what is known of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub priority: Priority,
    pub message: String,
    /// Names without `LVSH_`.
    pub fields: Vec<(&'static str, String)>,
}

impl Entry {
    pub fn new(priority: Priority, message: impl Into<String>) -> Entry {
        Entry { priority, message: message.into(), fields: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Entry {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name, value));
        }
        self
    }

    /// What a change was, and why.
    pub fn of(policy: &str, action: &Action) -> Entry {
        let step = &action.step;
        let why = action.reason.as_deref().unwrap_or_default();
        let behind = if why.is_empty() { String::new() } else { format!("   {why}") };
        let colon = if policy.is_empty() { "" } else { ": " };
        let entry = Entry::new(Priority::Notice, format!("{policy}{colon}{}{behind}", step_text(step)));
        let (server, from, to) = match step {
            Step::SetServer { key, from, to, .. } => {
                (key.to_string(), from.weight.to_string(), to.weight.to_string())
            }
            Step::AddServer { key, server, .. } => {
                (key.to_string(), String::new(), server.weight.to_string())
            }
            Step::DelServer { key, server, .. } => {
                (key.to_string(), server.weight.to_string(), String::new())
            }
            _ => Default::default(),
        };
        entry
            .with("POLICY", policy)
            .with("OP", step.verb())
            .with("KIND", step.kind())
            .with("SERVICE", step.service().map(ToString::to_string).unwrap_or_default())
            .with("SERVER", server)
            .with("FROM", from)
            .with("TO", to)
            .with("REASON", why)
    }
}

/// Bytes of one value in the journal: ten of them fit into a datagram.
const VALUE_MOST: usize = 16 * 1024;
/// Bytes of a line for syslog; rsyslog and syslog-ng take 8 KiB.
const LINE_MOST: usize = 8000;
/// A daemon that does not read must not stop a round.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log of a run.
#[derive(Clone, Debug, Default)]
pub struct Log {
    to: LogTo,
    socket: PathBuf,
}

impl Log {
    /// The tests of this program name sockets of their own by `LVSH_JOURNAL_SOCKET` and `LVSH_SYSLOG_SOCKET`.
    pub fn new(to: LogTo) -> Log {
        let (variable, usual) = match to {
            LogTo::Stderr => return Log::default(),
            LogTo::Journald => ("LVSH_JOURNAL_SOCKET", "/run/systemd/journal/socket"),
            LogTo::Syslog => ("LVSH_SYSLOG_SOCKET", "/dev/log"),
        };
        Log { to, socket: std::env::var_os(variable).map_or_else(|| PathBuf::from(usual), PathBuf::from) }
    }

    /// Whether lines go anywhere else than to stderr.
    pub fn elsewhere(&self) -> bool {
        self.to != LogTo::Stderr
    }

    /// Writes one line where lines go; false if that is stderr, and the caller writes it as it is used to.
    pub fn tell(&self, entry: &Entry) -> bool {
        let bytes = match self.to {
            LogTo::Stderr => return false,
            LogTo::Journald => journal(entry),
            LogTo::Syslog => syslog(entry, &stamp()),
        };
        match self.send(&bytes) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("lvsh: cannot log to {}: {error}", self.socket.display());
                false
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        // Without a connection a daemon may be restarted between two lines.
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send_to(bytes, &self.socket).map(drop)
    }
}

/// At most so many bytes, ended by `…` where it was longer.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_string();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// One entry in the journal's own protocol: `NAME=value` lines; a value of several lines has its length in front.
fn journal(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    let mut field = |name: &str, value: &str| {
        let value = cut(value, VALUE_MOST);
        out.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    };
    field("MESSAGE", &entry.message);
    field("PRIORITY", &(entry.priority as u8).to_string());
    field("SYSLOG_IDENTIFIER", "lvsh");
    field("SYSLOG_FACILITY", &FACILITY.to_string());
    field("SYSLOG_PID", &std::process::id().to_string());
    for (name, value) in &entry.fields {
        field(&format!("LVSH_{name}"), value);
    }
    out
}

/// daemon
const FACILITY: u8 = 3;

/// One entry as programs write it to the local daemon: RFC 3164 without the host's name.
fn syslog(entry: &Entry, stamp: &str) -> Vec<u8> {
    let priority = FACILITY * 8 + entry.priority as u8;
    let line = entry.message.replace(|c: char| c.is_control(), " ");
    let head = format!("<{priority}>{stamp} lvsh[{}]: ", std::process::id());
    let line = cut(&line, LINE_MOST - head.len());
    format!("{head}{line}").into_bytes()
}

/// `Nov  8 10:02:07`, local time.
fn stamp() -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // SAFETY: a zeroed tm is a valid one; localtime_r writes only into it, and both live until after the call.
    let now = unsafe {
        let (mut now, seconds) = (std::mem::zeroed::<libc::tm>(), libc::time(std::ptr::null_mut()));
        libc::localtime_r(&raw const seconds, &raw mut now);
        now
    };
    let month = usize::try_from(now.tm_mon).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&MONTHS[0]);
    format!("{month} {:>2} {:02}:{:02}:{:02}", now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_the_journal() {
        let entry = Entry::new(Priority::Warning, "one\ntwo").with("POLICY", "web").with("SERVER", "");
        let mut wanted =
            b"MESSAGE\n\x07\0\0\0\0\0\0\0one\ntwo\nPRIORITY=4\nSYSLOG_IDENTIFIER=lvsh\nSYSLOG_FACILITY=3\n"
                .to_vec();
        wanted.extend(format!("SYSLOG_PID={}\nLVSH_POLICY=web\n", std::process::id()).into_bytes());
        assert_eq!(String::from_utf8_lossy(&journal(&entry)), String::from_utf8_lossy(&wanted));
    }

    #[test]
    fn a_line_of_syslog() {
        let entry = Entry::new(Priority::Error, "it\nfailed");
        let pid = std::process::id();
        let line = syslog(&entry, "Nov  8 10:02:07");
        assert_eq!(String::from_utf8(line).unwrap(), format!("<27>Nov  8 10:02:07 lvsh[{pid}]: it failed"));
        let stamp = stamp();
        assert!(stamp.len() == 15 && stamp.as_bytes()[3] == b' ' && stamp.as_bytes()[9] == b':', "{stamp}");
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        assert_eq!(cut("ääää", 8), "ääää");
        assert_eq!(cut("ääää", 7), "ää…");
        let long = Entry::new(Priority::Notice, "ä".repeat(100_000)).with("REASON", "x".repeat(100_000));
        assert!(journal(&long).len() < 3 * VALUE_MOST);
        let line = String::from_utf8(syslog(&long, "Nov  8 10:02:07")).unwrap();
        assert!(line.len() <= LINE_MOST && line.ends_with('…'));
    }
}
