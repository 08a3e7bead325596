//! Completion, asked of the shells themselves.

use std::process::Command;

use super::{output, program};
use crate::support::{Playground, WEB};

/// A playground with policies and the types beside them, which are no policy.
fn playground() -> Playground {
    let here = Playground::new();
    here.policy("web", WEB);
    here.policy("mail", WEB);
    here.run(&["types"]).ok();
    here
}

fn script(here: &Playground, shell: &str) -> String {
    here.run(&["completions", shell]).ok().out
}

#[test]
fn bash_completes_verbs_options_policies_and_names() {
    let Some(bash) = program("bash") else { return };
    let here = playground();
    let made = script(&here, "bash");
    let ask = |words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let last = words.len() - 1;
        let code = format!(
            "{made}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_lvsh_all lvsh '{}' '{}' 2> /dev/null\necho \"${{COMPREPLY[*]}}\"\n",
            quoted.join(" "),
            words[last],
            words[last - 1]
        );
        let mut command = Command::new(&bash);
        command.env("LVSH_CONFIG_DIR", here.policies());
        let (ok, said) = output(&mut command, &code);
        assert!(ok, "{words:?}: {said}");
        said.trim().to_string()
    };
    assert_eq!(ask(&["lvsh", "sta"]), "start status stats");
    assert_eq!(ask(&["lvsh", "start", ""]), "mail web");
    assert_eq!(ask(&["lvsh", "-n", "plan", "w"]), "web");
    assert_eq!(ask(&["lvsh", "start", "--ad"]), "--adopt");
    assert_eq!(ask(&["lvsh", "plan", "--as", "n"]), "nft");
    assert_eq!(ask(&["lvsh", "help", "set_w"]), "set_weights");
    assert_eq!(ask(&["lvsh", "help", "service.per"]), "service.persistent");
}

#[test]
fn zsh_reads_its_script_and_asks_for_policies() {
    let here = playground();
    let made = script(&here, "zsh");
    assert!(made.starts_with("#compdef lvsh\n"), "{made}");
    // One place of a policy for each verb that takes one.
    let verbs = here.run(&["--help"]).ok().out;
    let taking = ["start", "stop", "restart", "apply", "plan", "status", "lint"];
    assert!(taking.iter().all(|verb| verbs.contains(&format!("  {verb} "))), "{verbs}");
    assert!(made.matches(":_lvsh_policies'").count() >= taking.len(), "{made}");
    let Some(zsh) = program("zsh") else { return };
    let (ok, said) = output(Command::new(&zsh).args(["-f", "-n"]), &made);
    assert!(ok && said.is_empty(), "{said}");
    // The function as zsh runs it, with what shows the candidates replaced.
    let ask = format!("compdef() {{ : }}\n_alternative() {{ print -- $names }}\n{made}\n_lvsh_policies\n");
    let mut command = Command::new(&zsh);
    let (ok, said) = output(command.arg("-f").env("LVSH_CONFIG_DIR", here.policies()), &ask);
    assert!(ok, "{said}");
    assert_eq!(said, "mail web\n");
}

#[test]
fn fish_completes_policies() {
    let Some(fish) = program("fish") else { return };
    let here = playground();
    let made = script(&here, "fish");
    let ask = |line: &str| {
        let code = format!("{made}\ncomplete -C '{line}'\n");
        let mut command = Command::new(&fish);
        command.arg("--no-config").env("LVSH_CONFIG_DIR", here.policies()).env("HOME", here.root());
        let (ok, said) = output(&mut command, &code);
        assert!(ok, "{said}");
        said
    };
    let words = |line: &str| {
        let said = ask(line);
        said.lines().map(|line| line.split('\t').next().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(words("lvsh sta"), ["start", "stats", "status"]);
    let policies = words("lvsh start ");
    assert!(policies.contains(&"web".to_string()) && policies.contains(&"mail".to_string()), "{policies:?}");
    assert!(!policies.contains(&"lvs".to_string()), "{policies:?}");
}
