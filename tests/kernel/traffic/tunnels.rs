//! Tunnels to real servers: GUE and GRE with their checksums, and servers of the other family.

use super::*;
use crate::support::Topology;

/// One client, director and server in both families, and the server's own commands for its end of the tunnel.
fn tunnelled(vip: &str, server: &str, commands: &[&str]) -> Net {
    let net = Topology::new()
        .director("dir", "192.168.1.1 fd00::1")
        .client("c1", "192.168.1.11 fd00::11")
        .server("rs1", "192.168.1.107 fd00::107")
        .build();
    let director = net.director();
    director.vip(vip);
    let rs = net.server("rs1");
    for command in commands {
        rs.run(command);
    }
    rs.direct(vip);
    // What comes out of a tunnel is from a client that is not there.
    for device in ["all", "default"] {
        rs.sysctl(&format!("net.ipv4.conf.{device}.rp_filter"), "0");
    }
    let service = if vip.contains(':') { format!("[{vip}]:80") } else { format!("{vip}:80") };
    script(
        director,
        &format!("lvs.add_service {{ tcp = '{service}', scheduler = 'rr', servers = {{ {{ {server} }} }} }}"),
    );
    net
}

/// GUE is unpacked to IPIP, which any device of that kind takes.
const GUE: &[&str] = &[
    "modprobe fou",
    "ip fou add port 6080 gue",
    "ip link add ipip9 type ipip local 192.168.1.107 remote 192.168.1.1",
    "ip link set ipip9 up",
];

#[test]
fn gue_with_every_kind_of_checksum() {
    needs!(ipvs);
    let gue = |checksum: &str| {
        format!(
            "addr = '192.168.1.107', method = 'tun', tunnel = {{ type = 'gue', port = 6080, checksum = '{checksum}' }}"
        )
    };
    let net = tunnelled(VIP, &gue("none"), GUE);
    for checksum in ["none", "csum", "remcsum"] {
        script(
            net.director(),
            &format!(
                "lvs.get_service({{ tcp = '{VIP}:80' }}):set_server('192.168.1.107',
                   {{ tunnel = {{ checksum = '{checksum}' }} }})"
            ),
        );
        let answer = net.client("c1").get("http://192.168.1.99/");
        assert_eq!(answer.map(|answer| answer.server), Ok("rs1".to_owned()), "checksum {checksum}");
        let listed = net.director().run("ipvsadm -Sn");
        let option = if checksum == "none" { "--tun-nocsum".to_owned() } else { format!("--tun-{checksum}") };
        assert!(listed.contains("--tun-type gue --tun-port 6080"), "{listed}");
        assert!(listed.contains(&option), "{option}: {listed}");
    }
}

/// At its own port alone: the datagrams are those of port 6080.
#[test]
fn gue_at_another_port_does_not_arrive() {
    needs!(ipvs);
    let server = "addr = '192.168.1.107', method = 'tun', tunnel = { type = 'gue', port = 6081 }";
    let net = tunnelled(VIP, server, GUE);
    assert!(net.client("c1").get("http://192.168.1.99/").is_err());
}

#[test]
fn gre_plain() {
    needs!(ipvs);
    let device = "ip link add gre9 type gre local 192.168.1.107 remote 192.168.1.1";
    let server = "addr = '192.168.1.107', method = 'tun', tunnel = { type = 'gre' }";
    let net = tunnelled(VIP, server, &["modprobe ip_gre", device, "ip link set gre9 up"]);
    assert_eq!(net.client("c1").server_of("http://192.168.1.99/"), "rs1");
}

#[test]
fn gre_with_checksum() {
    needs!(ipvs);
    let device = "ip link add gre9 type gre local 192.168.1.107 remote 192.168.1.1 csum";
    let server = "addr = '192.168.1.107', method = 'tun', tunnel = { type = 'gre', checksum = 'csum' }";
    let net = tunnelled(VIP, server, &["modprobe ip_gre", device, "ip link set gre9 up"]);
    assert_eq!(net.client("c1").server_of("http://192.168.1.99/"), "rs1");
}

/// A.6.23: only a tunnel joins the families.
#[test]
fn an_ipv4_address_with_an_ipv6_server() {
    needs!(ipvs);
    let device = "ip link add t46 type ip6tnl mode any local fd00::107 remote fd00::1";
    let server = "addr = 'fd00::107', method = 'tun'";
    let net = tunnelled(VIP, server, &["modprobe ip6_tunnel", device, "ip link set t46 up"]);
    let answer = net.client("c1").get("http://192.168.1.99/").expect("an answer");
    assert_eq!(answer.client.map(|client| client.ip().to_string()).as_deref(), Some("192.168.1.11"));
    // With such a server there can be no synchronisation, and the other way round.
    let refused = "local ok, e = pcall(lvs.start_sync, { role = 'master', dev = 'eth0' })
                   assert(not ok and e.code == 'EINVAL', tostring(e))";
    script(net.director(), refused);
    script(
        net.director(),
        &format!(
            "local web = lvs.get_service {{ tcp = '{VIP}:80' }} web:del_server 'fd00::107'
             lvs.start_sync {{ role = 'master', dev = 'eth0' }}
             local ok, e = pcall(web.add_server, web, {{ addr = 'fd00::107', method = 'tun' }})
             assert(not ok and e.code == 'EINVAL', tostring(e))"
        ),
    );
}

#[test]
fn an_ipv6_address_with_an_ipv4_server() {
    needs!(ipvs);
    let device = "ip link add sit9 type sit local 192.168.1.107 remote 192.168.1.1";
    let server = "addr = '192.168.1.107', method = 'tun'";
    let net = tunnelled("fd00::99", server, &["modprobe sit", device, "ip link set sit9 up"]);
    let answer = net.client("c1").get("http://[fd00::99]/").expect("an answer");
    assert_eq!(answer.client.map(|client| client.ip().to_string()).as_deref(), Some("fd00::11"));
}
