//! Directors without a VIP and real servers: what their policies look like to a user.

use crate::support::Playground;

const NO_VIP: &str = include_str!("../../examples/no-vip.lua");
const REAL: &str = include_str!("../../examples/real-server.lua");
const TUN: &str = include_str!("../../examples/real-server-tun.lua");

/// Every verb in turn, on one machine.
fn story(here: &Playground, name: &str) -> String {
    let mut story = String::new();
    for words in [
        &["plan", name][..],
        &["plan", name, "--as", "ipvsadm"],
        &["plan", name, "--as", "lua"],
        &["start", "-q", name],
        &["start", name],
        &["plan", "-v", name],
        &["status", name],
        &["list"],
        &["stop", name],
    ] {
        story.push_str(&format!("$ lvsh {}\n{}\n", words.join(" "), here.run(words).all()));
    }
    story.replace("up 1 s", "up 0 s")
}

#[test]
fn a_director_without_a_vip() {
    let here = Playground::new();
    here.policy("no-vip", NO_VIP);
    insta::assert_snapshot!(story(&here, "no-vip"));
}

#[test]
fn a_real_server_for_direct_routing() {
    let here = Playground::new();
    here.policy("real-server", REAL);
    insta::assert_snapshot!(story(&here, "real-server"));
}

#[test]
fn a_real_server_behind_tunnels() {
    let here = Playground::new();
    here.policy("real-server-tun", TUN);
    insta::assert_snapshot!(story(&here, "real-server-tun"));
}

#[test]
fn as_documents() {
    let here = Playground::new();
    here.policy("no-vip", NO_VIP);
    here.policy("real-server-tun", TUN);
    here.run(&["start", "no-vip"]).ok();
    here.run(&["start", "real-server-tun"]).ok();
    let list = here.run(&["list", "--json"]).ok().json();
    assert_eq!(list["rules"][0]["mark"], 3);
    assert_eq!(list["rules"][1]["family"], "ipv6");
    assert_eq!(list["routes"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["tunnels"][0]["dev"], "lvsh-ipip");
    assert_eq!(list["gue_ports"][0]["port"], 6080);
    let plan = here.run(&["plan", "--stop", "--json", "no-vip"]).ok().json();
    let first = &plan["changes"][0];
    assert_eq!((&first["op"], &first["kind"]), (&"del".into(), &"rule".into()));
    assert_eq!(first["shell"], "ip rule del fwmark 3 lookup 100 priority 100");
}

/// What `list --as lua` writes makes the same machine.
#[test]
fn a_listing_makes_the_same_machine() {
    let here = Playground::new();
    for (name, text) in [("no-vip", NO_VIP), ("real-server-tun", TUN)] {
        here.policy(name, text);
        here.run(&["start", name]).ok();
    }
    let script = here.run(&["list", "--as", "lua"]).ok().out;
    let listed = |here: &Playground| {
        let mut all = here.run(&["list", "--json"]).ok().json();
        for row in all["services"].as_array_mut().into_iter().flatten() {
            row["policy"] = serde_json::Value::Null;
        }
        for row in all["marks"].as_array_mut().into_iter().flatten() {
            row["policy"] = serde_json::Value::Null;
        }
        all["duration_ms"] = 0.into();
        all
    };
    let other = Playground::new();
    let file = other.policy("again", &script);
    other.run(&["run", &file.display().to_string()]).ok();
    assert_eq!(listed(&other), listed(&here));
}

/// Every combination of encapsulation, outer and inner family has its device.
#[test]
fn devices_of_tunnels() {
    let plan = |spec: &str| {
        let here = Playground::new();
        here.policy("rs", &format!("return lvs.real_server {{ method = 'tun', {spec} }}"));
        let steps = here.run(&["plan", "--json", "rs"]).ok().json();
        let rows = steps["changes"].as_array().cloned().unwrap_or_default();
        let made = rows.iter().filter(|row| row["kind"] == "tunnel" || row["kind"] == "gue port");
        made.map(|row| row["subject"].as_str().unwrap_or_default().to_string()).collect::<Vec<_>>().join(" ")
    };
    for (vip, tunnel, expected) in [
        ("'192.0.2.1'", "", "lvsh-ipip"),
        ("'192.0.2.1'", "family = 'ipv6'", "lvsh-ip6tnl"),
        ("'2001:db8::1'", "", "lvsh-ip6tnl"),
        ("'2001:db8::1'", "family = 'ipv4'", "lvsh-sit"),
        ("{ '192.0.2.1', '2001:db8::1' }", "", "lvsh-ip6tnl lvsh-ipip"),
        ("{ '192.0.2.1', '192.0.2.2' }", "", "lvsh-ipip"),
        ("{ '192.0.2.1', '2001:db8::1' }", "type = 'gre', family = 'ipv4'", "lvsh-gre"),
        ("{ '192.0.2.1', '2001:db8::1' }", "type = 'gre'", "lvsh-gre lvsh-ip6gre"),
        ("'192.0.2.1'", "type = 'gue', port = 6080, checksum = 'csum'", "6080 lvsh-ipip"),
        (
            "{ '192.0.2.1', '2001:db8::1' }",
            "type = 'gue', port = 6080",
            "6080 ipv6 6080 lvsh-ip6tnl lvsh-ipip",
        ),
    ] {
        assert_eq!(plan(&format!("vip = {vip}, tunnel = {{ {tunnel} }}")), expected, "{vip} {tunnel}");
    }
}

/// Two marks of one table, in two policies: the route stays until the last of them stops.
#[test]
fn a_route_that_two_policies_lead_to() {
    for order in [["a", "b"], ["b", "a"]] {
        let here = Playground::new();
        here.policy("a", "return lvs.policy { local_route = { mark = 3, table = 100 } }");
        let calls =
            "return { name = 'b', start = function() lvs.add_local_route { mark = 4, table = 100 } end,
          stop = function() lvs.del_local_route { mark = 4, table = 100, missing_ok = true } end }";
        here.policy("b", calls);
        here.run(&["start", "a"]).ok();
        here.run(&["start", "b"]).ok();
        for name in ["a", "b"] {
            assert!(here.run(&["start", name]).ok().out.contains("nothing to do"), "{name}");
        }
        let stopped = here.run(&["stop", order[0]]).ok();
        assert!(stopped.err.contains("route local default dev lo table 100 stays"), "{}", stopped.err);
        assert_eq!(here.run(&["eval", "#lvs.rules(), #lvs.routes()"]).ok().out, "1\n1\n");
        here.run(&["stop", order[1]]).ok();
        assert_eq!(here.run(&["eval", "#lvs.rules(), #lvs.routes()"]).ok().out, "0\n0\n");
    }
}

#[test]
fn a_status_of_ones_own() {
    let here = Playground::new();
    here.policy(
        "rs",
        "return lvs.real_server { vip = '192.0.2.1', on_start = function(p) print(p.name .. ' is ready') end }",
    );
    let state = |more: &str| {
        let code =
            format!("{more} return lvs.real_server {{ name = 'rs', vip = '192.0.2.1' }}:status().state");
        here.run(&["eval", &code]).ok().out.trim().to_string()
    };
    assert_eq!(state(""), "\"down\"");
    assert!(here.run(&["start", "rs"]).ok().out.starts_with("rs is ready\n"));
    assert_eq!(state(""), "\"up\"");
    assert_eq!(state("lvs.sysctl('net.ipv4.conf.all.arp_ignore', 0)"), "\"changed\"");
}
