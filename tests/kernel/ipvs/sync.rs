//! Sync daemons: what is left to the kernel reads as left to the kernel.

use super::*;
use crate::site::{lvsh, write};
use crate::support::Topology;

fn daemon(role_id: u32) -> SyncDaemon {
    SyncDaemon::new(IfName::new("lo").expect("a name"), role_id)
}

#[test]
fn both_roles_round_trip() {
    needs!(ipvs);
    let mut ipvs = open();
    assert!(ipvs.syncs().expect("reading").is_empty());
    let master = daemon(7);
    let backup = SyncDaemon {
        group: "ff02::81".parse().expect("an address"),
        port: 9000,
        ttl: 3,
        maxlen: 1400,
        ..daemon(255)
    };
    let both = BTreeMap::from([(SyncRole::Master, master.clone()), (SyncRole::Backup, backup.clone())]);
    let start: Vec<Step> =
        both.iter().map(|(role, daemon)| Step::StartSync { role: *role, daemon: daemon.clone() }).collect();
    apply(&mut ipvs, &start);
    assert_eq!(ipvs.syncs().expect("reading"), both);

    let again = ipvs.apply(&start[..1]);
    let Outcome::Failed(error) = &again[0] else { panic!("{again:?}") };
    assert_eq!(error.to_string(), "cannot start sync master: a daemon of this role runs already (EEXIST)");

    let stop: Vec<Step> = start.iter().flat_map(Step::inverse).collect();
    apply(&mut ipvs, &stop);
    assert!(ipvs.syncs().expect("reading").is_empty());
    let again = ipvs.apply(&stop[..1]);
    let Outcome::Failed(error) = &again[0] else { panic!("{again:?}") };
    assert_eq!(error.to_string(), "cannot stop sync master: no daemon of this role runs (ESRCH)");
}

/// lo has an MTU of 65536, which shows what the kernel counts on for each role.
#[test]
fn a_maxlen_left_to_the_kernel_stays_so() {
    needs!(ipvs);
    let mut ipvs = open();
    // A master with an IPv6 group needs a route to it, which lo has not.
    let cases =
        [(SyncRole::Master, "224.0.0.81"), (SyncRole::Backup, "224.0.0.81"), (SyncRole::Backup, "ff02::81")];
    for (role, group) in cases {
        let daemon = SyncDaemon { group: group.parse().expect("an address"), ..daemon(1) };
        let start = Step::StartSync { role, daemon: daemon.clone() };
        apply(&mut ipvs, std::slice::from_ref(&start));
        assert_eq!(ipvs.syncs().expect("reading"), BTreeMap::from([(role, daemon)]), "{role} {group}");
        apply(&mut ipvs, &start.inverse());
    }
}

#[test]
fn daemons_that_cannot_be() {
    needs!(ipvs);
    let mut ipvs = open();
    let nowhere = SyncDaemon::new(IfName::new("nowhere").expect("a name"), 1);
    let unicast = SyncDaemon { group: "192.0.2.1".parse().expect("an address"), ..daemon(1) };
    for (daemon, errno, words) in [
        (nowhere, libc::ENODEV, "there is no device 'nowhere'"),
        (unicast, libc::EINVAL, "the kernel does not take this daemon"),
    ] {
        let outcomes = ipvs.apply(&[Step::StartSync { role: SyncRole::Master, daemon }]);
        let Outcome::Failed(error) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(error.errno, Some(errno), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A maxlen in a policy that is just what the kernel takes by itself is no difference, on no plan; nor is one that it
/// bends to its limits. eth0 has an MTU of 4000, which counts for a backup alone.
#[test]
fn a_policy_may_say_the_kernels_own_maxlen() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let director = net.director();
    director.run("ip link set eth0 mtu 4000");
    let declared = |fields: &str| {
        format!("return lvs.policy {{ name = 's', sync = {{ dev = 'eth0', id = 1, {fields} }} }}")
    };
    let imperative = "return { name = 's', stop = function() end, start = function() \
                      lvs.start_sync { dev = 'eth0', id = 1, maxlen = 1472, role = 'master' } end }";
    for (text, runs) in [
        (declared("role = 'master', maxlen = 1472"), "maxlen=1472"),
        (imperative.to_string(), "maxlen=1472"),
        (declared("role = 'backup', maxlen = 3972"), "maxlen=3972"),
        (declared("role = 'backup', maxlen = 500"), "maxlen=1024"),
    ] {
        let file = write("s", &text);
        lvsh(director, &format!("start {file}"));
        let listed = director.run("ipvsadm -L --daemon");
        assert!(listed.contains(runs), "{text}: {listed}");
        let plan = lvsh(director, &format!("plan --json {file}"));
        assert!(plan.stdout.contains("\"changes\": []"), "{text}: {}", plan.stdout);
        lvsh(director, &format!("stop {file}"));
        assert_eq!(director.run("ipvsadm -L --daemon"), "");
    }
}
