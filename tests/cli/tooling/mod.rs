//! help, types, schema, man, completions: what is made from the registry, as outside programs read it.

mod shells;
mod validate;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Ended, Playground};

/// An outside program. Where it is not installed a test says so, and fails when all are to run (`tests/run` has
/// installed them then).
pub fn program(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(home.map(|home| home.join("bin")));
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()));
    if found.is_none() {
        assert!(std::env::var_os("LVSH_LAB").is_none(), "{name} is missing; tests/run installs it");
        eprintln!("SKIPPED: {name} is not installed");
    }
    found
}

/// What a program says of a text.
pub fn output(command: &mut Command, stdin: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), stdin.as_bytes()).expect("it reads");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("an end");
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.success(), text)
}

fn examples() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).expect("examples").map(|entry| entry.expect("an example").path());
    let lua = files.filter(|path| path.extension().is_some_and(|extension| extension == "lua"));
    let mut all: Vec<_> = lua.map(|path| (path.clone(), fs::read_to_string(&path).expect("text"))).collect();
    all.sort();
    assert!(all.len() >= 3, "{all:?}");
    all
}

fn at_width(here: &Playground, width: &str, words: &[&str]) -> Ended {
    let Output { status, stdout, stderr } =
        here.command(words).env("COLUMNS", width).output().expect("the program");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: status.code().unwrap_or(-1), out: text(&stdout), err: text(&stderr) }
}

#[test]
fn help_knows_verbs_functions_tables_and_fields() {
    let here = Playground::new();
    assert!(here.run(&["help", "start"]).ok().out.starts_with(&here.run(&["start", "--help"]).ok().out));
    assert!(here.run(&["help"]).ok().out.contains(&here.run(&["--help"]).ok().out));
    let names = ["add_server", "server.weight", "plan spec", "mark record"];
    assert_eq!(here.run(&["help", names[2]]).code, 2);
    for width in ["80", "60"] {
        let pages =
            [names[0], names[1], names[3]].map(|name| at_width(&here, width, &["help", name]).ok().out);
        for line in pages.iter().flat_map(|page| page.lines()) {
            assert!(line.chars().count() <= width.parse().expect("a width"), "{line}");
        }
        insta::assert_snapshot!(format!("help_at_{width}"), pages.join("\n"));
    }
    // Words need no quotes.
    assert_eq!(here.run(&["help", "mark", "record"]).ok().out, here.run(&["help", "mark record"]).ok().out);
    let both = here.run(&["help", "plan"]).ok().out;
    assert!(both.contains("lvsh plan") && both.contains("lvsh help lvs.plan"), "{both}");
    let all = here.run(&["help", "lvs"]).ok().out;
    assert!(all.contains("service:set_weights(weights)"), "{all}");
    let page = here.run(&["help", "--json", "set_weights"]).ok().json();
    assert_eq!(page["topic"]["name"], "service:set_weights");
    assert_eq!(page["topic"]["parts"][0][0]["label"], "weights");
}

#[test]
fn help_for_what_is_not_there_says_what_is_near() {
    let here = Playground::new();
    for (wrong, hint) in
        [("strat", "did you mean 'start'?"), ("add_servce", "did you mean 'lvs.add_service'?")]
    {
        let ended = here.run(&["help", wrong]);
        assert_eq!(ended.code, 2, "{}", ended.all());
        assert!(ended.err.contains(&format!("there is no help for '{wrong}'")), "{}", ended.err);
        assert!(ended.err.contains(hint), "{}", ended.err);
    }
}

#[test]
fn types_are_written_and_nothing_else_is_overwritten() {
    let here = Playground::new();
    let dir = here.policies();
    let ended = here.run(&["types"]).ok();
    assert_eq!(ended.out, "ROOT/etc/lvs.lua\nROOT/etc/.luarc.json\n");
    insta::assert_snapshot!(fs::read_to_string(dir.join(".luarc.json")).expect("settings"));
    let first = fs::read_to_string(dir.join("lvs.lua")).expect("stubs");
    assert!(first.starts_with("---@meta lvs\n"), "{first}");
    here.run(&["types"]).ok();
    // Older ones of ours are replaced.
    fs::write(dir.join("lvs.lua"), "---@meta lvs\n-- Made by lvsh types (lvsh 0.0.1)\n").expect("a file");
    here.run(&["types"]).ok();
    assert_eq!(fs::read_to_string(dir.join("lvs.lua")).expect("stubs"), first);
    // Someone's own are not, and then nothing is written.
    let own = "{ \"runtime.version\": \"Lua 5.4\" }";
    fs::write(dir.join(".luarc.json"), own).expect("a file");
    fs::remove_file(dir.join("lvs.lua")).expect("gone");
    let ended = here.run(&["types"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(
        ended.err.contains("ROOT/etc/.luarc.json is there and was not written by lvsh types"),
        "{}",
        ended.err
    );
    assert_eq!(fs::read_to_string(dir.join(".luarc.json")).expect("settings"), own);
    assert!(!dir.join("lvs.lua").exists());
    // A dry run writes nothing either; a folder is made; with the whole library, nothing of it is hidden.
    let other = here.root().join("other/folder");
    let place = other.to_string_lossy().into_owned();
    here.run(&["types", "-n", &place]).ok();
    assert!(!other.exists());
    here.run(&["types", "--stdlib", "full", &place]).ok();
    let settings: Value =
        serde_json::from_str(&fs::read_to_string(other.join(".luarc.json")).expect("settings"))
            .expect("JSON");
    assert_eq!(settings["runtime.builtin"], json!({}));
}

/// Lua that is wrong in one way each, and what a checker calls it.
const WRONG: [(&str, &str); 6] = [
    ("lvs.get_servce { fwmark = 3 }", "undefined-field"),
    ("lvs.add_service { fwmark = \"3\" }", "assign-type-mismatch"),
    ("lvs.add_vip { addr = \"192.0.2.1\" }", "missing-fields"),
    ("lvs.add_service { fwmark = 3, flags = { \"sh-falback\" } }", "assign-type-mismatch"),
    ("local web = lvs.get_service { fwmark = 3 } if web then print(web.schedler) end", "undefined-field"),
    ("lvs.set_timeouts \"10m\"", "param-type-mismatch"),
];

#[test]
fn examples_check_clean_with_a_lua_language_checker() {
    let Some(checker) = program("emmylua_check") else { return };
    let here = Playground::new();
    let folder = here.policies();
    here.run(&["types"]).ok();
    for (path, text) in examples() {
        fs::write(folder.join(path.file_name().expect("a name")), text).expect("a file");
    }
    let check = |format: &str| {
        let mut command = Command::new(&checker);
        output(command.args(["--warnings-as-errors", "--output-format", format]).arg(&folder), "")
    };
    let (clean, said) = check("text");
    assert!(clean, "{said}");
    // And it would have said so.
    for (at, (code, _)) in WRONG.iter().enumerate() {
        fs::write(folder.join(format!("wrong{at}.lua")), code).expect("a file");
    }
    let (clean, said) = check("json");
    let begin = said.find('[').expect("a list");
    let mut documents = serde_json::Deserializer::from_str(&said[begin..]).into_iter::<Value>();
    let found = documents.next().expect("a document").expect("JSON");
    assert!(!clean);
    for (at, (code, rule)) in WRONG.iter().enumerate() {
        let name = format!("wrong{at}.lua");
        let of_file = |file: &&Value| file["file"].as_str().is_some_and(|path| path.ends_with(&name));
        let file = found.as_array().expect("a list").iter().find(of_file);
        let diagnostics = file.and_then(|file| file["diagnostics"].as_array()).expect(code);
        assert!(diagnostics.iter().any(|one| one["code"] == *rule), "{code}: {diagnostics:?}");
    }
}

#[test]
fn policies_of_the_examples_conform_to_the_schema() {
    let here = Playground::new();
    let schema: Value = serde_json::from_str(&here.run(&["schema"]).ok().out).expect("a schema");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut policies = 0;
    for (path, text) in examples() {
        if !text.contains("return lvs.policy {") {
            continue;
        }
        // What the file gives to lvs.policy, as JSON.
        let table = format!(
            "return load([==[\n{text}]==], \"example\", \"t\", {{ lvs = {{ policy = function(spec) return spec end }}, \
             ipairs = ipairs, table = table }})()"
        );
        let mut policy = here.run(&["eval", "--json", &table]).ok().json()["values"][0].take();
        for hook in ["on_start", "on_stop", "start", "stop", "status", "weight", "on_change"] {
            policy.as_object_mut().expect("a table").remove(hook);
        }
        let wrong = validate::errors(&schema, &policy);
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        policies += 1;
        // What is not in the API is not in the schema.
        policy["weihgt"] = json!(1);
        assert!(!validate::errors(&schema, &policy).is_empty());
    }
    assert!(policies >= 2);
    for wrong in [
        json!({ "name": 3 }),
        json!({ "service": { "fwmark": 0 } }),
        json!({ "service": [{ "fwmark": 3, "servers": [{ "weight": 1 }] }] }),
        json!({ "service": { "fwmark": 3, "servers": [{ "addr": "192.0.2.1", "method": "direct" }] } }),
        json!({ "service": { "tcp": "here:80" } }),
        json!({ "timeouts": { "tcp": "10 parsecs" } }),
        json!({ "vip": { "addr": "192.0.2.1" } }),
    ] {
        assert!(!validate::errors(&schema, &wrong).is_empty(), "{wrong}");
    }
    assert!(
        validate::errors(&schema, &json!({ "service": { "tcp": "[2001:db8::1]:80", "persistent": "10m" } }))
            .is_empty()
    );
    let server: Value = serde_json::from_str(&here.run(&["schema", "server"]).ok().out).expect("a schema");
    assert_eq!(server["required"], json!(["addr"]));
    let ended = here.run(&["schema", "sever"]);
    assert!(ended.code == 2 && ended.err.contains("did you mean 'server'?"), "{}", ended.all());
}

#[test]
fn every_page_of_the_manual_is_clean_roff() {
    let here = Playground::new();
    let dir = here.root().join("man");
    let place = dir.to_string_lossy().into_owned();
    let written = here.run(&["man", "--dir", &place]).ok().out;
    let verbs = here.run(&["--help"]).ok().out;
    let verbs =
        verbs.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut pages: Vec<String> = verbs
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| format!("man8/lvsh-{}.8", line.split_whitespace().next().expect("a verb")))
        .collect();
    let others =
        ["man8/lvsh.8", "man3/lvsh-lua.3", "man7/lvsh-from-keepalived.7", "man7/lvsh-from-ldirectord.7"];
    pages.extend(others.map(String::from));
    for page in &pages {
        assert!(written.contains(&format!("ROOT/man/{page}\n")), "{page} is not in\n{written}");
        let text = fs::read_to_string(dir.join(page)).expect("a page");
        let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH \"")).collect();
        let wanted: &[&str] = match &page[..4] {
            "man7" => &["NAME", "DESCRIPTION", "AN EXAMPLE", "SEE ALSO"],
            "man3" => &["NAME", "SYNOPSIS", "DESCRIPTION", "FUNCTIONS", "TABLES", "RECORDS", "ERRORS"],
            _ => &["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES"],
        };
        for part in wanted {
            assert!(parts.contains(&format!("{part}\"").as_str()), "{page} has no {part}");
        }
    }
    assert_eq!(written.lines().count(), pages.len());
    for (name, page) in [("lua", "man3/lvsh-lua.3"), ("lvsh-plan", "man8/lvsh-plan.8")] {
        assert_eq!(here.run(&["man", name]).ok().out, fs::read_to_string(dir.join(page)).expect("a page"));
    }
    let plan = fs::read_to_string(dir.join("man8/lvsh-plan.8")).expect("a page");
    for word in [
        "/etc/lvsh/NAME.lua",
        "/run/lvsh/",
        "/var/lib/lvsh/",
        "LVSH_CONFIG_DIR",
        "LVSH_STATE_DIR",
        "\\fB124\\fR",
    ] {
        assert!(plan.contains(word), "{word}");
    }
    let ended = here.run(&["man", "strat"]);
    assert!(ended.code == 2 && ended.err.contains("did you mean 'start'?"), "{}", ended.all());
    let Some(groff) = program("groff") else { return };
    for page in &pages {
        let text = fs::read_to_string(dir.join(page)).expect("a page");
        let mut command = Command::new(&groff);
        let (ok, said) = output(command.args(["-ww", "-man", "-Tutf8", "-Kutf8", "-z"]), &text);
        assert!(ok && said.is_empty(), "{page}: {said}");
    }
    let (ok, said) = output(Command::new(&groff).args(["-ww", "-man", "-Tutf8", "-z"]), ".NOSUCH\n.TH\n");
    assert!(!ok || !said.is_empty(), "groff says nothing of what is wrong");
}

/// Both sides of the examples for those who come from another program; the policy is checked, and starts.
#[test]
fn policies_of_those_who_come_from_elsewhere_are_right() {
    let here = Playground::new();
    for text in [
        include_str!("../../../src/cli/tooling/peers/keepalived.txt"),
        include_str!("../../../src/cli/tooling/peers/ldirectord.txt"),
    ] {
        let policies: Vec<&str> = text.split("```lua\n").skip(1).collect();
        assert!(!policies.is_empty() && text.contains("```conf\n"));
        for policy in policies {
            let policy = policy.split("```").next().expect("an end");
            let path = here.policies().join("web.lua");
            fs::write(&path, policy).expect("a file");
            let lint = here.run(&["lint", "web"]).ok();
            assert_eq!(lint.out, "web: no warnings\n", "{policy}\n{}", lint.all());
            here.run(&["start", "web"]).ok();
            here.run(&["stop", "web"]).ok();
        }
    }
}
