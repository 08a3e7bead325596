//! A director without a VIP: mark, rule, local route.

use super::{served, start_twice, stop_whole, topology};
use crate::site::{example, lvsh};
use crate::support::Net;

const VIPS: [&str; 2] = ["192.168.9.99", "2001:db8:9::99"];

/// Clients send the network of the example to the director; the real servers have one address of each family.
fn net() -> Net {
    let net = topology().build();
    for client in net.clients() {
        client.route_to("192.168.9.0/24", "192.168.1.1");
        client.route_to("2001:db8:9::/64", "2001:db8:1::1");
    }
    for server in net.servers() {
        lvsh(server, &format!("start {}", example("real-server.lua")));
    }
    net
}

#[test]
fn marked_packets_are_served_without_an_address() {
    needs!(ipvs);
    let net = net();
    let director = net.director();
    let file = example("no-vip.lua");
    // Rules and routes of others, in a table of theirs and in ours.
    for line in [
        "ip rule add fwmark 9 lookup 200 priority 50",
        "ip route add local default dev lo table 200",
        "ip rule add from 10.9.0.0/16 lookup 100 priority 60",
        "ip route add blackhole 10.9.0.0/16 table 100",
    ] {
        director.run(line);
    }
    for vip in VIPS {
        let answer = net.client("c1").get(&super::url("http", vip));
        assert!(answer.is_err(), "before anything was started: {answer:?}");
    }
    let before = start_twice(director, &file);
    for vip in VIPS {
        served(&net, vip);
    }
    assert!(!director.run("ip addr").contains("192.168.9."), "the director has no address of it");
    let status = lvsh(director, &format!("status {file}")).stdout;
    assert!(status.contains("rule ipv6 fwmark 3 lookup 100 priority 100"), "{status}");

    // Nothing but the rule leads here: without it, and until it is mended, nobody answers.
    director.run("ip rule del fwmark 3 lookup 100");
    let answer = net.client("c1").get(&super::url("http", VIPS[0]));
    assert!(answer.is_err(), "{answer:?}");
    let plan = lvsh(director, &format!("plan {file}")).stdout;
    assert!(plan.contains("! rule fwmark 3 lookup 100 priority 100"), "{plan}");
    director.run("ip -6 route del local default dev lo table 100");
    lvsh(director, &format!("apply {file}"));
    for vip in VIPS {
        served(&net, vip);
    }
    stop_whole(director, &file, &before);
    for vip in VIPS {
        let answer = net.client("c1").get(&super::url("http", vip));
        assert!(answer.is_err(), "after stop: {answer:?}");
    }
}

/// The imperative form, with two marks that share a table.
#[test]
fn local_routes_one_call_each() {
    needs!(ipvs);
    let net = topology().build();
    let director = net.director();
    let before = director.snapshot_text();
    lvsh(
        director,
        "eval 'lvs.add_local_route { mark = 3, table = 100 } lvs.add_local_route { mark = 4, table = 100, priority = 7 }'",
    );
    let rules = director.run("ip rule");
    assert!(rules.contains("100:\tfrom all fwmark 0x3 lookup 100 proto 76"), "{rules}");
    assert!(rules.contains("7:\tfrom all fwmark 0x4 lookup 100 proto 76"), "{rules}");
    let listed =
        lvsh(director, "eval 'local r = lvs.routes() return #r, r[1].table, r[1].ours, #lvs.rules()'").stdout;
    assert_eq!(listed, "1\n100\ntrue\n2\n");
    let there = director.lvsh("eval 'lvs.add_local_route { mark = 3, table = 100 }'");
    assert_eq!(there.code, 1, "{}", there.stderr);
    assert!(there.stderr.contains("EEXIST"), "{}", there.stderr);
    lvsh(director, "eval 'lvs.del_local_route { mark = 3, table = 100 }'");
    assert!(
        director.run("ip route show table 100").contains("local default"),
        "the other mark still needs it"
    );
    lvsh(director, "eval 'lvs.del_local_route { mark = 4, table = 100, priority = 7 }'");
    assert_eq!(director.snapshot_text(), before);
}

/// What others installed is a conflict; apply takes it over, and stop then takes it away.
#[test]
fn an_equal_rule_of_others_is_in_the_way() {
    needs!(ipvs);
    let net = topology().build();
    let director = net.director();
    let clean = director.snapshot_text();
    let file = example("no-vip.lua");
    for line in [
        "ip rule add fwmark 3 lookup 100 priority 100",
        "ip route add local default dev lo table 100",
        "ip -6 rule add fwmark 3 lookup 100 priority 100",
        "ip -6 route add local default dev lo table 100",
    ] {
        director.run(line);
    }
    let before = director.snapshot_text();
    let refused = director.lvsh(&format!("start {file}"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("fwmark 3 lookup 100") && refused.stderr.contains("lvsh apply"),
        "{}",
        refused.stderr
    );
    assert_eq!(director.snapshot_text(), before);
    lvsh(director, &format!("apply {file}"));
    assert_eq!(director.run("ip rule").matches("fwmark 0x3").count(), 1);
    assert!(director.run("ip rule").contains("proto 76"));
    lvsh(director, &format!("stop {file}"));
    assert_eq!(director.snapshot_text(), clean);
}
