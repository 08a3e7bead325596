//! Rules and local routes through rtnetlink, and real servers on a kernel that need not have IPVS.

use std::path::PathBuf;
use std::process::Command;

use lvsh::kernel::route::Route;
use lvsh::model::{Family, Fwmark, Installed, RouteKey, RouteTable, RuleKey};
use lvsh::plan::Step;

use crate::addresses::apply;
use crate::support::{in_netns, run};

fn rule(family: Family, mark: u32, table: u32, priority: u32) -> RuleKey {
    let table = RouteTable::new(table).unwrap();
    RuleKey { family, priority, mark: Fwmark::new(mark).unwrap(), table }
}

fn route(family: Family, table: u32) -> RouteKey {
    RouteKey { family, table: RouteTable::new(table).unwrap() }
}

const BOTH: [Family; 2] = [Family::Ipv4, Family::Ipv6];
const OURS: Installed = Installed { by: 76 };
const STATIC: Installed = Installed { by: 4 };

#[test]
fn rules_and_routes_come_tagged_and_go() {
    in_netns(|| {
        let mut kernel = Route::new();
        let before = kernel.paths().unwrap();
        let text =
            || ["ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all"].map(run);
        let clean = text();
        for family in BOTH {
            for table in [1, 100, 252, 256, u32::MAX] {
                let steps = [
                    Step::AddRoute { key: route(family, table), route: OURS },
                    Step::AddRule { key: rule(family, table, table, 32765), rule: OURS },
                ];
                assert_eq!(apply(&mut kernel, &steps), ["done"; 2], "{family} {table}");
                let (rules, routes) = kernel.paths().unwrap();
                assert_eq!(rules.get(&rule(family, table, table, 32765)), Some(&OURS), "{rules:?}");
                assert_eq!(routes.get(&route(family, table)), Some(&OURS), "{routes:?}");
                assert_eq!(apply(&mut kernel, &steps[..1]), ["EEXIST"]);
                assert_eq!(apply(&mut kernel, &steps[1..]), ["EEXIST"]);
                let undo: Vec<Step> = steps.iter().rev().flat_map(Step::inverse).collect();
                assert_eq!(apply(&mut kernel, &undo), ["done"; 2]);
                assert_eq!(apply(&mut kernel, &undo[..1]), ["ENOENT"]);
                assert_eq!(apply(&mut kernel, &undo[1..]), ["ESRCH"]);
            }
        }
        assert_eq!(kernel.paths().unwrap(), before);
        assert_eq!(text(), clean);
    });
}

/// What says more than "this mark to that table" is somebody's who knows why.
#[test]
fn rules_with_more_conditions_are_not_ours_to_see() {
    in_netns(|| {
        for line in [
            "ip rule add fwmark 3/0xff lookup 100",
            "ip rule add fwmark 3 iif lo lookup 100",
            "ip rule add fwmark 3 from 10.0.0.0/8 lookup 100",
            "ip rule add not fwmark 3 lookup 100",
            "ip rule add fwmark 3 lookup 100 suppress_prefixlength 0",
            "ip rule add fwmark 3 ipproto tcp dport 80 lookup 100",
            "ip rule add fwmark 3 lookup main",
            "ip rule add fwmark 3 unreachable",
            "ip -6 rule add fwmark 3 tos 8 lookup 100",
            "ip route add unreachable default table 100",
            "ip route add local 10.0.0.0/8 dev lo table 100",
        ] {
            run(line);
        }
        let (rules, routes) = Route::new().paths().unwrap();
        assert!(rules.is_empty() && routes.is_empty(), "{rules:?} {routes:?}");
        run("ip rule add fwmark 3 lookup 100 priority 9");
        run("ip route add local default dev lo table 101");
        let (rules, routes) = Route::new().paths().unwrap();
        assert_eq!(rules.keys().collect::<Vec<_>>(), [&rule(Family::Ipv4, 3, 100, 9)]);
        assert_eq!(routes.keys().collect::<Vec<_>>(), [&route(Family::Ipv4, 101)]);
        assert!(rules.values().chain(routes.values()).all(|installed| !installed.is_ours()));
    });
}

/// Who installed it is part of what is removed.
#[test]
fn only_what_was_named_is_removed() {
    in_netns(|| {
        let mut kernel = Route::new();
        for family in BOTH {
            let key = rule(family, 3, 100, 100);
            let both = [Step::AddRule { key, rule: STATIC }, Step::AddRule { key, rule: OURS }];
            assert_eq!(apply(&mut kernel, &both), ["done"; 2]);
            assert_eq!(kernel.paths().unwrap().0[&key], OURS, "ours is the one that is seen");
            assert_eq!(apply(&mut kernel, &both[1].inverse()), ["done"]);
            assert_eq!(apply(&mut kernel, &both[1].inverse()), ["ENOENT"]);
            assert_eq!(kernel.paths().unwrap().0[&key], STATIC);

            let key = route(family, 100);
            assert_eq!(apply(&mut kernel, &[Step::AddRoute { key, route: STATIC }]), ["done"]);
            assert_eq!(apply(&mut kernel, &[Step::DelRoute { key, route: OURS }]), ["ESRCH"]);
            assert_eq!(kernel.paths().unwrap().1[&key], STATIC);
        }
    });
}

/// A director's table may be large; only what is asked for comes.
#[test]
fn many_routes_of_others_are_passed_over() {
    in_netns(|| {
        let mut batch = String::new();
        for n in 0..20_000 {
            batch += &format!("route add unreachable 10.{}.{}.0/24 table 100\n", n / 256, n % 256);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), batch).unwrap();
        run(&format!("ip -batch {}", file.path().display()));
        let mut kernel = Route::new();
        let key = route(Family::Ipv4, 100);
        assert_eq!(apply(&mut kernel, &[Step::AddRoute { key, route: OURS }]), ["done"]);
        let begin = std::time::Instant::now();
        assert_eq!(kernel.paths().unwrap().1, [(key, OURS)].into());
        println!("read beside 20000 routes in {:?}", begin.elapsed());
        assert_eq!(apply(&mut kernel, &[Step::DelRoute { key, route: OURS }]), ["done"]);
        assert_eq!(run("ip route show table 100").lines().count(), 20_000);
    });
}

/// Runs the program on this machine's own kernel, in the namespace of this thread.
fn lvsh(state: &std::path::Path, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvsh"));
    let output = command.args(words).env("LVSH_STATE_DIR", state).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

/// A real server's kernel need not have IPVS, and is not asked for it.
#[test]
fn a_real_server_starts_without_ipvs_and_leaves_the_machine_as_it_was() {
    in_netns(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/real-server.lua");
        let file = file.display().to_string();
        let look = || {
            let arp = ["arp_ignore", "arp_announce"]
                .map(|name| std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/all/{name}")).unwrap());
            format!("{}{}{arp:?}", run("ip -d addr"), run("ip route show table all"))
        };
        let before = look();
        let (code, text) = lvsh(folder.path(), &["start", &file]);
        assert_eq!(code, 0, "{text}");
        let started = look();
        assert!(started.contains("192.168.1.99/32") && started.contains("2001:db8:9::99/128"), "{started}");
        assert!(started.ends_with(r#"["1\n", "2\n"]"#), "{started}");
        let (code, text) = lvsh(folder.path(), &["start", &file]);
        assert!(code == 0 && text.contains("nothing to do"), "{text}");
        let (code, text) = lvsh(folder.path(), &["status", &file]);
        assert!(code == 0 && text.contains("sysctl net.ipv4.conf.all.arp_ignore  1"), "{text}");
        let (code, text) = lvsh(folder.path(), &["stop", &file]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(look(), before);
    });
}

/// A kernel without tunnels says so, and nothing is left of the attempt.
#[test]
fn a_kernel_without_tunnels_is_told() {
    in_netns(|| {
        let probe = Command::new("ip").args(["link", "add", "probe", "type", "ipip", "external"]).output();
        if probe.is_ok_and(|output| output.status.success()) {
            println!("skipped: this kernel has tunnels; tests of the lab use them");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let arp = "/proc/sys/net/ipv4/conf/all/arp_ignore";
        for (spec, expected) in [
            ("", "the kernel has no tunnels of kind ipip (EOPNOTSUPP)"),
            (
                "tunnel = { type = 'gue', port = 6080 }",
                "the kernel cannot unpack tunnels in UDP: modprobe fou failed",
            ),
        ] {
            let file = folder.path().join("rs.lua");
            let text = format!("return lvs.real_server {{ vip = '192.0.2.1', method = 'tun', {spec} }}");
            std::fs::write(&file, text).unwrap();
            let (code, text) = lvsh(folder.path(), &["start", &file.display().to_string()]);
            assert_eq!(code, 8, "{text}");
            assert!(
                text.contains(expected) && text.contains("modprobe") && text.contains("rolled back"),
                "{text}"
            );
            assert_eq!(std::fs::read_to_string(arp).unwrap().trim(), "0");
            assert!(!run("ip addr").contains("192.0.2.1"));
        }
    });
}
