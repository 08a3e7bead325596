//! Looking a name up as this machine does: its hosts file, its servers, its search list (hosts(5), resolv.conf(5)).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::{Check, Job, Route, Trouble};
use super::message::{Response, query};
use super::{Dns, RecordType, code_name, fresh_id, over_tcp, over_udp};

/// What to look up, and whom to ask.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub name: String,
    pub ty: RecordType,
    /// `/etc/resolv.conf`
    pub config: PathBuf,
    /// `/etc/hosts`
    pub hosts: PathBuf,
    /// Instead of the servers that the configuration names.
    pub server: Option<(IpAddr, u16)>,
}

/// One record of an answer, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub text: String,
    /// Of SRV: priority, weight, port.
    pub place: Option<(u16, u16, u16)>,
    /// Of SRV and MX: the name they lead to.
    pub target: Option<String>,
}

/// What resolv.conf says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Config {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    /// Dots that make a name a whole one.
    ndots: usize,
    /// How long one server may take.
    patience: Duration,
    attempts: u32,
}

const DNS_PORT: u16 = 53;

impl Config {
    fn read(text: &str) -> Config {
        let mut config = Config {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            patience: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or("");
            let mut words = line.split_whitespace();
            match words.next() {
                // The resolver of the C library asks no more than three.
                Some("nameserver") if config.servers.len() < 3 => {
                    config.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
                }
                Some("search" | "domain") => config.search = words.map(str::to_string).collect(),
                Some("options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push(IpAddr::from([127, 0, 0, 1]));
        }
        config
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(number))) = word.split_once(':').map(|(name, text)| (name, text.parse::<u32>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = number.min(15) as usize,
            "timeout" => self.patience = Duration::from_secs(number.clamp(1, 30).into()),
            "attempts" => self.attempts = number.clamp(1, 5),
            _ => {}
        }
    }

    /// The names to ask for, in their order.
    fn names(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_string()];
        }
        let longer = self.search.iter().map(|domain| format!("{name}.{}", domain.trim_matches('.')));
        let mut names: Vec<String> = longer.collect();
        let dots = name.matches('.').count();
        names.insert(if dots >= self.ndots { 0 } else { names.len() }, name.to_string());
        names
    }
}

/// All records of the type asked for; those of the hosts file come first and end the search, as they do for others.
pub async fn resolve(lookup: &Lookup, found: &mut Vec<Record>) -> Result<(), Trouble> {
    query(0, &lookup.name, lookup.ty).map_err(Trouble::blind)?;
    if let Some(addr) = lookup.name.parse::<IpAddr>().ok().filter(|addr| fits(addr, lookup.ty)) {
        found.push(record(lookup.ty, addr.to_string()));
        return Ok(());
    }
    let hosts = std::fs::read_to_string(&lookup.hosts).unwrap_or_default();
    found.extend(listed(&hosts, lookup).map(|addr| record(lookup.ty, addr.to_string())));
    if !found.is_empty() {
        return Ok(());
    }
    let config = Config::read(&std::fs::read_to_string(&lookup.config).unwrap_or_default());
    let mut said = Trouble::bad(format!("there is no name {}", lookup.name));
    for name in config.names(&lookup.name) {
        match ask(&config, lookup, &name).await {
            Ok(response) => {
                let ours = response.records.into_iter().filter(|(ty, _)| *ty == lookup.ty as u16);
                found.extend(ours.map(|(_, text)| record(lookup.ty, text)));
                if !found.is_empty() {
                    return Ok(());
                }
                said = Trouble::bad(format!("{name} has no {} record", lookup.ty.name()));
            }
            Err(Said::NoSuchName) => {}
            Err(Said::Other(trouble)) => return Err(trouble),
        }
    }
    Err(said)
}

/// Why one name brought nothing.
enum Said {
    NoSuchName,
    Other(Trouble),
}

/// One name, of one server after the other.
async fn ask(config: &Config, lookup: &Lookup, name: &str) -> Result<Response, Said> {
    let servers: Vec<(IpAddr, u16)> = match lookup.server {
        Some(server) => vec![server],
        None => config.servers.iter().map(|server| (*server, DNS_PORT)).collect(),
    };
    let mut last = Trouble::blind("no server to ask");
    for _ in 0..config.attempts {
        for (addr, port) in &servers {
            let dns = Dns { name: name.to_string(), ty: lookup.ty, tcp: false, expect: Vec::new() };
            let (check, route) = (Check::Dns(dns), Route::default());
            let job = Job { addr: *addr, port: *port, check, timeout: config.patience, route };
            match tokio::time::timeout(config.patience, one(&job, lookup.ty, name)).await {
                Ok(Ok(response)) => match response.code {
                    0 => return Ok(response),
                    3 => return Err(Said::NoSuchName),
                    code => last = Trouble::bad(format!("{addr}: {}", code_name(code))),
                },
                Ok(Err(Trouble::Bad(text))) => last = Trouble::bad(format!("{addr}: {text}")),
                Ok(Err(Trouble::Blind(text))) => last = Trouble::blind(format!("{addr}: {text}")),
                Err(_) => last = Trouble::bad(format!("{addr} does not answer")),
            }
        }
    }
    Err(Said::Other(last))
}

async fn one(job: &Job, ty: RecordType, name: &str) -> Result<Response, Trouble> {
    let id = fresh_id();
    let question = query(id, name, ty).map_err(Trouble::blind)?;
    let response = over_udp(job, &question, id).await?;
    if response.cut { over_tcp(job, &question, id).await } else { Ok(response) }
}

fn fits(addr: &IpAddr, ty: RecordType) -> bool {
    matches!((addr, ty), (IpAddr::V4(_), RecordType::A) | (IpAddr::V6(_), RecordType::Aaaa))
}

/// The addresses that a hosts file gives a name.
fn listed<'a>(hosts: &'a str, lookup: &'a Lookup) -> impl Iterator<Item = IpAddr> + 'a {
    let bare = lookup.name.trim_end_matches('.');
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or(""));
    lines.filter_map(move |line| {
        let mut words = line.split_whitespace();
        let addr = words.next()?.parse::<IpAddr>().ok().filter(|addr| fits(addr, lookup.ty))?;
        words.any(|word| word.eq_ignore_ascii_case(bare)).then_some(addr)
    })
}

fn record(ty: RecordType, text: String) -> Record {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u16>().ok());
    let (place, target) = match ty {
        RecordType::Srv => {
            let place = number(0).zip(number(1)).zip(number(2)).map(|((a, b), c)| (a, b, c));
            (place, words.get(3).map(|word| (*word).to_string()))
        }
        RecordType::Mx => (None, words.get(1).map(|word| (*word).to_string())),
        _ => (None, None),
    };
    Record { text, place, target }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str, ty: RecordType) -> Lookup {
        Lookup {
            name: name.to_string(),
            ty,
            config: "/dev/null".into(),
            hosts: "/dev/null".into(),
            server: None,
        }
    }

    #[test]
    fn the_configuration_of_the_machine() {
        let text = "# by hand\nnameserver 192.0.2.1\nnameserver 2001:db8::1 ; second\nnameserver 192.0.2.3\n\
                    nameserver 192.0.2.4\nsearch example.org example.com.\noptions ndots:2 timeout:1 attempts:9 rotate\n";
        let config = Config::read(text);
        assert_eq!(config.servers.len(), 3, "as many as the C library asks");
        assert_eq!(config.search, ["example.org", "example.com."]);
        assert_eq!((config.ndots, config.patience, config.attempts), (2, Duration::from_secs(1), 5));
        assert_eq!(config.names("a.b"), ["a.b.example.org", "a.b.example.com", "a.b"]);
        assert_eq!(config.names("a.b.c"), ["a.b.c", "a.b.c.example.org", "a.b.c.example.com"]);
        assert_eq!(config.names("a."), ["a"]);
        assert_eq!(Config::read("").servers, [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn the_hosts_file() {
        let hosts =
            "127.0.0.1 localhost\n# 192.0.2.1 web\n192.0.2.2 WEB web.example.org # it\n2001:db8::2 web\n";
        let got =
            |name: &str, ty| listed(hosts, &lookup(name, ty)).map(|a| a.to_string()).collect::<Vec<_>>();
        assert_eq!(got("web", RecordType::A), ["192.0.2.2"]);
        assert_eq!(got("web.example.org.", RecordType::A), ["192.0.2.2"]);
        assert_eq!(got("web", RecordType::Aaaa), ["2001:db8::2"]);
        assert_eq!(got("web", RecordType::Srv), Vec::<String>::new());
    }

    #[test]
    fn services_have_their_places() {
        let srv = record(RecordType::Srv, "10 60 8080 a.example".to_string());
        assert_eq!((srv.place, srv.target.as_deref()), (Some((10, 60, 8080)), Some("a.example")));
    }
}
