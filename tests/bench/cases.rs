//! What is measured.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::datagrams;
use super::measure::{Run, median, run, show};

const SERVICES: usize = 1000;
const SERVERS: usize = 10;

/// The program by itself, on a machine that need not have IPVS.
pub fn host(lvsh: &str) {
    let runs: Vec<Run> = (0..40).map(|_| run(&[lvsh, "eval", "return 1"], None)).collect();
    let truth: Vec<Run> = (0..40).map(|_| run(&["/bin/true"], None)).collect();
    let (one, nothing) = (median(&runs), median(&truth));
    println!("lvsh eval 'return 1', median of {} runs", runs.len());
    println!("  lvsh          {:>9.1} ms  {:>7} KiB", one.time.as_secs_f64() * 1e3, one.memory);
    println!("  /bin/true     {:>9.1} ms  {:>7} KiB", nothing.time.as_secs_f64() * 1e3, nothing.memory);
}

/// One part of the comparison, in a namespace of its own.
type Part = fn(lvsh: &str, rounds: usize);

/// By the names that `tests/bench/run --only` takes.
const PARTS: [(&str, Part); 5] = [
    ("fill", fill),
    ("moving", moving),
    ("words", in_ipvsadms_words),
    ("web", web),
    ("connections", connections),
];

/// Against ipvsadm, nft and ip, in this namespace, which the caller made for it.
///
/// `only` names parts; `lab` is all of them.
pub fn lab(lvsh: &str, rounds: usize, only: &[&str]) {
    let known = |name: &&str| *name == "lab" || PARTS.iter().any(|(part, _)| part == name);
    assert!(only.iter().all(known), "{only:?}: the parts are lab {}", PARTS.map(|(name, _)| name).join(" "));
    must("modprobe ip_vs ; modprobe ip_vs_wlc ; modprobe ip_vs_sh");
    std::fs::create_dir("/run/bench").expect("a folder of our own: policies are not read from /tmp");
    std::fs::write("/run/bench/big.lua", big_policy()).expect("the policy");
    std::fs::write(BIG_RULES, big_rules()).expect("the rules");
    for (_, part) in PARTS.iter().filter(|(name, _)| only.contains(name) || only.contains(&"lab")) {
        fresh_namespace();
        must("ip link add eth0 type dummy && ip link set eth0 up");
        part(lvsh, rounds);
    }
}

const BIG_RULES: &str = "/run/bench/big.rules";

/// Ten thousand servers made, and looked at: by a policy with a loop, and by the one that lvsh makes of the rules.
fn fill(lvsh: &str, rounds: usize) {
    let (policy, imported) = ("/run/bench/big.lua", "/run/bench/imported.lua");
    let said = Command::new(lvsh).args(["import", BIG_RULES]).output().expect("lvsh import");
    assert!(said.status.success(), "lvsh import: {}", String::from_utf8_lossy(&said.stderr));
    std::fs::write(imported, said.stdout).expect("the policy of the rules");
    let (mut fill, mut restore, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    let mut moved = Vec::new();
    let (mut list, mut listed) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // Each from empty, really: a server that was deleted stays for about two minutes in a list that every addition
        // searches.
        fresh_namespace();
        restore.push(run(&["ipvsadm", "-R"], Some(BIG_RULES)));
        list.push(run(&["ipvsadm", "-Ln"], None));
        listed.push(run(&[lvsh, "list", "--ipvsadm"], None));
        fresh_namespace();
        moved.push(run(&[lvsh, "-q", "apply", imported], None));
        fresh_namespace();
        fill.push(run(&[lvsh, "-q", "apply", policy], None));
        idle.push(run(&[lvsh, "-q", "apply", policy], None));
    }
    let what = format!("{SERVICES} services with {SERVERS} servers each");
    show(&format!("{what} from empty, by lvsh import's policy"), &moved, &restore, "ipvsadm -R");
    show("the same by a policy with a loop", &fill, &restore, "ipvsadm -R");
    show("nothing to do on them", &idle, &list, "ipvsadm -Ln");
    show("list --ipvsadm of them", &listed, &list, "ipvsadm -Ln");
}

/// The example that comes first, against the script that people have.
fn web(lvsh: &str, rounds: usize) {
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/web.lua");
    std::fs::write("/run/bench/web.sh", WEB_SCRIPT).expect("the script");
    let (mut policy, mut script) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(9) {
        policy.push(run(&[lvsh, "-q", "start", web], None));
        must(&format!("{lvsh} -q stop {web}"));
        script.push(run(&["sh", "/run/bench/web.sh"], None));
        must("ipvsadm -C ; nft delete table inet web ; ip addr del 192.168.1.99/32 dev eth0");
    }
    show("start of examples/web.lua", &policy, &script, "shell script");
}

/// A long connection table. Before Linux 6.8 the kernel counts through it for every page that is read, whoever reads.
fn connections(lvsh: &str, rounds: usize) {
    let count = if kernel_before_6_8() { 20_000 } else { 200_000 };
    must("ip link add flood type dummy && ip address add 10.99.0.1/24 dev flood && ip link set flood up");
    // By its path: the guest's shell would take busybox's, which is another.
    must("/sbin/ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 dev flood nud permanent");
    must("ipvsadm -A -u 10.99.0.1:53 -s rr && ipvsadm -a -u 10.99.0.1:53 -r 10.99.0.2:53 -g");
    must("ipvsadm --set 0 0 3600");
    datagrams::send(0..count).expect("a flood of datagrams");
    assert_eq!(connections_of_servers(), count, "entries that the flood made");
    let (mut ours, mut walked, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(run(&[lvsh, "list", "--connections"], None));
        theirs.push(run(&["ipvsadm", "-Lcn"], None));
        walked.push(run(&[lvsh, "eval", "lvs.connections():count()"], None));
    }
    show(&format!("a list of {count} connections"), &ours, &theirs, "ipvsadm -Lcn");
    show("the same counted by a script", &walked, &theirs, "ipvsadm -Lcn");
    must("ipvsadm -C ; ip link del flood");
}

/// As the kernel counts them, which does not walk through the table.
fn connections_of_servers() -> u32 {
    let said = Command::new("ipvsadm").arg("-Ln").output().expect("ipvsadm");
    let text = String::from_utf8(said.stdout).expect("text");
    let servers = text.lines().filter(|line| line.starts_with("  -> ") && !line.contains("Remote"));
    let last_two = servers.flat_map(|line| line.split_whitespace().rev().take(2));
    last_two.map(|number| number.parse::<u32>().expect("a number")).sum()
}

fn kernel_before_6_8() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or_default());
    (numbers.next(), numbers.next()) < (Some(6), Some(8))
}

/// A save file of 11,000 lines onto an empty machine and back into a file.
fn moving(lvsh: &str, rounds: usize) {
    let rules = BIG_RULES;
    let (mut import, mut restore, mut export, mut save) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut write = Vec::new();
    for _ in 0..rounds {
        import.push(run(&[lvsh, "-q", "import", "--apply", rules], None));
        export.push(run(&[lvsh, "export", "--as", "ipvsadm"], None));
        must("ipvsadm -C");
        restore.push(run(&["ipvsadm", "-R"], Some(rules)));
        save.push(run(&["ipvsadm", "-Sn"], None));
        write.push(run(&[lvsh, "import"], None));
        must("ipvsadm -C");
    }
    let lines = SERVICES * (SERVERS + 1);
    show(&format!("import --apply of {lines} lines"), &import, &restore, "ipvsadm -R");
    show("export --as ipvsadm of them", &export, &save, "ipvsadm -Sn");
    show("import of them into a policy", &write, &save, "ipvsadm -Sn");
}

/// The same command lines in both programs: a table of 11,000 lines restored, listed and saved, and one command alone.
fn in_ipvsadms_words(lvsh: &str, rounds: usize) {
    let rules = Some(BIG_RULES);
    for (what, words, input) in [
        ("-R of 11,000 lines", "-R", rules),
        ("-Ln of them", "-Ln", None),
        ("-Ln --stats of them", "-Ln --stats", None),
        ("-Sn of them", "-Sn", None),
        ("one command (-E)", "-E -t 10.0.0.1:80 -s wlc", None),
    ] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let words: Vec<&str> = words.split(' ').collect();
        for _ in 0..rounds {
            for (program, runs) in [(&[lvsh, "ipvsadm"][..], &mut ours), (&["ipvsadm"][..], &mut theirs)] {
                if input.is_some() {
                    must("ipvsadm -C");
                }
                runs.push(run(&[program, &words].concat(), input));
            }
        }
        show(&format!("lvsh ipvsadm {what}"), &ours, &theirs, "ipvsadm");
    }
    must("ipvsadm -C");
}

/// The same start by hand.
const WEB_SCRIPT: &str = "set -e
nft add table inet web
nft add chain inet web prerouting '{ type filter hook prerouting priority mangle; }'
ipvsadm -A -f 3 -s sh -b sh-fallback
ipvsadm -a -f 3 -r 192.168.1.107 -g -w 1
ipvsadm -a -f 3 -r 192.168.1.109 -g -w 1
nft add rule inet web prerouting ip daddr 192.168.1.99 tcp dport '{ 80, 443 }' meta mark set 3
ip addr add 192.168.1.99/32 dev eth0
";

fn big_policy() -> String {
    format!(
        r#"local services = {{}}
for i = 0, {SERVICES} - 1 do
  local servers = {{}}
  for j = 1, {SERVERS} do
    servers[j] = {{ addr = ("172.16.%d.%d"):format(i % 250, j), method = "dr", weight = j }}
  end
  services[i + 1] = {{ tcp = ("10.%d.%d.1:80"):format(i // 250, i % 250), scheduler = "wlc", servers = servers }}
end
return lvs.policy {{ name = "big", service = services }}
"#
    )
}

fn big_rules() -> String {
    let mut rules = String::new();
    for i in 0..SERVICES {
        let vip = format!("10.{}.{}.1:80", i / 250, i % 250);
        let _ = writeln!(rules, "-A -t {vip} -s wlc");
        for j in 1..=SERVERS {
            let _ = writeln!(rules, "-a -t {vip} -r 172.16.{}.{j}:80 -g -w {j}", i % 250);
        }
    }
    rules
}

/// An empty director: a network namespace that nobody used, and no policy that is remembered.
fn fresh_namespace() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
    must("rm -rf /run/lvsh; ip link set lo up");
    // The old one is taken apart meanwhile.
    std::thread::sleep(std::time::Duration::from_secs(2));
}

pub fn must(line: &str) {
    let status = Command::new("sh").args(["-c", line]).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
}
