//! A long connection table, made in seconds: the server is a neighbour on a device that goes nowhere.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::support::{Cmd, Namespace, datagrams};

/// A director whose table is made long.
pub struct Flood<'a> {
    director: &'a Namespace,
    sent: u32,
}

impl<'a> Flood<'a> {
    pub fn new(director: &'a Namespace) -> Flood<'a> {
        let run = |line: &str| Cmd::new(director, line.split(' ').map(str::to_string).collect()).run();
        run("ip link add flood type dummy");
        run("ip address add 10.99.0.1/24 dev flood");
        run("ip link set flood up");
        run("ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 dev flood nud permanent");
        let rules = "-A -u 10.99.0.1:53 -s rr\n-a -u 10.99.0.1:53 -r 10.99.0.2:53 -g\n";
        Cmd::new(director, vec!["ipvsadm".to_string(), "-R".to_string()]).stdin(rules).run();
        // Long enough for the slowest machine.
        run("ipvsadm --set 0 0 3600");
        Flood { director, sent: 0 }
    }

    /// Until the table has so many entries.
    pub fn grow_to(&mut self, count: u32) {
        let sent = self.director.inside(|| datagrams::send(self.sent..count));
        sent.unwrap_or_else(|error| panic!("a flood of datagrams: {error}"));
        self.sent = count;
    }
}

/// Runs lvsh in the namespace: lines of its output, and its peak memory in KiB.
#[expect(clippy::zombie_processes, reason = "wait4 below waits for it")]
pub fn measured(director: &Namespace, words: &[&str]) -> (usize, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvsh"));
    command.args(words).stdout(Stdio::piped());
    let mut child = director.inside(|| command.spawn()).expect("lvsh");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().count();
    let pid = i32::try_from(child.id()).expect("a process");
    let mut status = 0;
    // SAFETY: a rusage is numbers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the right types.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "{words:?}");
    (lines, u64::try_from(usage.ru_maxrss).expect("a size"))
}
