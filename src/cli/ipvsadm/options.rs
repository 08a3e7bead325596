//! ipvsadm's options, and how its command line is cut into them: what popt(3) does with ipvsadm's table.
//!
//! Long options are never abbreviated and take their value after `=` or as the next word. Short ones can be bundled
//! (`-Ln`) and take the rest of their word (`-t192.0.2.1:80`, `-t=192.0.2.1:80`) or the next word, whatever that begins
//! with. What is no option is kept aside, and everything after `--` is none.

use Opt::*;
use Value::{Needed, Optional};

/// What a command line does; ipvsadm wants exactly one, before everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    AddService,
    EditService,
    DeleteService,
    Clear,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    Set,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
    Help,
    Version,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    Do(Verb),
    Tcp,
    Udp,
    Sctp,
    Mark,
    Scheduler,
    Persistent,
    Netmask,
    Server,
    Nat,
    Tun,
    Dr,
    Weight,
    Upper,
    Lower,
    Numeric,
    Connection,
    McastInterface,
    SyncId,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    Sort,
    Exact,
    Ipv6,
    Ops,
    Engine,
    SchedFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunInfo,
    TunType,
    TunPort,
    TunNoCsum,
    TunCsum,
    TunRemCsum,
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Not,
    Needed,
    /// Taken from the next word unless that begins with `-`.
    Optional,
}

/// An option as it is written: its long name, its letter, its value, and the name under which ipvsadm counts it
/// (`-t` and `-f` are both a "service-address"); empty for those it does not count.
struct Row(&'static str, char, Value, Opt, &'static str);

/// No letter.
const NO: char = '\0';

const TABLE: [Row; 58] = [
    Row("add-service", 'A', Value::Not, Do(Verb::AddService), ""),
    Row("edit-service", 'E', Value::Not, Do(Verb::EditService), ""),
    Row("delete-service", 'D', Value::Not, Do(Verb::DeleteService), ""),
    Row("clear", 'C', Value::Not, Do(Verb::Clear), ""),
    Row("list", 'L', Value::Not, Do(Verb::List), ""),
    Row("list", 'l', Value::Not, Do(Verb::List), ""),
    Row("zero", 'Z', Value::Not, Do(Verb::Zero), ""),
    Row("add-server", 'a', Value::Not, Do(Verb::AddServer), ""),
    Row("edit-server", 'e', Value::Not, Do(Verb::EditServer), ""),
    Row("delete-server", 'd', Value::Not, Do(Verb::DeleteServer), ""),
    Row("set", NO, Value::Not, Do(Verb::Set), ""),
    Row("help", 'h', Value::Not, Do(Verb::Help), ""),
    Row("version", 'v', Value::Not, Do(Verb::Version), ""),
    Row("restore", 'R', Value::Not, Do(Verb::Restore), ""),
    Row("save", 'S', Value::Not, Do(Verb::Save), ""),
    Row("start-daemon", NO, Needed, Do(Verb::StartDaemon), ""),
    Row("stop-daemon", NO, Needed, Do(Verb::StopDaemon), ""),
    Row("tcp-service", 't', Needed, Tcp, "service-address"),
    Row("udp-service", 'u', Needed, Udp, "service-address"),
    Row("sctp-service", NO, Needed, Sctp, "service-address"),
    Row("fwmark-service", 'f', Needed, Mark, "service-address"),
    Row("scheduler", 's', Needed, Scheduler, "scheduler"),
    Row("persistent", 'p', Optional, Persistent, "persistent"),
    Row("netmask", 'M', Needed, Netmask, "netmask"),
    Row("real-server", 'r', Needed, Server, "real-server"),
    Row("masquerading", 'm', Value::Not, Nat, "forwarding-method"),
    Row("ipip", 'i', Value::Not, Tun, "forwarding-method"),
    Row("gatewaying", 'g', Value::Not, Dr, "forwarding-method"),
    Row("weight", 'w', Needed, Weight, "weight"),
    Row("u-threshold", 'x', Needed, Upper, "u-threshold"),
    Row("l-threshold", 'y', Needed, Lower, "l-threshold"),
    Row("numeric", 'n', Value::Not, Numeric, "numeric"),
    Row("connection", 'c', Value::Not, Connection, "connection"),
    Row("mcast-interface", NO, Needed, McastInterface, "mcast-interface"),
    Row("syncid", NO, Needed, SyncId, "syncid"),
    Row("timeout", NO, Value::Not, Timeout, "timeout"),
    Row("daemon", NO, Value::Not, Daemon, "daemon"),
    Row("stats", NO, Value::Not, Stats, "stats"),
    Row("rate", NO, Value::Not, Rate, "rate"),
    Row("thresholds", NO, Value::Not, Thresholds, "thresholds"),
    Row("persistent-conn", NO, Value::Not, PersistentConn, "persistent-conn"),
    Row("nosort", NO, Value::Not, NoSort, "nosort"),
    Row("sort", NO, Value::Not, Sort, ""),
    Row("exact", 'X', Value::Not, Exact, "exact"),
    Row("ipv6", '6', Value::Not, Ipv6, ""),
    Row("ops", 'o', Value::Not, Ops, "ops"),
    Row("pe", NO, Needed, Engine, "pe"),
    Row("sched-flags", 'b', Needed, SchedFlags, "sched-flags"),
    Row("mcast-group", NO, Needed, McastGroup, "mcast-group"),
    Row("mcast-port", NO, Needed, McastPort, "mcast-port"),
    Row("mcast-ttl", NO, Needed, McastTtl, "mcast-ttl"),
    Row("sync-maxlen", NO, Needed, SyncMaxlen, "sync-maxlen"),
    Row("tun-info", NO, Value::Not, TunInfo, "tun-info"),
    Row("tun-type", NO, Needed, TunType, "tun-type"),
    Row("tun-port", NO, Needed, TunPort, "tun-port"),
    Row("tun-nocsum", NO, Value::Not, TunNoCsum, "tun-nocsum"),
    Row("tun-csum", NO, Value::Not, TunCsum, "tun-csum"),
    Row("tun-remcsum", NO, Value::Not, TunRemCsum, "tun-remcsum"),
];

/// The row of a letter, for save files of thousands of lines; `TABLE.len()` where there is none.
const LETTERS: [usize; 128] = {
    let mut rows = [TABLE.len(); 128];
    let mut at = TABLE.len();
    while at > 0 {
        at -= 1;
        if TABLE[at].1 != NO {
            rows[TABLE[at].1 as usize] = at;
        }
    }
    rows
};

impl Opt {
    /// As it is written: `--weight|-w`.
    pub fn spelling(self) -> String {
        let row = TABLE.iter().find(|row| row.3 == self);
        match row {
            Some(Row(long, NO, ..)) => format!("--{long}"),
            Some(Row(long, letter, ..)) => format!("-{letter} (--{long})"),
            None => String::new(),
        }
    }
}

/// All long names, for "did you mean".
pub fn long_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.0)
}

/// An option that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub opt: Opt,
    /// What ipvsadm calls it in messages and counts it as; empty for those it does not count.
    pub name: &'static str,
    pub value: Option<&'a str>,
    /// The last word that it took.
    pub word: usize,
}

/// What cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Unknown,
    /// An option that needs a value is the last word.
    NoValue,
    /// An option without value has one.
    HasValue,
}

impl Trouble {
    /// `poptStrerror`
    pub fn popt(self) -> &'static str {
        match self {
            Trouble::Unknown => "unknown option",
            Trouble::NoValue => "missing argument",
            Trouble::HasValue => "option does not take an argument",
        }
    }
}

/// Cuts words into options, first to last.
pub struct Scanner<'a> {
    words: &'a [&'a str],
    next: usize,
    /// What is left of a bundle of letters.
    bundle: &'a str,
    /// `--` was read.
    plain: bool,
    /// Words that are no options.
    pub rest: Vec<usize>,
}

impl<'a> Scanner<'a> {
    pub fn new(words: &'a [&'a str]) -> Scanner<'a> {
        Scanner { words, next: 0, bundle: "", plain: false, rest: Vec::new() }
    }

    /// The word that was read last.
    pub fn word(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// The next option; `None` at the end.
    pub fn option(&mut self) -> Option<Result<Found<'a>, Trouble>> {
        while self.bundle.is_empty() {
            let word = *self.words.get(self.next)?;
            self.next += 1;
            match word.strip_prefix('-') {
                Some("-") if !self.plain => self.plain = true,
                Some(rest) if !self.plain && !rest.is_empty() => match rest.strip_prefix('-') {
                    Some(long) => return Some(self.long(long)),
                    None => self.bundle = rest,
                },
                _ => self.rest.push(self.word()),
            }
        }
        Some(self.letter())
    }

    fn long(&mut self, word: &'a str) -> Result<Found<'a>, Trouble> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let row = TABLE.iter().find(|row| row.0 == name).ok_or(Trouble::Unknown)?;
        self.value(row, value)
    }

    fn letter(&mut self) -> Result<Found<'a>, Trouble> {
        let mut letters = self.bundle.chars();
        let letter = letters.next().unwrap_or(NO);
        self.bundle = letters.as_str();
        let row = LETTERS.get(letter as usize).and_then(|at| TABLE.get(*at)).ok_or(Trouble::Unknown)?;
        let bundle = self.bundle;
        let value = match row.2 {
            Value::Not if bundle.starts_with('=') => Some(""),
            Value::Not => None,
            _ if bundle.is_empty() => None,
            _ => {
                self.bundle = "";
                Some(bundle.strip_prefix('=').unwrap_or(bundle))
            }
        };
        self.value(row, value)
    }

    fn value(&mut self, row: &Row, given: Option<&'a str>) -> Result<Found<'a>, Trouble> {
        let next = self.words.get(self.next).copied();
        let value = match (row.2, given, next) {
            (Value::Not, Some(_), _) => return Err(Trouble::HasValue),
            (Value::Not, None, _) => None,
            (_, Some(value), _) => Some(value),
            (Needed, None, None) => return Err(Trouble::NoValue),
            (Optional, None, None) => None,
            (Optional, None, Some(next)) if next.starts_with('-') => None,
            (_, None, Some(next)) => {
                self.next += 1;
                Some(next)
            }
        };
        Ok(Found { opt: row.3, name: row.4, value, word: self.word() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Options = Vec<(Opt, Option<String>)>;

    fn cut(line: &str) -> (Options, Option<Trouble>, Vec<usize>) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut scanner = Scanner::new(&words);
        let mut out = Vec::new();
        let mut trouble = None;
        while let Some(step) = scanner.option() {
            match step {
                Ok(found) => out.push((found.opt, found.value.map(str::to_string))),
                Err(why) => {
                    trouble = Some(why);
                    break;
                }
            }
        }
        (out, trouble, scanner.rest)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_string())
    }

    #[test]
    fn values_in_all_places() {
        for line in ["-t 1:2", "-t1:2", "-t=1:2", "--tcp-service 1:2", "--tcp-service=1:2"] {
            assert_eq!(cut(line), (vec![(Tcp, some("1:2"))], None, vec![]), "{line}");
        }
        // The next word is the value whatever it is; only an optional value stops at a dash.
        assert_eq!(cut("-s -p -o").0, [(Scheduler, some("-p")), (Ops, None)]);
        assert_eq!(cut("-p -o").0, [(Persistent, None), (Ops, None)]);
        assert_eq!(cut("-p 5 -p").0, [(Persistent, some("5")), (Persistent, None)]);
        assert_eq!(cut("-p300").0, [(Persistent, some("300"))]);
        assert_eq!(cut("-Lnc").0, [(Do(Verb::List), None), (Numeric, None), (Connection, None)]);
    }

    #[test]
    fn what_is_no_option() {
        assert_eq!(cut("--set 1 2 3"), (vec![(Do(Verb::Set), None)], None, vec![1, 2, 3]));
        assert_eq!(cut("-L - -- -n"), (vec![(Do(Verb::List), None)], None, vec![1, 3]));
    }

    #[test]
    fn what_cannot_be_cut() {
        assert_eq!(cut("-L --stat").1, Some(Trouble::Unknown));
        assert_eq!(cut("-Lq").1, Some(Trouble::Unknown));
        assert_eq!(cut("-L=n").1, Some(Trouble::HasValue));
        assert_eq!(cut("--list=n").1, Some(Trouble::HasValue));
        assert_eq!(cut("-A -t").1, Some(Trouble::NoValue));
        assert_eq!(cut("-A --é").1, Some(Trouble::Unknown));
    }

    #[test]
    fn letters_and_names_are_one_each() {
        for (index, row) in TABLE.iter().enumerate() {
            let same =
                |other: &Row| other.1 != NO && other.1 == row.1 || other.0 == row.0 && other.3 != row.3;
            assert!(!TABLE[index + 1..].iter().any(same), "{}", row.0);
        }
    }
}
