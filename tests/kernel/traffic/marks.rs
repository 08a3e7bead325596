//! Marks under traffic: changed atomically, by the thousand, and for what the director itself sends.

use super::*;
use crate::support::{Load, runs};
use std::time::{Duration, Instant};

/// Blue and green are a server each; each is a service of a mark of its own.
const COLOURS: &str = "
    lvs.add_service { fwmark = 10, scheduler = 'rr', servers = { { addr = '192.168.1.107' } } }
    lvs.add_service { fwmark = 20, scheduler = 'rr', servers = { { addr = '192.168.1.109' } } }
";

#[test]
fn one_element_switches_everybody_and_no_request_fails() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    let element = |verb: &str, mark: u32| {
        format!("lvs.{verb}_mark {{ mark = {mark}, daddr = '{VIP}', proto = 'tcp', dports = 80 }}")
    };
    script(director, &(COLOURS.to_owned() + &element("add", 10)));
    let load = Load::http(net.client("c1"), "http://192.168.1.99/");
    load.more(20);
    script(director, &element("set", 20));
    load.more(20);
    script(director, &element("set", 10));
    load.more(20);
    assert_eq!(runs(&load.servers()), ["rs1", "rs2", "rs1"]);
}

/// 5,000 ports, of which the first and the last are asked in turn while all go from one service to the other: there is
/// one moment at which all have changed, and none at which a packet has no mark.
#[test]
fn five_thousand_elements_change_at_once() {
    needs!(ipvs);
    const FIRST: u16 = 10_000;
    const LAST: u16 = 14_999;
    let net = farm();
    let director = net.director();
    for server in net.servers() {
        for port in [FIRST, LAST] {
            server.udp(format!("{VIP}:{port}").parse().expect("an address"));
        }
    }
    // Behind our chain: what has no mark there would have reached no service.
    let watch = format!(
        "table ip watch {{
            counter unmarked {{ }}
            chain pre {{
                type filter hook prerouting priority -140;
                udp dport {FIRST}-{LAST} meta mark 0 counter name unmarked;
            }}
        }}"
    );
    director.cmd("nft -f -").stdin(watch).run();
    script(
        director,
        "lvs.add_service { fwmark = 10, scheduler = 'rr', ops = true, servers = { { addr = '192.168.1.107' } } }
         lvs.add_service { fwmark = 20, scheduler = 'rr', ops = true, servers = { { addr = '192.168.1.109' } } }",
    );
    // One call is one change, whatever the number of its elements.
    let all_ports = |verb: &str, mark: u32| {
        let lines = format!(
            "local ports = {{}}
             for port = {FIRST}, {LAST} do ports[#ports + 1] = port end
             lvs.{verb}_mark {{ mark = {mark}, daddr = '{VIP}', proto = 'udp', dports = ports }}"
        );
        let begun = Instant::now();
        let run = format!("run --quiet {}", write("all-ports", &lines));
        director.lvsh_cmd(&run).limit(Duration::from_secs(100)).run();
        begun.elapsed()
    };
    let adding = all_ports("add", 10);
    let sockets = [FIRST, LAST].map(|port| net.client("c1").udp_socket(0, &format!("{VIP}:{port}")));
    let load = Load::of(move |at| Host::ask(&sockets[at % 2], "question").map(|answer| answer.server));
    load.more(50);
    let changing = all_ports("set", 20);
    load.more(50);
    let servers = load.servers();
    println!("5000 elements: added in {adding:?}, changed in {changing:?} under {} requests", servers.len());
    assert_eq!(runs(&servers), ["rs1", "rs2"], "first and last element changed together");
    let counter = director.run("nft list counter ip watch unmarked");
    assert!(counter.contains("packets 0 bytes 0"), "some packets had no mark: {counter}");
    let map = director.run("nft list map inet lvsh prerouting_exact4");
    assert_eq!(map.matches(": 0x00000014").count(), usize::from(LAST - FIRST + 1), "all have mark 20");
}

/// A.6.27: what the director itself asks passes the output chain; the address need not be its own.
#[test]
fn the_director_is_a_client_too() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let policy = format!(
        "return lvs.policy {{ name = 'local',
           mark = {{ mark = 3, daddr = '{VIP}', proto = 'tcp', dports = {{ 80, 443 }}, output = true }},
           service = {{ fwmark = 3, scheduler = 'rr', {BOTH} }} }}"
    );
    let file = write("local", &policy);
    lvsh(director, &format!("start {file}"));
    let mut servers = answers(director, "http://192.168.1.99/", 4);
    servers.sort();
    assert_eq!(servers, ["rs1", "rs1", "rs2", "rs2"]);
    assert!(director.get("https://192.168.1.99/").is_ok());
    assert!(director.connect("192.168.1.99:7").is_err(), "port 7 has no mark");
    lvsh(director, &format!("stop {file}"));
    assert!(director.get("http://192.168.1.99/").is_err(), "nobody has the address");
}

/// With the address on the director, its own requests come from there: NAT brings the answers back.
#[test]
fn the_director_asks_its_own_address() {
    needs!(ipvs);
    let net = crate::site::topology().build();
    let director = net.director();
    let policy = format!(
        "return lvs.policy {{ name = 'own',
           vip = {{ addr = '{VIP}/32', dev = 'eth0' }},
           mark = {{ mark = 3, daddr = '{VIP}', proto = 'tcp', dports = 80, output = true }},
           service = {{ fwmark = 3, scheduler = 'rr', servers = {{
             {{ addr = '192.168.1.107:80', method = 'nat' }}, {{ addr = '192.168.1.109:80', method = 'nat' }} }} }} }}"
    );
    lvsh(director, &format!("start {}", write("own", &policy)));
    let mut servers = answers(director, "http://192.168.1.99/", 4);
    servers.sort();
    assert_eq!(servers, ["rs1", "rs1", "rs2", "rs2"]);
}

/// Control and data of passive FTP are one group: one mark for port 21 and for the data ports, and persistence.
#[test]
fn passive_ftp_in_direct_routing() {
    needs!(ipvs);
    let net = direct();
    for server in net.servers() {
        server.serve_ftp(50000..=50009);
    }
    let policy = format!(
        "return lvs.policy {{ name = 'ftp',
           vip = {{ addr = '{VIP}/32', dev = 'eth0' }},
           mark = {{ mark = 21, daddr = '{VIP}', proto = 'tcp', dports = {{ 'ftp', '50000-50009' }} }},
           service = {{ fwmark = 21, scheduler = 'rr', persistent = 600, {BOTH} }} }}"
    );
    lvsh(net.director(), &format!("start {}", write("ftp", &policy)));
    let servers: Vec<_> = net
        .clients()
        .flat_map(|client| {
            let fetched: Vec<_> = (0..3).map(|_| client.ftp("192.168.1.99:21").expect("a file")).collect();
            assert!(fetched.iter().all(|file| file.control == file.data), "{fetched:#?}");
            assert!(fetched.iter().all(|file| file.control == fetched[0].control), "{fetched:#?}");
            Some(fetched[0].control.clone())
        })
        .collect();
    assert!(servers.contains(&"rs1".to_owned()) && servers.contains(&"rs2".to_owned()), "{servers:?}");
    // Without persistence the data connection goes where the next one goes.
    script(net.director(), "lvs.set_service({ fwmark = 21 }, { persistent = false })");
    assert!(net.client("c1").ftp("192.168.1.99:21").is_err(), "round robin parts control and data");
}
