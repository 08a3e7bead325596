//! completions: scripts for the shells. Verbs, options and names of the API are in the script; policies are looked
//! up when TAB is pressed.

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use clap_complete::Shell as Generator;

use super::command;
use crate::cli::args::Arguments;
use crate::cli::done::Done;
use crate::script::help::names;

/// Arguments of `lvsh completions`.
#[derive(Clone, Debug, Args)]
pub struct Completions {
    pub shell: Shell,
}

/// Shells there are scripts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// lvsh completions bash > /etc/bash_completion.d/lvsh
    Bash,
    /// lvsh completions zsh > /usr/local/share/zsh/site-functions/_lvsh
    Zsh,
    /// lvsh completions fish > ~/.config/fish/completions/lvsh.fish
    Fish,
}

/// Prints the script.
pub fn completions(asked: &Completions) -> Done {
    let text = script(asked.shell);
    Done::text(text.clone()).with("script", text)
}

fn script(shell: Shell) -> String {
    let verbs: Vec<String> = command().get_subcommands().map(|verb| verb.get_name().to_string()).collect();
    // Only here: help itself knows more ways to write a name than shells can complete.
    let known = verbs.iter().cloned().chain(names().filter_map(plain));
    let known = PossibleValuesParser::new(known.collect::<Vec<_>>());
    let mut command = <Arguments as clap::CommandFactory>::command()
        .mut_subcommand("help", |help| help.mut_arg("name", |name| name.value_parser(known)));
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut out = Vec::new();
    clap_complete::generate(generator, &mut command, "lvsh", &mut out);
    let made = String::from_utf8_lossy(&out).into_owned();
    let policy = of_policies();
    match shell {
        Shell::Bash => bash(made, &policy),
        Shell::Zsh => zsh(made),
        Shell::Fish => fish(made, &policy),
    }
}

/// A name that shells do not cut: methods by their last word, and nothing with spaces.
fn plain(name: &'static str) -> Option<String> {
    let name = name.split_once(':').map_or(name, |(_, method)| method);
    (!name.contains(' ')).then(|| name.to_string())
}

/// The verbs that take a policy.
fn of_policies() -> Vec<String> {
    let command = command();
    let takes = |verb: &&clap::Command| verb.get_arguments().any(|arg| arg.get_id() == "policy");
    command.get_subcommands().filter(takes).map(|verb| verb.get_name().to_string()).collect()
}

/// Lists policies by name. `lvs.lua` beside them is the editor's, not a policy.
const LIST: &str = r#"for file in "${LVSH_CONFIG_DIR:-/etc/lvsh}"/*.lua /usr/share/lvsh/policies/*.lua; do
        [ -e "$file" ] && [ "${file##*/}" != lvs.lua ] && file="${file##*/}" && printf '%s\n' "${file%.lua}"
    done"#;

fn bash(made: String, verbs: &[String]) -> String {
    let verbs = verbs.join("|");
    format!(
        r#"{made}
_lvsh_policies() {{
    local file
    {LIST}
}}

# What clap made, with the names of policies where a policy is asked for.
_lvsh_all() {{
    _lvsh "$@"
    local word verb="" cur="${{COMP_WORDS[COMP_CWORD]}}"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in
            {verbs}) verb="$word" ;;
        esac
    done
    if [[ -n "$verb" && "$cur" != -* ]]; then
        local -a rest=()
        for word in "${{COMPREPLY[@]}}"; do
            [[ "$word" == "<"* ]] || rest+=("$word")
        done
        [[ -n "$cur" ]] || rest=()
        COMPREPLY=("${{rest[@]}}" $(compgen -W "$(_lvsh_policies)" -- "$cur"))
        compopt -o default 2> /dev/null
    fi
}}
complete -F _lvsh_all -o bashdefault -o default lvsh
"#
    )
}

fn zsh(made: String) -> String {
    let function = format!(
        r#"(( $+functions[_lvsh_policies] )) ||
_lvsh_policies() {{
    local file
    local -a names
    names=("${{(@f)$(setopt nonomatch; {LIST})}}")
    _alternative 'policies:policy:compadd -a names' 'files:file:_files -g "*.lua"'
}}

if [ "$funcstack[1]" = "_lvsh" ]; then"#
    );
    // Every positional that is a policy: `':policy -- …:_default'`.
    let mut out = String::new();
    for line in made.lines() {
        let policy = line.starts_with("':policy -- ") || line.starts_with("'::policy -- ");
        let line = if policy { line.replace(":_default'", ":_lvsh_policies'") } else { line.to_string() };
        out.push_str(&line);
        out.push('\n');
    }
    out.replace("if [ \"$funcstack[1]\" = \"_lvsh\" ]; then", &function)
}

fn fish(made: String, verbs: &[String]) -> String {
    let verbs = verbs.join(" ");
    format!(
        r#"{made}
function __fish_lvsh_policies
    set -l folder /etc/lvsh
    set -q LVSH_CONFIG_DIR; and set folder $LVSH_CONFIG_DIR
    for file in $folder/*.lua /usr/share/lvsh/policies/*.lua
        set -l name (string replace -r '^.*/' '' -- $file | string replace -r '\.lua$' '')
        test $name != lvs; and echo $name
    end
end
complete -c lvsh -n "__fish_seen_subcommand_from {verbs}" -a "(__fish_lvsh_policies)"
"#
    )
}
