//! NAT: the director rewrites addresses, and has to see the answers.

use super::*;
use crate::support::Topology;

/// Clients in front, real servers behind: their way back is through the director.
fn two_arms() -> Net {
    let net = Topology::new()
        .director("dir", "192.168.1.1 fd00::1")
        .client("c1", "192.168.1.11 fd00::11")
        .segment("back")
        .join("dir", "10.0.0.1 fd01::1")
        .server("rs1", "10.0.0.107 fd01::107")
        .server("rs2", "10.0.0.109 fd01::109")
        .build();
    net.director().forward();
    net.director().vip(VIP);
    net.director().vip("fd00::99");
    for server in net.servers() {
        server.masqueraded("10.0.0.1");
        server.masqueraded("fd01::1");
    }
    net
}

#[test]
fn two_arms_with_other_ports_in_both_families() {
    needs!(ipvs);
    let net = two_arms();
    script(
        net.director(),
        "local function web(vip, one, two)
           lvs.add_service { tcp = vip .. ':8080', scheduler = 'rr', servers = {
             { addr = one .. ':80', method = 'nat' }, { addr = two .. ':80', method = 'nat' } } }
         end
         web('192.168.1.99', '10.0.0.107', '10.0.0.109')
         web('[fd00::99]', '[fd01::107]', '[fd01::109]')",
    );
    let client = net.client("c1");
    for (url, own) in [("http://192.168.1.99:8080/", "192.168.1.11"), ("http://[fd00::99]:8080/", "fd00::11")]
    {
        let seen: Vec<_> = (0..4).map(|_| client.get(url).expect("an answer")).collect();
        assert!(seen.windows(2).all(|pair| pair[0].server != pair[1].server), "round robin: {seen:#?}");
        assert!(seen.iter().all(|answer| answer.port == 80), "{seen:#?}");
        let clients: Vec<_> = seen.iter().filter_map(|a| a.client).map(|c| c.ip().to_string()).collect();
        assert_eq!(clients, [own; 4], "the server sees the client itself");
    }
}

/// Everyone on one segment: the server would answer past the director, unless the director takes the client's place.
fn one_arm(settings: &str, rules: &str) -> Net {
    let net = crate::site::topology().build();
    let director = net.director();
    director.forward();
    if !rules.is_empty() {
        director.cmd("nft -f -").stdin(rules).run();
    }
    let policy = format!(
        "return lvs.policy {{ name = 'one-arm', {settings}
           vip = {{ addr = '{VIP}/32', dev = 'eth0' }},
           service = {{ tcp = '{VIP}:80', scheduler = 'rr', servers = {{
             {{ addr = '192.168.1.107', method = 'nat' }}, {{ addr = '192.168.1.109', method = 'nat' }} }} }} }}"
    );
    lvsh(director, &format!("start {}", write("one-arm", &policy)));
    net
}

const MASQUERADE: &str = "table ip onearm {
    chain out { type nat hook postrouting priority srcnat; ip daddr { 192.168.1.107, 192.168.1.109 } masquerade; }
}";
const CONNTRACK: &str = "sysctls = { conntrack = 1 },";
const HTTP: &str = "http://192.168.1.99/";

#[test]
fn one_arm_needs_conntrack_and_masquerading() {
    needs!(ipvs);
    let net = one_arm(CONNTRACK, MASQUERADE);
    let client = net.client("c1");
    let seen: Vec<_> = (0..4).map(|_| client.get(HTTP).expect("an answer")).collect();
    assert!(seen.windows(2).all(|pair| pair[0].server != pair[1].server), "{seen:#?}");
    let clients: Vec<_> = seen.iter().filter_map(|a| a.client).map(|c| c.ip().to_string()).collect();
    assert_eq!(clients, ["192.168.1.1"; 4], "the server sees the director");
    lvsh(net.director(), "stop /run/policies/one-arm.lua");
    assert_eq!(net.director().read_sysctl("net.ipv4.vs.conntrack"), "0");
}

/// A.6.25: IPVS and the kernel's NAT do not see each other without `net.ipv4.vs.conntrack`.
#[test]
fn one_arm_without_conntrack_gets_no_answer() {
    needs!(ipvs);
    let net = one_arm("", MASQUERADE);
    assert_eq!(net.client("c1").get(HTTP), Err(Failure::Timeout));
}

#[test]
fn one_arm_without_masquerading_gets_no_answer() {
    needs!(ipvs);
    let net = one_arm(CONNTRACK, "");
    assert_eq!(net.client("c1").get(HTTP), Err(Failure::Timeout));
}

/// A.6.31: behind NAT the server tells its own address in the control connection; `ip_vs_ftp` rewrites it.
#[test]
fn passive_ftp_behind_nat() {
    needs!(ipvs);
    let net = two_arms();
    let director = net.director();
    // The kernel never loads this one by itself.
    director.run("modprobe ip_vs_ftp");
    for server in net.servers() {
        server.serve_ftp(50000..=50009);
    }
    script(
        director,
        "lvs.sysctl('conntrack', 1)
         lvs.add_service { tcp = '192.168.1.99:21', scheduler = 'rr', servers = {
           { addr = '10.0.0.107', method = 'nat' }, { addr = '10.0.0.109', method = 'nat' } } }",
    );
    for _ in 0..4 {
        let fetched = net.client("c1").ftp("192.168.1.99:21").expect("a file");
        assert_eq!(fetched.address.ip().to_string(), VIP, "{fetched:?}");
        assert_eq!(fetched.control, fetched.data);
    }
}
