//! `lvs.real_server` for direct routing.

use std::time::{Duration, Instant};

use lvsh::backend::{Backend, Want};
use lvsh::kernel::Kernel;
use lvsh::model::{State, SysctlName};

use super::{director, real_server, served, start_twice, stop_whole, topology, url};
use crate::site::{example, lvsh, write};
use crate::support::Host;

const VIP: &str = "192.168.1.99";
const VIP6: &str = "2001:db8:1::99";

#[test]
fn direct_routing_is_made_and_taken_back_by_a_policy() {
    needs!(ipvs);
    let net = topology().build();
    director(&net, &[(VIP, "ipv4"), (VIP6, "ipv6")], "method = 'dr'");
    let file = real_server("rs", &format!("vip = {{ '{VIP}', '{VIP6}/128' }}"));
    // The address alone is not on a machine that nobody prepared: it does not take the packets.
    for vip in [VIP, VIP6] {
        let answer = net.client("c1").get(&url("http", vip));
        assert!(answer.is_err(), "no real server is ready: {answer:?}");
    }
    let before: Vec<_> = net.servers().map(|server| start_twice(server, &file)).collect();
    served(&net, VIP);
    served(&net, VIP6);
    for server in net.servers() {
        let at = |name: &str| server.read_sysctl(&format!("net.ipv4.conf.all.{name}"));
        assert_eq!((at("arp_ignore").as_str(), at("arp_announce").as_str()), ("1", "2"));
        let status = lvsh(server, &format!("status {file}")).stdout;
        assert!(status.contains("vip 192.168.1.99/32 dev lo"), "{status}");
    }
    // Who asks for the address hears of the director only.
    for client in net.clients() {
        client.run("ip neigh flush dev eth0");
        client.get(&url("http", VIP)).expect("an answer");
        let mac = |text: &str| text.split(' ').skip_while(|word| *word != "lladdr").nth(1).map(String::from);
        let told = mac(&client.run(&format!("ip neigh show {VIP}")));
        let link = net.director().run("ip -o link show eth0");
        let real = link.split(' ').skip_while(|word| *word != "link/ether").nth(1).map(String::from);
        assert_eq!(told, real);
    }
    for (server, before) in net.servers().zip(&before) {
        stop_whole(server, &file, before);
    }
    for vip in [VIP, VIP6] {
        let answer = net.client("c1").get(&url("http", vip));
        assert!(answer.is_err(), "after stop: {answer:?}");
    }
}

/// A machine that is stricter already stays so, and one that is half prepared gets the rest.
#[test]
fn settings_are_raised_only_and_old_values_come_back() {
    needs!(ipvs);
    let net = topology().build();
    let server = net.server("rs1");
    let file = real_server("rs", &format!("vip = '{VIP}'"));
    let at = |name: &str| server.read_sysctl(&format!("net.ipv4.conf.all.{name}"));
    for (ignore, announce, raised) in [("2", "0", "2"), ("8", "1", "8")] {
        server.sysctl("net.ipv4.conf.all.arp_ignore", ignore);
        server.sysctl("net.ipv4.conf.all.arp_announce", announce);
        lvsh(server, &format!("start {file}"));
        assert_eq!((at("arp_ignore").as_str(), at("arp_announce").as_str()), (raised, "2"));
        lvsh(server, &format!("stop {file}"));
        assert_eq!((at("arp_ignore").as_str(), at("arp_announce").as_str()), (ignore, announce));
    }
}

/// Two services of one machine: what both want stays until the last of them stops.
#[test]
fn two_policies_share_the_settings_and_the_device() {
    needs!(ipvs);
    let net = topology().build();
    let server = net.server("rs1");
    // Loaded before, so that what its module brings is in both pictures.
    server.run("modprobe -a ipip fou");
    let before = server.snapshot_text();
    let tunnel = "method = 'tun', tunnel = { type = 'gue', port = 6080 }";
    let one = real_server("one", &format!("vip = '{VIP}', {tunnel}"));
    let two = real_server("two", &format!("vip = '192.168.1.98', {tunnel}"));
    for (first, last) in [(&one, &two), (&two, &one)] {
        lvsh(server, &format!("start {one}"));
        lvsh(server, &format!("start {two}"));
        let stopped = lvsh(server, &format!("stop {first}"));
        // Who came second found the port and the settings as it wants them, and has nothing to leave.
        let mut said = vec!["tunnel lvsh-ipip"];
        if first == &one {
            said.extend(["gue port 6080", "arp_ignore", "arp_announce"]);
        }
        for what in said {
            assert!(stopped.stderr.contains(what), "{what} stays, and that is said: {}", stopped.stderr);
        }
        assert_eq!(server.read_sysctl("net.ipv4.conf.all.arp_ignore"), "1");
        assert!(server.run("ip link show lvsh-ipip").contains("UP"));
        assert!(server.run("ip fou show").contains("6080"));
        let again = lvsh(server, &format!("start --json {last}"));
        assert!(again.stdout.contains("\"changed\": false"), "{}", again.stdout);
        lvsh(server, &format!("stop {last}"));
        assert_eq!(server.snapshot_text(), before);
    }
}

#[test]
fn a_real_server_needs_no_ipvs() {
    needs!(ipvs);
    let net = topology().build();
    let server = net.server("rs1");
    let trace = "strace -f -e trace=execve -o /run/trace";
    let file = example("real-server.lua");
    let program = env!("CARGO_BIN_EXE_lvsh");
    let output = server.cmd(&format!("{trace} {program} start {file}")).output();
    if output.code == 127 || !std::path::Path::new("/run/trace").exists() {
        // Without strace in the guest the plan alone is looked at.
        lvsh(server, &format!("start {file}"));
    } else {
        let trace = std::fs::read_to_string("/run/trace").expect("a trace");
        assert_eq!(trace.matches("execve(").count(), 1, "only lvsh itself runs: {trace}");
    }
    let plan = lvsh(server, &format!("plan --json {file}"));
    assert!(plan.stdout.contains("\"changes\": []"), "{}", plan.stdout);
    lvsh(server, &format!("stop {file}"));
}

/// The part of the machine that the policies here change.
fn read(host: &Host) -> State {
    let sysctls = ["arp_ignore", "arp_announce"].map(|name| format!("net.ipv4.conf.all.{name}"));
    let sysctls = sysctls.iter().map(|name| SysctlName::new(name).expect("a name")).collect();
    let want = Want { vips: true, routes: true, tunnels: true, sysctls, ..Want::default() };
    let mut state = host.namespace.inside(|| Kernel::default().snapshot(&want)).expect("a snapshot").state;
    // What IPv6 gives to each device that is up comes and goes with it.
    state.vips.retain(|key, vip| vip.is_ours() || !key.dev.name().starts_with("lvsh-"));
    state
}

/// Killed anywhere, one more run makes it whole or takes it back.
#[test]
fn killed_in_the_middle_it_converges() {
    needs!(ipvs);
    let net = topology().build();
    let server = net.server("rs1");
    server.run("modprobe -a ipip sit fou");
    let spec = format!(
        "vip = {{ '{VIP}', '{VIP6}' }}, method = 'tun', tunnel = {{ type = 'gue', port = 6080, family = 'ipv4' }}"
    );
    let file = real_server("rs", &spec);
    let nothing = read(server);
    lvsh(server, &format!("start {file}"));
    let started = read(server);
    lvsh(server, &format!("stop {file}"));
    assert_eq!(read(server), nothing);
    let begun = Instant::now();
    lvsh(server, &format!("start {file}"));
    let whole = begun.elapsed();
    lvsh(server, &format!("stop {file}"));
    const ROUNDS: u32 = 5;
    let mut halves = 0;
    let mut kill = |verb: &str, round: u32| {
        let mut child = server.lvsh_cmd(&format!("{verb} {file}")).spawn();
        // The changes are made in the last part of a run; most of it is the start of the program.
        std::thread::sleep(whole / 2 + whole * round / (2 * ROUNDS) + Duration::from_millis(1));
        let _ = child.kill();
        let _ = child.wait();
        let found = read(server);
        halves += u32::from(found != nothing && found != started);
    };
    for round in 0..ROUNDS {
        kill("start", round);
        lvsh(server, &format!("apply {file}"));
        assert_eq!(read(server), started, "round {round}: start killed, then apply");
        kill("stop", round);
        if round % 2 == 0 {
            lvsh(server, &format!("apply {file}"));
            assert_eq!(read(server), started, "round {round}: stop killed, then apply");
        }
        lvsh(server, &format!("stop {file}"));
        assert_eq!(read(server), nothing, "round {round}: stop killed, then stop");
    }
    println!("{} kills, {halves} left half a real server; a start takes {whole:?}", 2 * ROUNDS);
}

/// The last change of a plan is refused: all that was made before goes.
#[test]
fn a_refusal_takes_everything_back() {
    needs!(ipvs);
    let net = topology().build();
    let server = net.server("rs1");
    server.run("modprobe -a ipip ip_gre");
    let before = server.snapshot_text();
    let text = "return lvs.policy { name = 'bad',
      tunnel = { { dev = 'lvsh-ipip', type = 'ipip' }, { dev = 'lvsh-gre', type = 'gre' } },
      sysctls = { ['net.ipv4.conf.all.arp_ignore'] = { min = 1 } },
      vip = { { addr = '192.168.1.99', dev = 'lvsh-ipip' }, { addr = '192.168.1.99', dev = 'nosuch' } } }";
    let file = write("bad", text);
    let failed = server.lvsh(&format!("start {file}"));
    assert_eq!(failed.code, 1, "{}{}", failed.stdout, failed.stderr);
    for part in ["no device 'nosuch'", "ENODEV", "rolled back"] {
        assert!(failed.stderr.contains(part), "{part} is not in {}", failed.stderr);
    }
    assert_eq!(server.snapshot_text(), before);
}
