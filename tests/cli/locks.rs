//! One run at a time.

use std::fs::File;
use std::io::Write;

use crate::support::{Playground, WEB};

fn held(here: &Playground) -> File {
    std::fs::create_dir_all(here.state()).expect("a folder");
    let mut file = File::create(here.state().join("web.lock")).expect("a file");
    file.lock().expect("a lock");
    file.write_all(b"4711\nlvsh start web\n").expect("a line");
    file
}

#[test]
fn who_holds_the_lock_is_told() {
    let here = Playground::new();
    here.policy("web", WEB);
    let lock = held(&here);
    let ended = here.run(&["start", "--lock", "fail", "web"]);
    assert_eq!(ended.code, 6);
    assert!(ended.err.contains("'web' is locked by pid N (lvsh start web)"), "{}", ended.err);
    let ended = here.run(&["start", "--lock", "skip", "-q", "web"]).ok();
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""));
    let plan = here.run(&["plan", "web"]).ok();
    assert!(plan.err.contains("is at work on it"), "{}", plan.err);
    assert!(here.bytes().is_empty());
    drop(lock);
    here.run(&["start", "--lock", "fail", "web"]).ok();
}

#[test]
fn waiting_goes_on_when_the_lock_is_free() {
    let here = Playground::new();
    here.policy("web", WEB);
    let lock = held(&here);
    let child = here.command(&["start", "web"]).stdout(std::process::Stdio::piped()).spawn().expect("it");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(here.bytes().is_empty());
    drop(lock);
    assert!(child.wait_with_output().expect("an end").status.success());
    assert!(!here.bytes().is_empty());
}
