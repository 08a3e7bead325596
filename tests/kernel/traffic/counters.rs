//! Counters come from an estimator that looks every two seconds (A.6.11, 12, 13); what is live is live.

use super::*;
use crate::support::eventually;
use std::time::Duration;

const HTTP: &str = "http://192.168.1.99/";

/// Connections in total, and those that are live, of the service of port 80.
fn counts(director: &Host) -> (u64, u64) {
    let service = format!("lvs.get_service({{ tcp = \"{VIP}:80\" }})");
    let sum = "(function(s) local live = 0 for _, r in ipairs(s.servers) do live = live + r.active + r.inactive end \
               return { s.stats.conns, live } end)";
    let pair = value(director, &format!("{sum}({service})"));
    let number = |at: usize| pair[at].as_u64().unwrap_or_else(|| panic!("no counts: {pair}"));
    (number(0), number(1))
}

#[track_caller]
fn counted(director: &Host, conns: u64) {
    let what = format!("{conns} connections");
    eventually(Duration::from_secs(8), &what, || (counts(director).0 == conns).then_some(()));
}

#[test]
fn totals_are_late_and_live_counts_are_not() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    tcp(director, 80, "scheduler = 'rr'");
    answers(net.client("c1"), HTTP, 5);
    assert_eq!(counts(director).1, 5, "live");
    counted(director, 5);
    // Both servers' totals and the service's are of the same connections.
    let shares = value(
        director,
        &format!(
            "(function(s) return {{ s[1].stats.conns, s[2].stats.conns }} end)\
             (lvs.get_service({{ tcp = \"{VIP}:80\" }}).servers)"
        ),
    );
    let shares: Vec<u64> = shares.as_array().expect("a list").iter().filter_map(|n| n.as_u64()).collect();
    assert_eq!(shares.iter().sum::<u64>(), 5);
    let bytes = value(director, &format!("lvs.get_service({{ tcp = \"{VIP}:80\" }}).stats.in_bytes"));
    assert!(bytes.as_u64().is_some_and(|bytes| bytes > 5 * 40), "{bytes}");
}

#[test]
fn without_estimation_totals_stand_still() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    tcp(director, 80, "scheduler = 'rr'");
    answers(net.client("c1"), HTTP, 3);
    counted(director, 3);
    script(director, "lvs.sysctl('run_estimation', 0)");
    answers(net.client("c1"), HTTP, 4);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(counts(director), (3, 7), "totals frozen, live counts not");
    script(director, "lvs.sysctl('run_estimation', 1)");
    counted(director, 7);
}

/// Zeroed after the estimator has seen everything, a service is at zero; the machine's totals are not touched.
#[test]
fn zeroing_a_service_leaves_the_totals_of_the_machine() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    tcp(director, 80, "scheduler = 'rr'");
    answers(net.client("c1"), HTTP, 3);
    counted(director, 3);
    // On newer kernels what is not yet estimated is added after the zeroing: wait until nothing is left.
    std::thread::sleep(Duration::from_secs(3));
    lvsh(director, &format!("ipvsadm -Z -t {VIP}:80"));
    counted(director, 0);
    let totals = director.namespace.inside(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs_stats"));
    let totals = totals.expect("totals");
    let conns = totals.lines().nth(2).and_then(|line| line.split_whitespace().next());
    assert_eq!(conns, Some("3"), "{totals}");
    answers(net.client("c1"), HTTP, 2);
    counted(director, 2);
}
