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

use crate::support::Playground;

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
