//! Policies as a person would have written them, from tables as they are found in the wild.

use lvsh::cli::ipvsadm::restore;
use lvsh::model::{
    DeviceKind, Family, Fou, FouKey, Fwmark, Hook, IfName, Installed, MarkEntry, MarkSelector, PortRange,
    Protocol, RouteKey, RouteTable, RuleKey, State, TunnelDevice, Vip, VipKey,
};
use lvsh::plan::Dump;
use lvsh::view::{Policy, policy};

fn read(rules: &str) -> State {
    restore::read(rules, "saved").unwrap_or_else(|error| panic!("{error}"))
}

fn written(state: State) -> String {
    let head = ["web: written by lvsh import from saved.".to_string()];
    policy(&Policy { dump: &Dump::whole(state), name: "web", head: &head }).text
}

fn vip(state: &mut State, addr: &str, dev: &str, vip: Vip) {
    let dev = IfName::new(dev).expect("a name");
    state.vips.insert(VipKey { addr: addr.parse().expect("a net"), dev }, vip);
}

fn mark(state: &mut State, mark: u32, daddr: &str, protocol: Protocol, ports: &[u16], owner: &str) {
    let daddr: std::net::IpAddr = daddr.parse().expect("an address");
    for port in ports {
        let selector = MarkSelector {
            hook: Hook::Prerouting,
            family: lvsh::model::Family::of(daddr),
            daddr: Some(daddr.into()),
            protocol: Some(protocol),
            dport: Some(PortRange::one(*port)),
            saddr: None,
            iif: None,
        };
        let entry = MarkEntry { mark: Fwmark::new(mark).expect("a mark"), owner: owner.to_string() };
        state.marks.insert(selector, entry);
    }
}

/// http and https of one site as one group, with everything that belongs to it.
#[test]
fn the_seed() {
    let mut state = read(
        "-A -f 3 -s sh -b sh-fallback\n-a -f 3 -r 192.168.1.107 -g -w 1\n-a -f 3 -r 192.168.1.109 -g -w 1\n",
    );
    mark(&mut state, 3, "192.168.1.99", Protocol::Tcp, &[80, 443], "web");
    vip(&mut state, "192.168.1.99/32", "eth0", Vip::ours());
    insta::assert_snapshot!(written(state));
}

/// A site with one address, one pool for two ports, mail, and name servers on both protocols.
#[test]
fn a_site_behind_one_address() {
    let mut state = read(
        "--set 1200 60 300
-A -t 203.0.113.10:80 -s wrr
-a -t 203.0.113.10:80 -r 10.1.0.11:80 -m -w 10
-a -t 203.0.113.10:80 -r 10.1.0.12:80 -m -w 10
-a -t 203.0.113.10:80 -r 10.1.0.113:80 -m -w 5
-A -t 203.0.113.10:443 -s wrr -p 600
-a -t 203.0.113.10:443 -r 10.1.0.11:443 -m -w 10
-a -t 203.0.113.10:443 -r 10.1.0.12:443 -m -w 10
-a -t 203.0.113.10:443 -r 10.1.0.113:443 -m -w 5
-A -t 203.0.113.10:25 -s wlc
-a -t 203.0.113.10:25 -r 10.1.0.25:25 -m -w 1 -x 500 -y 400
-a -t 203.0.113.10:25 -r 10.1.0.26:2525 -m -w 1
-A -u 203.0.113.53:53 -s rr -o
-a -u 203.0.113.53:53 -r 10.1.0.53:53 -g -w 1
-a -u 203.0.113.53:53 -r 10.1.0.54:53 -g -w 1
-A -t 203.0.113.53:53 -s rr
-a -t 203.0.113.53:53 -r 10.1.0.53:53 -g -w 1
-a -t 203.0.113.53:53 -r 10.1.0.54:53 -g -w 1
--start-daemon master --mcast-interface eth1 --syncid 7
",
    );
    for (addr, dev) in [("203.0.113.10/24", "eth0"), ("203.0.113.53/32", "lo"), ("192.168.7.1/24", "eth1")] {
        vip(&mut state, addr, dev, Vip::default());
    }
    insta::assert_snapshot!(written(state));
}

/// Both families, tunnels, persistence by network, big marks, marks that another policy set.
#[test]
fn tunnels_and_both_families() {
    let mut state = read(
        "-A -f 3000000000 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port
-a -f 3000000000 -r 10.2.0.1:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -f 3000000000 -r 10.2.0.2:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-A -f 3000000000 -6 -s mh -p 300 -M 64 -b mh-fallback,mh-port
-a -f 3000000000 -6 -r [2001:db8:2::1]:0 -i -w 1 --tun-type gre
-a -f 3000000000 -6 -r [2001:db8:2::2]:0 -i -w 1
-A -t [2001:db8::99]:22 -s rr
-a -t [2001:db8::99]:22 -r [2001:db8:2::9]:22 -g -w 1
-A -t 0.0.0.0:0 -s rr -p 60
",
    );
    for (protocol, ports) in [(Protocol::Tcp, &[80, 443][..]), (Protocol::Udp, &[443])] {
        mark(&mut state, 3_000_000_000, "192.0.2.99", protocol, ports, "web");
        mark(&mut state, 3_000_000_000, "2001:db8::99", protocol, ports, "old-site");
    }
    let any = MarkSelector {
        hook: Hook::Output,
        family: lvsh::model::Family::Ipv4,
        daddr: Some("192.0.2.0/24".parse().expect("a net")),
        protocol: Some(Protocol::Tcp),
        dport: Some(PortRange { first: 8000, last: 8100 }),
        saddr: None,
        iif: None,
    };
    let entry = MarkEntry { mark: Fwmark::new(7).expect("a mark"), owner: "web".to_string() };
    state.marks.insert(any, entry);
    insta::assert_snapshot!(written(state));
}

/// A director without the address, next to a rule that the system's own configuration made.
#[test]
fn a_director_without_the_address() {
    let mut state = read("-A -f 3 -s wlc\n-a -f 3 -r 10.0.0.1 -g -w 1\n-A -f 4 -s wlc\n-A -f 5 -6 -s wlc\n");
    mark(&mut state, 3, "192.0.2.99", Protocol::Tcp, &[80], "web");
    let table = |number| RouteTable::new(number).expect("a table");
    for (family, mark, number, priority, rule) in [
        (Family::Ipv4, 3, 100, 100, Installed::ours()),
        (Family::Ipv4, 4, 7, 50, Installed { by: 4 }),
        (Family::Ipv6, 5, 100, 90, Installed::ours()),
    ] {
        let mark = Fwmark::new(mark).expect("a mark");
        state.rules.insert(RuleKey { family, priority, mark, table: table(number) }, rule);
        state.routes.insert(RouteKey { family, table: table(number) }, rule);
    }
    insta::assert_snapshot!(written(state));
}

/// The real server's side: devices and ports that unpack; one was taken down by somebody, one is another's.
#[test]
fn what_unpacks_tunnels() {
    let mut state = State::default();
    for (dev, tunnel) in [
        ("lvsh-ipip", TunnelDevice::ours(DeviceKind::Ipip, false)),
        ("lvsh-gre", TunnelDevice::ours(DeviceKind::Gre, true)),
        ("lvsh-sit", TunnelDevice { up: false, ..TunnelDevice::ours(DeviceKind::Sit, false) }),
        ("office", TunnelDevice { alias: String::new(), ..TunnelDevice::ours(DeviceKind::Ip6tnl, false) }),
    ] {
        state.tunnels.insert(IfName::new(dev).expect("a name"), tunnel);
    }
    state.fous.insert(FouKey { family: Family::Ipv6, port: 6080 }, Fou::Gue);
    state.fous.insert(FouKey { family: Family::Ipv4, port: 5555 }, Fou::Protocol(4));
    vip(&mut state, "192.0.2.99/32", "lvsh-ipip", Vip::ours());
    insta::assert_snapshot!(written(state));
}

/// What somebody made without ipvsadm and no policy would let through; the rest is written all the same.
#[test]
fn what_a_policy_cannot_say() {
    use lvsh::model::{Server, ServerKey, Service, ServiceEntry, ServiceKey, Weight};
    let mut state = read("-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\n");
    let key = |text: &str| -> ServiceKey { text.parse().expect("a key") };
    let entry = |servers: &[(&str, u32)]| {
        let server = |(id, weight): &(&str, u32)| {
            let server = Server { weight: Weight::new(*weight).expect("a weight"), ..Server::default() };
            (id.parse::<ServerKey>().expect("an id"), server)
        };
        ServiceEntry { service: Service::default(), servers: servers.iter().map(server).collect() }
    };
    state.services.insert(key("proto-99:10.0.0.1:80"), entry(&[]).into());
    state.services.insert(key("tcp:10.0.0.1:0"), entry(&[]).into());
    state.services.insert(key("tcp:10.0.0.1:81"), entry(&[("10.0.0.2:81", 1), ("10.0.0.3:82", 1)]).into());
    state.services.insert(key("tcp:10.0.0.1:82"), entry(&[("10.0.0.2:82", 100_000)]).into());
    insta::assert_snapshot!(written(state));
}

/// Two hundred customers with the same three pools: no name is written twice, and none is one of two hundred locals.
#[test]
fn many_services() {
    let mut rules = String::new();
    for customer in 0..200 {
        for port in [80, 443] {
            let vip = format!("198.51.{}.{}:{port}", customer / 100, customer % 100 + 1);
            rules += &format!("-A -t {vip} -s wlc\n");
            for server in 1..=3 {
                rules += &format!("-a -t {vip} -r 10.{}.0.{server}:{port} -m -w 1\n", customer % 60);
            }
        }
    }
    let text = written(read(&rules));
    assert_eq!(text.matches("addr = \"10.7.0.1\"").count(), 1, "{text}");
    assert!(!text.contains("local VIP"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let services = lines.iter().position(|line| line.contains("service = {")).expect("services");
    insta::assert_snapshot!([&lines[..16], &["…"], &lines[services - 3..services + 6]].concat().join("\n"));
}

#[test]
fn an_empty_machine() {
    insta::assert_snapshot!(written(State::default()));
}
