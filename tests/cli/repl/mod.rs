//! `lvsh repl`: on a terminal of the test's own, and from a pipe.

mod complete;
mod piped;
mod prompt;
mod pty;
mod random;
mod screen;
mod stop;
mod transcript;
mod undo;

use std::process::Command;

use self::pty::Pty;
use crate::support::Playground;

impl Pty {
    /// `lvsh WORDS` on a screen of 40 rows and 100 columns, without colours.
    pub fn start(here: &Playground, words: &[&str]) -> Pty {
        let mut command = here.command(words);
        command.env("NO_COLOR", "1");
        Pty::spawn(here, command, 40, 100)
    }

    pub fn spawn(here: &Playground, mut command: Command, rows: u16, cols: u16) -> Pty {
        if command.get_envs().all(|(name, _)| name != "LVSH_HISTORY") {
            command.env("LVSH_HISTORY", here.root().join("history"));
        }
        Pty::on(command, rows, cols)
    }
}

/// A director with something of everything.
pub fn director() -> Playground {
    let here = Playground::new();
    here.run(&["eval", DIRECTOR]).ok();
    here
}

const DIRECTOR: &str = r#"
local servers = { { addr = "192.168.1.107", weight = 8 }, { addr = "192.168.1.109", weight = 8 } }
lvs.add_service { fwmark = 3, scheduler = "sh", flags = { "sh-fallback" }, persistent = 600, servers = servers }
lvs.add_service { fwmark = 7, scheduler = "wlc", servers = { { addr = "10.0.0.1", weight = 1 } } }
lvs.add_service { tcp = "192.168.1.99:80", scheduler = "rr" }
lvs.add_mark { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } }
lvs.add_vip { addr = "192.168.1.99/32", dev = "eth0" }
"#;
