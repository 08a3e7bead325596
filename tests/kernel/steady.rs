//! A site under a steady load while its servers are drained, break and come back: what its clients see of that.
//!
//! Every request is kept with its times. At the end each one that failed must have gone to a server that was broken
//! just then, before the rounds had found out, and each client that changed its server must have had to.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::site::{VIP, lvsh, policy_with, write};
use super::support::{Clients, Host, Net, PACE, Topology};

const SERVERS: [(&str, &str); 3] =
    [("rs1", "192.168.1.107"), ("rs2", "192.168.1.108"), ("rs3", "192.168.1.109")];
const FALL: usize = 2;
const RISE: usize = 2;
/// So many strangers, one after the other, meet all servers that take any.
const STRANGERS: usize = 4;
/// How long cron sleeps between rounds.
const CRON: Duration = Duration::from_millis(100);

/// `with`: what the policy says of clients whose server has weight 0.
fn policy(with: &str) -> String {
    let servers = SERVERS.map(|(_, address)| address);
    policy_with("scheduler = \"wrr\", persistent = 600", &servers, "method = \"dr\", weight = 8", with)
}

fn health(more: &str) -> String {
    format!("health = {{ http = {{ port = 80 }}, timeout = 2, rise = {RISE}, fall = {FALL}{more} }},")
}

/// Something happens to one server, or nothing to none.
struct Phase {
    name: String,
    begun: Instant,
    /// The server that clients may leave.
    leaves: Option<String>,
    /// From when to when requests to it fail.
    broken: Option<(Instant, Instant)>,
    /// How many clients it had.
    stake: usize,
    strangers: Vec<String>,
}

struct Site {
    net: Net,
    file: String,
    clients: Clients,
    phases: Vec<Phase>,
    /// What a server that takes nobody has in the kernel's table.
    out: &'static str,
    strangers: usize,
}

impl Site {
    fn start(with: &str, out: &'static str) -> Site {
        let mut topology = Topology::new()
            .director("dir", "192.168.1.1")
            .client("c1", "192.168.1.11")
            .client("c2", "192.168.1.12")
            .client("c3", "192.168.1.13")
            .client("c4", "192.168.1.14")
            .client("others", "192.168.1.15");
        for (name, address) in SERVERS {
            topology = topology.server(name, address);
        }
        let net = topology.build();
        for server in net.servers() {
            server.direct(VIP);
        }
        let file = write("web", &policy(with));
        lvsh(net.director(), &format!("start {file}"));
        lvsh(net.director(), &format!("check {file}"));
        let clients = Clients::start(net.clients().filter(|client| client.name != "others"), VIP);
        let mut site = Site { net, file, clients, phases: Vec::new(), out, strangers: 0 };
        site.phase("nothing happens".to_owned(), None);
        site.settle();
        site
    }

    fn director(&self) -> &Host {
        self.net.director()
    }

    fn phase(&mut self, name: String, leaves: Option<&str>) {
        let stake = self.clients.servers().iter().filter(|server| Some(server.as_str()) == leaves).count();
        let leaves = leaves.map(str::to_owned);
        let begun = Instant::now();
        self.phases.push(Phase { name, begun, leaves, broken: None, stake, strangers: Vec::new() });
    }

    /// Every client has seen what has become of the site.
    fn settle(&self) {
        self.clients.each_asks(3);
    }

    /// The server with most clients: what happens to it is felt.
    fn busiest(&self) -> (&'static str, &'static str) {
        let of = self.clients.servers();
        let count = |name: &str| of.iter().filter(|server| *server == name).count();
        SERVERS.into_iter().max_by_key(|(name, _)| count(name)).expect("servers")
    }

    /// A server's line in the kernel's table; `gone` when it has none.
    fn weight(&self, address: &str) -> String {
        let text = self.director().run("ipvsadm -Sn");
        let line = text.lines().find(|line| line.contains(&format!("-r {address}")));
        let weight = line.and_then(|line| line.split("-w ").nth(1)?.split_whitespace().next());
        weight.unwrap_or("gone").to_owned()
    }

    fn round(&self) {
        std::thread::sleep(CRON);
        let round = lvsh(self.director(), &format!("check {}", self.file));
        print!("{}{}", round.stdout, round.stderr);
    }

    /// Clients that were never here: each is on one server, by http and https, and none fails.
    fn strangers(&mut self) -> BTreeSet<String> {
        let host = self.net.client("others");
        let mut met = Vec::new();
        for _ in 0..STRANGERS {
            self.strangers += 1;
            let address = format!("192.168.1.{}", 129 + self.strangers);
            let ask = |scheme: &str| {
                let answer = host.get_as(&address, &format!("{scheme}://{VIP}/"));
                answer.unwrap_or_else(|why| panic!("{address} got no answer by {scheme}: {why}")).server
            };
            let (by_http, by_https) = (ask("http"), ask("https"));
            assert_eq!(by_http, by_https, "{address}");
            met.push(by_http);
        }
        let phase = self.phases.last_mut().expect("a phase");
        phase.strangers.extend(met.iter().cloned());
        met.into_iter().collect()
    }

    fn everybody_takes_strangers(&mut self) {
        let all: BTreeSet<String> = SERVERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(self.strangers(), all);
    }

    /// An operator takes a server out and lets it in again. `stays`: whether those who know it may go on there.
    fn told(&mut self, word: &str, back: &str, stays: bool) {
        let (name, address) = self.busiest();
        let file = self.file.clone();
        self.phase(format!("{word} {name}"), Some(name).filter(|_| !stays));
        let done = lvsh(self.director(), &format!("{word} {file} {address} --reason kernel"));
        assert_eq!(self.weight(address), "0");
        assert_eq!(done.stderr.contains("=0 keeps them coming"), stays, "{}", done.stderr);
        let known = self.clients.servers();
        self.round();
        assert!(!self.strangers().contains(name), "a stranger on {name}");
        self.settle();
        let (before, after) = (known, self.clients.servers());
        if stays {
            assert_eq!(before, after, "those who know {name} stay");
        } else {
            assert!(!after.iter().any(|server| server == name), "{name} has lost its clients: {after:?}");
        }
        self.phase(format!("{back} {name}"), None);
        lvsh(self.director(), &format!("{back} {file} {address}"));
        assert_eq!(self.weight(address), "8");
        self.everybody_takes_strangers();
        self.settle();
    }

    /// A server breaks, is found out after exactly `FALL` rounds, is mended, and is let in again after `RISE`.
    fn breaks(&mut self, how: &str, set: impl Fn(&Host, bool)) {
        let (name, address) = self.busiest();
        self.phase(format!("{name}: {how}"), Some(name));
        let begun = Instant::now();
        set(self.net.server(name), true);
        for _ in 0..FALL {
            assert_eq!(self.weight(address), "8", "{name}: {how}, not found out yet");
            self.round();
        }
        let found = Instant::now();
        assert_eq!(self.weight(address), self.out, "{name}: {how}");
        self.phases.last_mut().expect("a phase").broken = Some((begun, found));
        assert!(!self.strangers().contains(name), "a stranger on {name}");
        self.settle();
        self.phase(format!("{name} is back"), None);
        set(self.net.server(name), false);
        for _ in 0..RISE {
            assert_eq!(self.weight(address), self.out, "{name} is back, and not trusted yet");
            self.round();
        }
        assert_eq!(self.weight(address), "8");
        self.everybody_takes_strangers();
        self.settle();
    }

    fn all_breaks(&mut self) {
        self.breaks("refuses", |server, broken| if broken { server.down() } else { server.up() });
        self.breaks("503", |server, broken| server.status(if broken { 503 } else { 200 }));
        self.breaks("swallows", |server, broken| {
            if broken {
                let rules = "table inet broken {\n chain input {\n type filter hook input priority 0;\n drop\n }\n}\n";
                server.cmd("nft -f -").stdin(rules).run();
            } else {
                server.run("nft delete table inet broken");
            }
        });
    }

    /// Says what came of every request, and looks for one that should not have been so.
    fn judge(self) {
        let Site { clients, phases, .. } = self;
        let log = clients.log().clone();
        let (mut wrong, mut at) = (Vec::new(), vec![None::<String>; 4]);
        let mut rows = vec![(0, 0, 0); phases.len()];
        for request in &log {
            let phase = |when: Instant| phases.iter().rposition(|phase| phase.begun <= when).unwrap_or(0);
            let (client, here) = (request.client, phase(request.begun));
            rows[here].0 += 1;
            let fault = |phase: &Phase| {
                let while_broken =
                    phase.broken.is_some_and(|(from, to)| request.ended >= from && request.begun <= to);
                while_broken && phase.leaves == at[client]
            };
            match &request.outcome {
                Err(why) => match phases.iter().position(fault) {
                    Some(theirs) => rows[theirs].1 += 1,
                    None => wrong.push(format!("{}: c{}: {why}", phases[here].name, client + 1)),
                },
                Ok(server) => {
                    // As it was when the answer came: who is turned away in the middle of a request moves then.
                    let here = phase(request.ended);
                    if let Some(before) = at[client].replace(server.clone()).filter(|before| before != server)
                    {
                        rows[here].2 += 1;
                        if phases[here].leaves.as_deref() != Some(&before) {
                            let who = client + 1;
                            wrong.push(format!(
                                "{}: c{who} moved from {before} to {server}",
                                phases[here].name
                            ));
                        }
                    }
                }
            }
        }
        println!("requests  failed  moved  strangers met");
        for (phase, (asked, failed, moved)) in phases.iter().zip(&rows) {
            println!("{asked:8}  {failed:6}  {moved:5}  {:20} {}", phase.strangers.join(" "), phase.name);
        }
        let sum = rows.iter().fold((0, 0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2));
        println!("{:8}  {:6}  {:5}  {:20} in all", sum.0, sum.1, sum.2, "");
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (phase, (_, failed, moved)) in phases.iter().zip(&rows) {
            let Some(_) = phase.leaves else { continue };
            assert_eq!(*moved, phase.stake, "{}: who was there moves, once", phase.name);
            let Some((from, to)) = phase.broken else { continue };
            // One at a time, a pace apart, and one more at each end.
            let each = (to - from).as_millis() / PACE.as_millis() + 2;
            let most = usize::try_from(each).expect("few") * phase.stake;
            assert!((1..=most).contains(failed), "{}: {failed} failed, at most {most}", phase.name);
        }
    }
}

/// As an operator would have it for a site whose servers share their sessions.
#[test]
fn templates_may_expire() {
    needs!(ipvs);
    let with = format!("sysctls = {{ expire_quiescent_template = 1 }}, {}", health(""));
    let mut site = Site::start(&with, "0");
    site.told("drain", "undrain", false);
    site.all_breaks();
    site.told("maint", "ready", false);
    site.judge();
}

/// As the kernel has it by itself: who is known stays where it is, unless its server leaves the table.
#[test]
fn templates_last() {
    needs!(ipvs);
    let mut site = Site::start(&health(", down = 'remove'"), "gone");
    site.told("drain", "undrain", true);
    site.all_breaks();
    site.told("maint", "ready", true);
    site.judge();
}
