//! What clients see. Every director here is driven by lvsh alone, with a policy or a script as a user writes it; what
//! is asserted is who answered, and what the kernel's connection table says.

mod counters;
mod departures;
mod examples;
mod gotchas;
mod marks;
mod nat;
mod patch;
mod persistence;
mod precedence;
mod scheduling;
mod shown;
mod sip;
mod sync;
mod thresholds;
mod tunnels;
mod udp;

use super::site::{SERVERS, VIP, direct, lvsh, write};
use super::support::{Conn, Failure, Host, Net, Output};

/// Clients, director and real servers as in `site`, with the address on the director: what a script does not bring.
fn farm() -> Net {
    let net = direct();
    net.director().vip(VIP);
    net
}

/// Both real servers, in direct routing.
const BOTH: &str = "servers = { { addr = '192.168.1.107' }, { addr = '192.168.1.109' } }";

/// `lvsh run` of these lines.
#[track_caller]
fn script(director: &Host, lines: &str) -> Output {
    let file = write("script", lines);
    lvsh(director, &format!("run {file}"))
}

/// What `lvsh eval --json` gives for an expression.
#[track_caller]
fn value(director: &Host, expression: &str) -> serde_json::Value {
    let output = lvsh(director, &format!("eval --json '{expression}'"));
    let document: serde_json::Value = serde_json::from_str(&output.stdout).expect("a document");
    document["values"][0].clone()
}

/// A TCP service of the address, with the settings given in Lua and both servers.
#[track_caller]
fn tcp(director: &Host, port: u16, settings: &str) {
    script(director, &format!("lvs.add_service {{ tcp = '{VIP}:{port}', {settings}, {BOTH} }}"));
}

/// Who answered each of so many requests.
#[track_caller]
fn answers(client: &Host, url: &str, count: usize) -> Vec<String> {
    (0..count).map(|_| client.server_of(url)).collect()
}

/// The one server that answered them all.
#[track_caller]
fn stays(client: &Host, url: &str, count: usize) -> String {
    let mut servers = answers(client, url, count);
    servers.dedup();
    assert_eq!(servers.len(), 1, "{} moved between servers at {url}: {servers:?}", client.name);
    servers.remove(0)
}

/// Sets one server's weight in the service of TCP port 80.
#[track_caller]
fn weigh(director: &Host, server: &str, weight: u32) -> Output {
    let change = format!("web:set_server('{server}', {{ weight = {weight} }})");
    script(director, &format!("local web = lvs.get_service {{ tcp = '{VIP}:80' }} {change}"))
}

/// The address of `rs1` or `rs2`.
fn address_of(server: &str) -> &'static str {
    SERVERS[usize::from(server == "rs2")]
}

fn other(server: &str) -> &'static str {
    if server == "rs1" { "rs2" } else { "rs1" }
}

fn templates(director: &Host) -> Vec<Conn> {
    director.conns().into_iter().filter(Conn::is_template).collect()
}

/// Entries of connections, without templates.
fn entries(director: &Host) -> Vec<Conn> {
    director.conns().into_iter().filter(|conn| !conn.is_template()).collect()
}

#[track_caller]
fn is_refused(client: &Host, url: &str) {
    assert_eq!(client.get(url).map(|answer| answer.server), Err(Failure::Refused), "{url}");
}
