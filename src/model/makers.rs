//! Which service made which entry of the connection table, and which entries are asked for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Connection, ConnectionState, Fwmark, MarkSelector, Port, Protocol, ServiceKey, State, Target};

/// What is needed of a machine to tell it, taken out of the picture once, because tables are long.
///
/// The kernel does not say it, and only the templates of a firewall-mark service carry the mark. So of connections to
/// an address that no service has, the mark is worked out from the marks of lvsh, as the packets would meet them; where
/// these do not tell, it is the only mark service that has the server, if there is only one.
#[derive(Clone, Debug, Default)]
pub struct Makers {
    services: HashSet<ServiceKey>,
    /// Mark services by the addresses of their servers.
    by_server: HashMap<IpAddr, Vec<ServiceKey>>,
    exact: HashMap<(IpAddr, Protocol, u16), Fwmark>,
    /// Marks of ranges, networks, sources and devices, in order.
    wide: Vec<(MarkSelector, Fwmark)>,
}

impl Makers {
    /// Of a picture with services and marks.
    pub fn of(state: &State) -> Makers {
        let mut makers = Makers { services: state.services.keys().copied().collect(), ..Makers::default() };
        for (key, entry) in &state.services {
            if matches!(key, ServiceKey::Mark { .. }) {
                for server in entry.servers.keys() {
                    makers.by_server.entry(server.addr).or_default().push(*key);
                }
            }
        }
        for (selector, entry) in &state.marks {
            match one_endpoint(selector) {
                Some(endpoint) => drop(makers.exact.insert(endpoint, entry.mark)),
                None => makers.wide.push((selector.clone(), entry.mark)),
            }
        }
        makers
    }

    /// The service that made this entry; `None` when it is gone, or when several could be.
    pub fn maker(&self, entry: &Connection) -> Option<ServiceKey> {
        match entry.target {
            Target::Mark { family, mark } => self.known(ServiceKey::Mark { family, mark }),
            Target::Address { addr, port } => {
                // The packets' mark is looked at first, as the kernel does; templates of marks were told above.
                let marked = if entry.is_template() { None } else { self.by_mark(entry, addr, port) };
                let service = |port| self.known(ServiceKey::Address { protocol: entry.protocol, addr, port });
                let ftp = || if is_ftp_data(port) { service(Port(21)) } else { None };
                let by_server = || if entry.is_template() { None } else { self.by_server(entry) };
                marked.or_else(|| service(port)).or_else(ftp).or_else(|| service(Port(0))).or_else(by_server)
            }
        }
    }

    fn known(&self, key: ServiceKey) -> Option<ServiceKey> {
        self.services.get(&key).copied()
    }

    fn by_mark(&self, entry: &Connection, addr: IpAddr, port: Port) -> Option<ServiceKey> {
        let meets = |(selector, _): &&(MarkSelector, Fwmark)| {
            let inside =
                |net: &Option<IpNet>, addr: IpAddr| net.as_ref().is_none_or(|net| net.contains(&addr));
            selector.family == entry.family()
                && inside(&selector.daddr, addr)
                && inside(&selector.saddr, entry.client)
                && selector.protocol.is_none_or(|protocol| protocol == entry.protocol)
                && selector.dport.is_none_or(|ports| (ports.first..=ports.last).contains(&port.0))
        };
        let exact = self.exact.get(&(addr, entry.protocol, port.0));
        let mark = exact.or_else(|| self.wide.iter().find(meets).map(|(_, mark)| mark))?;
        self.known(ServiceKey::Mark { family: entry.family(), mark: *mark })
    }

    fn by_server(&self, entry: &Connection) -> Option<ServiceKey> {
        let mut of_family = self.by_server.get(&entry.server.addr)?.iter();
        let mut next = || of_family.find(|key| key.family() == entry.family());
        match (next(), next()) {
            (Some(only), None) => Some(*only),
            _ => None,
        }
    }
}

/// One address, one protocol, one port, and nothing else: what is kept as an element of a map.
fn one_endpoint(selector: &MarkSelector) -> Option<(IpAddr, Protocol, u16)> {
    let net = selector.daddr.filter(|net| net.prefix_len() == net.max_prefix_len())?;
    let ports = selector.dport.filter(|ports| ports.first == ports.last)?;
    let plain = selector.saddr.is_none() && selector.iif.is_none();
    plain.then_some((net.addr(), selector.protocol?, ports.first))
}

/// `ip_vs_service_find`: what a service of port 21 gets beside it; 0 is its template.
fn is_ftp_data(port: Port) -> bool {
    port.0 == 0 || port.0 == 20 || port.0 >= 1024
}

/// Which entries are asked for; what is not said is not looked at.
#[derive(Clone, Debug, Default)]
pub struct ConnectionFilter {
    /// True: templates only; false: connections only.
    pub templates: Option<bool>,
    pub protocol: Option<Protocol>,
    /// A template has the client's address masked by the service's netmask.
    pub client: Option<IpNet>,
    /// Made by one of these ([`Makers::maker`]).
    pub services: Option<BTreeSet<ServiceKey>>,
    pub server: Option<(IpAddr, Option<Port>)>,
    /// One of these; empty is any.
    pub states: Vec<ConnectionState>,
}

impl ConnectionFilter {
    /// Whether this entry is asked for; `maker` is who made it.
    pub fn fits(&self, entry: &Connection, maker: Option<ServiceKey>) -> bool {
        let server = |(addr, port): (IpAddr, Option<Port>)| {
            entry.server.addr == addr && port.is_none_or(|port| entry.server.port == port)
        };
        self.templates.is_none_or(|wanted| wanted == entry.is_template())
            && self.protocol.is_none_or(|protocol| protocol == entry.protocol)
            && self.client.is_none_or(|net| net.contains(&entry.client))
            && self.server.is_none_or(server)
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && self.services.as_ref().is_none_or(|keys| maker.is_some_and(|key| keys.contains(&key)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn key(text: &str) -> ServiceKey {
        text.parse().expect(text)
    }

    fn machine() -> State {
        let mut state = State::default();
        let server = |text: &str| {
            let (addr, port) = parse_endpoint(text).expect(text);
            (ServerKey { addr, port: port.unwrap_or_default() }, Server::default())
        };
        for (text, servers) in [
            ("fwm:3", &["10.0.0.7", "10.0.0.8"][..]),
            ("fwm:4", &["10.0.0.8"]),
            ("tcp:10.0.0.99:25", &["10.0.0.7:25"]),
            ("tcp:10.0.0.98:0", &["10.0.0.7"]),
            ("tcp:10.0.0.97:21", &["10.0.0.7:21"]),
        ] {
            let servers = servers.iter().map(|text| server(text)).collect();
            let entry = ServiceEntry { service: Service::default(), servers };
            state.services.insert(key(text), entry.into());
        }
        let mark = |daddr: &str, first, last, mark| {
            let selector = MarkSelector {
                hook: Hook::Prerouting,
                family: Family::Ipv4,
                daddr: daddr.parse().ok(),
                protocol: Some(Protocol::Tcp),
                dport: PortRange::new(first, last).ok(),
                saddr: None,
                iif: None,
            };
            (selector, MarkEntry { mark: Fwmark::new(mark).expect("a mark"), owner: "web".to_string() })
        };
        state.marks.extend([mark("10.0.0.99/32", 80, 80, 3), mark("10.0.0.96/32", 8000, 8100, 4)]);
        state
    }

    fn entry(client: &str, target: &str, server: &str, state: &str) -> Connection {
        let endpoint = |text: &str| {
            let (addr, port) = parse_endpoint(text).expect(text);
            (addr, port.unwrap_or_default())
        };
        let ((client, client_port), (addr, port)) = (endpoint(client), endpoint(server));
        let target = match key_of(target) {
            Some(target) => target,
            None => Target::Address { addr: endpoint(target).0, port: endpoint(target).1 },
        };
        Connection {
            protocol: if matches!(target, Target::Mark { .. }) { Protocol::Other(0) } else { Protocol::Tcp },
            client,
            client_port,
            target,
            server: ServerKey { addr, port },
            state: ConnectionState::new(state),
            expires: 60,
            pe: None,
        }
    }

    fn key_of(text: &str) -> Option<Target> {
        match text.parse() {
            Ok(ServiceKey::Mark { family, mark }) => Some(Target::Mark { family, mark }),
            _ => None,
        }
    }

    #[test]
    fn entries_know_their_makers() {
        let makers = Makers::of(&machine());
        for (client, target, server, state, maker) in [
            ("10.0.0.1:5000", "10.0.0.99:25", "10.0.0.7:25", "ESTABLISHED", Some("tcp:10.0.0.99:25")),
            ("10.0.0.1:5000", "10.0.0.99:80", "10.0.0.8:80", "ESTABLISHED", Some("fwm:3")),
            ("10.0.0.1:5000", "10.0.0.96:8050", "10.0.0.8:8050", "ESTABLISHED", Some("fwm:4")),
            // No mark of ours tells it: one mark service has the first server, two have the second.
            ("10.0.0.1:5000", "10.0.0.90:443", "10.0.0.7:443", "SYN_RECV", Some("fwm:3")),
            ("10.0.0.1:5000", "10.0.0.90:443", "10.0.0.8:443", "SYN_RECV", None),
            ("10.0.0.1:5000", "10.0.0.98:443", "10.0.0.7:443", "SYN_RECV", Some("tcp:10.0.0.98:0")),
            ("10.0.0.1:5000", "10.0.0.97:20", "10.0.0.7:20", "SYN_RECV", Some("tcp:10.0.0.97:21")),
            ("10.0.0.1", "fwm:3", "10.0.0.7", "ASSURED", Some("fwm:3")),
            ("10.0.0.1", "fwm:5", "10.0.0.7", "ASSURED", None),
            ("10.0.0.1", "10.0.0.98:0", "10.0.0.7", "NONE", Some("tcp:10.0.0.98:0")),
        ] {
            let entry = entry(client, target, server, state);
            assert_eq!(makers.maker(&entry), maker.map(key), "{target} to {server}");
        }
    }

    #[test]
    fn filters() {
        let makers = Makers::of(&machine());
        let seen = entry("10.0.0.1:5000", "10.0.0.99:80", "10.0.0.8:80", "ESTABLISHED");
        let held = entry("10.0.0.1", "fwm:3", "10.0.0.8", "ASSURED");
        let any = ConnectionFilter::default;
        let fits =
            |filter: ConnectionFilter| [&seen, &held].map(|entry| filter.fits(entry, makers.maker(entry)));
        let addr = "10.0.0.8".parse().expect("an address");
        assert_eq!(fits(any()), [true, true]);
        assert_eq!(fits(ConnectionFilter { templates: Some(true), ..any() }), [false, true]);
        assert_eq!(fits(ConnectionFilter { templates: Some(false), ..any() }), [true, false]);
        assert_eq!(fits(ConnectionFilter { protocol: Some(Protocol::Tcp), ..any() }), [true, false]);
        assert_eq!(fits(ConnectionFilter { client: "10.0.0.0/30".parse().ok(), ..any() }), [true, true]);
        assert_eq!(fits(ConnectionFilter { client: "10.0.0.2/32".parse().ok(), ..any() }), [false, false]);
        assert_eq!(fits(ConnectionFilter { server: Some((addr, None)), ..any() }), [true, true]);
        assert_eq!(fits(ConnectionFilter { server: Some((addr, Some(Port(80)))), ..any() }), [true, false]);
        assert_eq!(fits(ConnectionFilter { services: Some([key("fwm:3")].into()), ..any() }), [true, true]);
        assert_eq!(fits(ConnectionFilter { services: Some([key("fwm:4")].into()), ..any() }), [false, false]);
        let states = vec![ConnectionState::new("ASSURED")];
        assert_eq!(fits(ConnectionFilter { states, ..any() }), [false, true]);
    }
}
