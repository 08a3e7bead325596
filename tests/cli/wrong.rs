//! Wrong policies and what is said of them: the messages are part of the product. Each names the place, the value
//! and the remedy, and leaves the machine as it was.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Playground, chmod};

/// Files of `tests/cli/wrong`, sorted.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/wrong");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "lua"));
    files.sort();
    files
}

#[test]
fn wrong_policies_are_explained() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("wrong");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut troubles = Vec::new();
    for file in files() {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let here = Playground::new();
        here.policy("web", &fs::read_to_string(&file).expect("a policy"));
        let ended =
            here.run(&["start", "--timeout", if name.contains("loops") { "500ms" } else { "20s" }, "web"]);
        let expected = match name.as_str() {
            "loops_while_loading" => 124,
            // Only the kernel knows what it has.
            "unknown_scheduler" | "unknown_sysctl" => 1,
            _ => 3,
        };
        if ended.code != expected {
            troubles.push(format!("{name}: {}", ended.all()));
        }
        if !here.bytes().is_empty() || here.state_files().iter().any(|name| !name.ends_with(".lock")) {
            troubles.push(format!("{name}: something was left: {:?}", here.state_files()));
        }
        let text = format!("exit {}\n{}{}", ended.code, ended.out, ended.err);
        let compare = || settings.bind(|| insta::assert_snapshot!(name.clone(), text));
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err() {
            troubles.push(format!("{name}: {}", ended.all()));
        }
    }
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

#[test]
fn files_that_cannot_be_read() {
    let here = Playground::new();
    let missing = here.run(&["start", "./etc/nothing.lua"]);
    assert_eq!(missing.code, 2);
    insta::assert_snapshot!(missing.err);
    let folder = here.run(&["start", "./etc/"]);
    assert_eq!(folder.code, 2, "{}", folder.all());
    let file = here.policy("web", "return {}");
    chmod(&file, 0);
    // Root reads everything, unless these two capabilities are taken away; others have none to take.
    let plain = here.command(&["start", "web"]);
    let mut less = std::process::Command::new("setpriv");
    if nix::unistd::geteuid().is_root() {
        less.arg("--bounding-set=-dac_override,-dac_read_search");
    }
    less.arg(plain.get_program())
        .args(plain.get_args())
        .envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let ended = less.current_dir(here.root()).output().expect("setpriv");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("permission denied (EACCES)"), "{said}");
}
