//! Random machines survive every format.

use std::collections::BTreeMap;

use lvsh::backend::Memory;
use lvsh::cli::ipvsadm::restore;
use lvsh::model::{ServiceKey, State, Timeouts};
use lvsh::plan::{Dump, Mode, NoJournal, Owned, Says, Session};
use lvsh::script::{Cancel, Engine, Job, Limits};
use lvsh::view::{Exported, Policy, json, policy, read_json, save};
use proptest::prelude::*;

use crate::states::{OWNER, for_ipvsadm, for_policy, state};

/// What a policy of this text makes of an empty machine.
fn started(text: &str) -> State {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.lua");
    std::fs::write(&path, text).expect("a file");
    let mut engine = Engine::new(Limits::default(), Cancel::new(None)).expect("an engine");
    let session = || {
        let memory = Box::new(Memory::default());
        Session::new(memory, Box::new(NoJournal), Mode::Staged, Owned::default())
    };
    let (_, answer) = engine.run(session(), Job::Load(path));
    answer.unwrap_or_else(|error| panic!("{error} {:?}\n{text}", error.origin));
    let job = Job::Call { method: "start".to_string(), args: serde_json::json!({}) };
    let (session, answer) = engine.run(session(), job);
    answer.unwrap_or_else(|error| panic!("{error}\n{text}"));
    session.view().clone()
}

fn as_policy(dump: &Dump) -> Exported {
    policy(&Policy { dump, name: OWNER, head: &["a test".to_string()] })
}

/// Of a state only services, timeouts and daemons, as a save file has them.
fn saved(state: &State) -> State {
    let none = State { marks: BTreeMap::new(), vips: BTreeMap::new(), ..state.clone() };
    State { sysctls: BTreeMap::new(), ..none }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_says_everything(state in state("d0")) {
        let dump = Dump::whole(state);
        prop_assert_eq!(&read_json(&json(&dump)).expect("what was written"), &dump);
    }

    #[test]
    fn a_policy_says_what_policies_can(state in state("d0")) {
        let dump = Dump::whole(for_policy(state));
        let Exported { text, left_out } = as_policy(&dump);
        prop_assert_eq!(&left_out, &Vec::<String>::new());
        prop_assert_eq!(&started(&text), &dump.state, "{}", text);
        for line in text.lines() {
            prop_assert!(line == line.trim_end() && line.chars().count() <= 160, "{line}");
        }
    }

    #[test]
    fn a_save_file_says_what_ipvsadm_can(state in state("d0")) {
        let dump = Dump::whole(for_ipvsadm(state));
        let Exported { text, left_out } = save(&dump);
        prop_assert_eq!(&left_out, &Vec::<String>::new());
        let read = restore::read(&text, "saved").unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(&read, &dump.state, "{}", text);
    }

    /// What is not said is named, and nothing else is missing.
    #[test]
    fn nothing_is_lost_in_silence(state in state("d0")) {
        let dump = Dump::whole(state);
        let Exported { text, left_out } = as_policy(&dump);
        let now = started(&text);
        let named = |what: &str| left_out.iter().any(|line| line.starts_with(&format!("{what}: ")));
        for (key, entry) in &dump.state.services {
            prop_assert_eq!(now.services.get(key) == Some(entry), !named(&format!("service {key}")));
        }
        for (role, daemon) in &dump.state.syncs {
            prop_assert_eq!(now.syncs.get(role) == Some(daemon), !named(&format!("sync {role}")));
        }
        for (key, rule) in &dump.state.rules {
            prop_assert_eq!(now.rules.get(key) == Some(rule), !named(&format!("rule {key}")));
        }
        for (dev, tunnel) in &dump.state.tunnels {
            prop_assert_eq!(now.tunnels.get(dev) == Some(tunnel), !named(&format!("tunnel {dev}")));
        }
        prop_assert_eq!((&now.routes, &now.fous), (&dump.state.routes, &dump.state.fous));
        prop_assert_eq!(now.marks, dump.state.marks.clone());
        let in_file = |line: &String| line.split_whitespace().all(|word| text.contains(word));
        prop_assert!(left_out.iter().all(in_file));

        let Exported { text, left_out } = save(&dump);
        let now = restore::read(&text, "saved").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let told = |key: &ServiceKey| {
            let of = [format!("service {key} "), format!("server {key} ")];
            let flags = format!("of service {key}:");
            let about = |line: &&String| of.iter().any(|of| line.starts_with(of)) || line.contains(&flags);
            left_out.iter().any(|line| about(&line))
        };
        let was = saved(&dump.state);
        for (key, entry) in &was.services {
            let whole = now.services.get(key) == Some(entry);
            prop_assert_eq!(whole, !told(key), "{}", text);
        }
        let State { rules, routes, tunnels, fous, .. } = &dump.state;
        let mut silent: Vec<String> = rules.keys().map(|key| format!("rule {key}: ")).collect();
        silent.extend(routes.keys().map(|key| format!("route {key}: ")));
        silent.extend(tunnels.keys().map(|dev| format!("tunnel {dev}, ")));
        silent.extend(fous.keys().map(|key| format!("gue port {key}: ")));
        for what in silent {
            prop_assert!(left_out.iter().any(|line| line.starts_with(&what)), "{what}");
        }
    }

    /// On the machine itself a dump changes nothing; on an empty one it makes that machine.
    #[test]
    fn a_dump_over_its_own_machine_is_that_machine(state in state("d0"), other in state("d0")) {
        let dump = Dump::whole(state.clone());
        prop_assert_eq!(&dump.over(&state, false), &state);
        prop_assert_eq!(&dump.over(&state, true), &state);
        let mut next = dump.over(&other, true);
        // Sysctls are never removed, only set.
        next.sysctls = state.sysctls.clone();
        // Nor are ports that unpack, of which nothing says whose they are.
        prop_assert!(other.fous.keys().chain(state.fous.keys()).all(|key| next.fous.contains_key(key)));
        next.fous = state.fous.clone();
        prop_assert_eq!(&next, &state);
        let services = Dump { state: State { timeouts: Timeouts::NONE, ..state.clone() }, says: Says::default() };
        let next = services.over(&other, false);
        prop_assert_eq!((&next.marks, &next.vips), (&other.marks, &other.vips));
        prop_assert_eq!((&next.rules, &next.routes), (&other.rules, &other.routes));
        prop_assert_eq!((&next.tunnels, &next.fous), (&other.tunnels, &other.fous));
        prop_assert_eq!((next.timeouts, &next.syncs), (other.timeouts, &other.syncs));
        prop_assert!(other.services.keys().chain(state.services.keys()).all(|key| next.services.contains_key(key)));
    }
}
