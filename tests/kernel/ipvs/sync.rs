//! Sync daemons: what is left to the kernel reads as left to the kernel.

use super::*;

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
