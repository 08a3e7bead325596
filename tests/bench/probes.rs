//! Rounds over very many servers: all of 127.0.0.0/8 in a network namespace of the measurement's own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::cases::must;
use super::measure::{Run, median, run};

const HTTP_SERVERS: usize = 2000;
const TCP_SERVERS: usize = 20_000;
/// One in so many HTTP servers swallows what is sent to it.
const DEAD_ONE_IN: usize = 100;

pub fn probes(lvsh: &str, rounds: usize) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace; it needs root");
    must("ip link set lo up && sysctl -qw net.core.somaxconn=65535");
    must(&swallow());
    std::thread::spawn(serve);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probes");
    // What an earlier measurement left must not count as started.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a folder");
    let place = Place { lvsh, dir };

    let check = place.write("check.lua", &policy());
    place.lvsh(&format!("-q start {check}")).expect("a start");
    let runs: Vec<Run> =
        (0..rounds).map(|_| place.lvsh(&format!("-q check {check}")).expect("a round")).collect();
    show(&format!("lvsh check, {HTTP_SERVERS} HTTP servers, 1 % swallow packets, timeout 2 s"), &runs);

    let many = place.write("http.lua", &script(HTTP_SERVERS, "http = { port = 80 }"));
    let runs: Vec<Run> = (0..rounds).map(|_| place.lvsh(&format!("run {many}")).expect("a run")).collect();
    show("the same by lvs.probe_all in lvsh run", &runs);

    let many = place.write("tcp.lua", &script(TCP_SERVERS, "tcp = { port = 81 }, concurrency = 100000"));
    let (_, most) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit");
    for limit in [1024, most.min(65_536)] {
        let within = |_| place.within(limit, &format!("run {many}")).expect("a run");
        let runs: Vec<Run> = (0..rounds).map(within).collect();
        show(&format!("lvsh run, {TCP_SERVERS} TCP servers at once, ulimit -n {limit}"), &runs);
    }
}

struct Place<'a> {
    lvsh: &'a str,
    dir: PathBuf,
}

impl Place<'_> {
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn lvsh(&self, words: &str) -> Option<Run> {
        self.within(0, words)
    }

    /// With no more descriptors than this; 0 as they are.
    fn within(&self, limit: u64, words: &str) -> Option<Run> {
        let (lvsh, dir) = (self.lvsh, self.dir.display());
        let ulimit = if limit > 0 { format!("ulimit -n {limit}; ") } else { String::new() };
        Some(run(&["sh", "-c", &format!("{ulimit}exec {lvsh} --memory {dir}/machine.json {words}")], None))
    }
}

fn show(what: &str, runs: &[Run]) {
    let (middle, slowest) = (median(runs), runs.iter().map(|run| run.time).max().unwrap_or_default());
    println!("{what}, median of {}", runs.len());
    println!(
        "  {:>9.1} ms (slowest {:.1})  {:>7.1} ms of CPU  {:>7} KiB",
        middle.time.as_secs_f64() * 1e3,
        slowest.as_secs_f64() * 1e3,
        middle.cpu.as_secs_f64() * 1e3,
        middle.memory
    );
}

/// The address of a server, in Lua and here.
const ADDR: &str = r#"local function addr(i) return ("127.1.%d.%d"):format(i // 250, i % 250 + 1) end"#;

fn addr(index: usize) -> String {
    format!("127.1.{}.{}", index / 250, index % 250 + 1)
}

/// The rules that make servers swallow packets.
fn swallow() -> String {
    let dead: Vec<String> = (0..HTTP_SERVERS).step_by(DEAD_ONE_IN).map(addr).collect();
    format!(
        "nft 'table ip dead {{ chain input {{ type filter hook input priority 0; ip daddr {{ {} }} tcp dport 80 drop; }}; }}'",
        dead.join(", ")
    )
}

fn policy() -> String {
    format!(
        r#"{ADDR}
local servers = {{}}
for i = 0, {HTTP_SERVERS} - 1 do servers[i + 1] = {{ addr = addr(i), method = "nat", weight = 1 }} end
return lvs.policy {{
  name = "check",
  service = {{ tcp = "192.0.2.1:80", scheduler = "wlc", servers = servers }},
  health = {{ http = {{ port = 80 }}, timeout = 2, rise = 1, fall = 1 }},
}}
"#
    )
}

/// Asks so many servers at once, and fails if an answer is not what it has to be.
fn script(servers: usize, check: &str) -> String {
    let dead = if check.contains("port = 80") { HTTP_SERVERS / DEAD_ONE_IN } else { 0 };
    format!(
        r#"{ADDR}
local list, bad = {{}}, 0
for i = 0, {servers} - 1 do list[i + 1] = addr(i) end
for name, answer in pairs(lvs.probe_all(list, {{ {check}, timeout = 2 }})) do
  if answer.verdict == "unknown" then error(name .. " could not be asked: " .. answer.err) end
  if not answer.ok then bad = bad + 1 end
end
if bad ~= {dead} then error(bad .. " servers did not answer, not {dead}") end
"#
    )
}

/// All servers: one thread, two listening sockets.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (http, tcp) = (listen(80), listen(81));
        tokio::spawn(async move { while tcp.accept().await.is_ok() {} });
        while let Ok((mut stream, _)) = http.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 2048];
                if stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfine\n";
                    // A client that is gone has its answer.
                    let _ = stream.write_all(answer).await;
                    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut head)).await;
                }
            });
        }
    });
}

pub fn listen(port: u16) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], port)).into()).expect("a port");
    socket.listen(65_535).expect("a listener");
    TcpListener::from_std(socket.into()).expect("a listener")
}
