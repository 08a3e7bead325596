//! `lvs.real_server` behind tunnels: every encapsulation of IPVS, both families, and one inside the other.

use super::{director, real_server, served, start_twice, stop_whole, topology, url};
use crate::site::{example, lvsh, write};
use crate::support::Net;

const VIP: &str = "192.168.1.99";
const VIP6: &str = "2001:db8:1::99";

/// The modules first: what they bring to a namespace is not the policy's.
fn net() -> Net {
    let net = topology().build();
    net.server("rs1").run("modprobe -a ipip sit ip6_tunnel ip_gre ip6_gre fou fou6");
    // As many distributions have it: what comes out of a tunnel has its way back by another device.
    for server in net.servers() {
        server.sysctl("net.ipv4.conf.all.rp_filter", "1");
        server.sysctl("net.ipv4.conf.default.rp_filter", "1");
    }
    net
}

/// `vip` through tunnels to the servers' addresses of `outer`: not before, while it is started, and not after.
fn through(vip: &str, outer: &str, tunnel: &str, device: &str) {
    let net = net();
    director(&net, &[(vip, outer)], &format!("method = 'tun', tunnel = {{ {tunnel} }}"));
    let file = real_server(
        "rs",
        &format!("vip = '{vip}', method = 'tun', tunnel = {{ {tunnel}, family = '{outer}' }}"),
    );
    let answer = net.client("c1").get(&url("http", vip));
    assert!(answer.is_err(), "nothing unpacks yet: {answer:?}");
    let (server, other) = (net.server("rs1"), net.server("rs2"));
    let before = server.snapshot_text();
    lvsh(server, &format!("start {file}"));
    lvsh(other, &format!("start {file}"));
    served(&net, vip);
    let link = server.run(&format!("ip -s -d link show {device}"));
    let received = link.lines().skip_while(|line| !line.trim_start().starts_with("RX:")).nth(1).unwrap_or("");
    let bytes: u64 = received.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
    assert!(bytes > 0, "the packets came through {device}:\n{link}");
    assert_eq!(server.read_sysctl("net.ipv4.conf.all.rp_filter"), "1", "stays strict for other devices");
    lvsh(server, &format!("stop {file}"));
    assert_eq!(server.snapshot_text(), before);
    lvsh(other, &format!("stop {file}"));
    let answer = net.client("c1").get(&url("http", vip));
    assert!(answer.is_err(), "after stop: {answer:?}");
}

/// What somebody did to the device is told, and mended in place.
#[test]
fn drift() {
    needs!(ipvs);
    let net = net();
    let server = net.server("rs1");
    let file = real_server("rs", &format!("vip = '{VIP}', method = 'tun'"));
    lvsh(server, &format!("start {file}"));
    let whole = server.snapshot_text();
    server.run("ip link set lvsh-ipip down");
    server.sysctl("net.ipv4.conf.lvsh-ipip.rp_filter", "1");
    let plan = lvsh(server, &format!("plan {file}")).stdout;
    assert!(plan.contains("! tunnel lvsh-ipip"), "{plan}");
    assert!(plan.contains("up false -> true") && plan.contains("rp_filter 1 -> 2"), "{plan}");
    lvsh(server, &format!("apply {file}"));
    assert_eq!(server.snapshot_text(), whole);
    // With the device its address is gone, too.
    server.run("ip link del lvsh-ipip");
    lvsh(server, &format!("apply {file}"));
    let now = server.run("ip -d addr show lvsh-ipip");
    assert!(now.contains("192.168.1.99/32") && now.contains("alias lvsh"), "{now}");
}

#[test]
fn ipip() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'ipip'", "lvsh-ipip");
}

#[test]
fn ipip_of_ipv6() {
    needs!(ipvs);
    through(VIP6, "ipv6", "type = 'ipip'", "lvsh-ip6tnl");
}

#[test]
fn ipv6_in_ipv4() {
    needs!(ipvs);
    through(VIP6, "ipv4", "type = 'ipip'", "lvsh-sit");
}

#[test]
fn ipv4_in_ipv6() {
    needs!(ipvs);
    through(VIP, "ipv6", "type = 'ipip'", "lvsh-ip6tnl");
}

#[test]
fn gue() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'gue', port = 6080", "lvsh-ipip");
}

#[test]
fn gue_with_checksum() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'gue', port = 6080, checksum = 'csum'", "lvsh-ipip");
}

#[test]
fn gue_with_remote_checksum() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'gue', port = 6080, checksum = 'remcsum'", "lvsh-ipip");
}

#[test]
fn gue_of_ipv6() {
    needs!(ipvs);
    through(VIP6, "ipv6", "type = 'gue', port = 6080", "lvsh-ip6tnl");
}

#[test]
fn gue_of_ipv6_in_ipv4() {
    needs!(ipvs);
    through(VIP6, "ipv4", "type = 'gue', port = 6080", "lvsh-sit");
}

#[test]
fn gue_of_ipv4_in_ipv6() {
    needs!(ipvs);
    through(VIP, "ipv6", "type = 'gue', port = 6080", "lvsh-ip6tnl");
}

#[test]
fn gre() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'gre'", "lvsh-gre");
}

#[test]
fn gre_with_checksum() {
    needs!(ipvs);
    through(VIP, "ipv4", "type = 'gre', checksum = 'csum'", "lvsh-gre");
}

#[test]
fn gre_of_ipv6() {
    needs!(ipvs);
    through(VIP6, "ipv6", "type = 'gre'", "lvsh-ip6gre");
}

#[test]
fn gre_of_ipv6_in_ipv4() {
    needs!(ipvs);
    through(VIP6, "ipv4", "type = 'gre'", "lvsh-gre");
}

#[test]
fn gre_of_ipv4_in_ipv6() {
    needs!(ipvs);
    through(VIP, "ipv6", "type = 'gre'", "lvsh-ip6gre");
}

/// The example, on both servers, for both of its addresses at once.
#[test]
fn the_example() {
    needs!(ipvs);
    let net = net();
    let vip6 = "2001:db8:9::99";
    for client in net.clients() {
        client.route_to("2001:db8:9::/64", "2001:db8:1::1");
    }
    director(
        &net,
        &[(VIP, "ipv4"), (vip6, "ipv4")],
        "method = 'tun', tunnel = { type = 'gue', port = 6080 }",
    );
    let file = example("real-server-tun.lua");
    let before: Vec<_> = net.servers().map(|server| start_twice(server, &file)).collect();
    served(&net, VIP);
    served(&net, vip6);
    for (server, before) in net.servers().zip(&before) {
        stop_whole(server, &file, before);
    }
}

/// The devices that come with the modules take every packet too; ours is asked first, and `sit` is told from `sit0`.
#[test]
fn devices_of_others_are_in_the_way_or_not() {
    needs!(ipvs);
    let net = net();
    let server = net.server("rs1");
    let file = real_server("rs", &format!("vip = '{VIP}', method = 'tun'"));
    // A tunnel to somewhere else does not matter, and is not touched.
    server.run("ip link add other type ipip local 192.168.1.107 remote 10.9.9.9");
    let before = start_twice(server, &file);
    stop_whole(server, &file, &before);
    // Ours by name only: refused, also by apply, because it is of another kind.
    server.run("ip link add lvsh-ipip type ipip local 192.168.1.107 remote 10.9.9.8");
    let before = server.snapshot_text();
    for verb in ["start", "apply"] {
        let refused = server.lvsh(&format!("{verb} {file}"));
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("ip link del lvsh-ipip"), "{}", refused.stderr);
        assert_eq!(server.snapshot_text(), before);
    }
    server.run("ip link del lvsh-ipip");
    // Another one takes all already: the kernel allows one of each kind, and says no.
    server.run("ip link add taker type ipip external");
    let before = server.snapshot_text();
    let refused = server.lvsh(&format!("start {file}"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("takes all packets already"), "{}", refused.stderr);
    assert_eq!(server.snapshot_text(), before);
    // Alike: start names it, apply takes it over.
    server.run("ip link set taker name lvsh-ipip");
    let refused = server.lvsh(&format!("start {file}"));
    assert!(refused.stderr.contains("lvsh apply"), "{}", refused.stderr);
    lvsh(server, &format!("apply {file}"));
    assert!(server.run("ip -d link show lvsh-ipip").contains("alias lvsh"));
}

/// The port belongs to a program: refused before anything else is there.
#[test]
fn a_taken_udp_port_is_a_refusal() {
    needs!(ipvs);
    let net = net();
    let server = net.server("rs1");
    let file = real_server(
        "rs",
        &format!("vip = '{VIP}', method = 'tun', tunnel = {{ type = 'gue', port = 6080 }}"),
    );
    let socket = server.namespace.inside(|| std::net::UdpSocket::bind("0.0.0.0:6080")).expect("a socket");
    let before = server.snapshot_text();
    let refused = server.lvsh(&format!("start {file}"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("UDP port 6080 is taken"), "{}", refused.stderr);
    assert_eq!(server.snapshot_text(), before);
    drop(socket);
    lvsh(server, &format!("start {file}"));
}

/// Tunnel devices one call each.
#[test]
fn imperative() {
    needs!(ipvs);
    let net = net();
    let server = net.server("rs2");
    let text = format!(
        "return {{ name = 'rs',
  start = function()
    lvs.add_gue_port {{ port = 6080 }}
    lvs.add_tunnel {{ dev = 'in', type = 'ipip' }}
    lvs.add_vip {{ addr = '{VIP}', dev = 'in' }}
  end,
  stop = function()
    lvs.del_vip {{ addr = '{VIP}', dev = 'in', missing_ok = true }}
    lvs.del_tunnel {{ dev = 'in', missing_ok = true }}
    lvs.del_gue_port {{ port = 6080, missing_ok = true }}
  end }}"
    );
    let file = write("rs", &text);
    let before = start_twice(server, &file);
    let listed = lvsh(
        server,
        "eval 'local t = lvs.tunnels()[1] return t.dev, t.type, t.up, t.ours, lvs.gue_ports()[1].port'",
    );
    assert_eq!(listed.stdout, "\"in\"\n\"ipip\"\ntrue\ntrue\n6080\n");
    stop_whole(server, &file, &before);
}
