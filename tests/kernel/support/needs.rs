//! Whether this machine can run the test at all.

use super::{Namespace, cmd::Cmd, isolate};
use std::{env, thread};

/// First line of every test here: `needs!(ipvs);`. Afterwards the test has namespaces of its own. In the lab a kernel
/// without IPVS is a failure; elsewhere the test says why it did nothing.
macro_rules! needs {
    (ipvs) => {
        if !$crate::support::needs_ipvs() {
            return;
        }
    };
}

pub fn ipvs() -> bool {
    let why = match lacking() {
        None => return true,
        Some(why) => why,
    };
    let thread = thread::current();
    let test = thread.name().unwrap_or("test");
    assert!(env::var_os("LVSH_LAB").is_none(), "{test} must run in the lab, and there: {why}");
    eprintln!("SKIPPED {test}: {why} and no lab; run ./tests/run");
    false
}

fn lacking() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    if let Err(e) = isolate() {
        return Some(format!("no namespaces of our own: {e}"));
    }
    let there = || std::fs::exists("/proc/thread-self/net/ip_vs").unwrap_or(false);
    if !there() {
        // Nothing loads it on use on kernels before 6.x.
        Cmd::here("modprobe ip_vs").output();
    }
    (!there()).then(|| "no IPVS in this kernel".to_owned())
}
