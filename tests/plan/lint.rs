//! The trap table of the manual, one test per line that is about states and plans. (Port 0 without persistence,
//! another port in direct routing and mixed families are refused when a policy is read: tests of `script`.)

use lvsh::backend::{Backend, Memory};
use lvsh::model::{Observed, Scheduler, ServerLive, State, Weight};
use lvsh::plan::{buckets_moved, lint, lint_plan};

use crate::state;

fn warnings(text: &str) -> Vec<String> {
    let desired = state(text);
    let caps = Memory::default().capabilities().unwrap();
    lint(&desired, &desired, Some(&caps))
        .into_iter()
        .map(|w| format!("{}: {}", w.subject, w.message))
        .collect()
}

const MARK: &str = "+m pre 10.0.0.1/32 tcp 80 3 ; ";

#[track_caller]
fn warns(text: &str, expected: &[&str]) {
    assert_eq!(warnings(&format!("{MARK}{text}")), expected);
}

#[test]
fn sh_without_fallback() {
    warns(
        "+s fwm:3 sh ; +d fwm:3 192.168.1.107 dr w=1 ; +d fwm:3 192.168.1.109 dr w=1",
        &["fwm:3: scheduler 'sh' without flag 'sh-fallback': while 192.168.1.109 has weight 0, \
           128 of 256 hash buckets (50 % of clients) are refused"],
    );
    warns("+s fwm:3 sh f=0x8 ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=1", &[]);
    warns(
        "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=0 ; +d fwm:3 10.0.0.3 dr w=3",
        &["fwm:3: scheduler 'sh' without flag 'sh-fallback': while 10.0.0.2 has weight 0, \
           64 of 256 hash buckets (25 % of clients) are refused"],
    );
    warns(
        "+s fwm:3 mh ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=3",
        &["fwm:3: scheduler 'mh' without flag 'mh-fallback': while 10.0.0.3 has weight 0, \
           its hash buckets (about 75 % of clients) are refused"],
    );
}

#[test]
fn sh_with_weights_that_do_not_tile_its_table() {
    warns(
        "+s fwm:3 sh f=0x8 ; +d fwm:3 10.0.0.2 dr w=100 ; +d fwm:3 10.0.0.3 dr w=100",
        &["fwm:3: sh fills 256 buckets in runs: weights 100, 100 give 61 % and 39 %; use 64, 64 or 8, 8"],
    );
    warns("+s fwm:3 sh f=0x8 ; +d fwm:3 10.0.0.2 dr w=64 ; +d fwm:3 10.0.0.3 dr w=64", &[]);
    warns(
        "+s fwm:3 sh f=0x8 ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=1 ; +d fwm:3 10.0.0.4 dr w=1",
        &[],
    );
}

#[test]
fn sh_and_a_changed_weight() {
    let sh = state("+s fwm:3 sh").services.into_values().next().unwrap().service.scheduler.clone();
    let of = |list: &[u32]| list.iter().map(|weight| Weight::new(*weight).unwrap()).collect::<Vec<_>>();
    assert_eq!(buckets_moved(&sh, &of(&[8, 8]), &of(&[8, 4])), Some(48));
    assert_eq!(buckets_moved(&sh, &of(&[1, 1]), &of(&[1, 0])), Some(0));
}

#[test]
fn draining_a_server_that_templates_point_at() {
    let from = state("+s fwm:3 sh p=600 ; +d fwm:3 192.168.1.109 dr w=1");
    let to = state("+s fwm:3 sh p=600 ; +d fwm:3 192.168.1.109 dr w=0");
    let plan = lvsh::plan::diff(&from, &to).into_iter().collect();
    let mut observed = Observed::default();
    let (key, entry) = from.services.iter().next().unwrap();
    let server = *entry.servers.keys().next().unwrap();
    observed.servers.insert((*key, server), ServerLive { persist: 7, ..ServerLive::default() });
    let said = lint_plan(&plan, &from, &observed);
    assert_eq!(
        said[0].message,
        "7 templates point at 192.168.1.109; net.ipv4.vs.expire_quiescent_template=0 keeps them coming"
    );
    let mut cut = from.clone();
    let name = lvsh::model::SysctlName::new("expire_quiescent_template").unwrap();
    cut.sysctls.insert(name, "1".to_string());
    assert_eq!(lint_plan(&plan, &cut, &observed), []);
    assert_eq!(lint_plan(&plan, &from, &Observed::default()), []);
}

#[test]
fn a_mark_that_nobody_sets() {
    let said = |key: &str| {
        format!(
            "{key}: nothing marks packets with 3; add mark = {{ mark = 3, daddr = …, proto = …, dports = … }}"
        )
    };
    assert_eq!(warnings("+s fwm:3 rr ; +d fwm:3 10.0.0.2 dr w=1"), [said("fwm:3")]);
    // The other family's mark does not help.
    assert_eq!(warnings(&format!("{MARK}+s fwm6:3 rr")), [said("fwm6:3")]);
    warns("+s fwm:3 rr ; +d fwm:3 10.0.0.2 dr w=1", &[]);
}

#[test]
fn a_mark_that_no_service_is_for() {
    let unserved = "mark 3: packets get it, and no service of this policy has fwmark = 3";
    assert_eq!(warnings(&format!("{MARK}+s tcp:10.0.0.1:80 rr")), [unserved]);
    // Another policy's service is one as well.
    let mine = state(&format!("{MARK}+s tcp:10.0.0.1:80 rr"));
    assert_eq!(lint(&mine, &state("+s fwm:3 rr"), None), []);
    assert_eq!(warnings(MARK.trim_end_matches("; ")), Vec::<String>::new());
}

#[test]
fn weights_that_the_scheduler_ignores() {
    for (scheduler, instead) in [("rr", "wrr"), ("lc", "wlc"), ("dh", "mh")] {
        warns(
            &format!("+s fwm:3 {scheduler} ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=2"),
            &[&format!("fwm:3: {scheduler} ignores weights other than 0; use {instead}")],
        );
    }
    warns("+s fwm:3 rr ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=0", &[]);
    warns("+s fwm:3 wrr ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=2", &[]);
}

#[test]
fn a_server_that_is_this_machine() {
    warns(
        "+a 10.0.0.2/24 eth0 ; +s fwm:3 rr ; +d fwm:3 10.0.0.2 dr w=1",
        &["fwm:3 10.0.0.2: 10.0.0.2 is local: forwarded as Local, method ignored"],
    );
}

#[test]
fn a_scheduler_that_this_kernel_lacks() {
    let desired = state(&format!("{MARK}+s fwm:3 twos"));
    let mut caps = Memory::default().capabilities().unwrap();
    caps.schedulers = Some(["rr", "sh"].map(String::from).into());
    let said = lint(&desired, &State::default(), Some(&caps));
    assert_eq!(said[0].message, "this kernel has no scheduler 'twos'; it has rr, sh");
    assert_eq!(lint(&desired, &State::default(), None), []);
    let mut desired = desired;
    for entry in desired.services.values_mut() {
        std::sync::Arc::make_mut(entry).service.scheduler = Scheduler::new("wrrr").unwrap();
    }
    let said = lint(&desired, &State::default(), Memory::default().capabilities().ok().as_ref());
    let message = &said[0].message;
    assert!(
        message.starts_with("this kernel has no scheduler 'wrrr' (did you mean 'wrr'?); it has "),
        "{message}"
    );
}

#[test]
fn one_packet_scheduling_of_connections() {
    let said = warnings("+s tcp:10.0.0.1:80 rr f=0x4");
    assert_eq!(
        said,
        ["tcp:10.0.0.1:80: one-packet scheduling works for udp only; the kernel ignores it here"]
    );
    assert_eq!(warnings("+s udp:10.0.0.1:53 rr f=0x4"), Vec::<String>::new());
}
