//! What is not this run's stays, also when a script is taken back or killed half way.

use std::io::Read;
use std::process::Stdio;

use crate::support::Playground;

const FOREIGN: &str = "lvs.add_service { tcp = '10.9.9.9:80', scheduler = 'wlc' }";

/// A start of one's own in which something is tried and taken back.
fn trying(here: &Playground, body: &str) {
    let text = format!(
        "return {{ start = function() {body} lvs.add_service {{ fwmark = 9, scheduler = 'rr' }} end, stop = function() end }}"
    );
    here.policy("web", &text);
}

#[test]
fn what_a_failed_transaction_only_read_is_not_removed() {
    for body in [
        "pcall(lvs.transaction, function() lvs.get_service { tcp = '10.9.9.9:80' } error 'no' end)",
        "pcall(lvs.transaction, function() lvs.services() lvs.vips() lvs.marks() lvs.timeouts() error 'no' end)",
        "lvs.get_service { fwmark = 7 } pcall(lvs.transaction, function() lvs.services() error 'no' end)",
    ] {
        let here = Playground::new();
        here.run(&["eval", FOREIGN]).ok();
        here.run(&[
            "eval",
            "lvs.add_vip { addr = '10.9.9.9/32', dev = 'eth0' } lvs.set_timeouts { tcp = 77 }",
        ])
        .ok();
        let before = here.bytes();
        trying(&here, body);
        let start = here.run(&["start", "web"]).ok();
        assert!(start.out.contains("1 added, 0 changed, 0 removed"), "{body}: {}", start.all());
        here.run(&["stop", "web"]).ok();
        assert_eq!(before, here.bytes(), "{body}");
    }
}

#[test]
fn what_was_taken_over_in_vain_is_not_owned() {
    for body in [
        "pcall(lvs.transaction, function() lvs.apply { service = { tcp = '10.9.9.9:80', scheduler = 'rr' } } error 'no' end)",
        "pcall(lvs.apply, { service = { tcp = '10.9.9.9:80', scheduler = 'rr' }, sysctls = { ['net.ipv4.vs.nothing'] = 1 } })",
    ] {
        let here = Playground::new();
        here.run(&["eval", FOREIGN]).ok();
        let before = here.bytes();
        trying(&here, body);
        let start = here.run(&["start", "web"]).ok();
        assert!(!start.err.contains("taken over"), "{body}: {}", start.err);
        here.run(&["stop", "web"]).ok();
        assert_eq!(before, here.bytes(), "{body}");
    }
}

/// Runs code that says `in` and then waits to be killed; what the next run says.
fn after_a_kill(here: &Playground, code: &str) -> String {
    let code = format!("{code} print 'in' while true do end");
    let mut child = here.command(&["eval", &code]).stdout(Stdio::piped()).spawn().expect("it");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 2]).expect("a word");
    child.kill().expect("a signal");
    child.wait().expect("an end");
    here.run(&["eval", "1"]).ok().err
}

#[test]
fn what_a_killed_script_was_refused_is_not_taken_back() {
    let here = Playground::new();
    here.run(&["eval", FOREIGN]).ok();
    let before = here.bytes();
    after_a_kill(&here, "pcall(lvs.add_service, { tcp = '10.9.9.9:80', scheduler = 'wlc' })");
    assert_eq!(before, here.bytes());
    // What came before and after the refusal is taken back all the same.
    let code = "lvs.add_service { fwmark = 1 }
        pcall(lvs.add_service, { tcp = '10.9.9.9:80', scheduler = 'wlc' })
        pcall(lvs.transaction, function() lvs.add_service { fwmark = 2 } lvs.add_service { fwmark = 4 } error 'no' end)
        lvs.add_service { fwmark = 3 }";
    let said = after_a_kill(&here, code);
    assert!(said.contains("2 changes taken back"), "{said}");
    assert_eq!(before, here.bytes());
}
