//! Connection synchronisation: what the master knows, the backup knows too, and can go on with.

use super::*;
use crate::support::{Topology, eventually};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(6);

/// Two directors, and servers that answer for the address.
fn pair() -> Net {
    let net = Topology::new()
        .director("one", "192.168.1.1")
        .director("two", "192.168.1.2")
        .client("c1", "192.168.1.11")
        .server("rs1", SERVERS[0])
        .server("rs2", SERVERS[1])
        .build();
    for server in net.servers() {
        server.direct(VIP);
    }
    net
}

/// The balanced line echo, which keeps its connections open.
fn site(settings: &str) -> String {
    format!(
        "return lvs.policy {{ name = 'site', {settings}
           vip = {{ addr = '{VIP}/32', dev = 'eth0' }},
           service = {{ tcp = '{VIP}:7', scheduler = 'rr', {BOTH} }} }}"
    )
}

fn daemon(role: &str, rest: &str) -> String {
    format!("sync = {{ role = '{role}', dev = 'eth0', {rest} }},")
}

/// Says something on an open connection: which server answered.
#[track_caller]
fn say(stream: &mut TcpStream) -> String {
    stream.write_all(b"hello\n").expect("writing");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// A connection with more than the three packets that make it worth telling the backup.
fn talk(net: &Net) -> (TcpStream, String) {
    let mut stream = net.client("c1").connect("192.168.1.99:7").expect("a connection");
    let server = (0..6).map(|_| say(&mut stream)).last().expect("an answer");
    (stream, server)
}

#[test]
fn a_connection_survives_its_director() {
    needs!(ipvs);
    let net = pair();
    let (one, two) = (net.host("one"), net.host("two"));
    let file = write("site", &site(""));
    let receive = "lvs.start_sync { role = 'backup', dev = 'eth0', id = 7 }";
    script(two, receive);
    let master = write("one", &site(&daemon("master", "id = 7")));
    lvsh(one, &format!("start {master}"));

    let (mut stream, server) = talk(&net);
    let learned = || two.conns().into_iter().find(|conn| conn.synced);
    let entry = eventually(SOON, "the connection on the backup", learned);
    assert_eq!(entry.client.0.to_string(), "192.168.1.11");
    assert_eq!((entry.service.0.to_string().as_str(), entry.service.1), (VIP, 7));
    assert_eq!(entry.server.0.to_string(), address_of(&server));
    assert_eq!(entry.state, "ESTABLISHED");
    assert!(one.conns().iter().all(|conn| !conn.synced), "the master made it itself");

    // The address moves. lvsh announces it, so that the client finds the other machine.
    lvsh(one, &format!("stop {master}"));
    lvsh(two, &format!("--state-dir /run/two start {file}"));
    for _ in 0..3 {
        assert_eq!(say(&mut stream), server, "the open connection goes on, on its server");
    }
}

/// Every option of the daemons is told to the kernel: with the same ones on both sides entries arrive, with another
/// id they do not.
#[test]
fn daemons_hear_each_other_by_id_group_and_port() {
    needs!(ipvs);
    let net = pair();
    let (one, two) = (net.host("one"), net.host("two"));
    let options = "id = 9, group = '239.1.2.3', port = 9999, ttl = 2, maxlen = 1400";
    lvsh(one, &format!("start {}", write("one", &site(&daemon("master", options)))));
    let other_id = options.replace("id = 9", "id = 8");
    script(two, &format!("lvs.start_sync {{ role = 'backup', dev = 'eth0', {other_id} }}"));
    let (_kept, _) = talk(&net);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(two.conns(), [], "of another id");
    script(
        two,
        &format!(
            "lvs.stop_sync {{ role = 'backup' }} lvs.start_sync {{ role = 'backup', dev = 'eth0', {options} }}"
        ),
    );
    let (_kept, _) = talk(&net);
    eventually(SOON, "the connection on the backup", || two.conns().into_iter().find(|conn| conn.synced));
    let daemon = value(one, "lvs.syncs()[1]");
    let expected = serde_json::json!({ "role": "master", "dev": "eth0", "id": 9, "group": "239.1.2.3",
        "port": 9999, "ttl": 2, "maxlen": 1400 });
    assert_eq!(daemon, expected);
}

/// Templates travel too: a persistent client finds its server behind the other director.
#[test]
fn a_persistent_client_finds_its_server_again() {
    needs!(ipvs);
    let net = pair();
    let (one, two) = (net.host("one"), net.host("two"));
    script(two, "lvs.start_sync { role = 'backup', dev = 'eth0', id = 7 }");
    // Requests are short: the first packet must do.
    let sticky = site(&(daemon("master", "id = 7") + " sysctls = { sync_threshold = '1 50' },"))
        .replace("scheduler = 'rr'", "scheduler = 'rr', persistent = 600");
    let master = write("one", &sticky);
    lvsh(one, &format!("start {master}"));
    let (stream, server) = talk(&net);
    let template = || two.conns().into_iter().find(|conn| conn.synced && conn.is_template());
    eventually(SOON, "the template on the backup", template);
    drop(stream);
    lvsh(one, &format!("stop {master}"));
    let file = write("site", &site("").replace("scheduler = 'rr'", "scheduler = 'rr', persistent = 600"));
    lvsh(two, &format!("--state-dir /run/two start {file}"));
    for _ in 0..3 {
        assert_eq!(talk(&net).1, server);
    }
}

#[test]
fn daemons_that_are_there_or_not_are_told_apart() {
    needs!(ipvs);
    let net = pair();
    let one = net.host("one");
    script(
        one,
        "local function code(f, spec) local ok, e = pcall(f, spec) return ok and 'ok' or e.code end
         local master = { role = 'master', dev = 'eth0', id = 1 }
         assert(code(lvs.start_sync, { role = 'master', dev = 'nowhere' }) == 'ENODEV')
         assert(code(lvs.stop_sync, { role = 'master' }) == 'ESRCH')
         assert(code(lvs.start_sync, master) == 'ok')
         assert(code(lvs.start_sync, master) == 'EEXIST')
         assert(code(lvs.start_sync, { role = 'backup', dev = 'eth0', id = 1 }) == 'ok', 'both may run')
         assert(code(lvs.stop_sync, { role = 'master' }) == 'ok')
         assert(code(lvs.stop_sync, { role = 'master' }) == 'ESRCH')",
    );
    assert_eq!(value(one, "#lvs.syncs()"), 1);
}
