//! Kernel to text, an empty kernel, text to kernel: the same again, counters aside; and import against ipvsadm's own
//! save files.
//!
//! In one process 500 random machines for each format; through the program itself 60 for each.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::support::{Cmd, Output, seeded};
use lvsh::backend::{Backend, Memory};
use lvsh::cli::ipvsadm::restore;
use lvsh::kernel::Kernel;
use lvsh::model::{State, SysctlName, Timeouts};
use lvsh::plan::{Dump, Mode, NoJournal, Owned, Says, Session, diff};
use lvsh::script::{Cancel, Engine, Job, Limits};
use lvsh::view::{Exported, Policy, json, policy, read_json, save};
use proptest::prelude::*;

#[path = "../moving/states.rs"]
mod states;

use states::{OWNER, for_ipvsadm, for_policy, state};

const DEVICE: &str = "d0";

/// Cases of one format in this process, and through the program.
const INSIDE: u32 = 500;
const OUTSIDE: u32 = 60;

/// The machine of a test, and what is known to be on it: a trip to an emulated kernel is not cheap.
struct Machine {
    kernel: Kernel,
    known: State,
    defaults: BTreeMap<SysctlName, String>,
}

impl Machine {
    fn new() -> RefCell<Machine> {
        Cmd::here("ip link add d0 type dummy").run();
        Cmd::here("ip address add 203.0.113.1/24 dev d0").run();
        Cmd::here("ip link set d0 up").run();
        let mut kernel = Kernel::open().expect("a kernel");
        let defaults = kernel.snapshot(&Dump::want()).expect("reading").state.sysctls;
        RefCell::new(Machine { kernel, known: State::default(), defaults })
    }

    /// What is there, without addresses and devices that are not ours.
    fn read(&mut self) -> State {
        let mut state = Dump::whole(self.kernel.snapshot(&Dump::want()).expect("reading").state).state;
        state.vips.retain(|_, vip| vip.is_ours());
        // The module of a kind brings a device of that kind.
        state.tunnels.retain(|_, tunnel| tunnel.is_ours());
        self.known = state.clone();
        state
    }

    /// Makes the machine so. What it was is known, and a step that does not fit it is refused.
    fn make(&mut self, wanted: &State) -> Result<(), TestCaseError> {
        let mut wanted = wanted.clone();
        // A sysctl that is not named is at its default.
        for (name, value) in &self.defaults {
            self.known.sysctls.entry(name.clone()).or_insert_with(|| value.clone());
            wanted.sysctls.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let steps = diff(&self.known, &wanted);
        for (step, outcome) in steps.iter().zip(self.kernel.apply(&steps)) {
            prop_assert!(outcome.is_done(), "{step:?}: {outcome:?}");
        }
        self.known = wanted;
        Ok(())
    }

    /// Makes the machine so, from whatever a case before has left.
    fn make_anew(&mut self, wanted: &State) -> Result<(), TestCaseError> {
        self.read();
        self.make(wanted)
    }
}

/// What policies make of an empty machine; one VM for all of them.
struct Scripts(RefCell<Engine>);

impl Scripts {
    fn new() -> Scripts {
        Scripts(RefCell::new(Engine::new(Limits::default(), Cancel::new(None)).expect("an engine")))
    }

    fn started(&self, text: &str) -> State {
        std::fs::write("/run/random.lua", text).expect("a file");
        let engine = &mut *self.0.borrow_mut();
        let session = || {
            let memory = Box::new(Memory::default());
            Session::new(memory, Box::new(NoJournal), Mode::Staged, Owned::default())
        };
        let (_, answer) = engine.run(session(), Job::Load("/run/random.lua".into()));
        answer.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let job = Job::Call { method: "start".to_string(), args: serde_json::json!({}) };
        let (session, answer) = engine.run(session(), job);
        answer.unwrap_or_else(|error| panic!("{error}\n{text}"));
        session.view().clone()
    }
}

/// Kernel, text, empty kernel, text, kernel.
fn round_trips(bend: fn(State) -> State, move_it: impl Fn(&Dump) -> Dump) {
    let machine = Machine::new();
    seeded(INSIDE, &state(DEVICE), |wanted| {
        let machine = &mut *machine.borrow_mut();
        let wanted = bend(wanted);
        machine.make_anew(&wanted)?;
        let before = machine.read();
        prop_assert_eq!(&before, &wanted);
        let moved = move_it(&Dump::whole(before.clone()));
        machine.make(&State::default())?;
        // Were anything still there, adding it would be refused.
        machine.make(&moved.over(&State::default(), true))?;
        prop_assert_eq!(&machine.read(), &before);
        Ok(())
    });
}

#[test]
fn json_moves_everything() {
    needs!(ipvs);
    round_trips(|state| state, |dump| read_json(&json(dump)).expect("what was written"));
}

#[test]
fn a_policy_moves_what_policies_say() {
    needs!(ipvs);
    let scripts = Scripts::new();
    round_trips(for_policy, |dump| {
        let head = ["a test".to_string()];
        let Exported { text, left_out } = policy(&Policy { dump, name: OWNER, head: &head });
        assert_eq!(left_out, Vec::<String>::new());
        Dump { state: scripts.started(&text), says: Says::ALL }
    });
}

#[test]
fn lines_of_ipvsadm_move_what_it_says() {
    needs!(ipvs);
    round_trips(for_ipvsadm, |dump| {
        let Exported { text, left_out } = save(dump);
        assert_eq!(left_out, Vec::<String>::new());
        let says = Says { timeouts: true, syncs: true, ..Says::default() };
        Dump { state: restore::read(&text, "saved").expect("what was written"), says }
    });
}

fn lvsh(args: &str) -> Output {
    Cmd::here(&format!("{} {args}", env!("CARGO_BIN_EXE_lvsh"))).output()
}

/// As a user does it: `lvsh export > FILE`, flush, `lvsh import --apply FILE`.
fn through_the_program(format: &str, file: &str, bend: fn(State) -> State) {
    let machine = Machine::new();
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let machine = &mut *machine.borrow_mut();
        machine.make_anew(&bend(wanted))?;
        let before = machine.read();
        let export = lvsh(&format!("export --as {format}"));
        prop_assert_eq!(export.code, 0, "{}", export);
        prop_assert_eq!(&export.stderr, "");
        std::fs::write(file, &export.stdout).expect("a file");
        machine.make(&State::default())?;
        let import = lvsh(&format!("import --apply {file}"));
        prop_assert_eq!(import.code, 0, "{}\n{}", import, export.stdout);
        prop_assert_eq!(&machine.read(), &before, "{}", export.stdout);
        Ok(())
    });
}

#[test]
fn export_and_import_json() {
    needs!(ipvs);
    through_the_program("json", "/run/dump.json", |state| state);
}

#[test]
fn export_and_import_lua() {
    needs!(ipvs);
    through_the_program("lua", "/run/web.lua", for_policy);
}

#[test]
fn export_and_import_ipvsadm() {
    needs!(ipvs);
    through_the_program("ipvsadm", "/run/saved.rules", for_ipvsadm);
}

/// A policy made of the running machine changes nothing there.
#[test]
fn import_and_then_plan_is_empty() {
    needs!(ipvs);
    let machine = Machine::new();
    seeded(20, &state(DEVICE), |wanted| {
        let machine = &mut *machine.borrow_mut();
        machine.make_anew(&for_policy(wanted))?;
        let before = machine.read();
        std::fs::remove_file("/run/site.lua").ok();
        let import = lvsh("import --name web -o /run/site.lua");
        prop_assert_eq!(import.code, 0, "{}", import);
        let plan = lvsh("plan --exit-code /run/site.lua");
        prop_assert_eq!(plan.code, 0, "{}", plan);
        let apply = lvsh("apply /run/site.lua");
        prop_assert_eq!(apply.code, 0, "{}", apply);
        prop_assert_eq!(&machine.read(), &before);
        std::fs::remove_dir_all("/run/lvsh").ok();
        Ok(())
    });
}

/// ipvsadm takes every line that is exported for it.
#[test]
fn ipvsadm_restores_what_is_exported() {
    needs!(ipvs);
    let machine = Machine::new();
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let machine = &mut *machine.borrow_mut();
        machine.make_anew(&for_ipvsadm(wanted))?;
        let before = machine.read();
        let text = save(&Dump::whole(before.clone())).text;
        machine.make(&State::default())?;
        let restored = Cmd::here("ipvsadm -R").stdin(text.clone()).output();
        prop_assert_eq!((restored.code, restored.stderr.as_str()), (0, ""), "{}", text);
        prop_assert_eq!(&machine.read(), &before, "{}", text);
        Ok(())
    });
}

/// What `ipvsadm -S` says is understood: all but what it leaves out.
#[test]
fn what_ipvsadm_saves_is_read() {
    needs!(ipvs);
    let machine = Machine::new();
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let machine = &mut *machine.borrow_mut();
        let mut wanted = for_ipvsadm(wanted);
        // Neither is in its save files; a tunnel and a flag of mh are there without their words.
        (wanted.timeouts, wanted.syncs) = (Timeouts::default(), Default::default());
        for entry in wanted.services.values_mut().map(std::sync::Arc::make_mut) {
            if entry.service.scheduler.hashes_sources() {
                entry.service.flags = entry.service.flags.without(lvsh::model::Flags::SCHED3);
            }
            for server in entry.servers.values_mut() {
                (server.upper, server.lower) = (0, 0);
            }
        }
        machine.make_anew(&wanted)?;
        let before = machine.read();
        let saved = Cmd::here("ipvsadm -Sn").run();
        machine.make(&State::default())?;
        std::fs::write("/run/saved.rules", &saved).expect("a file");
        let import = lvsh("import --apply /run/saved.rules");
        prop_assert_eq!(import.code, 0, "{}\n{}", import, saved);
        prop_assert_eq!(&machine.read(), &before, "{}", saved);
        Ok(())
    });
}
