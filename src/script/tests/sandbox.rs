//! What a script cannot reach.

use super::*;

#[test]
fn what_a_policy_must_not_have_is_not_there() {
    for name in ["dofile", "loadfile", "io", "debug", "package", "collectgarbage"] {
        assert_eq!(fault(&format!("return {name}")).code, "unknown_name", "{name}");
    }
    for (code, message, hint) in [
        (
            "os.execute 'ls'",
            "os.execute is left out of",
            "lvs.exec runs a program; --stdlib full has os.execute",
        ),
        ("os.remove 'x'", "os.remove is left out of", "--stdlib full has it"),
        (
            "io.popen 'ls'",
            "io is left out of",
            "lvs.read_file reads a file, lvs.exec runs a program; --stdlib full has io",
        ),
        ("loadfile 'x'", "loadfile is left out of", "require loads a module; --stdlib full has loadfile"),
    ] {
        let error = fault(code);
        assert!(error.message.starts_with(message), "{error}");
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
    assert_eq!(value("string.dump, os.no_such_thing"), "nil, nil");
    assert_eq!(
        value("type(os.date), type(os.time()), type(os.clock()), os.getenv 'NO_SUCH_THING'"),
        "\"function\", \"number\", \"number\", nil"
    );
    assert_eq!(fault("os.exit(3)").code, "no_exit");
    assert_eq!(value("load('return 1 + 1')()"), "2");
    assert_eq!(value("(load('\\27Lua'))"), "nil");
    assert_eq!(value("require 'lvs' == lvs"), "true");
}

#[test]
fn modules_come_from_beside_the_policy() {
    let (dir, path) = file(
        "web.lua",
        "local roll = require 'lib.roll'\nassert(require 'lib.roll' == roll)\nreturn { start = roll.start, stop = roll.start }",
    );
    std::fs::create_dir(dir.path().join("lib")).expect("a directory");
    std::fs::write(dir.path().join("lib/roll.lua"), "return { start = function() return 7 end }")
        .expect("a module");
    let (session, answer) = engine().run(session(Mode::Staged), Job::Load(path.clone()));
    answer.expect("a policy");
    std::fs::write(dir.path().join("lib/roll.lua"), "local x = nil\nreturn x.y").expect("a module");
    let (session, answer) = engine().run(session, Job::Load(path.clone()));
    let error = answer.expect_err("an error");
    let origin = error.origin.expect("a place");
    assert!(origin.file.ends_with("lib/roll.lua") && origin.line == 2, "{origin}");
    std::fs::remove_file(dir.path().join("lib/roll.lua")).expect("gone");
    let error = engine().run(session, Job::Load(path)).1.expect_err("an error");
    assert_eq!(error.message, "no module 'lib.roll'");
    assert_eq!(fault("require '../x'").code, "bad_value");
}

#[test]
fn scripts_get_arguments_and_a_shebang_is_skipped() {
    let (_dir, path) = file(
        "do.lua",
        "#!/usr/bin/env -S lvsh run\nlocal a, b = ...\nlvs.status('degraded', b)\nlvs.log.warn('%d left', 1)\nreturn a, arg[2], nope and 1",
    );
    let job = Job::Run { path: path.clone(), args: vec!["x".into(), "y".into()] };
    let error = engine().run(session(Mode::Live), job).1.expect_err("an error");
    assert_eq!(error.origin.map(|origin| origin.line), Some(5));
    std::fs::write(&path, "#!/usr/bin/env -S lvsh run\nlocal a, b = ...\nlvs.status('degraded', b)\nlvs.log.warn('%d left', 1)\nreturn a, arg[2]").expect("a file");
    let job = Job::Run { path, args: vec!["x".into(), "y".into()] };
    let answer = engine().run(session(Mode::Live), job).1.expect("a run");
    assert_eq!(answer.status, Some(("degraded".into(), "y".into())));
    assert_eq!(answer.warnings, ["1 left"]);
    assert_eq!(answer.values.len(), 2);
}

#[test]
fn every_entry_is_bound_and_every_native_is_an_entry() {
    for entry in registry() {
        let place = match entry.owner() {
            "service" => "lvs.add_service { fwmark = 3 }".to_string(),
            "policy" => "lvs.policy { name = 'x' }".to_string(),
            "connections" => "lvs.connections()".to_string(),
            // Only in tests; tests of the program call all of them.
            "sim" => continue,
            owner => owner.to_string(),
        };
        let code = format!("local it = {place} return type(it.{})", entry.last());
        assert_eq!(value(&code), "\"function\"", "{}", entry.name);
        assert!(!entry.doc.is_empty() && !entry.example.is_empty(), "{}", entry.name);
        assert_eq!(
            value(&format!("type(load({:?}))", entry.example)),
            "\"function\"",
            "{}: {}",
            entry.name,
            entry.example
        );
        assert!(entry.signature().starts_with(entry.name));
    }
    let listed = value(
        "local out = {} for k in pairs(lvs) do out[#out + 1] = k end table.sort(out) return table.concat(out, ' ')",
    );
    for name in listed.trim_matches('"').split(' ') {
        assert!(
            ["log", "json"].contains(&name)
                || registry().iter().any(|entry| entry.name == format!("lvs.{name}")),
            "{name}"
        );
    }
}
