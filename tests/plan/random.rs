//! Any state can be turned into any other, and back.

use std::collections::BTreeSet;

use lvsh::backend::{Backend, Memory};
use lvsh::model::State;
use lvsh::plan::{Plan, diff};
use proptest::prelude::*;

use crate::state;

/// A state of a few services, servers, marks and addresses, so that two of them overlap often.
fn any_state() -> impl Strategy<Value = State> {
    let schedulers = prop::sample::select(vec!["rr", "sh", "wlc f=0x8", "sh p=60", "rr p=60/255.255.0.0"]);
    let methods =
        prop::sample::select(vec!["dr w=1", "dr w=0", "nat w=7", "tun w=2 u=9 l=3", "tun w=1 t=gue:6080:1"]);
    let service = (1..4u32, schedulers, prop::collection::btree_map(2..6u8, methods, 0..4));
    let services = prop::collection::btree_map(1..4u32, service, 0..3);
    let marks = prop::collection::btree_map(prop::sample::select(vec![80u16, 443, 8080]), 1..4u32, 0..3);
    let vips = prop::collection::btree_set(1..4u8, 0..3);
    let daemon = prop::option::of(1..3u32);
    let rules = prop::collection::btree_set((3..5u32, 100..102u32), 0..3);
    let kinds = prop::sample::subsequence(vec!["ipip", "sit", "gre"], 0..3);
    let ports = prop::collection::btree_set(6080..6083u16, 0..3);
    let paths = (rules, kinds, ports);
    (services, marks, vips, daemon, paths).prop_map(|(services, marks, vips, daemon, paths)| {
        let mut text = String::new();
        for (mark, (_, scheduler, servers)) in services {
            text += &format!("+s fwm:{mark} {scheduler}\n");
            for (host, method) in servers {
                text += &format!("+d fwm:{mark} 10.0.0.{host} {method}\n");
            }
        }
        for (port, mark) in marks {
            text += &format!("+m pre 10.0.0.1/32 tcp {port} {mark}\n");
        }
        for host in vips {
            text += &format!("+a 10.9.0.{host}/32 d0\n");
        }
        if let Some(id) = daemon {
            text += &format!("+y master d0 {id}\n");
        }
        let (rules, kinds, ports) = paths;
        for (mark, table) in &rules {
            text += &format!("+ru ipv4 {mark} {table} 100\n");
        }
        for table in rules.iter().map(|(_, table)| table).collect::<BTreeSet<_>>() {
            text += &format!("+ro ipv4 {table}\n");
        }
        for kind in kinds {
            // An address on a device goes with it.
            text += &format!("+t t-{kind} {kind}\n+a 10.9.1.1/32 t-{kind}\n");
        }
        for port in ports {
            text += &format!("+g ipv4 {port}\n");
        }
        state(&text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_leads_where_it_says_and_its_inverse_leads_back(from in any_state(), to in any_state()) {
        let plan: Plan = diff(&from, &to).into_iter().collect();
        let mut memory = Memory::new(from.clone());
        let steps: Vec<_> = plan.steps().cloned().collect();
        prop_assert!(memory.apply(&steps).iter().all(|outcome| outcome.is_done()));
        prop_assert_eq!(&memory.state, &to);
        let undo: Vec<_> = plan.inverse().steps().cloned().collect();
        prop_assert!(memory.apply(&undo).iter().all(|outcome| outcome.is_done()));
        prop_assert_eq!(&memory.state, &from);
    }

    #[test]
    fn a_state_survives_its_json(any in any_state()) {
        let text = serde_json::to_string(&any).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), any);
    }
}
