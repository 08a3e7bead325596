//! Ending scripts that do not end.

use super::*;

/// Runs code that would not end, sets the flag after a moment; how long it took, and what came of it.
fn stopped(code: &str) -> (Duration, Error) {
    let cancel = Cancel::new(None);
    let mut engine = Engine::new(Limits::default(), cancel.clone()).expect("an engine");
    let flag = cancel.flag();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let begin = Instant::now();
    let (_, answer) = engine.run(session(Mode::Live), Job::Eval { code: code.to_string() });
    setter.join().expect("a thread");
    (begin.elapsed(), answer.expect_err("an error"))
}

#[test]
fn loops_are_interrupted() {
    for code in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "coroutine.wrap(function() while true do end end)()",
        "lvs.transaction(function() lvs.add_service { fwmark = 3 } while true do end end)",
        "lvs.plan(function() while true do end end)",
    ] {
        let (time, error) = stopped(code);
        assert_eq!(
            (error.kind, error.code.as_str()),
            (Kind::Interrupted, "interrupted"),
            "{code}: {error:?}"
        );
        assert!(time < Duration::from_millis(900), "{code}: {time:?}");
        assert_eq!(error.exit_code(), 130);
    }
}

#[test]
fn a_c_function_is_given_up() {
    let (time, error) = stopped(
        "return string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40) .. 'b')",
    );
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(time > Duration::from_millis(900) && time < Duration::from_secs(3), "{time:?}");
}

#[test]
fn the_deadline_ends_a_run() {
    let cancel = Cancel::new(Some(Instant::now() + Duration::from_millis(50)));
    let mut engine = Engine::new(Limits::default(), cancel).expect("an engine");
    let (session, answer) = engine.run(session(Mode::Live), Job::Eval { code: "while true do end".into() });
    let error = answer.expect_err("an error");
    assert_eq!((error.kind, error.exit_code()), (Kind::Timeout, 124));
    // What follows is over at once.
    let (_, answer) = engine.run(session, Job::Eval { code: "while true do end".into() });
    assert_eq!(answer.err().map(|error| error.kind), Some(Kind::Timeout));
}

#[test]
fn memory_is_limited_and_the_vm_goes_on() {
    let mut engine = engine();
    let job = Job::Eval { code: "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end".into() };
    let (session, answer) = engine.run(session(Mode::Live), job);
    assert_eq!(
        answer.err().map(|error| error.message),
        Some("out of memory: a script may use 64 MiB".to_string())
    );
    let (_, answer) = engine.run(session, Job::Eval { code: "1 + 1".into() });
    assert_eq!(answer.expect("a value").values[0].lua, "2");
}

/// Records have finalizers, without which what they take stays taken.
#[test]
fn records_that_a_few_instructions_ask_for_are_collected() {
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let mut engine = Engine::new(limits, Cancel::new(None)).expect("an engine");
    let code = "for port = 1, 200 do lvs.add_service { tcp = '10.0.0.1:' .. port, scheduler = 'rr' } end";
    let (session, answer) = engine.run(session(Mode::Live), Job::Eval { code: code.to_string() });
    answer.expect("services");
    let code = "for _ = 1, 1000 do lvs.services() end return #lvs.services()";
    let (_, answer) = engine.run(session, Job::Eval { code: code.to_string() });
    assert_eq!(answer.expect("room enough").values[0].lua, "200");
}
