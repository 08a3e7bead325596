//! What the kernel refuses, with which number, and what is said of it; and what happens to the steps around it.

use super::*;

fn add_server(service: ServiceKey, addr: &str, change: impl FnOnce(&mut Server)) -> Step {
    let (key, mut server) = server(addr, 0);
    change(&mut server);
    Step::AddServer { service, key, server }
}

#[test]
fn refusals_have_their_number_and_words() {
    needs!(ipvs);
    let mut ipvs = open();
    let (one, two) = (mark(Family::Ipv4, 1), mark(Family::Ipv4, 2));
    let six = mark(Family::Ipv6, 6);
    let (there, plain) = server("192.0.2.1", 0);
    let (absent, _) = server("192.0.2.9", 0);
    apply(
        &mut ipvs,
        &[
            Step::AddService { key: one, service: service("rr") },
            Step::AddServer { service: one, key: there, server: plain },
            Step::AddService { key: six, service: service("rr") },
        ],
    );
    let before = all(&mut ipvs);
    let gone = || ServiceEntry { service: service("rr"), servers: BTreeMap::new() };
    let pe = Some(PeName::new("nope").expect("a name"));
    let prefix = Some(Persistence { timeout: 1, netmask: Netmask::V6(0) });
    let cases: Vec<(Step, i32, &str)> = vec![
        (Step::AddService { key: one, service: service("rr") }, libc::EEXIST, "it exists"),
        (Step::AddService { key: two, service: service("wrrr") }, libc::ENOENT, "no scheduler 'wrrr'"),
        (
            Step::AddService { key: two, service: Service { pe, ..service("rr") } },
            libc::ENOENT,
            "no persistence engine 'nope'",
        ),
        (
            Step::AddService {
                key: mark(Family::Ipv6, 7),
                service: Service { persistence: prefix, ..service("rr") },
            },
            libc::EINVAL,
            "invalid argument",
        ),
        (
            Step::SetService { key: two, from: service("rr"), to: service("lc") },
            libc::ESRCH,
            "it does not exist",
        ),
        (
            Step::SetService { key: one, from: service("rr"), to: service("nope") },
            libc::ENOENT,
            "no scheduler 'nope'",
        ),
        (Step::DelService { key: two, entry: gone() }, libc::ESRCH, "it does not exist"),
        (
            Step::AddServer { service: two, key: there, server: plain },
            libc::ESRCH,
            "its service does not exist",
        ),
        (Step::AddServer { service: one, key: there, server: plain }, libc::EEXIST, "it exists"),
        (
            Step::SetServer { service: two, key: there, from: plain, to: plain },
            libc::ESRCH,
            "its service does not exist",
        ),
        (
            Step::SetServer { service: one, key: absent, from: plain, to: plain },
            libc::ENOENT,
            "it does not exist",
        ),
        (
            Step::DelServer { service: two, key: there, server: plain },
            libc::ESRCH,
            "its service does not exist",
        ),
        (Step::DelServer { service: one, key: absent, server: plain }, libc::ENOENT, "it does not exist"),
        (add_server(one, "192.0.2.2", |server| server.lower = 1), libc::ERANGE, "out of range"),
        (
            add_server(one, "192.0.2.2", |server| server.upper = u32::MAX),
            libc::EINVAL,
            "does not take this server",
        ),
        (add_server(one, "224.0.0.1", |_| {}), libc::EINVAL, "does not take this server"),
        (add_server(one, "0.0.0.0", |_| {}), libc::EINVAL, "does not take this server"),
        (add_server(six, "fe80::1", |_| {}), libc::EINVAL, "does not take this server"),
        (add_server(one, "2001:db8::1", |_| {}), libc::EINVAL, "does not take this server"),
        (
            add_server(one, "192.0.2.2", |server| server.tunnel.kind = TunnelKind::Gue),
            libc::EINVAL,
            "does not take this server",
        ),
        (
            Step::SetTimeouts {
                from: Timeouts::default(),
                to: Timeouts { tcp: u32::MAX, ..Timeouts::default() },
            },
            libc::EINVAL,
            "invalid argument",
        ),
    ];
    let mut wrong = Vec::new();
    for (step, errno, words) in &cases {
        match ipvs.apply([step]).remove(0) {
            Outcome::Failed(error) if error.errno == Some(*errno) && error.to_string().contains(words) => {}
            other => wrong.push(format!("{step:?}\n  expected {errno} '{words}', got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(all(&mut ipvs), before, "nothing of it left a trace");

    // All in one datagram: each failure still finds its own step.
    let group: Vec<&Step> = cases.iter().map(|(step, ..)| step).collect();
    let outcomes = ipvs.apply(group);
    for ((step, errno, _), outcome) in cases.iter().zip(outcomes) {
        assert!(
            matches!(&outcome, Outcome::Failed(error) if error.errno == Some(*errno)),
            "{step:?}: {outcome:?}"
        );
    }
}

/// The kernel goes on after a failure within a datagram; we do not send another.
#[test]
fn after_a_failure_no_further_datagram_is_sent() {
    needs!(ipvs);
    let mut ipvs = open();
    let steps: Vec<Step> = (1..=1000)
        .map(|number| Step::AddService { key: mark(Family::Ipv4, number), service: service("rr") })
        .collect();
    apply(&mut ipvs, &steps[200..201]);
    let outcomes = ipvs.apply(&steps);
    let failed = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_)));
    assert_eq!(failed, Some(200));
    let unsent =
        outcomes.iter().position(|outcome| matches!(outcome, Outcome::NotSent)).expect("some unsent");
    assert!((201..=400).contains(&unsent), "{unsent}");
    assert!(outcomes[unsent..].iter().all(|outcome| matches!(outcome, Outcome::NotSent)));
    assert_eq!(all(&mut ipvs).len(), unsent);
}

#[test]
fn what_is_not_of_ipvs_is_not_sent() {
    needs!(ipvs);
    let mut ipvs = open();
    let name = SysctlName::new("conntrack").expect("a name");
    let foreign = Step::SetSysctl { name, from: "0".into(), to: "1".into() };
    let ours = Step::AddService { key: mark(Family::Ipv4, 1), service: service("rr") };
    let outcomes = ipvs.apply([&ours, &foreign]);
    assert!(matches!(outcomes[0], Outcome::NotSent));
    assert!(matches!(&outcomes[1], Outcome::Failed(error) if error.code == "not_ipvs"));
    assert!(all(&mut ipvs).is_empty());
}

/// Without CAP_NET_ADMIN even reading is refused, in words that help.
#[test]
fn without_privilege_the_remedy_is_told() {
    needs!(ipvs);
    // The capability goes for this thread alone.
    let mut ipvs = open();
    let error = std::thread::scope(|scope| {
        let denied = || {
            // SAFETY: the raw call changes the ids of this thread only, which ends right after.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
            Ipvs::open().and_then(|mut ipvs| ipvs.services(&Services::All, None)).expect_err("not permitted")
        };
        scope.spawn(denied).join().expect("the thread")
    });
    assert_eq!(error.errno, Some(libc::EPERM));
    assert_eq!(error.exit_code(), 8);
    assert!(error.to_string().contains("permission denied: needs CAP_NET_ADMIN"), "{error}");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("setcap")));
    assert!(all(&mut ipvs).is_empty());
}
