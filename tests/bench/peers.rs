//! Beside keepalived and ldirectord: the same servers, the same faults, one tool after the other in one boot.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cases::must;
use super::site::{BROKEN, Fault, SERVERS, Site, address, beside};

const VIP: &str = "10.0.0.99";
/// A tool that has not seen a change by then does not see it.
const PATIENCE: Duration = Duration::from_secs(30);
/// ldirectord calls ipvsadm several times for each server that it adds.
const START: Duration = Duration::from_secs(240);
const QUIET: Duration = Duration::from_secs(10);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(40);
/// A request that takes longer has failed.
const REQUEST: Duration = Duration::from_secs(1);

const SETTINGS: &str = "\
Each: a round a second, timeout 1 s, down after one failure, up after one success, weight 0 while down, NAT, rr.
What cannot be equal: ldirectord asks one server after the other, and its second is the pause between rounds;
keepalived asks each server by a timer of its own, and its timeout is for each step of a check; lvsh asks all at once,
comes up to a tenth of a second sooner or later, and sets weights when the round's last answer is there.";

pub fn peers(lvsh: &str) {
    must("modprobe ip_vs && modprobe ip_vs_rr");
    must("mkdir -p /run/bench /run/lock /var/run /var/log && chmod 755 /run/bench");
    let tools = [
        Tool {
            name: "lvsh",
            conf: ("peers.lua", policy()),
            before: Some("-q start"),
            argv: &["check", "--loop", "1s"],
        },
        Tool {
            name: "keepalived",
            conf: ("keepalived.conf", keepalived()),
            before: None,
            argv: &[
                "--dont-fork",
                "--check",
                "--pid",
                "/run/bench/pid",
                "--checkers_pid",
                "/run/bench/pid2",
                "-f",
            ],
        },
        Tool { name: "ldirectord", conf: ("ldirectord.cf", ldirectord()), before: None, argv: &[] },
    ];
    let found: Vec<Found> = tools.iter().map(|tool| tool.measure(lvsh)).collect();
    println!(
        "{SERVERS} servers, {} of them break at once; a request every 40 ms\n{SETTINGS}\n",
        BROKEN.count()
    );
    let row = |label: &str, cell: &dyn Fn(&Found) -> String| {
        let cells: Vec<String> = found.iter().map(|found| format!("{:>22}", cell(found))).collect();
        println!("{label:<42}{}", cells.concat());
    };
    let names = tools.iter().map(|tool| format!("{:>22}", tool.name)).collect::<String>();
    println!("{:<42}{names}", "");
    for (at, fault) in Fault::ALL.iter().enumerate() {
        let name = fault.name();
        row(&format!("{name}: out after, median (slowest)"), &|found| spread(&found.faults[at].out));
        row(&format!("{name}: back after, median (slowest)"), &|found| spread(&found.faults[at].back));
        row(&format!("{name}: requests that failed"), &|found| {
            format!("{} of {}", found.faults[at].failed, found.faults[at].requests)
        });
    }
    row("CPU while all is well, per second", &|found| format!("{:.0} ms", found.quiet * 1e3));
    row("CPU of the whole run", &|found| format!("{:.1} s in {:.0} s", found.cpu, found.run));
    row("memory, peak of all its processes", &|found| format!("{} KiB", found.memory));
}

struct Tool {
    name: &'static str,
    /// File and text.
    conf: (&'static str, String),
    /// A verb of lvsh that is run first.
    before: Option<&'static str>,
    argv: &'static [&'static str],
}

struct Found {
    faults: Vec<Broken>,
    /// Seconds of CPU per second.
    quiet: f64,
    cpu: f64,
    run: f64,
    memory: u64,
}

/// What became of one fault.
struct Broken {
    /// For each server; `None`: it was not seen.
    out: Vec<Option<Duration>>,
    back: Vec<Option<Duration>>,
    failed: usize,
    requests: usize,
}

/// Requests: when, and whether they were answered.
type Asked = Arc<Mutex<Vec<(Instant, bool)>>>;

impl Tool {
    fn measure(&self, lvsh: &str) -> Found {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
        must(&format!("rm -rf /run/lvsh; ip link set lo up && ip addr add {VIP}/32 dev lo"));
        must("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.vs.conntrack=0");
        let site = Site::new();
        let begun = Instant::now();
        let mut child = self.start(lvsh);
        if !waits(|| up().len() == usize::from(SERVERS)) {
            let said = fs::read_to_string(format!("/run/bench/{}.log", self.name)).unwrap_or_default();
            panic!("{} brought {} of {SERVERS} servers up in {START:?}:\n{said}", self.name, up().len());
        }
        let asked: Asked = Asked::default();
        let log = Arc::clone(&asked);
        beside("outside", "10.2.0.254/24", move || clients(&log));
        let pid = child.id();
        let before = cpu(pid);
        std::thread::sleep(QUIET);
        let quiet = (cpu(pid) - before) / QUIET.as_secs_f64();
        let early = std::mem::take(&mut *asked.lock().expect("a list"));
        let lost = early.iter().filter(|(_, good)| !good).count();
        assert!(
            !early.is_empty() && lost == 0,
            "{lost} of {} requests failed while all was well",
            early.len()
        );
        let faults = Fault::ALL.iter().map(|fault| breaks(&site, *fault, &asked)).collect();
        assert!(child.try_wait().is_ok_and(|ended| ended.is_none()), "{} has ended", self.name);
        let found =
            Found { faults, quiet, cpu: cpu(pid), run: begun.elapsed().as_secs_f64(), memory: memory(pid) };
        end(child);
        // The next tool gets the machine for itself: clients of this one see that their list is nobody's.
        asked.lock().expect("a list").clear();
        found
    }

    fn start(&self, lvsh: &str) -> Child {
        let path = format!("/run/bench/{}", self.conf.0);
        fs::write(&path, &self.conf.1).expect("a configuration");
        if let Some(verb) = self.before {
            must(&format!("{lvsh} {verb} {path}"));
        }
        let program = if self.name == "lvsh" { lvsh } else { self.name };
        let mut command = Command::new(program);
        command.args(self.argv).arg(&path);
        if self.name == "ldirectord" {
            command.arg("start");
        }
        let output =
            || Stdio::from(fs::File::create(format!("/run/bench/{}.log", self.name)).expect("a log"));
        let child = command.stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        child.unwrap_or_else(|error| panic!("{program}: {error}"))
    }
}

/// Breaks some servers, waits for what the tool does, mends them, waits again.
fn breaks(site: &Site, fault: Fault, asked: &Asked) -> Broken {
    site.now(fault);
    let start = Instant::now();
    let out = until(start, |up, server| !up.contains_key(&address(server)));
    site.now(Fault::None);
    let mended = Instant::now();
    let back = until(mended, |up, server| up.contains_key(&address(server)));
    // Requests that began before it was mended have an end by now.
    std::thread::sleep(REQUEST + Duration::from_millis(500));
    let asked = asked.lock().expect("a list");
    let within = asked.iter().filter(|(at, _)| (start..mended + REQUEST).contains(at));
    let (mut failed, mut requests) = (0, 0);
    for (_, good) in within {
        requests += 1;
        failed += usize::from(!good);
    }
    Broken { out, back, failed, requests }
}

/// When each of the broken servers was as wanted; looked at every 20 ms.
fn until(start: Instant, wanted: impl Fn(&BTreeMap<String, u32>, u8) -> bool) -> Vec<Option<Duration>> {
    let mut found: BTreeMap<u8, Duration> = BTreeMap::new();
    while found.len() < BROKEN.count() && start.elapsed() < PATIENCE {
        let up = up();
        for server in BROKEN.filter(|server| wanted(&up, *server)) {
            found.entry(server).or_insert_with(|| start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    BROKEN.map(|server| found.get(&server).copied()).collect()
}

fn waits(done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < START {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Servers that take clients, with their weights.
fn up() -> BTreeMap<String, u32> {
    let text = fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap_or_default();
    let server = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hex = u32::from_str_radix(words.get(1)?.split(':').next()?, 16).ok()?;
        let weight = words.get(3)?.parse().ok()?;
        (words[0] == "->" && weight > 0).then(|| (std::net::Ipv4Addr::from(hex).to_string(), weight))
    };
    text.lines().filter_map(server).collect()
}

/// A steady load of requests, each a connection of its own, as long as the measurement holds the list.
fn clients(asked: &Asked) {
    must("ip addr add 10.2.0.1/24 dev eth0 && ip route add default via 10.2.0.254");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tick = tokio::time::interval(BETWEEN_REQUESTS);
        while Arc::strong_count(asked) > 1 {
            tick.tick().await;
            let asked = Arc::clone(asked);
            tokio::spawn(async move {
                let at = Instant::now();
                let good = tokio::time::timeout(REQUEST, request()).await.is_ok_and(|answer| answer.is_ok());
                asked.lock().expect("a list").push((at, good));
            });
        }
    });
}

async fn request() -> std::io::Result<()> {
    let mut stream = TcpStream::connect((VIP, 80)).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: www\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    match answer.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(std::io::Error::other("another answer")),
    }
}

/// A process and all that it started.
fn tree(root: u32) -> Vec<(u32, Vec<String>)> {
    let mut all: Vec<(u32, Vec<String>)> = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended in this moment.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // Behind the name, which may hold anything: state, parent, …
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        all.push((pid, rest.split(' ').map(str::to_string).collect()));
    }
    let mut found = vec![root];
    while let Some((pid, _)) = all.iter().find(|(pid, stat)| {
        let parent = stat.get(1).and_then(|parent| parent.parse().ok());
        !found.contains(pid) && parent.is_some_and(|parent| found.contains(&parent))
    }) {
        found.push(*pid);
    }
    all.retain(|(pid, _)| found.contains(pid));
    all
}

/// Seconds of CPU: its processes and those of them that have ended.
fn cpu(root: u32) -> f64 {
    const PER_SECOND: f64 = 100.0;
    let of = |stat: &Vec<String>| (11..15).filter_map(|at| stat.get(at)?.parse::<f64>().ok()).sum::<f64>();
    tree(root).iter().map(|(_, stat)| of(stat)).sum::<f64>() / PER_SECOND
}

/// KiB: the peaks of its processes together.
fn memory(root: u32) -> u64 {
    let of = |pid: u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .ok()
    };
    tree(root).into_iter().filter_map(|(pid, _)| of(pid)).sum()
}

/// Told to end, and ended when it does not.
fn end(mut child: Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
    kill(pid, Signal::SIGTERM).expect("a process of ours");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("a process of ours");
    child.wait().expect("an end");
}

/// `420 ms (610)`
fn spread(times: &[Option<Duration>]) -> String {
    let mut seen: Vec<u128> = times.iter().flatten().map(Duration::as_millis).collect();
    seen.sort_unstable();
    match (seen.len() == times.len(), seen.get(seen.len() / 2), seen.last()) {
        (true, Some(middle), Some(last)) => format!("{middle} ms ({last})"),
        _ => format!("{} of {} never", times.len() - seen.len(), times.len()),
    }
}

fn each(line: impl Fn(String) -> String) -> String {
    (1..=SERVERS).map(|server| line(address(server))).collect()
}

fn policy() -> String {
    let servers = each(|addr| format!("      {{ addr = \"{addr}\", method = \"nat\", weight = 1 }},\n"));
    format!(
        r#"return lvs.policy {{
  name = "peers",
  service = {{
    tcp = "{VIP}:80", scheduler = "rr",
    servers = {{
{servers}    }},
  }},
  health = {{ http = {{ port = 80 }}, timeout = 1, rise = 1, fall = 1 }},
}}
"#
    )
}

fn keepalived() -> String {
    let server = |addr| {
        format!(
            "  real_server {addr} 80 {{
    weight 1
    HTTP_GET {{
      url {{
        path /
        status_code 200
      }}
      connect_timeout 1
      retry 0
    }}
  }}
"
        )
    };
    let servers = each(server);
    format!(
        "global_defs {{
  router_id bench
}}
virtual_server {VIP} 80 {{
  delay_loop 1
  delay_before_retry 1
  warmup 0
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  inhibit_on_failure
{servers}}}
"
    )
}

fn ldirectord() -> String {
    let servers = each(|addr| format!("\treal = {addr}:80 masq 1\n"));
    format!(
        "checktimeout = 1
negotiatetimeout = 1
checkinterval = 1
failurecount = 1
quiescent = yes
supervised = yes
logfile = \"/run/bench/ldirectord.checks\"
virtual = {VIP}:80
{servers}\tservice = http
\tscheduler = rr
\tprotocol = tcp
\tchecktype = negotiate
\trequest = \"/\"
\treceive = \"fine\"
"
    )
}
