//! Rules, routes, tunnels: their order, whose they are, and what is in their way.

use lvsh::backend::Backend;
use lvsh::error::Kind;
use lvsh::model::{DeviceKind, Fou, Installed, State, SysctlName, TunnelDevice, Vip};
use lvsh::plan::{Declared, Mode, Owned, Step, diff};

use crate::session::{Shared, declared, start, stop};
use crate::{lines, state};

const NO_VIP: &str = "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1 ; +m pre 10.0.0.1/32 tcp 80 3
    +ru ipv4 3 100 100 ; +ro ipv4 100";
const REAL: &str = "+g ipv4 6080 ; +t lvsh-ipip ipip ; +a 10.0.0.1/32 lvsh-ipip";

#[test]
fn marked_packets_are_led_here_last_and_away_first() {
    let steps = diff(&State::default(), &state(NO_VIP));
    assert_eq!(
        lines(&steps),
        [
            "add service fwm:3",
            "add server fwm:3 10.0.0.2",
            "add mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "add route local default dev lo table 100",
            "add rule fwmark 3 lookup 100 priority 100",
        ]
    );
    let steps = diff(&state(NO_VIP), &State::default());
    assert_eq!(
        lines(&steps),
        [
            "del rule fwmark 3 lookup 100 priority 100",
            "del mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "del route local default dev lo table 100",
            "del service fwm:3",
        ]
    );
}

#[test]
fn what_unpacks_is_there_before_the_address() {
    let steps = diff(&State::default(), &state(REAL));
    assert_eq!(
        lines(&steps),
        ["add gue port 6080", "add tunnel lvsh-ipip", "add vip 10.0.0.1/32 dev lvsh-ipip"]
    );
    let steps = diff(&state(REAL), &State::default());
    assert_eq!(
        lines(&steps),
        ["del vip 10.0.0.1/32 dev lvsh-ipip", "del tunnel lvsh-ipip", "del gue port 6080"]
    );
}

/// What the kernel puts on a device by itself, it takes away with it.
#[test]
fn other_addresses_of_a_device_are_left_to_the_kernel() {
    let mut there = state(REAL);
    let key = lvsh::model::VipKey {
        addr: "fe80::1/64".parse().unwrap(),
        ..there.vips.keys().next().unwrap().clone()
    };
    there.vips.insert(key.clone(), Vip::default());
    let mut left = State::default();
    left.vips.insert(key, Vip::default());
    let steps = diff(&there, &left);
    assert_eq!(
        lines(&steps),
        ["del vip 10.0.0.1/32 dev lvsh-ipip", "del tunnel lvsh-ipip", "del gue port 6080"]
    );
}

/// The kernel takes addresses away with their device.
#[test]
fn a_device_of_another_kind_gets_its_addresses_again() {
    let other = state("+t lvsh-ipip gre ; +a 10.0.0.1/32 lvsh-ipip");
    let mine = state("+t lvsh-ipip ipip ; +a 10.0.0.1/32 lvsh-ipip");
    let steps = diff(&other, &mine);
    assert_eq!(
        lines(&steps),
        ["del tunnel lvsh-ipip", "add tunnel lvsh-ipip", "add vip 10.0.0.1/32 dev lvsh-ipip"]
    );
    let mut memory = lvsh::backend::Memory::new(other);
    assert!(memory.apply(&steps).iter().all(|outcome| outcome.is_done()));
    assert_eq!(memory.state, mine);
}

#[test]
fn a_second_start_is_empty_and_stop_leaves_what_was() {
    for policy in [NO_VIP, REAL] {
        let machine = Shared::with("+ru ipv4 9 200 50 ; +ro ipv4 200 ; +t other gre ; +g ipv4 5555");
        let before = machine.state();
        let (first, owned) = start(&machine, policy, &Owned::default(), false).unwrap();
        assert!(first.len() >= 3, "{first:?}");
        let (second, owned) = start(&machine, policy, &owned, false).unwrap();
        assert_eq!(second, Vec::<String>::new());
        stop(&machine, &owned);
        assert_eq!(machine.state(), before);
    }
}

/// What others installed has another number, or no note.
fn foreign(text: &str) -> State {
    let mut state = state(text);
    state.rules.values_mut().for_each(|rule| *rule = Installed { by: 4 });
    state.routes.values_mut().for_each(|route| *route = Installed { by: 4 });
    state.tunnels.values_mut().for_each(|tunnel| tunnel.alias = "of others".to_string());
    state
}

#[test]
fn what_others_made_is_a_conflict_and_can_be_taken_over() {
    for (there, policy, subject) in [
        ("+ru ipv4 3 100 100", NO_VIP, "fwmark 3 lookup 100 priority 100"),
        ("+ro ipv4 100", NO_VIP, "local default dev lo table 100"),
        ("+t lvsh-ipip ipip", REAL, "lvsh-ipip"),
    ] {
        let machine = Shared::of(foreign(there));
        let before = machine.state();
        let error = start(&machine, policy, &Owned::default(), false).unwrap_err();
        assert_eq!((error.kind, error.subject.as_str()), (Kind::Conflict, subject));
        assert_eq!(machine.state(), before);
        let (_, owned) = start(&machine, policy, &Owned::default(), true).unwrap();
        let now = machine.state();
        assert!(now.rules.values().all(|rule| rule.is_ours()) && now.routes.values().all(|r| r.is_ours()));
        assert!(now.tunnels.values().all(TunnelDevice::is_ours));
        stop(&machine, &owned);
        assert_eq!(machine.state(), State::default());
    }
}

#[test]
fn a_device_of_others_that_is_not_alike_is_never_taken_over() {
    let mut there = foreign("+t lvsh-ipip ipip");
    for change in [
        |tunnel: &mut TunnelDevice| tunnel.kind = DeviceKind::Gre,
        |tunnel: &mut TunnelDevice| (tunnel.kind, tunnel.from_anyone) = (DeviceKind::Ipip, false),
    ] {
        there.tunnels.values_mut().for_each(change);
        let machine = Shared::of(there.clone());
        let error = start(&machine, REAL, &Owned::default(), true).unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (Kind::Conflict, "conflict"));
        assert_eq!(error.hint.as_deref(), Some("if nobody needs it: ip link del lvsh-ipip"));
        assert_eq!(machine.state(), there);
    }
}

/// An open GUE port does for all, and one of another sort is in the way.
#[test]
fn an_open_port_is_used_and_left() {
    let machine = Shared::with("+g ipv4 6080");
    let before = machine.state();
    let (plan, owned) = start(&machine, REAL, &Owned::default(), false).unwrap();
    assert_eq!(plan, ["add tunnel lvsh-ipip", "add vip 10.0.0.1/32 dev lvsh-ipip"]);
    stop(&machine, &owned);
    assert_eq!(machine.state(), before);
    let mut other = before;
    other.fous.values_mut().for_each(|fou| *fou = Fou::Protocol(4));
    let error = start(&Shared::of(other), REAL, &Owned::default(), true).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("if nobody needs it: ip fou del port 6080"));
}

#[test]
fn drift_of_a_device_is_mended_in_place() {
    let machine = Shared::default();
    let (_, owned) = start(&machine, REAL, &Owned::default(), false).unwrap();
    let whole = machine.state();
    machine.tamper("=t lvsh-ipip ipip down");
    let (plan, owned) = start(&machine, REAL, &owned, false).unwrap();
    assert_eq!(plan, ["set tunnel lvsh-ipip"]);
    assert_eq!(machine.state(), whole);
    machine.tamper("-t lvsh-ipip");
    let (plan, _) = start(&machine, REAL, &owned, false).unwrap();
    assert_eq!(plan, ["add tunnel lvsh-ipip", "add vip 10.0.0.1/32 dev lvsh-ipip"]);
    assert_eq!(machine.state(), whole);
}

#[test]
fn a_setting_is_raised_and_never_lowered() {
    let name = SysctlName::new("net.ipv4.conf.all.arp_ignore").unwrap();
    for (before, after) in [("0", "1"), ("1", "1"), ("2", "2")] {
        let machine = Shared::with(&format!("sysctl {name} {before}"));
        let wanted = Declared { floors: [(name.clone(), 1)].into(), ..declared("") };
        let mut owned = Owned::default();
        for round in 0..2 {
            let mut session = machine.session(Mode::Staged, &owned);
            session.declare(&wanted, "web", false).unwrap();
            session.see_owned().unwrap();
            let plan = session.plan();
            assert_eq!(plan.len(), usize::from(round == 0 && before == "0"));
            session.commit(&plan).unwrap();
            owned = session.owned_after();
            assert_eq!(machine.state().sysctls[&name], after);
        }
        stop(&machine, &owned);
        assert_eq!(machine.state().sysctls[&name], before);
    }
}

#[test]
fn a_killed_start_is_finished_or_stopped_from_its_journal() {
    for policy in [NO_VIP, REAL] {
        let steps: Vec<Step> = diff(&State::default(), &state(policy));
        for made in 0..=steps.len() {
            let machine = Shared::default();
            machine.apply_some(&steps[..made]);
            let mut owned = Owned::default();
            owned.absorb(&steps);
            let (_, owned) = start(&machine, policy, &owned, false).unwrap();
            assert_eq!(start(&machine, policy, &owned, false).unwrap().0, Vec::<String>::new());
            stop(&machine, &owned);
            assert_eq!(machine.state(), State::default(), "killed after {made}");
        }
    }
}
