//! Errors: place, excerpt, caret, and what Lua can read of them.

use super::*;

#[test]
fn a_fault_has_line_excerpt_and_caret() {
    let text = "local M = {}\nlocal function add(web)\n  web:add_server {\n    addr   = '192.0.2.7',\n    wieght = 1,\n  }\nend\nfunction M.start()\n  local web = lvs.add_service { fwmark = 3 }\n  add(web)\n  return 1\nend\nfunction M.stop() end\nreturn M\n";
    let error = staged(text, &["start"]).err().expect("an error");
    assert_eq!(error.message, "unknown field 'wieght' in a server");
    assert_eq!(error.origin.expect("a place").line, 5);
    let excerpt = error.excerpt.expect("an excerpt");
    assert_eq!(excerpt.lines.last(), Some(&(5, "    wieght = 1,".to_string())));
    assert_eq!((excerpt.column, excerpt.width), (4, 6));
    assert_eq!(
        error.notes,
        ["fields: addr, method, weight, upper, lower, tunnel", "called from start(), line 10"]
    );
}

#[test]
fn a_policy_that_is_tail_called_has_its_line() {
    let error =
        load("return lvs.policy {\n  name = 'web',\n  service = { fwmark = 3,\n    schduler = 'sh' },\n}")
            .err();
    let error = error.expect("an error");
    assert_eq!(error.message, "unknown field 'schduler' in a service");
    let origin = error.origin.expect("a place");
    assert_eq!(origin.line, 4);
    assert!(origin.file.ends_with("web.lua"), "{}", origin.file);
}

#[test]
fn refusals_of_the_kernel() {
    let error = fault("lvs.add_service { fwmark = 3 }\nlvs.add_service { fwmark = 3 }");
    assert_eq!(error.message, "cannot add service fwm:3: it exists (EEXIST)");
    assert_eq!(error.origin.map(|origin| origin.line), Some(2));
    assert_eq!(error.notes, ["it has 0 servers and 0 active connections"]);
    let excerpt = error.excerpt.expect("an excerpt");
    assert_eq!((excerpt.column, excerpt.width), (0, "lvs.add_service".len()));
}

#[test]
fn errors_are_objects_in_lua() {
    let code = "local ok, e = pcall(lvs.set_service, { fwmark = 3 }, { scheduler = 'rr' }) \
                return ok, e.code, e.op, e.subject, e.errno, e.line, tostring(e), e.nothing";
    assert_eq!(
        value(code),
        "false, \"ESRCH\", \"set service\", \"fwm:3\", 3, 1, \"eval:1: cannot set service fwm:3: it does not exist \
         (ESRCH)\", nil"
    );
}

#[test]
fn errors_of_lua_itself() {
    let error = load("local t = {}\nlocal x = t.a.b\nreturn t").expect_err("an error");
    assert_eq!(error.message, "attempt to index a nil value (field 'a')");
    assert_eq!(error.origin.map(|origin| origin.line), Some(2));
    let excerpt = error.excerpt.expect("an excerpt");
    assert_eq!((excerpt.column, excerpt.width), (12, 1));

    let excerpt = fault("local t = nil; return t.x").excerpt.expect("an excerpt");
    assert_eq!((excerpt.column, excerpt.width), (22, 1));
    assert_eq!(fault("error {}").message, "a table without 'message' was raised as an error");

    let error = load("local x = = 1").expect_err("an error");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("syntax", "unexpected symbol near '='"));
    assert_eq!(error.origin.map(|origin| origin.line), Some(1));

    assert_eq!(fault("error('no', 0)").message, "no");
    assert_eq!(fault("error('no')").message, "no");
    assert_eq!(fault("error { code = 'mine', message = 'so' }").code, "mine");
    assert_eq!(fault("error()").message, "nil was raised as an error");
}

#[test]
fn deep_recursion_is_an_error() {
    let error = fault("function f(n) return 1 + f(n) end return f(1)");
    assert!(error.message.starts_with("stack overflow"), "{error}");
}

#[test]
fn unknown_names() {
    let error = load("local service = 1\nreturn { start = servce }").expect_err("an error");
    assert_eq!(error.message, "unknown name 'servce'  did you mean 'service'?");
    assert_eq!((error.code.as_str(), error.origin.map(|origin| origin.line)), ("unknown_name", Some(2)));
    assert_eq!(
        load("x = 1").err().map(|error| error.message),
        Some("unknown name 'x': only locals can be made; write local x".to_string())
    );
    assert_eq!(
        load("lvs.add_servce()").err().map(|error| error.message),
        Some("unknown name 'lvs.add_servce'  did you mean 'add_service'?".to_string())
    );
    assert_eq!(
        load("return add_service").err().map(|error| error.message),
        Some("unknown name 'add_service'  did you mean 'lvs.add_service'?".to_string())
    );
    // Expressions may make names, and they stay.
    assert_eq!(value("x = 3 return x"), "3");
}
