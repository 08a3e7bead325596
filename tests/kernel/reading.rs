//! Reading a director at work: its connections as the kernel lists them, counters, and ending a server's connections.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lvsh::backend::{Backend, Services, Want};
use lvsh::kernel::Kernel;
use lvsh::model::{ServiceKey, State};
use serde_json::Value;

use super::flood;
use super::site::write;
use super::support::{Conn, Host, Net, Topology, eventually};

const VIP: &str = "10.0.0.99";
const EXPIRE: &str = "net.ipv4.vs.expire_nodest_conn";

/// Two clients, two servers for direct routing, and the echo service with persistence: one client on each server.
fn echo(servers: &str) -> Net {
    let net = Topology::new()
        .director("dir", "10.0.0.1")
        .client("c1", "10.0.0.11")
        .client("c2", "10.0.0.12")
        .server("rs1", "10.0.0.107")
        .server("rs2", "10.0.0.109")
        .build();
    net.director().vip(VIP);
    for server in net.servers() {
        server.direct(VIP);
    }
    net.director().cmd("ipvsadm -R").stdin(servers).run();
    net
}

const ECHO: &str = "-A -t 10.0.0.99:7 -s rr -p 600
-a -t 10.0.0.99:7 -r 10.0.0.107:7 -g -w 5 -x 1000 -y 10
-a -t 10.0.0.99:7 -r 10.0.0.109:7 -g -w 5
-A -f 4 -s wrr
-a -f 4 -r 10.0.0.107:0 -i -w 3 --tun-type gue --tun-port 6080
";

fn says(stream: &mut TcpStream, word: &str) -> std::io::Result<String> {
    stream.write_all(format!("{word}\n").as_bytes())?;
    let mut buffer = [0; 512];
    let count = stream.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// One connection of each client, and the address of the server it is on.
fn talking(net: &Net) -> Vec<(TcpStream, String)> {
    net.clients()
        .map(|client| {
            let mut stream = client.connect(&format!("{VIP}:7")).expect("a connection");
            says(&mut stream, "hello").expect("an echo");
            let from = stream.local_addr().expect("an address");
            let conns = net.director().conns();
            let entry = conns.iter().find(|conn| conn.client == (from.ip(), from.port()));
            let server = entry.expect("an entry of this connection").server.0.to_string();
            (stream, server)
        })
        .collect()
}

fn of_server(host: &Host, server: &str) -> Vec<Conn> {
    host.conns().into_iter().filter(|conn| conn.server.0.to_string() == server).collect()
}

fn state(host: &Host) -> State {
    let look = || Kernel::open()?.snapshot(&Want::all());
    host.namespace.inside(look).expect("a snapshot").state
}

#[track_caller]
fn eval(host: &Host, code: &str) -> String {
    let done = host.lvsh(&format!("eval '{code}'"));
    assert_eq!(done.code, 0, "{done}");
    done.stdout.trim().to_string()
}

/// Protocol, client, virtual, server, state of what both list; marks as numbers.
fn ours(document: &Value) -> BTreeSet<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_string();
    let line = |entry: &Value| {
        let target = match entry["fwmark"].as_u64() {
            Some(mark) => format!("mark {mark}"),
            None => format!("{} {}", text(entry, "virtual"), entry["virtual_port"]),
        };
        let (client, server) = (text(entry, "client"), text(entry, "server"));
        let (protocol, state) = (text(entry, "protocol"), text(entry, "state"));
        format!(
            "{protocol} {client} {} {target} {server} {} {state}",
            entry["client_port"], entry["server_port"]
        )
    };
    document["connections"].as_array().expect("a list").iter().map(line).collect()
}

fn theirs(conns: &[Conn]) -> BTreeSet<String> {
    let line = |conn: &Conn| {
        let target = match conn.mark() {
            Some(mark) => format!("mark {mark}"),
            None => format!("{} {}", conn.service.0, conn.service.1),
        };
        let ((client, client_port), (server, server_port)) = (conn.client, conn.server);
        let protocol = conn.protocol.to_lowercase();
        format!("{protocol} {client} {client_port} {target} {server} {server_port} {}", conn.state)
    };
    conns.iter().map(line).collect()
}

/// The three kinds of persistence (one port, a mark, every port), on IPv4 and IPv6, and what Lua says of each.
#[test]
fn connections_and_templates_are_those_of_the_kernel() {
    needs!(ipvs);
    let net = Topology::new()
        .director("dir", "10.0.0.1 fd00::1")
        .client("c1", "10.0.0.11 fd00::11")
        .server("rs1", "10.0.0.107 fd00::107")
        .build();
    let director = net.director();
    let rules = "add table inet t
        add chain inet t pre { type filter hook prerouting priority mangle; }
        add rule inet t pre ip daddr 10.0.0.98 tcp dport 443 meta mark set 3
        add rule inet t pre ip6 daddr fd00::98 tcp dport 443 meta mark set 3";
    director.cmd("nft -f -").stdin(rules).run();
    for vip in ["10.0.0.97", "10.0.0.98", "10.0.0.99", "fd00::98"] {
        director.vip(vip);
        net.server("rs1").direct(vip);
    }
    let services = "-A -t 10.0.0.99:80 -s rr -p 600
-a -t 10.0.0.99:80 -r 10.0.0.107:80 -g
-A -t 10.0.0.97:0 -s rr -p 600 -M 255.255.255.0
-a -t 10.0.0.97:0 -r 10.0.0.107:0 -g
-A -f 3 -s rr -p 600
-a -f 3 -r 10.0.0.107:0 -g
-A -f 3 -6 -s rr -p 600
-a -f 3 -6 -r [fd00::107]:0 -g
";
    director.cmd("ipvsadm -R").stdin(services).run();
    let client = net.client("c1");
    for url in ["http://10.0.0.99/", "http://10.0.0.97/", "https://10.0.0.98/", "https://[fd00::98]/"] {
        assert_eq!(client.server_of(url), "rs1", "{url}");
    }
    let held = client.connect("10.0.0.97:7").expect("a connection");

    // States move on by themselves: the two lists are taken until they are of the same moment.
    let document = eventually(Duration::from_secs(10), "both lists agree", || {
        let before = theirs(&director.conns());
        let done = director.lvsh("list --connections --json");
        assert_eq!(done.code, 0, "{done}");
        let document: Value = serde_json::from_str(&done.stdout).expect("JSON");
        (ours(&document) == before && theirs(&director.conns()) == before).then_some(document)
    });
    let templates = |entry: &&Value| entry["template"] == true;
    let entries = document["connections"].as_array().expect("a list");
    assert_eq!(entries.iter().filter(templates).count(), 4, "{entries:#?}");
    assert_eq!(entries.len(), 4 + 5, "{entries:#?}");
    assert!(entries.iter().all(|entry| entry["service"].is_string()), "each has a service: {entries:#?}");
    drop(held);

    let template = |service: &str| {
        eval(
            director,
            &format!(
                "local t = lvs.templates {{ service = {service} }}:list() assert(#t == 1) t = t[1] \
            return t.protocol .. \" \" .. t.client .. \" \" .. (t.virtual or t.fwmark) .. \" \" .. (t.virtual_port or \"-\")"
            ),
        )
    };
    assert_eq!(template("{ tcp = \"10.0.0.99:80\" }"), "\"tcp 10.0.0.11 10.0.0.99 80\"", "PPC");
    assert_eq!(template("{ fwmark = 3 }"), "\"ip 10.0.0.11 3 -\"", "PFWMC");
    assert_eq!(template("{ fwmark = 3, family = \"ipv6\" }"), "\"ip fd00::11 3 -\"", "PFWMC of IPv6");
    assert_eq!(template("{ tcp = \"10.0.0.97:0\" }"), "\"tcp 10.0.0.0 10.0.0.97 0\"", "PCC, masked");
    assert_eq!(
        eval(director, "lvs.connections { client = \"10.0.0.11\", server = \"10.0.0.107\" }:count()"),
        "4"
    );
    assert_eq!(eval(director, "lvs.connections { client = \"10.0.0.12\" }:count()"), "0");
}

#[test]
fn evicting_ends_the_connections_of_one_server_and_no_other() {
    needs!(ipvs);
    let net = echo(ECHO);
    let director = net.director();
    let mut talks = talking(&net);
    let victim = talks[0].1.clone();
    assert_ne!(talks[0].1, talks[1].1, "one on each server");
    let before = state(director);
    assert_eq!(of_server(director, &victim).len(), 2, "a connection and a template");
    let counted = format!("lvs.get_service {{ tcp = \"{VIP}:7\" }}:get_server(\"{victim}\").stats.conns");
    eventually(Duration::from_secs(10), "the connection is counted", || {
        (eval(director, &counted) == "1").then_some(())
    });

    let done = director.lvsh(&format!("eval 'lvs.evict({{ tcp = \"{VIP}:7\" }}, \"{victim}\")'"));
    assert_eq!(done.code, 0, "{done}");
    println!("{}", done.stderr);
    assert!(done.stderr.contains("1 connections, 1 templates"), "{done}");
    assert_eq!(of_server(director, &victim), [], "at once, and not a moment later");
    let seconds = done
        .stderr
        .split_once("it took none for ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    assert!(seconds.is_some_and(|seconds: f64| seconds < 5.0), "{done}");
    assert_eq!(state(director), before, "weight, thresholds, tunnel");
    assert_eq!(eval(director, &counted), "1", "it is the same server for the kernel, and its counters go on");
    assert_eq!(director.read_sysctl(EXPIRE), "0");

    let reset = says(&mut talks[0].0, "are you there?").expect_err("a reset");
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(says(&mut talks[1].0, "and you?").expect("the other stays").contains("and you?"));

    // A server without connections, in a tunnel, keeps all of its settings too; a sysctl that was on stays on.
    director.sysctl(EXPIRE, "1");
    assert_eq!(eval(director, "lvs.evict({ fwmark = 4 }, \"10.0.0.107\").connections"), "0");
    assert_eq!(state(director), before);
    assert_eq!(director.read_sysctl(EXPIRE), "1");
}

/// Killed while the server is not there: the next run of the script says so and puts it back.
#[test]
fn an_eviction_that_is_killed_is_mended_by_the_next_run() {
    needs!(ipvs);
    let net = echo(ECHO);
    let director = net.director();
    let before = state(director);
    let code = format!("if (...) == 'evict' then lvs.evict({{ tcp = '{VIP}:7' }}, '10.0.0.107') end");
    let script = write("evict", &code);
    let key: ServiceKey = format!("tcp:{VIP}:7").parse().expect("a key");
    let servers = |state: &State| state.service(&key).map_or(0, |entry| entry.servers.len());
    let mut halves = 0;
    for round in 0..12 {
        let _talks = talking(&net);
        let mut child = director.lvsh_cmd(&format!("run {script} evict")).spawn();
        director.namespace.inside(|| {
            let mut kernel = Kernel::open().expect("a kernel");
            let want = Want { services: Services::Only([key].into()), ..Want::default() };
            // It is away for some ten milliseconds: nothing but looking is fast enough to meet that, and even so it
            // may be missed.
            while servers(&kernel.snapshot(&want).expect("a snapshot").state) == 2 {
                if child.try_wait().expect("a child").is_some() {
                    return;
                }
            }
            let _ = child.kill();
            let _ = child.wait();
        });
        // Or the kill may come too late, when all is as before again.
        let half = state(director) != before || director.read_sysctl(EXPIRE) != "0";
        halves += usize::from(half);
        let next = director.lvsh(&format!("run {script} look"));
        assert_eq!(next.code, 0, "{next}");
        assert!(!half || next.stderr.contains("was killed after its plan"), "round {round}: {next}");
        assert_eq!(state(director), before, "round {round}");
        assert_eq!(director.read_sysctl(EXPIRE), "0");
        let again = director.lvsh(&format!("run {script} look"));
        assert_eq!((again.code, again.stderr.as_str()), (0, ""), "said once");
        if halves == 2 {
            return;
        }
    }
    panic!("{halves} of 12 kills were in the middle");
}

/// The counts of the services, by their key.
fn conns(host: &Host) -> Vec<u64> {
    let done = host.lvsh("stats --json");
    assert_eq!(done.code, 0, "{done}");
    let document: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let services = document["services"].as_array().expect("services");
    services.iter().map(|service| service["stats"]["conns"].as_u64().expect("a number")).collect()
}

#[test]
fn counters_of_one_and_of_all_go_back_to_0() {
    needs!(ipvs);
    let more = "-A -t 10.0.0.99:80 -s rr\n-a -t 10.0.0.99:80 -r 10.0.0.107:80 -g\n";
    let net = echo(&format!("{ECHO}{more}"));
    let director = net.director();
    let talks = talking(&net);
    assert_eq!(net.client("c1").server_of("http://10.0.0.99/"), "rs1");
    // Counters come up to 2.5 s late, and since 7.2 also after they were zeroed.
    let come = |want: &[u64]| {
        eventually(Duration::from_secs(15), &format!("{want:?}"), || (conns(director) == want).then_some(()));
    };
    come(&[2, 1, 0]);
    let done = director.lvsh("zero tcp:10.0.0.99:80");
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (0, "counters of service tcp:10.0.0.99:80 are 0\n"),
        "{done}"
    );
    come(&[2, 0, 0]);
    assert_eq!(director.lvsh("zero").code, 0);
    come(&[0, 0, 0]);
    assert_eq!(
        eval(director, "lvs.get_service { tcp = \"10.0.0.99:7\" }.servers[1].active"),
        "1",
        "live ones stay"
    );
    assert_eq!(director.lvsh("zero fwm:9").code, 1);
    drop(talks);
}

/// However long the table is, a listing of it needs no more memory; walked in Lua it does not fill the VM either.
/// Nine thousand entries kept would be one and a half megabytes.
#[test]
fn a_long_table_is_streamed() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let director = net.director();
    let walk = "local n = 0 for c in lvs.connections() do n = n + 1 end return n";
    let mut flood = flood::Flood::new(&director.namespace);
    let [short, long] = [1_000, 10_000].map(|count| {
        flood.grow_to(count);
        // The better of two: how much of the program itself is mapped when it ends is as the page cache will have it.
        let listed = || flood::measured(&director.namespace, &["list", "--connections"]);
        let ((lines, memory), (_, again)) = (listed(), listed());
        let memory = memory.min(again);
        // And a heading, an empty line and the sum. Where one table serves all namespaces (6.1), what other tests do
        // makes an entry be missed or seen twice.
        assert!(lines.abs_diff(count as usize + 3) < 50, "{lines} lines of {count} entries");
        let (lines, in_lua) = flood::measured(&director.namespace, &["eval", walk]);
        assert_eq!(lines, 1);
        println!("{count} entries: peak {memory} KiB, walked in Lua {in_lua} KiB");
        assert!(memory < 30 * 1024, "{memory} KiB");
        assert!(in_lua < 64 * 1024, "{in_lua} KiB");
        memory
    });
    assert!(long < short + 1024, "{short} KiB, then {long} KiB");
}
