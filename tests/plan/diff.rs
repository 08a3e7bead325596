//! `current` and `desired` in the table's notation, and the steps between them, in order.

use lvsh::plan::diff;

use crate::{lines, state};

const WEB: &str = "+s fwm:3 sh
    +d fwm:3 10.0.0.2 dr w=1
    +d fwm:3 10.0.0.3 dr w=1
    +m pre 10.0.0.1/32 tcp 80 3
    +m pre 10.0.0.1/32 tcp 443 3
    +a 10.0.0.1/32 eth0";

#[track_caller]
fn becomes(current: &str, desired: &str, expected: &[&str]) {
    let steps = diff(&state(current), &state(desired));
    assert_eq!(lines(&steps), expected);
}

#[test]
fn equal_states_need_nothing() {
    becomes(WEB, WEB, &[]);
    becomes("", "", &[]);
}

#[test]
fn start_lets_traffic_in_last() {
    becomes(
        "",
        WEB,
        &[
            "add service fwm:3",
            "add server fwm:3 10.0.0.2",
            "add server fwm:3 10.0.0.3",
            "add mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "add mark 3 for ip daddr 10.0.0.1 tcp dport 443",
            "add vip 10.0.0.1/32 dev eth0",
        ],
    );
}

#[test]
fn stop_is_the_reverse() {
    becomes(
        WEB,
        "",
        &[
            "del vip 10.0.0.1/32 dev eth0",
            "del mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "del mark 3 for ip daddr 10.0.0.1 tcp dport 443",
            "del service fwm:3",
        ],
    );
}

#[test]
fn a_new_server_is_there_before_an_old_one_loses_weight_or_goes() {
    becomes(
        "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=1 ; +d fwm:3 10.0.0.4 dr w=1",
        "+s fwm:3 sh ; +d fwm:3 10.0.0.3 dr w=0 ; +d fwm:3 10.0.0.4 dr w=5 ; +d fwm:3 10.0.0.5 dr w=1",
        &[
            "add server fwm:3 10.0.0.5",
            "set server fwm:3 10.0.0.4",
            "set server fwm:3 10.0.0.3",
            "del server fwm:3 10.0.0.2",
        ],
    );
}

#[test]
fn a_mark_moves_between_two_whole_services() {
    becomes(
        "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1 ; +m pre 10.0.0.1/32 tcp 80 3",
        "+s fwm:5 sh ; +d fwm:5 10.0.0.2 dr w=1 ; +m pre 10.0.0.1/32 tcp 80 5",
        &[
            "add service fwm:5",
            "add server fwm:5 10.0.0.2",
            "set mark 5 for ip daddr 10.0.0.1 tcp dport 80",
            "del service fwm:3",
        ],
    );
}

#[test]
fn any_field_of_a_service_or_server_counts() {
    let base = "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1";
    for desired in ["+s fwm:3 sh p=60", "+s fwm:3 sh f=0x8", "+s fwm:3 rr"] {
        becomes(base, &format!("{desired} ; +d fwm:3 10.0.0.2 dr w=1"), &["set service fwm:3"]);
    }
    for desired in ["dr w=2", "tun w=1", "dr w=1 u=9", "dr w=1 u=9 l=5", "dr w=1 t=gre:0:0"] {
        becomes(base, &format!("+s fwm:3 sh ; +d fwm:3 10.0.0.2 {desired}"), &["set server fwm:3 10.0.0.2"]);
    }
}

#[test]
fn a_daemon_is_stopped_before_it_is_started_differently() {
    becomes("+y master d0 1", "+y master d0 2", &["stop sync master", "start sync master"]);
}

/// A daemon and a server of the other family forbid each other: whichever goes, goes before the other comes.
#[test]
fn a_sync_daemon_and_a_server_of_the_other_family_never_meet() {
    let mixed = "+s fwm:3 sh ; +d fwm:3 fd00::2 tun w=1";
    let synced = "+s fwm:3 sh ; +d fwm:3 10.0.0.2 tun w=1 ; +y master d0 1";
    becomes(mixed, synced, &["add server fwm:3 10.0.0.2", "del server fwm:3 fd00::2", "start sync master"]);
    becomes(synced, mixed, &["stop sync master", "add server fwm:3 fd00::2", "del server fwm:3 10.0.0.2"]);
}
