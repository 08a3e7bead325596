//! The kernel's own end-to-end scenarios of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh): data through direct
//! routing, NAT and a tunnel arrives as it was sent. Each is run by the tool that the kernel's test uses, by lvsh in its
//! place, and by a policy.

use super::site::{lvsh, write};
use super::support::{Host, Net, Topology, eventually};
use std::time::Duration;

const VIP: &str = "207.175.44.110";
const PORT: u16 = 8080;
const SERVER: &str = "172.16.0.2";

#[derive(Clone, Copy)]
enum Method {
    Direct,
    Nat,
    Tunnel,
}

/// How the director is told.
#[derive(Clone, Copy)]
enum Driver {
    Ipvsadm,
    /// `lvsh ipvsadm`, with the same arguments.
    InItsPlace,
    Policy,
}

/// The kernel's topology: the client has a way to the server beside the one through the director, but for NAT.
fn topology(method: Method) -> Net {
    let lan = Topology::new().client("ns0", "10.0.0.2").director("ns1", "10.0.0.1");
    let server = match method {
        Method::Nat => lan.segment("back").server("ns2", SERVER),
        // Its first interface is the one towards the client.
        Method::Direct | Method::Tunnel => lan.server("ns2", "10.0.0.3").segment("back").join("ns2", SERVER),
    };
    let net = server.join("ns1", "172.16.0.1").build();
    net.host("ns0").run(&format!("ip route add {VIP} via 10.0.0.1"));
    net
}

fn prepare(net: &Net, method: Method) {
    let (director, server) = (net.host("ns1"), net.host("ns2"));
    director.add_address("lo", VIP);
    match method {
        Method::Nat => server.default_route("172.16.0.1"),
        Method::Direct => server.direct(VIP),
        Method::Tunnel => server.tunnel(VIP),
    }
    match method {
        // It sends into the tunnel and forwards nothing else.
        Method::Tunnel => director.sysctl("net.ipv4.ip_forward", "0"),
        Method::Nat | Method::Direct => director.sysctl("net.ipv4.ip_forward", "1"),
    }
}

fn drive(director: &Host, driver: Driver, method: Method) {
    let (letter, word) = match method {
        Method::Direct => ("-g", "dr"),
        Method::Nat => ("-m", "nat"),
        Method::Tunnel => ("-i", "tun"),
    };
    let service = format!("{VIP}:{PORT}");
    let commands = [format!("-A -t {service} -s rr"), format!("-a {letter} -t {service} -r {SERVER}:{PORT}")];
    match driver {
        Driver::Ipvsadm => commands.iter().for_each(|words| drop(director.run(&format!("ipvsadm {words}")))),
        Driver::InItsPlace => {
            commands.iter().for_each(|words| drop(lvsh(director, &format!("ipvsadm {words}"))))
        }
        Driver::Policy => {
            let policy = format!(
                "return lvs.policy {{ name = 'selftest', service = {{ tcp = '{service}', scheduler = 'rr',
                   servers = {{ {{ addr = '{SERVER}', method = '{word}' }} }} }} }}"
            );
            lvsh(director, &format!("start {}", write("selftest", &policy)));
        }
    }
}

/// Random data from netcat to netcat; more than one packet, so that lengths and order count.
fn transfer(net: &Net) {
    let (client, server) = (net.host("ns0"), net.host("ns2"));
    let data = std::fs::read("/proc/self/exe").expect("this program");
    std::fs::write("/run/sent", &data[..256 * 1024]).expect("a file");
    // Netcat ends its half of the connection with its standard input: a FIFO that it holds itself never ends.
    let listen =
        format!("mkfifo /run/hold; timeout 15 busybox nc -l -p {PORT} > /run/received 0<> /run/hold");
    let mut listener = server.cmd(&format!("bash -c '{listen}'")).spawn();
    let open = || server.run("ss -Hltn").contains(&format!(":{PORT}")).then_some(());
    eventually(Duration::from_secs(10), "netcat listens", open);
    client.run(&format!("bash -c 'timeout 15 busybox nc {VIP} {PORT} < /run/sent'"));
    let status = listener.wait().expect("netcat");
    assert!(status.success(), "{status}");
    let received = std::fs::read("/run/received").expect("what arrived");
    assert!(received == data[..256 * 1024], "{} bytes of {} arrived", received.len(), 256 * 1024);
}

fn scenario(driver: Driver, method: Method) {
    let net = topology(method);
    prepare(&net, method);
    drive(net.host("ns1"), driver, method);
    transfer(&net);
    let conns = net.host("ns1").conns();
    assert_eq!(conns.len(), 1, "past the director? {conns:#?}");
    assert_eq!((conns[0].server.0.to_string().as_str(), conns[0].server.1), (SERVER, PORT));
}

#[test]
fn direct_routing_by_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::Ipvsadm, Method::Direct);
}

#[test]
fn direct_routing_by_lvsh_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::InItsPlace, Method::Direct);
}

#[test]
fn direct_routing_by_a_policy() {
    needs!(ipvs);
    scenario(Driver::Policy, Method::Direct);
}

#[test]
fn nat_by_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::Ipvsadm, Method::Nat);
}

#[test]
fn nat_by_lvsh_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::InItsPlace, Method::Nat);
}

#[test]
fn nat_by_a_policy() {
    needs!(ipvs);
    scenario(Driver::Policy, Method::Nat);
}

#[test]
fn tunnel_by_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::Ipvsadm, Method::Tunnel);
}

#[test]
fn tunnel_by_lvsh_ipvsadm() {
    needs!(ipvs);
    scenario(Driver::InItsPlace, Method::Tunnel);
}

#[test]
fn tunnel_by_a_policy() {
    needs!(ipvs);
    scenario(Driver::Policy, Method::Tunnel);
}
