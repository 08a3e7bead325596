//! `--json`: one document, always.

use crate::support::{Playground, WEB};

#[test]
fn every_verb_prints_one_document() {
    let here = Playground::new();
    here.policy("web", WEB);
    for words in [
        &["plan", "web"][..],
        &["start", "web"],
        &["status", "web"],
        &["list"],
        &["list", "--as", "lua"],
        &["lint", "web"],
        &["eval", "1"],
        &["restart", "web"],
        &["stop", "web"],
        &["status", "web"],
    ] {
        let ended = here.run(&[&["--json"], words].concat()).ok();
        assert!(ended.out.starts_with("{\n  \"format_version\": \"1.0\",\n"), "{words:?}: {}", ended.out);
        assert_eq!(ended.err, "", "{words:?}");
        assert_eq!(ended.json()["command"], words[0]);
        assert_eq!(ended.json()["ok"], true);
    }
}

#[test]
fn what_a_script_prints_is_not_in_the_document() {
    let here = Playground::new();
    let ended = here.run(&["--json", "eval", "print 'hello' return 2"]).ok();
    assert_eq!(ended.err, "hello\n");
    assert_eq!(ended.json()["values"][0], 2);
}

#[test]
fn a_start_as_a_document() {
    let here = Playground::new();
    here.policy("web", WEB);
    insta::assert_snapshot!(here.run(&["--json", "start", "web"]).ok().out);
    let list = here.run(&["--json", "list"]).ok();
    insta::assert_snapshot!(list.out);
}

#[test]
fn failures_are_documents_too() {
    let here = Playground::new();
    here.policy("web", &WEB.replace("weight = 1", "wieght = 1"));
    let ended = here.run(&["--json", "start", "web"]);
    assert_eq!(ended.code, 3);
    assert_eq!(ended.err, "");
    insta::assert_snapshot!(ended.out);
    for words in [&["--json", "start", "nothing"][..], &["--json", "strat", "web"]] {
        let ended = here.run(words);
        assert_eq!(ended.code, 2);
        assert_eq!(ended.json()["ok"], false);
        assert_eq!(ended.json()["error"]["exit_code"], 2);
    }
}
