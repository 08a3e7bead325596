//! Several hosts on bridges, in one kernel. Reads like the scenario:
//!
//! ```ignore
//! let net = Topology::new()
//!     .director("dir", "10.0.0.1 fd00::1")
//!     .client("c1", "10.0.0.11")
//!     .server("rs1", "10.0.0.107")
//!     .build();
//! ```
//!
//! After `.segment("back")` hosts stand on another bridge; `.join(…)` gives a host an interface there (`eth1`).

use super::{Host, Namespace, host::with_prefix, isolate, rt::Rt};
use std::{fs, io};

#[derive(Default)]
pub struct Topology {
    segments: Vec<String>,
    hosts: Vec<Plan>,
}

struct Plan {
    name: String,
    role: Role,
    /// Segment number and addresses of eth0, eth1, ….
    links: Vec<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Director,
    Client,
    Server,
}

/// Interfaces have fixed numbers, above those that the kernel gives to devices of its own in every namespace.
const FIRST_INDEX: u32 = 20;
const FIRST_BRIDGE: u32 = 100;
const FIRST_PORT: u32 = 200;

impl Topology {
    pub fn new() -> Self {
        Self { segments: vec!["lan".to_owned()], hosts: Vec::new() }
    }

    fn host(mut self, role: Role, name: &str, addresses: &str) -> Self {
        assert!(name != "net", "net is where the bridges are");
        self.hosts.push(Plan {
            name: name.to_owned(),
            role,
            links: vec![(self.segments.len() - 1, addresses.to_owned())],
        });
        self
    }

    /// Addresses are separated by spaces; /24 and /64 when they do not say.
    pub fn director(self, name: &str, addresses: &str) -> Self {
        self.host(Role::Director, name, addresses)
    }

    pub fn client(self, name: &str, addresses: &str) -> Self {
        self.host(Role::Client, name, addresses)
    }

    /// Serves HTTP, HTTPS and line echo (port 7) from the start.
    pub fn server(self, name: &str, addresses: &str) -> Self {
        self.host(Role::Server, name, addresses)
    }

    pub fn segment(mut self, name: &str) -> Self {
        self.segments.push(name.to_owned());
        self
    }

    pub fn join(mut self, host: &str, addresses: &str) -> Self {
        let segment = self.segments.len() - 1;
        let plan = self.hosts.iter_mut().find(|h| h.name == host);
        let plan = plan.unwrap_or_else(|| panic!("no host {host} to join"));
        plan.links.push((segment, addresses.to_owned()));
        self
    }

    #[track_caller]
    pub fn build(self) -> Net {
        self.try_build().unwrap_or_else(|e| panic!("cannot build the topology: {e}"))
    }

    fn try_build(self) -> io::Result<Net> {
        isolate()?;
        let middle = Namespace::create("net")?;
        let mut rt = middle.inside(Rt::open)?;
        for (number, segment) in (0..).zip(&self.segments) {
            rt.bridge(segment, FIRST_BRIDGE + number)?;
        }
        let mut hosts = Vec::new();
        let mut port = FIRST_PORT;
        for plan in &self.hosts {
            let namespace = Namespace::create(&plan.name)?;
            namespace.inside(defaults)?;
            for (number, (segment, _)) in (0..).zip(&plan.links) {
                let bridge = FIRST_BRIDGE + u32::try_from(*segment).map_err(io::Error::other)?;
                let device = format!("eth{number}");
                // The name is for people who look: `bridge link`.
                let near = format!("p{port}-{}", plan.name);
                let near = &near[..near.len().min(15)];
                let far = (device.as_str(), FIRST_INDEX + number);
                rt.port((near, port), bridge, far, namespace.fd())?;
                port += 1;
            }
            let serves = plan.role == Role::Server;
            let host = Host::new(namespace, serves);
            for (number, (_, addresses)) in plan.links.iter().enumerate() {
                let device = format!("eth{number}");
                host.rt(|rt| {
                    rt.up(&device)?;
                    for address in addresses.split(' ') {
                        let (address, prefix) = with_prefix(address, Some((24, 64)));
                        rt.add_address(&device, address, prefix)?;
                    }
                    Ok(())
                });
            }
            hosts.push((plan.role, host));
        }
        Ok(Net { hosts })
    }
}

/// What distributions set differently.
fn defaults() -> io::Result<()> {
    for (file, value) in [
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // No second of waiting for a link-local address.
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
    ] {
        fs::write(format!("/proc/sys/net/{file}"), value)?;
    }
    Ok(())
}

/// What was built. Its namespaces are in `/run/netns`, and end with the test.
pub struct Net {
    hosts: Vec<(Role, Host)>,
}

impl Net {
    #[track_caller]
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|(_, h)| h.name == name);
        &found.unwrap_or_else(|| panic!("no host {name}")).1
    }

    /// The first one, when there are several.
    #[track_caller]
    pub fn director(&self) -> &Host {
        self.of(Role::Director).next().expect("a director")
    }

    pub fn clients(&self) -> impl Iterator<Item = &Host> {
        self.of(Role::Client)
    }

    pub fn servers(&self) -> impl Iterator<Item = &Host> {
        self.of(Role::Server)
    }

    #[track_caller]
    pub fn client(&self, name: &str) -> &Host {
        self.host(name)
    }

    #[track_caller]
    pub fn server(&self, name: &str) -> &Host {
        self.host(name)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Host> {
        let hosts = self.hosts.iter().filter(move |(r, _)| *r == role);
        hosts.map(|(_, host)| host)
    }
}
