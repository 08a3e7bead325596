//! Ending a server's connections, and what becomes of the server when that does not go well.

use std::time::{Duration, Instant};

use lvsh::backend::{Backend, Memory};
use lvsh::error::{Error, Kind};
use lvsh::model::{ServerKey, ServerLive, ServiceKey, SysctlName};
use lvsh::plan::{Evicting, Mode, NoJournal, Owned, Session};

use crate::{state, table};

const GIVEN: &str =
    "+s fwm:3 sh p=600 ; +d fwm:3 10.0.0.2 tun w=7 u=90 l=10 t=gue:6080:1 ; +d fwm:3 10.0.0.3 dr w=1";

fn keys() -> (ServiceKey, ServerKey) {
    let step = table::steps("-d fwm:3 10.0.0.2").remove(0);
    match step {
        lvsh::plan::Step::DelServer { service, key, .. } => (service, key),
        other => panic!("{other:?}"),
    }
}

/// A server whose connections never end, because nothing but this number stands for them.
fn stubborn(mode: Mode) -> Session {
    let mut memory = Memory::new(state(GIVEN));
    memory.observed.servers.insert(keys(), ServerLive { active: 5, ..ServerLive::default() });
    Session::new(Box::new(memory), Box::new(NoJournal), mode, Owned::default())
}

fn as_before(session: &mut Session) {
    let (service, _) = keys();
    session.refresh(&service).expect("a look");
    assert_eq!(session.actual().services, state(GIVEN).services);
    let name = SysctlName::new("expire_nodest_conn").expect("a name");
    assert_eq!(session.actual().sysctls.get(&name).map(String::as_str), Some("0"));
    assert_eq!(session.sent(), [], "nothing is left to take back");
}

#[test]
fn what_does_not_end_in_time_is_told_and_the_server_is_back() {
    let mut session = stubborn(Mode::Live);
    let (service, server) = keys();
    let how = Evicting { limit: Duration::from_millis(300), stop: &|| None, origin: None };
    let error = session.evict(&service, &server, &how).expect_err("entries are left");
    assert_eq!(error.to_string(), "cannot evict fwm:3 10.0.0.2: 5 entries are left after 0.3 s");
    assert_eq!((error.kind, error.code.as_str()), (Kind::Refused, "timeout"));
    assert_eq!(error.aftermath.as_deref(), Some("the server and the sysctl are as before"));
    as_before(&mut session);
}

#[test]
fn who_stops_it_gets_the_server_back_at_once() {
    let mut session = stubborn(Mode::Live);
    let (service, server) = keys();
    let begun = Instant::now();
    let stop = || {
        let late = begun.elapsed() > Duration::from_millis(20);
        late.then(|| Error::new(Kind::Interrupted, "interrupted", "interrupted"))
    };
    let how = Evicting { limit: Duration::from_secs(60), stop: &stop, origin: None };
    let error = session.evict(&service, &server, &how).expect_err("stopped");
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    as_before(&mut session);
}

#[test]
fn a_plan_only_says_what_it_does_not_do() {
    let mut session = stubborn(Mode::Staged);
    let (service, server) = keys();
    let how = Evicting { limit: Duration::from_secs(60), stop: &|| None, origin: None };
    let gone = session.evict(&service, &server, &how).expect("a warning");
    assert_eq!(gone.connections, 0);
    assert_eq!(session.warnings, ["evict fwm:3 10.0.0.2: not simulated, nothing is ended"]);
    session.zero(Some(&service)).expect("a warning");
    assert_eq!(session.warnings.len(), 2);
    assert!(session.plan().is_empty());
}

#[test]
fn a_sealed_session_evicts_nothing() {
    let mut memory = Memory::new(state(GIVEN));
    assert!(memory.connection_table().is_ok_and(|mut table| table.next().is_none()));
    memory.observed.servers.insert(keys(), ServerLive::default());
    let mut session = Session::new(Box::new(memory), Box::new(NoJournal), Mode::Live, Owned::default());
    session.seal(Some("effects are not allowed here"));
    let (service, server) = keys();
    let how = Evicting { limit: Duration::from_secs(1), stop: &|| None, origin: None };
    assert_eq!(session.evict(&service, &server, &how).expect_err("sealed").code, "no_effects");
    session.seal(None);
    assert_eq!(session.evict(&service, &server, &how).expect("nothing to end").templates, 0);
    as_before(&mut session);
}
