//! One machine of a topology: a network namespace, and on real servers the services.

use super::{
    Answer, Cmd, Conn, Failure, Namespace, Output, client, cmd, conns, rt::Rt, serve::Server, snapshot,
};
use netlink_packet_route::link::InfoKind;
use std::{
    fs, io,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    ops::Deref,
    time::Duration,
};

pub struct Host {
    pub name: String,
    pub namespace: Namespace,
    server: Option<Server>,
}

/// A real server is a host that also has `up`, `down`, `status`, `delay`, `udp`.
impl Deref for Host {
    type Target = Server;

    #[track_caller]
    fn deref(&self) -> &Server {
        match &self.server {
            Some(server) => server,
            None => panic!("{} is no real server", self.name),
        }
    }
}

impl Host {
    pub(super) fn new(namespace: Namespace, serves: bool) -> Self {
        let server = serves.then(|| Server::start(&namespace));
        Self { name: namespace.name.clone(), namespace, server }
    }

    // Programs.

    /// `host.run("ipvsadm -Ln")`: the output, or a panic that shows all of it.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        self.cmd(line).run()
    }

    pub fn cmd(&self, line: &str) -> Cmd {
        Cmd::new(&self.namespace, cmd::split(line))
    }

    /// `host.lvsh("plan web.lua")`: never panics for an exit code, that is the test's to look at.
    #[track_caller]
    pub fn lvsh(&self, args: &str) -> Output {
        self.lvsh_cmd(args).output()
    }

    pub fn lvsh_cmd(&self, args: &str) -> Cmd {
        let mut argv = vec![env!("CARGO_BIN_EXE_lvsh").to_owned()];
        argv.extend(cmd::split(args));
        Cmd::new(&self.namespace, argv)
    }

    // Requests.

    pub fn get(&self, url: &str) -> Result<Answer, Failure> {
        self.get_within(client::LIMIT, url)
    }

    pub fn get_within(&self, limit: Duration, url: &str) -> Result<Answer, Failure> {
        client::get(&self.namespace, url, limit)
    }

    /// From this one of its addresses, which is added if it does not have it: somebody new.
    #[track_caller]
    pub fn get_as(&self, address: &str, url: &str) -> Result<Answer, Failure> {
        let source: IpAddr = address.parse().expect("an address");
        if !self.namespace.inside(|| std::net::TcpListener::bind((source, 0)).is_ok()) {
            self.add_address("eth0", &format!("{address}/24"));
        }
        client::get_as(&self.namespace, Some(SocketAddr::new(source, 0)), url, client::LIMIT)
    }

    /// From this port.
    pub fn get_from(&self, port: u16, url: &str) -> Result<Answer, Failure> {
        let source = SocketAddr::from(([0; 4], port));
        client::get_as(&self.namespace, Some(source), url, client::LIMIT)
    }

    /// Which server answered. Panics when none did.
    #[track_caller]
    pub fn server_of(&self, url: &str) -> String {
        match self.get(url) {
            Ok(answer) => answer.server,
            Err(why) => panic!("{} got no answer from {url}: {why}", self.name),
        }
    }

    pub fn connect(&self, to: &str) -> Result<TcpStream, Failure> {
        client::connect(&self.namespace, socket_address(to), client::LIMIT)
    }

    /// A UDP socket with this port of its own (0: any), connected; use it with [`Host::ask`].
    pub fn udp_socket(&self, port: u16, to: &str) -> UdpSocket {
        client::udp_socket(&self.namespace, port, socket_address(to))
            .unwrap_or_else(|e| panic!("{}: UDP port {port}: {e}", self.name))
    }

    pub fn ask(socket: &UdpSocket, text: &str) -> Result<Answer, Failure> {
        client::ask(socket, text)
    }

    // State.

    pub fn conns(&self) -> Vec<Conn> {
        conns::read(&self.namespace)
    }

    pub fn snapshot_text(&self) -> String {
        snapshot::text(self)
    }

    /// `host.sysctl("net.ipv4.vs.expire_nodest_conn", "1")`; interfaces with dots in their name cannot be written so.
    #[track_caller]
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = sysctl_path(name);
        self.namespace
            .inside(|| fs::write(&path, value))
            .unwrap_or_else(|e| panic!("{}: {path}: {e}", self.name));
    }

    #[track_caller]
    pub fn read_sysctl(&self, name: &str) -> String {
        let path = sysctl_path(name);
        let text = self.namespace.inside(|| fs::read_to_string(&path));
        text.unwrap_or_else(|e| panic!("{}: {path}: {e}", self.name)).trim().to_owned()
    }

    #[track_caller]
    pub fn add_address(&self, device: &str, address: &str) {
        let (address, prefix) = with_prefix(address, None);
        self.rt(|rt| rt.add_address(device, address, prefix));
    }

    #[track_caller]
    pub fn remove_address(&self, device: &str, address: &str) {
        let (address, prefix) = with_prefix(address, None);
        self.rt(|rt| rt.remove_address(device, address, prefix));
    }

    #[track_caller]
    pub fn default_route(&self, gateway: &str) {
        let gateway = gateway.parse().expect("an address");
        self.rt(|rt| rt.default_route(gateway));
    }

    /// `host.route_to("192.168.9.0/24", "192.168.1.1")`
    #[track_caller]
    pub fn route_to(&self, net: &str, gateway: &str) {
        let gateway = gateway.parse().expect("an address");
        let to = with_prefix(net, None);
        self.rt(|rt| rt.route(gateway, Some(to)));
    }

    #[track_caller]
    pub(super) fn rt<T: Send>(&self, work: impl FnOnce(&mut Rt) -> io::Result<T> + Send) -> T {
        self.namespace.inside(|| work(&mut Rt::open()?)).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    // Roles.

    /// On a director: the virtual address on its first interface.
    #[track_caller]
    pub fn vip(&self, vip: &str) {
        self.add_address("eth0", vip);
    }

    /// Forwards packets and sends nobody elsewhere.
    #[track_caller]
    pub fn forward(&self) {
        self.sysctl("net.ipv4.ip_forward", "1");
        self.sysctl("net.ipv6.conf.all.forwarding", "1");
        self.sysctl("net.ipv4.conf.all.send_redirects", "0");
        self.sysctl("net.ipv4.conf.eth0.send_redirects", "0");
    }

    /// A real server for direct routing: has the virtual address and does not tell the neighbours.
    #[track_caller]
    pub fn direct(&self, vip: &str) {
        self.sysctl("net.ipv4.conf.all.arp_ignore", "1");
        self.sysctl("net.ipv4.conf.all.arp_announce", "2");
        self.add_address("lo", vip);
    }

    /// A real server behind NAT: its answers go through the director.
    #[track_caller]
    pub fn masqueraded(&self, director: &str) {
        self.default_route(director);
    }

    /// A real server that gets its packets in an IPIP tunnel.
    #[track_caller]
    pub fn tunnel(&self, vip: &str) {
        self.sysctl("net.ipv4.conf.all.arp_ignore", "1");
        self.sysctl("net.ipv4.conf.all.arp_announce", "2");
        self.rt(|rt| match rt.up("tunl0") {
            Ok(()) => Ok(()),
            Err(_) => rt.device("tunl0", InfoKind::IpIp),
        });
        self.sysctl("net.ipv4.conf.tunl0.rp_filter", "0");
        self.add_address("tunl0", vip);
    }
}

fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

fn socket_address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is not ADDRESS:PORT"))
}

/// `10.0.0.1/24`; without a prefix the given ones (IPv4, IPv6), or that of one host.
#[track_caller]
pub(super) fn with_prefix(text: &str, default: Option<(u8, u8)>) -> (IpAddr, u8) {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("{text} is not an address"));
    let (v4, v6) = default.unwrap_or((32, 128));
    let usual = if address.is_ipv4() { v4 } else { v6 };
    let prefix = prefix.map_or(usual, |p| p.parse().expect("a prefix"));
    (address, prefix)
}
