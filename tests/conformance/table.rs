//! Reads `table.txt` and runs a row on any backend.

#[path = "paths.rs"]
mod paths;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lvsh::backend::{Backend, Outcome, Want};
use lvsh::model::*;
use lvsh::plan::Step;

pub struct Row {
    pub line: usize,
    pub name: String,
    pub given: Vec<Step>,
    pub step: Step,
    /// `ok`, or the errno's name.
    pub answer: String,
    pub left: Left,
}

pub enum Left {
    Same,
    Items(Vec<String>),
}

/// All rows; a row that cannot be read is a panic with its line.
pub fn rows() -> Vec<Row> {
    let text = include_str!("table.txt");
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|(number, line)| row(number + 1, line)).collect()
}

fn row(line: usize, text: &str) -> Row {
    let cells: Vec<&str> = text.split('|').map(str::trim).collect();
    let [name, given, step, answer, left] = cells[..] else { panic!("table.txt:{line}: not five cells") };
    let items = |cell: &str| -> Vec<String> {
        if cell == "-" { Vec::new() } else { cell.split(" ; ").map(|item| item.trim().to_string()).collect() }
    };
    let mut left_items = items(left);
    left_items.sort();
    Row {
        line,
        name: name.to_string(),
        given: items(given).iter().map(|item| parse(line, item)).collect(),
        step: parse(line, step),
        answer: answer.to_string(),
        left: if left == "same" { Left::Same } else { Left::Items(left_items) },
    }
}

/// Runs one row on a fresh machine; `Err` says what differs.
pub fn check(row: &Row, backend: &mut dyn Backend) -> Result<(), String> {
    for step in &row.given {
        for outcome in backend.apply(std::slice::from_ref(step)) {
            if let Outcome::Failed(error) = outcome {
                return Err(format!("the setup failed: {error}"));
            }
        }
    }
    let before = picture(row, backend)?;
    let answer = match backend.apply(std::slice::from_ref(&row.step)).pop() {
        Some(Outcome::Done) => "ok".to_string(),
        Some(Outcome::Failed(error)) => error.code,
        other => return Err(format!("no outcome: {other:?}")),
    };
    let after = picture(row, backend)?;
    let left = match &row.left {
        Left::Same => &before,
        Left::Items(items) => items,
    };
    let mut trouble = String::new();
    if answer != row.answer {
        let _ = write!(trouble, "answered {answer}, expected {}; ", row.answer);
    }
    if after != *left {
        let _ = write!(trouble, "left {after:?}, expected {left:?}");
    }
    if trouble.is_empty() { Ok(()) } else { Err(trouble) }
}

/// Runs every row on a machine made by `fresh`, and panics with all differences.
pub fn check_all(mut fresh: impl FnMut(&Row) -> Result<(), String>) {
    let rows = rows();
    assert!(rows.len() > 150, "the table has only {} rows", rows.len());
    let mut seen = BTreeSet::new();
    let mut troubles = Vec::new();
    for row in &rows {
        assert!(seen.insert(row.name.clone()), "two rows are called '{}'", row.name);
        if let Err(trouble) = fresh(row) {
            troubles.push(format!("table.txt:{}: {}: {trouble}", row.line, row.name));
        }
    }
    assert!(
        troubles.is_empty(),
        "{} of {} rows differ:\n{}",
        troubles.len(),
        rows.len(),
        troubles.join("\n")
    );
    println!("{} rows agree", rows.len());
}

/// What a row is about; reading all else each time would be most of the work.
pub fn want(row: &Row) -> Want {
    let steps = || row.given.iter().chain([&row.step]);
    let sysctls = steps().filter_map(|step| match step {
        Step::SetSysctl { name, .. } => Some(name.clone()),
        _ => None,
    });
    Want {
        routes: steps().any(|step| matches!(step.kind(), "rule" | "route")),
        tunnels: steps().any(|step| matches!(step.kind(), "tunnel" | "gue port")),
        sysctls: sysctls.collect(),
        ..Want::all()
    }
}

/// What stands, as sorted items of the table's notation; what a fresh machine has by itself is left out.
fn picture(row: &Row, backend: &mut dyn Backend) -> Result<Vec<String>, String> {
    let want = want(row);
    let state = backend.snapshot(&want).map_err(|error| error.to_string())?.state;
    let mut out = Vec::new();
    for (key, entry) in &state.services {
        out.push(format!("s {key} {}", show_service(&entry.service)));
        for (id, server) in &entry.servers {
            out.push(format!("d {key} {id} {}", show_server(server)));
        }
    }
    for (selector, entry) in &state.marks {
        let hook = if selector.hook == Hook::Output { "out" } else { "pre" };
        let net = selector.daddr.map_or("-".to_string(), |net| net.to_string());
        let protocol = selector.protocol.map_or("-".to_string(), |protocol| protocol.to_string());
        let ports = selector.dport.map_or("-".to_string(), |ports| ports.to_string());
        let mut text = format!("m {hook} {net} {protocol} {ports} {}", entry.mark);
        if let Some(saddr) = selector.saddr {
            let _ = write!(text, " from={saddr}");
        }
        if let Some(iif) = &selector.iif {
            let _ = write!(text, " iif={iif}");
        }
        out.push(text);
    }
    for (key, _) in state.vips.iter().filter(|(_, vip)| vip.is_ours()) {
        out.push(format!("a {} {}", key.addr, key.dev));
    }
    out.extend(paths::picture(&state));
    if state.timeouts != Timeouts::default() {
        let Timeouts { tcp, tcp_fin, udp } = state.timeouts;
        out.push(format!("timeouts {tcp} {tcp_fin} {udp}"));
    }
    for (role, daemon) in &state.syncs {
        let mut text = format!("y {role} {} {}", daemon.dev, daemon.id);
        if daemon.group != SyncDaemon::DEFAULT_GROUP {
            let _ = write!(text, " group={}", daemon.group);
        }
        if daemon.port != SyncDaemon::DEFAULT_PORT {
            let _ = write!(text, " port={}", daemon.port);
        }
        if daemon.ttl != SyncDaemon::DEFAULT_TTL {
            let _ = write!(text, " ttl={}", daemon.ttl);
        }
        if daemon.maxlen != 0 {
            let _ = write!(text, " maxlen={}", daemon.maxlen);
        }
        out.push(text);
    }
    for (name, value) in &state.sysctls {
        let refused = row.answer != "ok";
        if !refused {
            out.push(format!("sysctl {name} {value}"));
        }
    }
    out.sort();
    Ok(out)
}

fn show_service(service: &Service) -> String {
    let mut text = service.scheduler.to_string();
    if let Some(Persistence { timeout, netmask }) = service.persistence {
        let _ = write!(text, " p={timeout}");
        if !netmask.is_host() {
            let _ = write!(text, "/{netmask}");
        }
    }
    if service.flags != Flags::default() {
        let _ = write!(text, " f={:#x}", service.flags.bits());
    }
    if let Some(pe) = &service.pe {
        let _ = write!(text, " pe={pe}");
    }
    text
}

fn show_server(server: &Server) -> String {
    let mut text = format!("{} w={}", server.method, server.weight);
    if server.upper != 0 {
        let _ = write!(text, " u={}", server.upper);
    }
    if server.lower != 0 {
        let _ = write!(text, " l={}", server.lower);
    }
    if server.tunnel != Tunnel::default() {
        let Tunnel { kind, port, flags } = server.tunnel;
        let _ = write!(text, " t={kind}:{port}:{flags}");
    }
    text
}

/// Steps in the table's notation, separated by " ; " or line ends.
#[allow(dead_code, reason = "each test crate that shares this file uses its own part")]
pub fn steps(text: &str) -> Vec<Step> {
    let items = text.split(['\n', ';']).map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| parse(0, item)).collect()
}

fn parse(line: usize, item: &str) -> Step {
    let words: Vec<&str> = item.split_whitespace().collect();
    let bad = || -> ! { panic!("table.txt:{line}: cannot read '{item}'") };
    if let Some(step) = paths::parse(&words) {
        return step;
    }
    match words[..] {
        ["+s", key, ref rest @ ..] => Step::AddService { key: service_key(key), service: service(key, rest) },
        ["=s", key, ref rest @ ..] => {
            Step::SetService { key: service_key(key), from: Service::default(), to: service(key, rest) }
        }
        ["-s", key] => {
            let entry = ServiceEntry { service: Service::default(), servers: Default::default() };
            Step::DelService { key: service_key(key), entry }
        }
        ["+d", key, id, ref rest @ ..] => {
            Step::AddServer { service: service_key(key), key: server_key(id), server: server(rest) }
        }
        ["=d", key, id, ref rest @ ..] => {
            let (from, to) = (Server::default(), server(rest));
            Step::SetServer { service: service_key(key), key: server_key(id), from, to }
        }
        ["-d", key, id] => {
            let server = Server::default();
            Step::DelServer { service: service_key(key), key: server_key(id), server }
        }
        ["+m", hook, net, protocol, ports, mark, ref rest @ ..] => {
            Step::AddMark { selector: selector(hook, net, protocol, ports, rest), entry: entry(mark) }
        }
        ["=m", hook, net, protocol, ports, mark, ref rest @ ..] => {
            let selector = selector(hook, net, protocol, ports, rest);
            Step::SetMark { selector, from: entry("1"), to: entry(mark) }
        }
        ["-m", hook, net, protocol, ports, ref rest @ ..] => {
            Step::DelMark { selector: selector(hook, net, protocol, ports, rest), entry: entry("1") }
        }
        ["+a", addr, dev] => Step::AddVip { key: vip(addr, dev), vip: Vip::ours() },
        ["-a", addr, dev] => Step::DelVip { key: vip(addr, dev), vip: Vip::ours() },
        ["+y", role, dev, id, ref rest @ ..] => {
            let mut daemon = SyncDaemon::new(IfName::new(dev).unwrap(), id.parse().unwrap());
            for option in rest {
                match option.split_once('=') {
                    Some(("group", value)) => daemon.group = value.parse().unwrap(),
                    Some(("port", value)) => daemon.port = value.parse().unwrap(),
                    Some(("ttl", value)) => daemon.ttl = value.parse().unwrap(),
                    Some(("maxlen", value)) => daemon.maxlen = value.parse().unwrap(),
                    _ => bad(),
                }
            }
            Step::StartSync { role: sync_role(role), daemon }
        }
        ["-y", role] => {
            let daemon = SyncDaemon::new(IfName::new("d0").unwrap(), 0);
            Step::StopSync { role: sync_role(role), daemon }
        }
        ["timeouts", tcp, tcp_fin, udp] => {
            let seconds = |word: &str| word.parse::<u32>().unwrap();
            let to = Timeouts { tcp: seconds(tcp), tcp_fin: seconds(tcp_fin), udp: seconds(udp) };
            Step::SetTimeouts { from: Timeouts::default(), to }
        }
        ["sysctl", name, ref value @ ..] => {
            let name = SysctlName::new(name).unwrap();
            Step::SetSysctl { name, from: String::new(), to: value.join(" ") }
        }
        _ => bad(),
    }
}

fn service_key(text: &str) -> ServiceKey {
    let (word, rest) = text.split_once(':').unwrap();
    match word {
        "fwm" | "fwm6" => ServiceKey::Mark {
            family: if word == "fwm" { Family::Ipv4 } else { Family::Ipv6 },
            mark: Fwmark::new(rest.parse().unwrap()).unwrap(),
        },
        protocol => {
            let (addr, port) = parse_endpoint(rest).unwrap();
            ServiceKey::Address { protocol: protocol.parse().unwrap(), addr, port: port.unwrap() }
        }
    }
}

fn server_key(text: &str) -> ServerKey {
    let (addr, port) = parse_endpoint(text).unwrap();
    ServerKey { addr, port: port.unwrap_or_default() }
}

fn service(key: &str, words: &[&str]) -> Service {
    let family = service_key(key).family();
    let mut service = Service { scheduler: Scheduler::new(words[0]).unwrap(), ..Service::default() };
    for word in &words[1..] {
        match word.split_once('=').unwrap() {
            ("p", value) => {
                let (seconds, mask) = value.split_once('/').map_or((value, None), |(s, m)| (s, Some(m)));
                let mut persistence = Persistence::seconds(seconds.parse().unwrap(), family);
                if let Some(mask) = mask {
                    persistence.netmask = match family {
                        Family::Ipv4 => Netmask::V4(mask.parse().unwrap()),
                        Family::Ipv6 => Netmask::V6(mask.parse().unwrap()),
                    };
                }
                service.persistence = Some(persistence);
            }
            ("f", value) => {
                let bits = u32::from_str_radix(value.trim_start_matches("0x"), 16).unwrap();
                service.flags = Flags::from_bits(bits);
            }
            ("pe", value) => service.pe = Some(PeName::new(value).unwrap()),
            (other, _) => panic!("unknown service option {other}"),
        }
    }
    service
}

fn server(words: &[&str]) -> Server {
    let method = match words[0] {
        "dr" => Forwarding::Dr,
        "nat" => Forwarding::Nat,
        "tun" => Forwarding::Tun,
        other => Forwarding::Other(other.trim_start_matches("method-").parse().unwrap()),
    };
    let mut server = Server { method, ..Server::default() };
    for word in &words[1..] {
        match word.split_once('=').unwrap() {
            ("w", value) => server.weight = Weight::new(value.parse().unwrap()).unwrap(),
            ("u", value) => server.upper = value.parse().unwrap(),
            ("l", value) => server.lower = value.parse().unwrap(),
            ("t", value) => {
                let parts: Vec<&str> = value.split(':').collect();
                let kind = match parts[0] {
                    "ipip" => TunnelKind::Ipip,
                    "gue" => TunnelKind::Gue,
                    "gre" => TunnelKind::Gre,
                    other => TunnelKind::Other(other.trim_start_matches("tunnel-").parse().unwrap()),
                };
                let port = Port(parts[1].parse().unwrap());
                server.tunnel = Tunnel { kind, port, flags: parts[2].parse().unwrap() };
            }
            (other, _) => panic!("unknown server option {other}"),
        }
    }
    server
}

fn selector(hook: &str, net: &str, protocol: &str, ports: &str, rest: &[&str]) -> MarkSelector {
    let daddr: ipnet::IpNet = net.parse().unwrap();
    let option = |name: &str| rest.iter().find_map(|word| word.strip_prefix(name));
    MarkSelector {
        hook: if hook == "out" { Hook::Output } else { Hook::Prerouting },
        family: Family::of(daddr.addr()),
        daddr: Some(daddr),
        protocol: (protocol != "-").then(|| protocol.parse().unwrap()),
        dport: (ports != "-").then(|| {
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            PortRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
        }),
        saddr: option("from=").map(|net| net.parse().unwrap()),
        iif: option("iif=").map(|dev| IfName::new(dev).unwrap()),
    }
}

fn entry(mark: &str) -> MarkEntry {
    MarkEntry { mark: Fwmark::new(mark.parse().unwrap()).unwrap(), owner: "test".to_string() }
}

fn vip(addr: &str, dev: &str) -> VipKey {
    VipKey { addr: addr.parse().unwrap(), dev: IfName::new(dev).unwrap() }
}

fn sync_role(word: &str) -> SyncRole {
    if word == "master" { SyncRole::Master } else { SyncRole::Backup }
}
