//! What is not this run's stays, also when a script is taken back or killed half way.

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
