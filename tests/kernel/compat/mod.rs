//! `lvsh ipvsadm` beside Debian's ipvsadm: each in a namespace of its own, or both on the same table.

mod commands;
mod listing;
mod random;
mod refused;
mod zygote;

use crate::support::{Cmd, Namespace};
use std::io::Read;
use zygote::Zygote;

/// What the last command of a program was: its exit code and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub text: String,
}

/// A namespace with the program under test and with Debian's, which also looks at the outcome.
pub struct Side {
    namespace: Namespace,
    program: Zygote,
    judge: Zygote,
}

impl Side {
    pub fn new(name: &str, program: &[&str]) -> Side {
        let namespace = Namespace::create(name).expect("a namespace");
        for line in [
            "ip link add d0 mtu 1400 type dummy",
            "ip link set d0 up",
            "ip address add 203.0.113.1/24 dev d0",
        ] {
            Cmd::new(&namespace, crate::support::words(line)).run();
        }
        let program = Zygote::start(&namespace, program);
        let judge = Zygote::start(&namespace, &["ipvsadm"]);
        Side { namespace, program, judge }
    }

    pub fn ours(name: &str) -> Side {
        Side::new(name, &[env!("CARGO_BIN_EXE_lvsh"), "ipvsadm"])
    }

    pub fn theirs(name: &str) -> Side {
        Side::new(name, &["ipvsadm"])
    }

    /// An empty table, no daemons, the timeouts of a new namespace. In one process: `-R` goes on after a refusal.
    pub fn clean(&mut self) {
        let rules = "--stop-daemon master\n--stop-daemon backup\n-C\n--set 900 120 300\n";
        let said = self.judge.run(&["-R".to_string()], rules);
        assert_eq!(said.code, 0, "{}", said.text);
    }

    /// The table as the kernel shows it: its order is that of a hash with the namespace in it, so lines are sorted within
    /// what they belong to.
    pub fn proc(&self) -> String {
        let path = "/proc/thread-self/net/ip_vs";
        let proc = self.namespace.inside(|| whole(path)).expect(path);
        let mut services: Vec<Vec<&str>> = Vec::new();
        for line in proc.lines().skip(3) {
            match services.last_mut().filter(|_| line.starts_with("  ->")) {
                Some(service) => service.push(line),
                None => services.push(vec![line]),
            }
        }
        services.iter_mut().for_each(|service| service[1..].sort_unstable());
        services.sort_unstable();
        services.concat().join("\n")
    }

    /// The same with all that Debian's ipvsadm tells of it. Of equal ones, and of addresses too far apart, its order is
    /// that in which they were made, so lines are sorted.
    pub fn table(&mut self) -> String {
        let said =
            self.judge.listed(&["-R".to_string()], "-S -n\n-L --timeout\n-L --daemon\n-L -n --thresholds\n");
        assert_eq!(said.code, 0, "{}", said.text);
        let mut lines: Vec<&str> = said.text.lines().collect();
        lines.sort_unstable();
        format!("{}\n{}", lines.join("\n"), self.proc())
    }
}

/// In one read: where the kernel has to resume, 6.1 counts the services of other namespaces too, and skips some.
fn whole(path: &str) -> std::io::Result<String> {
    let mut bytes = vec![0; 1 << 20];
    let length = std::fs::File::open(path)?.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}
