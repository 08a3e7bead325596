//! Kernel to text, an empty kernel, text to kernel: the same again, counters aside; and import against ipvsadm's own
//! save files.
//!
//! In one process 500 random machines for each format; through the program itself 60 for each.

use std::cell::RefCell;

use super::support::{Cmd, Output, seeded};
use lvsh::backend::{Backend, Memory};
use lvsh::cli::ipvsadm::restore;
use lvsh::kernel::Kernel;
use lvsh::model::{State, Timeouts};
use lvsh::plan::{Dump, Mode, NoJournal, Owned, Says, Session, Step, diff};
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

fn device() {
    Cmd::here("ip link add d0 type dummy").run();
    Cmd::here("ip address add 203.0.113.1/24 dev d0").run();
    Cmd::here("ip link set d0 up").run();
}

/// What is there, without addresses that are not ours.
fn read(kernel: &mut Kernel) -> State {
    let mut state = Dump::whole(kernel.snapshot(&Dump::want()).expect("reading").state).state;
    state.vips.retain(|_, vip| vip.is_ours());
    state
}

/// Makes the machine so, by the way of a plan.
fn make(kernel: &mut Kernel, wanted: &State) -> Result<(), TestCaseError> {
    let mut now = kernel.snapshot(&Dump::want()).expect("reading").state;
    now.vips.retain(|_, vip| vip.is_ours());
    let mut wanted = wanted.clone();
    // A sysctl that is not named is at its default.
    let defaults = Memory::default().snapshot(&Dump::want()).expect("memory").state.sysctls;
    for (name, value) in defaults.into_iter().filter(|(name, _)| now.sysctls.contains_key(name)) {
        wanted.sysctls.entry(name).or_insert(value);
    }
    let steps: Vec<Step> = diff(&now, &wanted);
    for (step, outcome) in steps.iter().zip(kernel.apply(&steps)) {
        prop_assert!(outcome.is_done(), "{step:?}: {outcome:?}");
    }
    Ok(())
}

/// What a policy of this text makes of an empty machine.
fn started(text: &str) -> State {
    let path = format!("/run/policy-{:?}.lua", std::thread::current().id());
    std::fs::write(&path, text).expect("a file");
    let mut engine = Engine::new(Limits::default(), Cancel::new(None)).expect("an engine");
    let session = || {
        let memory = Box::new(Memory::default());
        Session::new(memory, Box::new(NoJournal), Mode::Staged, Owned::default())
    };
    let (_, answer) = engine.run(session(), Job::Load(path.into()));
    answer.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let job = Job::Call { method: "start".to_string(), args: serde_json::json!({}) };
    let (session, answer) = engine.run(session(), job);
    answer.unwrap_or_else(|error| panic!("{error}\n{text}"));
    session.view().clone()
}

/// Kernel, text, empty kernel, text, kernel.
fn round_trips(bend: fn(State) -> State, move_it: fn(&Dump) -> Dump) {
    device();
    let kernel = RefCell::new(Kernel::open().expect("a kernel"));
    seeded(INSIDE, &state(DEVICE), |wanted| {
        let kernel = &mut *kernel.borrow_mut();
        make(kernel, &State::default())?;
        let wanted = bend(wanted);
        make(kernel, &wanted)?;
        let before = read(kernel);
        prop_assert_eq!(&before, &wanted);
        let moved = move_it(&Dump::whole(before.clone()));
        make(kernel, &State::default())?;
        prop_assert_eq!(&read(kernel), &State::default());
        let now = read(kernel);
        make(kernel, &moved.over(&now, true))?;
        prop_assert_eq!(&read(kernel), &before);
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
    round_trips(for_policy, |dump| {
        let head = ["a test".to_string()];
        let Exported { text, left_out } = policy(&Policy { dump, name: OWNER, head: &head });
        assert_eq!(left_out, Vec::<String>::new());
        Dump { state: started(&text), says: Says::ALL }
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
    device();
    let kernel = RefCell::new(Kernel::open().expect("a kernel"));
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let kernel = &mut *kernel.borrow_mut();
        make(kernel, &State::default())?;
        make(kernel, &bend(wanted))?;
        let before = read(kernel);
        let export = lvsh(&format!("export --as {format}"));
        prop_assert_eq!(export.code, 0, "{}", export);
        prop_assert_eq!(&export.stderr, "");
        std::fs::write(file, &export.stdout).expect("a file");
        make(kernel, &State::default())?;
        let import = lvsh(&format!("import --apply {file}"));
        prop_assert_eq!(import.code, 0, "{}\n{}", import, export.stdout);
        prop_assert_eq!(&read(kernel), &before, "{}", export.stdout);
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
    device();
    let kernel = RefCell::new(Kernel::open().expect("a kernel"));
    seeded(20, &state(DEVICE), |wanted| {
        let kernel = &mut *kernel.borrow_mut();
        make(kernel, &State::default())?;
        make(kernel, &for_policy(wanted))?;
        let before = read(kernel);
        std::fs::remove_file("/run/site.lua").ok();
        let import = lvsh("import --name web -o /run/site.lua");
        prop_assert_eq!(import.code, 0, "{}", import);
        let plan = lvsh("plan --exit-code /run/site.lua");
        prop_assert_eq!(plan.code, 0, "{}", plan);
        let apply = lvsh("apply /run/site.lua");
        prop_assert_eq!(apply.code, 0, "{}", apply);
        prop_assert_eq!(&read(kernel), &before);
        std::fs::remove_dir_all("/run/lvsh").ok();
        Ok(())
    });
}

/// ipvsadm takes every line that is exported for it.
#[test]
fn ipvsadm_restores_what_is_exported() {
    needs!(ipvs);
    device();
    let kernel = RefCell::new(Kernel::open().expect("a kernel"));
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let kernel = &mut *kernel.borrow_mut();
        make(kernel, &State::default())?;
        make(kernel, &for_ipvsadm(wanted))?;
        let before = read(kernel);
        let text = save(&Dump::whole(before.clone())).text;
        make(kernel, &State::default())?;
        let restored = Cmd::here("ipvsadm -R").stdin(text.clone()).output();
        prop_assert_eq!((restored.code, restored.stderr.as_str()), (0, ""), "{}", text);
        prop_assert_eq!(&read(kernel), &before, "{}", text);
        Ok(())
    });
}

/// What `ipvsadm -S` says is understood: all but what it leaves out.
#[test]
fn what_ipvsadm_saves_is_read() {
    needs!(ipvs);
    device();
    let kernel = RefCell::new(Kernel::open().expect("a kernel"));
    seeded(OUTSIDE, &state(DEVICE), |wanted| {
        let kernel = &mut *kernel.borrow_mut();
        make(kernel, &State::default())?;
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
        make(kernel, &wanted)?;
        let before = read(kernel);
        let saved = Cmd::here("ipvsadm -Sn").run();
        make(kernel, &State::default())?;
        std::fs::write("/run/saved.rules", &saved).expect("a file");
        let import = lvsh("import --apply /run/saved.rules");
        prop_assert_eq!(import.code, 0, "{}\n{}", import, saved);
        prop_assert_eq!(&read(kernel), &before, "{}", saved);
        Ok(())
    });
}
