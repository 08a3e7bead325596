//! What is left when a server or a service goes (A.6.14, 16, 17, 18): entries, counts, and connections that hang,
//! break or go on.

use super::*;
use crate::support::eventually;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The line echo, whose connections stay open, and one connection with its server.
fn connected(settings: &str) -> (Net, TcpStream, String) {
    let net = farm();
    tcp(net.director(), 7, settings);
    let mut stream = net.client("c1").connect("192.168.1.99:7").expect("a connection");
    let server = say(&mut stream).expect("an answer");
    (net, stream, server)
}

fn say(stream: &mut TcpStream) -> Result<String, ErrorKind> {
    let mut line = String::new();
    let told = stream.write_all(b"hello\n").and_then(|()| BufReader::new(stream).read_line(&mut line));
    told.map_err(|error| error.kind())?;
    Ok(line.split(' ').next().unwrap_or_default().to_owned())
}

#[track_caller]
fn echo(director: &Host, change: &str) {
    script(director, &format!("local echo = lvs.get_service {{ tcp = '{VIP}:7' }} {change}"));
}

/// A.6.18: its packets are dropped without a word; when it comes back, the connection goes on.
#[test]
fn a_connection_of_a_deleted_server_hangs_and_goes_on_when_it_is_back() {
    needs!(ipvs);
    let (net, mut stream, server) = connected("scheduler = 'rr'");
    let addr = address_of(&server);
    let director = net.director();
    echo(director, &format!("echo:del_server('{addr}')"));
    let short = Some(Duration::from_millis(700));
    stream.set_read_timeout(short).expect("a limit");
    assert_eq!(say(&mut stream), Err(ErrorKind::WouldBlock), "no answer, and no reset");
    assert_eq!(entries(director).len(), 1, "the entry stays");
    echo(director, &format!("echo:add_server {{ addr = '{addr}' }}"));
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a limit");
    // What was sent meanwhile is sent again by TCP.
    assert_eq!(say(&mut stream), Ok(server));
}

/// A.6.17: the way to end the connections and templates of one server.
#[test]
fn with_expire_nodest_conn_a_deleted_server_takes_everything_along() {
    needs!(ipvs);
    let (net, mut stream, server) = connected("scheduler = 'rr', persistent = 600");
    let addr = address_of(&server);
    let director = net.director();
    let another = net.client("c2").connect("192.168.1.99:7");
    assert!(another.is_ok());
    let of_server = || director.conns().into_iter().filter(|conn| conn.server.0.to_string() == addr).count();
    assert_eq!(of_server(), 2, "a connection and its template");
    script(director, "lvs.sysctl('expire_nodest_conn', 1)");
    // Added again at once it may be found available by the kernel's worker, which then leaves its entries.
    echo(director, &format!("echo:del_server('{addr}')"));
    eventually(Duration::from_secs(5), "no entry of the server", || (of_server() == 0).then_some(()));
    echo(director, &format!("echo:add_server {{ addr = '{addr}' }}"));
    // An established client is told: the director has no entry for what it sends.
    let told = eventually(Duration::from_secs(5), "the end of the connection", || say(&mut stream).err());
    assert!(matches!(told, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{told:?}");
    assert_eq!(director.conns().len(), 2, "the other server's connection and template are left");
}

/// A.6.16: neither deleting a service nor flushing the table ends a connection.
#[test]
fn a_deleted_service_leaves_its_entries() {
    needs!(ipvs);
    let (net, mut stream, server) = connected("scheduler = 'rr'");
    let director = net.director();
    script(director, &format!("lvs.del_service {{ tcp = '{VIP}:7' }}"));
    assert_eq!(entries(director).len(), 1);
    assert!(net.client("c2").connect("192.168.1.99:7").is_err(), "nobody new");
    // With service and server again, the old entry leads to the old server.
    tcp(director, 7, "scheduler = 'rr'");
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a limit");
    assert_eq!(say(&mut stream), Ok(server));
}

/// A.6.14: a server that comes back to its service is the old one, with its counts.
#[test]
fn a_server_that_comes_back_is_the_old_one() {
    needs!(ipvs);
    let (net, _stream, server) = connected("scheduler = 'rr'");
    let (director, addr) = (net.director(), address_of(&server));
    let counts = || {
        let of = format!("lvs.get_service({{ tcp = \"{VIP}:7\" }}):get_server(\"{addr}\")");
        value(director, &format!("(function(s) return {{ s.active, s.stats.conns }} end)({of})"))
    };
    let counted = || (counts()[1] == 1).then_some(());
    eventually(Duration::from_secs(8), "the connection is counted", counted);
    echo(director, &format!("echo:del_server('{addr}') echo:add_server {{ addr = '{addr}', weight = 5 }}"));
    assert_eq!(counts(), serde_json::json!([1, 1]), "live and total counts are as before");
    // Through a new service of the same name the connection still counts, but the totals begin anew.
    script(director, &format!("lvs.del_service {{ tcp = '{VIP}:7' }}"));
    tcp(director, 7, "scheduler = 'rr'");
    assert_eq!(counts(), serde_json::json!([1, 0]));
}

/// C.4: a client that uses its port again, while its server takes nobody new. What is over stays in FIN_WAIT in direct
/// routing, because the director sees one side only; the kernel's own `conn_reuse_mode` is 1, which is not for that state.
#[test]
fn a_port_that_is_used_again_keeps_to_a_drained_server_unless_the_kernel_is_told_otherwise() {
    needs!(ipvs);
    let net = farm();
    let (director, client, url) = (net.director(), net.client("c1"), format!("http://{VIP}/"));
    tcp(director, 80, "scheduler = 'rr'");
    let keeps = |port: u16| {
        let ask = || client.get_from(port, &url).expect("an answer").server;
        let server = ask();
        weigh(director, address_of(&server), 0);
        let next = ask();
        weigh(director, address_of(&server), 1);
        next == server
    };
    let set = |reuse: u8, nodest: u8| {
        let (first, second) = ("lvs.sysctl('conn_reuse_mode', ", "lvs.sysctl('expire_nodest_conn', ");
        script(director, &format!("{first}{reuse}) {second}{nodest})"))
    };
    assert!(keeps(40_001), "as the kernel is set");
    set(3, 0);
    assert!(!keeps(40_002), "conn_reuse_mode 3");
    set(0, 0);
    assert!(keeps(40_003), "conn_reuse_mode 0");
    set(0, 1);
    assert!(!keeps(40_004), "expire_nodest_conn 1, for a server at weight 0");
}
