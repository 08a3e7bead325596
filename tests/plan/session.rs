//! What a script sees, what a policy owns, and what start, stop and drift come to.

use std::sync::{Arc, Mutex};

use lvsh::backend::{Backend, Capabilities, Entries, Memory, Outcome, Want};
use lvsh::error::{Kind, Result};
use lvsh::model::{IfName, ServiceKey, Snapshot, State};
use lvsh::plan::{Action, Declared, Mode, NoJournal, Owned, Session, Step};

use crate::{lines, state, table};

/// One machine for several sessions, as the kernel is for several runs.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Memory>>);

impl Backend for Shared {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.0.lock().unwrap().snapshot(want)
    }
    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        self.0.lock().unwrap().apply(steps)
    }
    fn capabilities(&mut self) -> Result<Capabilities> {
        self.0.lock().unwrap().capabilities()
    }
    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.0.lock().unwrap().mtu(dev)
    }
    fn connection_table(&mut self) -> Result<Entries> {
        self.0.lock().unwrap().connection_table()
    }
    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.0.lock().unwrap().zero(service)
    }
}

impl Shared {
    pub fn with(text: &str) -> Shared {
        Shared::of(state(text))
    }
    pub fn of(state: State) -> Shared {
        Shared(Arc::new(Mutex::new(Memory::new(state))))
    }
    pub fn apply_some(&self, steps: &[Step]) {
        assert!(self.0.lock().unwrap().apply(steps).iter().all(Outcome::is_done));
    }
    pub fn state(&self) -> State {
        self.0.lock().unwrap().state.clone()
    }
    pub fn session(&self, mode: Mode, owned: &Owned) -> Session {
        Session::new(Box::new(self.clone()), Box::new(NoJournal), mode, owned.clone())
    }
    /// Does something behind the program's back.
    pub fn tamper(&self, text: &str) {
        assert!(self.0.lock().unwrap().apply(&table::steps(text)).iter().all(Outcome::is_done));
    }
}

const WEB: &str = "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=1
    +m pre 10.0.0.1/32 tcp 80 3 ; +a 10.0.0.1/32 eth0";

pub fn declared(text: &str) -> Declared {
    let state = state(text);
    Declared {
        services: state.services,
        marks: state.marks.into_iter().map(|(selector, entry)| (selector, entry.mark)).collect(),
        vips: state.vips.into_keys().collect(),
        rules: state.rules.into_keys().collect(),
        routes: state.routes.into_keys().collect(),
        tunnels: state.tunnels,
        gue_ports: state.fous.into_keys().collect(),
        syncs: state.syncs,
        ..Declared::default()
    }
}

/// One run of `start` or `apply`; gives the plan's lines and what is owned then.
pub fn start(machine: &Shared, policy: &str, owned: &Owned, adopt: bool) -> Result<(Vec<String>, Owned)> {
    let mut session = machine.session(Mode::Staged, owned);
    session.declare(&declared(policy), "web", adopt)?;
    session.see_owned()?;
    let plan = session.plan();
    session.commit(&plan)?;
    Ok((lines(plan.steps()), session.owned_after()))
}

pub fn stop(machine: &Shared, owned: &Owned) -> Vec<String> {
    let mut session = machine.session(Mode::Staged, &Owned::default());
    session.release(owned).unwrap();
    let plan = session.plan();
    session.commit(&plan).unwrap();
    lines(plan.steps())
}

#[test]
fn start_twice_changes_nothing_the_second_time() {
    let machine = Shared::with("+s tcp:10.1.0.1:80 rr ; +a 10.1.0.1/32 eth0");
    let before = machine.state();
    let (first, owned) = start(&machine, WEB, &Owned::default(), false).unwrap();
    assert_eq!(first.len(), 5);
    let sent = machine.0.lock().unwrap().sent;
    let (second, owned) = start(&machine, WEB, &owned, false).unwrap();
    assert_eq!(second, Vec::<String>::new());
    assert_eq!(machine.0.lock().unwrap().sent, sent, "an empty plan was sent");
    stop(&machine, &owned);
    assert_eq!(machine.state(), before);
    assert_eq!(stop(&machine, &owned), Vec::<String>::new());
}

#[test]
fn drift_is_named_and_mended() {
    let machine = Shared::default();
    let (_, owned) = start(&machine, WEB, &Owned::default(), false).unwrap();
    let whole = machine.state();
    machine.tamper("-d fwm:3 10.0.0.2 ; -m pre 10.0.0.1/32 tcp 80 ; -a 10.0.0.1/32 eth0");
    let (plan, _) = start(&machine, WEB, &owned, false).unwrap();
    assert_eq!(
        plan,
        [
            "add server fwm:3 10.0.0.2",
            "add mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "add vip 10.0.0.1/32 dev eth0"
        ]
    );
    assert_eq!(machine.state(), whole);
}

#[test]
fn what_a_policy_no_longer_names_goes() {
    let machine = Shared::default();
    let (_, owned) = start(&machine, WEB, &Owned::default(), false).unwrap();
    let (plan, owned) = start(&machine, "+s fwm:3 sh ; +d fwm:3 10.0.0.3 dr w=1", &owned, false).unwrap();
    assert_eq!(
        plan,
        [
            "del vip 10.0.0.1/32 dev eth0",
            "del mark 3 for ip daddr 10.0.0.1 tcp dport 80",
            "del server fwm:3 10.0.0.2"
        ]
    );
    stop(&machine, &owned);
    assert_eq!(machine.state(), State::default());
}

#[test]
fn a_foreign_service_is_a_conflict_and_can_be_taken_over() {
    let machine = Shared::with("+s fwm:3 rr ; +d fwm:3 10.0.0.9 dr w=1");
    let before = machine.state();
    let error = start(&machine, WEB, &Owned::default(), false).unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (Kind::Conflict, "conflict"));
    assert_eq!(machine.state(), before);
    let (plan, owned) = start(&machine, WEB, &Owned::default(), true).unwrap();
    assert!(plan.contains(&"set service fwm:3".to_string()), "{plan:?}");
    assert!(plan.contains(&"del server fwm:3 10.0.0.9".to_string()), "{plan:?}");
    stop(&machine, &owned);
    assert_eq!(machine.state(), State::default());
}

#[test]
fn a_killed_start_is_finished_or_stopped_from_its_journal() {
    let policy = state(WEB);
    let steps = lvsh::plan::diff(&State::default(), &policy);
    for made in 0..=steps.len() {
        let machine = Shared::default();
        machine.0.lock().unwrap().apply(&steps[..made]);
        let mut owned = Owned::default();
        owned.absorb(&steps);
        let (_, owned) = start(&machine, WEB, &owned, false).unwrap();
        assert_eq!(machine.state(), policy_with_owner(&policy), "killed after {made} steps, then started");
        stop(&machine, &owned);
        assert_eq!(machine.state(), State::default());
        machine.0.lock().unwrap().apply(&steps[..made]);
        let mut owned = Owned::default();
        owned.absorb(&steps);
        stop(&machine, &owned);
        assert_eq!(machine.state(), State::default(), "killed after {made} steps, then stopped");
    }
}

/// The table's notation owns its marks as 'test'; a killed run of that owner keeps them so.
fn policy_with_owner(policy: &State) -> State {
    let mut state = policy.clone();
    for entry in state.marks.values_mut() {
        entry.owner = "web".to_string();
    }
    state
}

#[test]
fn an_imperative_start_sees_the_machine_without_itself() {
    let machine = Shared::default();
    let mut owned = Owned::default();
    for round in 0..2 {
        let mut session = machine.session(Mode::Staged, &owned);
        session.see(&Want::all()).unwrap();
        for step in table::steps(WEB) {
            session.effect(vec![Action::from(step)]).unwrap();
        }
        session.see_owned().unwrap();
        let plan = session.plan();
        assert_eq!(plan.len(), if round == 0 { 5 } else { 0 });
        session.commit(&plan).unwrap();
        owned = session.owned_after();
    }
}

#[test]
fn a_live_run_is_taken_back_to_any_point() {
    let machine = Shared::with("+s fwm:9 rr");
    let mut session = machine.session(Mode::Live, &Owned::default());
    session.see(&Want::all()).unwrap();
    let one = |text: &str| table::steps(text).into_iter().map(Action::from).collect::<Vec<_>>();
    session.effect(one("+s fwm:3 sh")).unwrap();
    let half = machine.state();
    let point = session.mark();
    session.effect(one("+d fwm:3 10.0.0.2 dr w=1")).unwrap();
    session.effect(one("+d fwm:3 10.0.0.3 dr w=1")).unwrap();
    let error = session.effect(one("+d fwm:3 10.0.0.3 dr w=1")).unwrap_err();
    assert_eq!(error.code, "EEXIST");
    let said = session.back_to(point).unwrap();
    assert_eq!(said, "rolled back: 2 changes; the system is as before");
    assert_eq!(machine.state(), half);
    assert_eq!(session.view(), &half);
}

#[test]
fn a_sealed_session_refuses_effects() {
    let machine = Shared::default();
    let mut session = machine.session(Mode::Live, &Owned::default());
    session.seal(Some("effects are not allowed while a policy loads"));
    let step = table::steps("+s fwm:3 sh").remove(0);
    let error = session.effect(vec![Action::from(step)]).unwrap_err();
    assert_eq!(error.code, "no_effects");
    assert_eq!(error.hint.as_deref(), Some("put this in start()"));
    assert_eq!(machine.0.lock().unwrap().sent, 0);
}
