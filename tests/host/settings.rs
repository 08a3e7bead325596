//! Sysctls and namespaces.

use std::process::Command;

use lvsh::backend::Outcome;
use lvsh::kernel::netns::{enter_netns, netns_id};
use lvsh::kernel::sysctl;
use lvsh::model::SysctlName;
use lvsh::plan::Step;

use crate::support::{in_netns, run};

fn name(text: &str) -> SysctlName {
    SysctlName::new(text).unwrap()
}

fn set(text: &str, to: &str) -> String {
    let step = Step::SetSysctl { name: name(text), from: String::new(), to: to.to_string() };
    match sysctl::apply(&[&step, &step]).as_slice() {
        [Outcome::Done, Outcome::Done] => "done".to_string(),
        [Outcome::Failed(error), Outcome::NotSent] => error.code.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn settings_are_read_written_and_refused() {
    in_netns(|| {
        assert_eq!(sysctl::read(&name("net.ipv4.ip_forward")).unwrap().as_deref(), Some("0"));
        assert_eq!(set("net.ipv4.ip_forward", "1"), "done");
        assert_eq!(sysctl::read(&name("net.ipv4.ip_forward")).unwrap().as_deref(), Some("1"));
        assert_eq!(set("net.ipv4.ip_local_port_range", "20000 30000"), "done");
        let range = sysctl::read(&name("net.ipv4.ip_local_port_range")).unwrap();
        assert_eq!(range.as_deref(), Some("20000 30000"), "tabs are spaces");
        assert_eq!(set("net.ipv4.conf.lo.arp_ignore", "1"), "done");

        assert_eq!(sysctl::read(&name("net.ipv4.vs.no_such")).unwrap(), None);
        assert_eq!(sysctl::read(&name("net.ipv4.conf")).unwrap(), None);
        assert_eq!(set("net.ipv4.no_such", "1"), "ENOENT");
        assert_eq!(set("net.ipv4.ip_forward", "many"), "EINVAL");
    });
}

#[test]
fn a_device_with_a_dot_is_named_with_slashes() {
    in_netns(|| {
        run("ip link add eth0.5 type veth peer name other");
        assert_eq!(set("net/ipv4/conf/eth0.5/arp_ignore", "2"), "done");
        let value = sysctl::read(&name("net/ipv4/conf/eth0.5/arp_ignore")).unwrap();
        assert_eq!(value.as_deref(), Some("2"));
    });
}

#[test]
fn a_namespace_is_entered_by_its_name() {
    in_netns(|| {
        let number = netns_id().expect("not the initial one");
        assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
        let name = format!("lvsh-test-{}", std::process::id());
        if !Command::new("ip").args(["netns", "add", &name]).status().is_ok_and(|status| status.success()) {
            println!("skipped: cannot make a named namespace");
            return;
        }
        let found = std::thread::scope(|scope| {
            let entered = || enter_netns(&name).map(|()| netns_id());
            scope.spawn(entered).join().unwrap()
        });
        let mistake = enter_netns(&name[..name.len() - 1]);
        let by_path = std::thread::scope(|scope| {
            let path = format!("/run/netns/{name}");
            let entered = move || enter_netns(&path).map(|()| netns_id());
            scope.spawn(entered).join().unwrap()
        });
        let no_namespace = enter_netns("/proc/self/status");
        run(&format!("ip netns delete {name}"));

        assert_eq!(found.unwrap(), Some(name.clone()));
        let mistake = mistake.unwrap_err();
        assert_eq!(mistake.hint, Some(format!("did you mean '{name}'?")));
        assert!(mistake.notes[0].contains(&name), "{mistake:?}");
        assert_eq!(by_path.unwrap(), Some(name.clone()));
        assert_eq!(no_namespace.unwrap_err().errno, Some(libc::EINVAL));
        assert_eq!(enter_netns("/no/such").unwrap_err().code, "unknown_name");
        assert_eq!(netns_id(), Some(number), "failures do not move");
    });
    // The threads above went away, this one did not.
    println!("the test itself runs in {:?}", netns_id());
}
