//! Start, again, drift, stop: what is ours is exactly so, and what is not ours is never touched.

use super::site::{VIP, direct, example, lvsh, policy, write};
use super::support::Host;

/// What others have on the same director.
fn strangers(director: &Host) {
    director.cmd("ipvsadm -R").stdin("-A -t 192.168.1.50:25 -s wlc -p 120\n-a -t 192.168.1.50:25 -r 192.168.1.60:25 -g -w 3 -x 9 -y 4\n-A -f 9 -s rr\n").run();
    director.run("iptables -t mangle -A PREROUTING -p tcp --dport 25 -j MARK --set-mark 9");
    let table = "add table inet other
        add chain inet other pre { type filter hook prerouting priority mangle; }
        add rule inet other pre tcp dport 8443 meta mark set 3";
    director.cmd("nft -f -").stdin(table).run();
    director.run("ip addr add 192.168.1.50/32 dev eth0");
}

/// The lines of `before` that are gone from `now`.
fn lost<'a>(before: &'a str, now: &str) -> Vec<&'a str> {
    before.lines().filter(|line| !now.lines().any(|other| other == *line)).collect()
}

fn start_twice_and_stop(file: &str, ours: &[&str]) {
    let net = direct();
    let director = net.director();
    strangers(director);
    let before = director.snapshot_text();

    lvsh(director, &format!("start {file}"));
    let started = director.snapshot_text();
    // What the policy itself changes is its own to say; nothing else may go.
    let lost: Vec<_> = lost(&before, &started);
    let others: Vec<_> = lost.iter().filter(|line| !ours.iter().any(|own| line.starts_with(own))).collect();
    assert_eq!(others, Vec::<&&str>::new(), "something of others is gone");
    assert_eq!(lost.len(), ours.len(), "{lost:?} changed, not {ours:?}");
    assert!(started.contains("-A -f 3"), "{started}");

    let again = lvsh(director, &format!("start --json {file}"));
    assert!(again.stdout.contains("\"changed\": false"), "{}", again.stdout);
    let plan = lvsh(director, &format!("plan --json {file}"));
    assert!(plan.stdout.contains("\"changes\": []"), "{}", plan.stdout);
    assert_eq!(director.snapshot_text(), started);

    lvsh(director, &format!("stop {file}"));
    assert_eq!(director.snapshot_text(), before);
    lvsh(director, &format!("stop {file}"));
    assert_eq!(director.snapshot_text(), before);
}

#[test]
fn declared_policy_leaves_the_machine_as_it_was() {
    needs!(ipvs);
    start_twice_and_stop(&example("web.lua"), &[]);
}

#[test]
fn imperative_policy_leaves_the_machine_as_it_was() {
    needs!(ipvs);
    start_twice_and_stop(&example("web-imperative.lua"), &[]);
}

#[test]
fn sysctls_and_timeouts_come_back_too() {
    needs!(ipvs);
    let extra = "sysctls = { expire_quiescent_template = 1, ['net.ipv4.conf.eth0.send_redirects'] = 0 },
      timeouts = { tcp = 1200 }, service = {";
    let text = policy("scheduler = 'wlc', persistent = 600", "method = 'dr'").replace("service = {", extra);
    let ours = ["net/ipv4/vs/expire_quiescent_template", "net/ipv4/conf/eth0/send_redirects"];
    start_twice_and_stop(&write("web", &text), &ours);
}

#[test]
fn a_second_start_sends_nothing_at_all() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    lvsh(director, &format!("start {}", example("web.lua")));
    // A changed generation of nf_tables is a batch that was sent, even one without effect.
    let generation = || director.run("nft list ruleset");
    let (before, counted) = (generation(), director.run("nft -a list table inet lvsh"));
    lvsh(director, &format!("start {}", example("web.lua")));
    assert_eq!(generation(), before);
    assert_eq!(
        director.run("nft -a list table inet lvsh"),
        counted,
        "handles moved: something was rewritten"
    );
}

#[test]
fn drift_is_named_and_mended() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = example("web.lua");
    lvsh(director, &format!("start {file}"));
    let whole = director.snapshot_text();

    director.run("ipvsadm -d -f 3 -r 192.168.1.107");
    delete_one_mark(director);
    director.run(&format!("ip addr del {VIP}/32 dev eth0"));
    assert_ne!(director.snapshot_text(), whole);

    let plan = lvsh(director, &format!("plan {file}")).stdout;
    for named in ["192.168.1.107", "tcp dport 80", "vip 192.168.1.99/32 dev eth0"] {
        assert!(plan.contains(named), "{named} is not in the plan:\n{plan}");
    }
    let code = director.lvsh(&format!("plan --exit-code {file}")).code;
    assert_eq!(code, 4);
    lvsh(director, &format!("apply {file}"));
    assert_eq!(director.snapshot_text(), whole);
    super::site::everyone_stays(&net);
}

/// Takes the element for port 80 out of our map, whatever the map is called.
fn delete_one_mark(director: &Host) {
    let listing = director.run("nft list table inet lvsh");
    let map = listing
        .lines()
        .filter_map(|line| line.trim().strip_prefix("map ")?.strip_suffix(" {"))
        .find(|name| name.contains("exact4"))
        .unwrap_or_else(|| panic!("no map of exact elements:\n{listing}"));
    director.run(&format!("nft delete element inet lvsh {map} {{ {VIP} . tcp . 80 }}"));
}

#[test]
fn a_flushed_table_comes_back() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = example("web.lua");
    lvsh(director, &format!("start {file}"));
    let whole = director.snapshot_text();
    director.run("ipvsadm -C");
    director.run("nft flush ruleset");
    lvsh(director, &format!("apply {file}"));
    assert_eq!(director.snapshot_text(), whole);
}

#[test]
fn a_foreign_service_in_the_way_is_refused_and_apply_takes_it_over() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    director.cmd("ipvsadm -R").stdin("-A -f 3 -s rr\n-a -f 3 -r 192.168.1.66 -m\n").run();
    let before = director.snapshot_text();
    let file = example("web.lua");
    let refused = director.lvsh(&format!("start {file}"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("fwm:3") && refused.stderr.contains("lvsh apply"), "{}", refused.stderr);
    assert_eq!(director.snapshot_text(), before);
    lvsh(director, &format!("apply {file}"));
    super::site::everyone_stays(&net);
}
