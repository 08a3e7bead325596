//! The wrong command lines and save files of `tests/cli/ipvsadm`, beside Debian's ipvsadm: the same exit codes, and the
//! table as it was.

use super::{Said, Side};
use crate::support::words;

const LINES: &str = include_str!("../../cli/ipvsadm/lines.txt");
const RULES: &str = include_str!("../../cli/ipvsadm/rules.txt");
const BEFORE: &str = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n";

fn restored(side: &mut Side, rules: &str) -> Said {
    side.program.run(&words("-R"), rules)
}

#[test]
fn wrong_command_lines() {
    needs!(ipvs);
    let (mut ours, mut theirs) = (Side::ours("ours"), Side::theirs("theirs"));
    for side in [&mut ours, &mut theirs] {
        assert_eq!(restored(side, BEFORE).code, 0);
    }
    let (before, proc) = (ours.table(), ours.proc());
    let mut troubles = Vec::new();
    for line in LINES.lines() {
        let (our, their) = (ours.program.run(&words(line), ""), theirs.program.run(&words(line), ""));
        assert_ne!(their.code, 0, "ipvsadm takes {line}");
        // `-b ,` and the like crash ipvsadm; none of these lines does.
        assert!(their.code < 128 || their.code == 255, "{line}: {}", their.code);
        if our.code != their.code {
            troubles.push(format!("{line}: {}, not {}: {}", our.code, their.code, our.text));
        }
        let strict = ours.program.run(&words(&format!("{line} --strict-compat")), "");
        if strict != their {
            troubles.push(format!("{line} --strict-compat: {strict:?}, not {their:?}"));
        }
        assert_eq!(ours.proc(), proc, "{line}");
    }
    assert_eq!(ours.table(), before);
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

#[test]
fn wrong_save_files() {
    needs!(ipvs);
    let (mut ours, mut theirs) = (Side::ours("ours"), Side::theirs("theirs"));
    assert_eq!(restored(&mut ours, BEFORE).code, 0);
    let (before, proc) = (ours.table(), ours.proc());
    let mut strict = Side::ours("strict");
    let mut troubles = Vec::new();
    for (name, rules) in RULES.split("=== ").skip(1).filter_map(|part| part.split_once('\n')) {
        theirs.clean();
        assert_eq!(restored(&mut theirs, BEFORE).code, 0);
        let (our, their) = (restored(&mut ours, rules), restored(&mut theirs, rules));
        // Where ipvsadm goes on after the bad line and forgets it, lvsh does not.
        let expected = if name.starts_with("middle_") { 0 } else { our.code };
        if their.code != expected || our.code == 0 {
            troubles.push(format!("{name}: {}, not {}: {}", our.code, their.code, our.text));
        }
        assert_eq!(ours.proc(), proc, "{name}");
        assert!(our.text.starts_with("stdin:"), "{name}: {}", our.text);
        // Line by line it is as ipvsadm has it, to the word.
        strict.clean();
        assert_eq!(restored(&mut strict, BEFORE).code, 0);
        let said = strict.program.run(&words("-R --strict-compat"), rules);
        if said != their || strict.proc() != theirs.proc() {
            troubles.push(format!("{name} --strict-compat: {said:?}, not {their:?}"));
        }
    }
    assert_eq!(ours.table(), before);
    assert!(troubles.is_empty(), "\n{}", troubles.join("\n"));
}

/// Only the kernel can say no here, when half of the rules are made: what is made is taken back.
#[test]
fn a_refusal_by_the_kernel_takes_all_back() {
    needs!(ipvs);
    let mut ours = Side::ours("ours");
    assert_eq!(restored(&mut ours, BEFORE).code, 0);
    let before = ours.table();
    let rules = "--set 60 60 60\n-D -t 10.0.0.1:80\n-A -t 10.0.0.2:80 -s rr\n-A -t 10.0.0.3:80 -s nosuch\n";
    let said = restored(&mut ours, rules);
    assert_eq!(said.code, 255, "{}", said.text);
    assert!(said.text.starts_with("stdin:4: ") && said.text.contains("'nosuch'"), "{}", said.text);
    assert!(said.text.contains("the system is as before"), "{}", said.text);
    assert_eq!(ours.table(), before);
}
