//! Policies: declared, by hand, and how they load.

use super::*;

const SEED: &str = include_str!("../../../examples/web.lua");
const IMPERATIVE: &str = include_str!("../../../examples/web-imperative.lua");
const PERSISTENCE: &str = include_str!("../../../examples/persistence.lua");

#[test]
fn declared_and_imperative_seed_give_the_same_plan() {
    let (one, _) = staged(SEED, &["start"]).expect("the declared seed");
    let (two, _) = staged(IMPERATIVE, &["start"]).expect("the imperative seed");
    let plan = steps(&one);
    assert_eq!(
        plan,
        [
            "add service fwm:3",
            "add server fwm:3 192.168.1.107",
            "add server fwm:3 192.168.1.109",
            "add mark 3 for ip daddr 192.168.1.99 tcp dport 80",
            "add mark 3 for ip daddr 192.168.1.99 tcp dport 443",
            "add vip 192.168.1.99/32 dev eth0",
        ]
    );
    assert_eq!(plan, steps(&two));
    assert!(one.plan().actions.iter().all(|action| action.origin.is_some()), "{:?}", one.plan());
}

#[test]
fn stop_is_the_reverse_of_start() {
    for text in [SEED, PERSISTENCE] {
        let (mut started, _) = staged(text, &["start"]).expect("a start");
        let plan = started.plan();
        let owned = started.owned_after();
        started.commit(&plan).expect("a commit");
        let state = started.actual().clone();
        let session =
            Session::new(Box::new(Memory::new(state)), Box::new(NoJournal), Mode::Staged, Owned::default());
        let (_dir, path) = file("web.lua", text);
        let mut engine = engine();
        let (session, loaded) = engine.run(session.holding(owned), Job::Load(path));
        loaded.expect("a policy");
        let job = Job::Call { method: "stop".into(), args: serde_json::Value::Null };
        let (mut session, answer) = engine.run(session, job);
        answer.expect("a stop");
        let plan = session.plan();
        session.commit(&plan).expect("a commit");
        let mut left = session.actual().clone();
        left.sysctls.clear();
        assert_eq!(left, crate::model::State::default());
        assert!(!plan.is_empty());
    }
}

#[test]
fn what_is_in_the_way_is_a_conflict_unless_adopted() {
    let (mut first, _) =
        staged("return lvs.policy { name = 'a', service = { fwmark = 3, scheduler = 'rr' } }", &["start"])
            .expect("a start");
    let plan = first.plan();
    first.commit(&plan).expect("a commit");
    let make = || {
        Session::new(
            Box::new(Memory::new(first.actual().clone())),
            Box::new(NoJournal),
            Mode::Staged,
            Owned::default(),
        )
    };
    let (_dir, path) =
        file("web.lua", "\nreturn lvs.policy {\n  service = { fwmark = 3, scheduler = 'sh' },\n}");
    let mut engine = engine();
    let (session, loaded) = engine.run(make(), Job::Load(path));
    assert_eq!(loaded.expect("a policy").loaded.map(|loaded| loaded.name), Some("web".to_string()));
    let (session, answer) =
        engine.run(session, Job::Call { method: "start".into(), args: serde_json::Value::Null });
    let error = answer.expect_err("a conflict");
    assert_eq!((error.kind, error.code.as_str()), (Kind::Conflict, "conflict"));
    assert_eq!(error.origin.map(|origin| origin.line), Some(3));
    for (method, args) in
        [("start", serde_json::json!({ "adopt": true })), ("apply", serde_json::Value::Null)]
    {
        let (_, answer) = engine.run(make(), Job::Call { method: method.into(), args });
        answer.expect(method);
    }
    drop(session);
}

#[test]
fn hooks_and_replaced_methods() {
    let text = "return lvs.policy { name = 'web', service = { fwmark = 3 },
      start = function(self, args) lvs.add_mark { mark = 9, daddr = '192.0.2.1' } self:default_start(args) end,
      on_start = function(self) lvs.status('up', self.name) end }";
    let (session, answer) = staged(text, &["start"]).expect("a start");
    assert_eq!(answer.status, Some(("up".into(), "web".into())));
    assert_eq!(steps(&session), ["add service fwm:3", "add mark 9 for ip daddr 192.0.2.1"]);
    let (_, answer) = staged(text, &["status"]).expect("a status");
    assert_eq!(answer.returned[0]["state"], "down");
    let (_, answer) = staged(text, &["start", "plan"]).expect("a plan");
    assert_eq!(answer.returned[0]["count"], 2);
    let error = staged(text, &["strat"]).err().expect("an error");
    assert_eq!(error.message, "policy 'web' has no method 'strat'");
    assert_eq!(fault("lvs.policy { name = 'x' }:strat()").message, "a policy has no method 'strat'");
}

#[test]
fn loading_has_no_effects_and_ends() {
    let error = load("lvs.add_service { fwmark = 3 }").expect_err("an error");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("no_effects", "effects are not allowed while a policy loads")
    );
    assert_eq!(error.hint.as_deref(), Some("put this in start()"));
    assert_eq!(error.origin.map(|origin| origin.line), Some(1));
    assert_eq!(
        load("local x = 1").err().map(|error| error.message).as_deref(),
        Some(
            "policy file returned nothing; end it with return lvs.policy { … } or a table with start and stop"
        )
    );
    assert!(load("return 7").is_err());
    // Reading is allowed.
    assert!(load("assert(lvs.sysctl 'conntrack' == 0) return lvs.policy { }").is_ok());
    assert_eq!(
        load("lvs.sysctl('conntrack', 1)").err().map(|error| error.code).as_deref(),
        Some("no_effects")
    );
    assert_eq!(
        load("return { start = function() end }").err().map(|error| error.message).as_deref(),
        Some("the policy's table has no function 'stop'; a policy needs start and stop")
    );
    assert!(load("return lvs.policy { name = 'a b' }").is_err());
    assert_eq!(
        load("return lvs.policy { helth = {} }").err().map(|error| error.message).as_deref(),
        Some("unknown field 'helth' in a policy")
    );
    let error =
        load("return lvs.policy { service = { { fwmark = 3 }, { fwmark = 3 } } }").expect_err("an error");
    assert_eq!(error.message, "service fwm:3 is declared twice");
}

#[test]
fn a_loop_at_load_is_ended() {
    let begin = Instant::now();
    let error = load("while true do end").expect_err("an error");
    assert_eq!((error.kind, error.code.as_str()), (Kind::Script, "timeout"));
    assert!(begin.elapsed() < Duration::from_secs(7));
}

#[test]
fn loaded_tells_what_there_is() {
    let loaded = load(SEED).expect("a policy");
    assert_eq!((loaded.name.as_str(), loaded.declared), ("web", true));
    assert_eq!(loaded.methods, ["start", "stop", "apply", "status", "plan", "check"]);
    assert_eq!(loaded.desired.expect("a state").services.len(), 1);
    let loaded = load(IMPERATIVE).expect("a policy");
    assert_eq!((loaded.name.as_str(), loaded.declared), ("web-imperative", false));
    assert_eq!(loaded.methods, ["start", "stop"]);
}

/// A policy of `services` services with ten servers each, made by a loop, and written out.
fn big(services: usize) -> [String; 2] {
    let made = format!(
        "local list = {{}}\nfor i = 1, {services} do\n  local servers = {{}}\n  for j = 1, 10 do\n    servers[j] = {{ addr = ('10.%d.%d.%d'):format(i // 250, i % 250, j), method = 'dr', weight = j }}\n  end\n  list[i] = {{ fwmark = i, scheduler = 'sh', flags = {{ 'sh-fallback' }}, servers = servers }}\nend\nreturn lvs.policy {{ name = 'big', service = list }}\n"
    );
    let mut written = "return lvs.policy {\n  name = 'big',\n  service = {\n".to_string();
    for i in 1..=services {
        written +=
            &format!("    {{ fwmark = {i}, scheduler = 'sh', flags = {{ 'sh-fallback' }}, servers = {{\n");
        for j in 1..=10 {
            let (a, b) = (i / 250, i % 250);
            written += &format!("      {{ addr = '10.{a}.{b}.{j}', method = 'dr', weight = {j} }},\n");
        }
        written += "    } },\n";
    }
    written += "  },\n}\n";
    [made, written]
}

#[test]
fn big_policies() {
    for text in big(200) {
        let loaded = load(&text).expect("a policy");
        let desired = loaded.desired.expect("a state");
        assert_eq!(desired.services.values().map(|entry| entry.servers.len()).sum::<usize>(), 2000);
    }
}
