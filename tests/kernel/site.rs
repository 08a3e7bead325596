//! The site that lvsh exists for: http and https of one address are one group, over two real servers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::support::{Host, Net, Output, Topology};

pub const VIP: &str = "192.168.1.99";
pub const SERVERS: [&str; 2] = ["192.168.1.107", "192.168.1.109"];

/// Three clients, the director and two real servers on one segment, as the examples have it. The clients' addresses
/// are such that `sh` gives them to both servers.
pub fn topology() -> Topology {
    Topology::new()
        .director("dir", "192.168.1.1")
        .client("c1", "192.168.1.11")
        .client("c2", "192.168.1.15")
        .client("c3", "192.168.1.20")
        .server("rs1", SERVERS[0])
        .server("rs2", SERVERS[1])
}

/// The real servers are ready for direct routing.
pub fn direct() -> Net {
    let net = topology().build();
    for server in net.servers() {
        server.direct(VIP);
    }
    net
}

/// A file of `examples/`.
pub fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The site as a declared policy: what a test varies of its service and of each server is given.
pub fn policy(service: &str, server: &str) -> String {
    policy_with(service, &SERVERS, server, "")
}

/// The same with these servers, and with more fields of the policy.
pub fn policy_with(service: &str, servers: &[&str], server: &str, more: &str) -> String {
    let servers: String =
        servers.iter().map(|addr| format!("      {{ addr = \"{addr}\", {server} }},\n")).collect();
    format!(
        r#"return lvs.policy {{
  name = "web",
  vip  = {{ addr = "{VIP}/32", dev = "eth0" }},
  mark = {{ mark = 3, daddr = "{VIP}", proto = "tcp", dports = {{ 80, 443 }} }},
  service = {{
    fwmark = 3, {service},
    servers = {{
{servers}    }},
  }},
  {more}
}}
"#
    )
}

/// Writes a policy where only this test sees it, and gives its path.
pub fn write(name: &str, text: &str) -> String {
    let folder = PathBuf::from("/run/policies");
    std::fs::create_dir_all(&folder).expect("a folder for policies");
    let path = folder.join(format!("{name}.lua"));
    std::fs::write(&path, text).expect("a policy");
    path.display().to_string()
}

/// Runs lvsh on the director; an exit code other than 0 fails the test with all that was said.
#[track_caller]
pub fn lvsh(host: &Host, args: &str) -> Output {
    let output = host.lvsh(args);
    assert_eq!(output.code, 0, "lvsh {args}\n{}\n{}", output.stdout, output.stderr);
    output
}

/// Who answered 40 requests of one client, http and https in turn.
pub fn visit(client: &Host) -> Vec<String> {
    (0..40)
        .map(|round| {
            let scheme = if round % 2 == 0 { "http" } else { "https" };
            client.server_of(&format!("{scheme}://{VIP}/"))
        })
        .collect()
}

/// Every client stays on one server, whichever it is.
#[track_caller]
pub fn everyone_stays(net: &Net) {
    for client in net.clients() {
        let answers = visit(client);
        let servers: BTreeSet<_> = answers.iter().collect();
        assert_eq!(servers.len(), 1, "{} moved between servers: {answers:?}", client.name);
    }
}
