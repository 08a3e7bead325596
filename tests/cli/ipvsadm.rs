//! `lvsh ipvsadm` on a machine in memory: messages, exit codes, what is listed and saved, and that what is refused
//! changes nothing. `tests/kernel/compat` runs the same lines and files beside Debian's ipvsadm.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Ended, Playground};

const LINES: &str = include_str!("ipvsadm/lines.txt");
const RULES: &str = include_str!("ipvsadm/rules.txt");

/// What the lines and files that are refused find.
const BEFORE: &str = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";

fn ipvsadm(here: &Playground, line: &str) -> Ended {
    let words: Vec<&str> = ["ipvsadm"].into_iter().chain(line.split_whitespace()).collect();
    here.run(&words)
}

fn restore(here: &Playground, words: &[&str], rules: &str) -> Ended {
    let mut command = here.command(words);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("piped").write_all(rules.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("an end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn prepared() -> Playground {
    let here = Playground::new();
    assert_eq!(restore(&here, &["ipvsadm", "-R"], BEFORE).code, 0);
    here
}

/// Names and texts of the save files.
fn files() -> Vec<(&'static str, String)> {
    RULES
        .split("=== ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(n, t)| (n, t.to_string()))
        .collect()
}

#[test]
fn wrong_command_lines_are_refused_and_explained() {
    let here = prepared();
    let before = here.bytes();
    let mut all = String::new();
    for line in LINES.lines() {
        let ended = ipvsadm(&here, line);
        assert_ne!(ended.code, 0, "{line}: {}", ended.all());
        assert_eq!(ended.out, "", "{line}");
        assert_eq!(here.bytes(), before, "{line}");
        all.push_str(&format!("$ ipvsadm {line}\nexit {}\n{}\n", ended.code, ended.err));
    }
    assert!(LINES.lines().count() >= 60);
    insta::assert_snapshot!(all);
}

#[test]
fn wrong_save_files_change_nothing() {
    let here = prepared();
    let before = here.bytes();
    let mut all = String::new();
    for (name, rules) in files() {
        let ended = restore(&here, &["ipvsadm", "-R"], &rules);
        assert_ne!(ended.code, 0, "{name}: {}", ended.all());
        assert_eq!(here.bytes(), before, "{name}");
        assert!(ended.err.starts_with("stdin:"), "{name} names no line: {}", ended.err);
        all.push_str(&format!("=== {name}: exit {}\n{}\n", ended.code, ended.err));
    }
    assert!(files().len() >= 40);
    insta::assert_snapshot!(all);
}

const MACHINE: &str = "\
--set 600 60 120
--start-daemon backup --mcast-interface eth1 --syncid 7 --mcast-group ff02::81
-A -t 192.0.2.1:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1 -x 100 -y 50
-a -t 192.0.2.1:80 -r 10.0.0.2:80 -g -w 0
-A -u 192.0.2.1:53 -s rr -o
-a -u 192.0.2.1:53 -r 10.0.0.1:5353 -m -w 70000
-A --sctp-service [2001:db8::1]:9 -s wlc
-A -f 4294967295 -6 -s wlc -p 360 -M 64 --pe sip
-a -f 4294967295 -6 -r [2001:db8::9]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum -x 5 -y 0
-a -f 4294967295 -6 -r [2001:db8::a]:0 -i -w 1 --tun-type gre --tun-nocsum
";

#[test]
fn what_is_saved_is_what_is_restored() {
    let here = Playground::new();
    assert_eq!(restore(&here, &["ipvsadm", "-R"], MACHINE).all(), "exit 0\n--- stdout\n--- stderr\n");
    let saved = ipvsadm(&here, "-Sn");
    let again = Playground::new();
    restore(&again, &["ipvsadm", "-R"], &saved.out).ok();
    assert_eq!(again.bytes(), here.bytes());
    insta::assert_snapshot!(saved.all());
    insta::assert_snapshot!("as_ipvsadm_saves_it", ipvsadm(&here, "-Sn --strict-compat").all());
}

#[test]
fn listings() {
    let here = Playground::new();
    restore(&here, &["ipvsadm", "-R"], MACHINE).ok();
    let mut all = String::new();
    for line in [
        "-Ln",
        "",
        "-Ln -u 192.0.2.1:53",
        "-Ln --stats",
        "-Ln --rate --exact",
        "-Ln --thresholds",
        "-Ln --persistent-conn",
        "-Ln --tun-info",
        "-L --timeout",
        "-L --daemon",
        "-Lc --persistent-conn",
    ] {
        all.push_str(&format!("$ ipvsadm {line}\n{}", ipvsadm(&here, line).ok().out));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn help_and_version() {
    let here = Playground::new();
    assert_eq!(
        ipvsadm(&here, "-v").ok().out,
        "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"
    );
    let plain = ipvsadm(&here, "--help --strict-compat").ok().out;
    let more = ipvsadm(&here, "-h").ok().out;
    let added = more.strip_prefix(&plain).expect("ipvsadm's own help comes first");
    insta::assert_snapshot!(added);
}

#[test]
fn strict_restores_go_line_by_line() {
    let here = prepared();
    let words = ["ipvsadm", "-R", "--strict-compat"];
    // A refusal is said, the next line is read, and the last one decides.
    let ended = restore(&here, &words, "-A -t 10.0.0.1:80\n-A -t 10.0.0.2:80\n");
    assert_eq!(ended.all(), "exit 0\n--- stdout\n--- stderr\nService already exists\n");
    // What cannot be read ends it; what stands before stays.
    let ended = restore(&here, &words, "-A -t 10.0.0.3:80\n-A -t 10.0.0.4:80 -w 1\n-A -t 10.0.0.5:80\n");
    assert_eq!(ended.code, 2);
    assert_eq!(ended.err, "Illegal 'weight' option with the 'add-service' command\n");
    let ended = restore(&here, &words, "# the rules\n-A -t 10.0.0.5:80\n");
    assert_eq!(ended.code, 255);
    let list = ipvsadm(&here, "-Sn").out;
    let services: Vec<&str> = list.lines().filter(|line| line.starts_with("-A")).collect();
    assert_eq!(services.len(), 3, "{list}");
}

#[test]
fn a_dry_run_shows_and_sends_nothing() {
    let here = prepared();
    let before = here.bytes();
    let mut all = String::new();
    for line in ["-E -t 10.0.0.1:80 --dry-run", "-C --dry-run", "-D -t 10.0.0.9:80 --dry-run", "-Z --dry-run"]
    {
        let ended = ipvsadm(&here, line);
        all.push_str(&format!("$ ipvsadm {line}\n{}\n", ended.all()));
    }
    let ended = restore(&here, &["-n", "ipvsadm", "-R"], "-C\n-A -f 3 -s rr\n");
    all.push_str(&format!("$ ipvsadm -R --dry-run\n{}", ended.all()));
    assert_eq!(here.bytes(), before);
    insta::assert_snapshot!(all);
}

#[test]
fn called_by_its_name() {
    let here = Playground::new();
    let link = here.root().join("ipvsadm");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lvsh"), &link).expect("a link");
    let output =
        std::process::Command::new(&link).args(["-h", "--strict-compat"]).output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("  {} -A|E virtual-service", link.display())), "{text}");
    // Without IPVS and without rights ipvsadm ends with 2, whatever it was asked for.
    let output =
        std::process::Command::new(&link).arg("-Ln").env("PATH", "/nowhere").output().expect("the program");
    assert!([Some(0), Some(2)].contains(&output.status.code()), "{output:?}");
}

#[test]
fn documents() {
    let here = prepared();
    let list = here.run(&["--json", "ipvsadm", "-Sn"]).ok().json();
    assert_eq!(list["output"], BEFORE);
    let wrong = here.run(&["--json", "ipvsadm", "-A", "-t", "10.0.0.1:80"]);
    assert_eq!(wrong.code, 255);
    assert_eq!(wrong.json()["error"]["code"], "EEXIST");
}
