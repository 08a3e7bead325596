//! The rules of the house, kept by a test: who may use whom, how long a file is, what does not belong here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms under `src/` and what each may use of the others. `main.rs` and `lib.rs` stand above the table.
const ROOMS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("error", &["model"]),
    ("plan", &["model", "error", "backend"]),
    ("backend", &["model", "error", "plan"]),
    ("kernel", &["model", "error", "plan", "backend"]),
    ("probe", &["model", "error"]),
    ("view", &["model", "error", "plan"]),
    ("script", &["model", "error", "plan", "backend", "probe", "view"]),
    ("cli", &["model", "error", "plan", "backend", "kernel", "probe", "view", "script"]),
];

/// Outside crates with one door each.
const DOORS: [(&str, &[&str]); 14] = [
    ("mlua", &["script"]),
    ("clap", &["cli"]),
    ("rustyline", &["cli"]),
    ("signal_hook", &["cli"]),
    ("comfy_table", &["view"]),
    ("nftables", &["view"]),
    ("serde_json", &["view", "script", "cli"]),
    ("rtnetlink", &["kernel"]),
    ("netlink_sys", &["kernel"]),
    ("netlink_packet_core", &["kernel"]),
    ("tokio", &["kernel", "probe"]),
    ("hyper", &["probe"]),
    ("tokio_rustls", &["probe"]),
    ("socket2", &["probe"]),
];

/// Lines of a source file; at 400 there is a second subject in it.
const LONGEST: usize = 400;

fn sources(root: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(root)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap();
                let short = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_path_buf();
                found.push((short, text));
            }
        }
    }
    assert!(!found.is_empty(), "no .{extension} under {root}");
    found.sort();
    found
}

/// `model` for `src/model/addr.rs` and `src/model.rs`.
fn room(path: &Path) -> String {
    let part = path.components().nth(1).expect("a file under src").as_os_str().to_string_lossy();
    part.trim_end_matches(".rs").to_string()
}

/// Whether this is a file of unit tests.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// Code without comments, and without the unit tests, which stand at the end of a file.
fn code(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let lines = lines.enumerate().map(|(number, line)| (number + 1, line.split("//").next().unwrap_or("")));
    lines.filter(|(_, line)| !line.trim().is_empty()).collect()
}

fn report(troubles: Vec<String>) {
    assert!(troubles.is_empty(), "\n{}\n", troubles.join("\n"));
}

/// Words that follow `prefix` in the line.
fn words_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = String> + 'a {
    line.match_indices(prefix).flat_map(move |(at, _)| {
        let before = line[..at].chars().next_back();
        let rest = &line[at + prefix.len()..];
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        let found: Vec<String> = match rest.strip_prefix('{') {
            _ if inside => Vec::new(),
            Some(list) => list.split(',').map(|item| word(item.trim())).collect(),
            None => vec![word(rest)],
        };
        found.into_iter().filter(|word| !word.is_empty())
    })
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = ROOMS.into();
    let mut troubles = Vec::new();
    for (path, text) in sources("src", "rs") {
        let room = room(&path);
        let Some(allowed) = table.get(room.as_str()) else { continue };
        for (number, line) in code(&text) {
            for used in words_after(line, "crate::") {
                if used != room && table.contains_key(used.as_str()) && !allowed.contains(&used.as_str()) {
                    troubles.push(format!(
                        "{}:{number}: {room} uses {used}: {}",
                        path.display(),
                        line.trim()
                    ));
                }
            }
        }
    }
    report(troubles);
}

#[test]
fn every_room_is_in_the_table() {
    let table: BTreeMap<_, _> = ROOMS.into();
    for (path, _) in sources("src", "rs") {
        let room = room(&path);
        let above = ["main", "lib"].contains(&room.as_str());
        assert!(above || table.contains_key(room.as_str()), "{} is in no room", path.display());
    }
}

#[test]
fn outside_crates_have_their_doors() {
    let mut troubles = Vec::new();
    for (path, text) in sources("src", "rs") {
        let room = room(&path);
        for (number, line) in code(&text) {
            for (name, doors) in DOORS {
                let at_start = |(at, _): (usize, &str)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                };
                let used = line.match_indices(&format!("{name}::")).any(at_start);
                if used && !doors.contains(&room.as_str()) {
                    troubles.push(format!("{}:{number}: {name} belongs to {doors:?}", path.display()));
                }
            }
        }
    }
    report(troubles);
}

#[test]
fn only_the_command_line_says_kernel() {
    let mut troubles = Vec::new();
    for (path, text) in sources("src", "rs") {
        let inside = ["kernel", "cli", "lib"].contains(&room(&path).as_str());
        for (number, line) in code(&text) {
            // `super::kernel`, a file of the script room, is something else.
            if !inside && words_after(line, "crate::").any(|word| word == "kernel") {
                troubles.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    report(troubles);
}

#[test]
fn files_have_one_subject() {
    let mut troubles = Vec::new();
    for root in ["src", "tests"] {
        for (path, text) in sources(root, "rs") {
            let lines = text.lines().count();
            if lines > LONGEST {
                troubles.push(format!("{} has {lines} lines", path.display()));
            }
        }
    }
    report(troubles);
}

#[test]
fn nothing_unfinished_and_no_panic_on_the_way() {
    let banned = ["todo!", "unimplemented!", "dbg!", ".unwrap()", "panic!(", "allow(dead_code"];
    let mut troubles = Vec::new();
    for (path, text) in sources("src", "rs").into_iter().filter(|(path, _)| !is_test(path)) {
        for (number, line) in code(&text) {
            for word in banned.iter().filter(|word| line.contains(*word)) {
                troubles.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    report(troubles);
}

/// A public item without a sentence is a room without a sign.
#[test]
fn every_file_says_what_it_is() {
    let silent = |(path, text): &(PathBuf, String)| {
        (!text.starts_with("//!")).then(|| format!("{} does not say what it is", path.display()))
    };
    let rust = sources("src", "rs").into_iter().chain(sources("tests", "rs"));
    report(rust.collect::<Vec<_>>().iter().filter_map(silent).collect());
}

/// The table of traps in `tests/README.md` is true: it has every trap, and each of its tests exists.
#[test]
fn every_trap_has_its_tests() {
    let mut known = String::new();
    for (root, extension) in [("src", "rs"), ("tests", "rs"), ("tests", "txt"), ("tests", "lua")] {
        for (path, text) in sources(root, extension) {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            known += &format!("\n{text}\nfile {name}\n");
        }
    }
    let (_, readme) =
        sources("tests", "md").into_iter().find(|(path, _)| path.ends_with("tests/README.md")).unwrap();
    let row = |line: &str| -> Option<(u32, String)> {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.trim().parse().ok()?, cells.nth(1)?.to_string()))
    };
    let rows: Vec<_> = readme.lines().filter_map(row).collect();
    assert_eq!(rows.iter().map(|(trap, _)| *trap).collect::<Vec<_>>(), (1..=32).collect::<Vec<_>>());
    let mut troubles = Vec::new();
    for (trap, tests) in rows {
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            troubles.push(format!("trap {trap} has no test"));
        }
        for name in names {
            let last = name.rsplit("::").next().unwrap_or(name);
            // A function, a row of the conformance table, or a policy that is refused.
            let forms = [format!("fn {last}("), format!("\n{last} "), format!("file {last}\n")];
            if !forms.iter().any(|form| known.contains(form)) {
                troubles.push(format!("trap {trap}: there is no {name}"));
            }
        }
    }
    report(troubles);
}
