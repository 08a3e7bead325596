//! Files that run as root.

use crate::support::{Playground, WEB, chmod};

#[test]
fn what_others_can_write_is_refused() {
    let here = Playground::new();
    let file = here.policy("web", WEB);
    chmod(&file, 0o666);
    let ended = here.run(&["start", "web"]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!(ended.err);
    chmod(&file, 0o644);
    chmod(&here.policies(), 0o775);
    let ended = here.run(&["start", "web"]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!(ended.err);
    chmod(&here.policies(), 0o1777);
    let ended = here.run(&["run", &file.to_string_lossy()]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("a folder of your own"), "{}", ended.err);
    assert!(here.bytes().is_empty());
}

/// A module is code as the policy is.
#[test]
fn what_others_can_write_is_not_required() {
    let here = Playground::new();
    here.policy("web", &format!("local roll = require 'roll'\n{WEB}"));
    let module = here.policy("roll", "return {}");
    here.run(&["plan", "web"]).ok();
    chmod(&module, 0o666);
    let ended = here.run(&["plan", "web"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("web.lua:1: "), "{}", ended.err);
    assert!(ended.err.contains("roll.lua can be written by its group and everyone"), "{}", ended.err);
}

#[test]
fn links_are_followed() {
    let here = Playground::new();
    let elsewhere = here.policies().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    std::fs::write(elsewhere.join("real.lua"), WEB).expect("a file");
    chmod(&elsewhere, 0o777);
    std::os::unix::fs::symlink(elsewhere.join("real.lua"), here.policies().join("web.lua")).expect("a link");
    let ended = here.run(&["plan", "web"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("chmod go-w ROOT/etc/elsewhere"), "{}", ended.err);
}

#[test]
fn state_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let mode =
        |path: std::path::PathBuf| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(here.state()), 0o700);
    assert_eq!(mode(here.state().join("web.json")), 0o600);
    assert_eq!(mode(here.state().join("web.lock")), 0o600);
}
