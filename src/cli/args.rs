//! The command line, as clap reads it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use super::duration::duration;
use super::log::LogTo;
use super::repl::Prompt;
use super::tooling;
use crate::script::Stdlib;

/// What the exit code says. `Kind::exit_code` gives them.
pub const EXIT_CODES: [(u8, &str); 11] = [
    (0, "done, or nothing to do"),
    (1, "refused or failed; rolled back, the system is as before. Of test: a test failed"),
    (2, "wrong usage"),
    (3, "the script is wrong; nothing changed, or rolled back"),
    (4, "with --exit-code: the plan has changes"),
    (5, "with --exit-code: degraded (drift, warnings)"),
    (6, "another run holds the lock"),
    (7, "ROLLBACK FAILED: look at the machine"),
    (8, "not permitted, or no IPVS in this kernel"),
    (124, "--timeout passed; rolled back"),
    (130, "interrupted; rolled back"),
];

fn after_help() -> String {
    let codes: String = EXIT_CODES.iter().map(|(code, words)| format!("  {code:>3}  {words}\n")).collect();
    format!(
        "Exit codes:\n{codes}\nExample:\n  lvsh plan web     shows what apply would do\n  \
         lvsh apply web    does it"
    )
}

/// Lua policies for Linux IPVS: planned, applied and undone as one
#[derive(Debug, Parser)]
#[command(name = "lvsh", version, after_help = after_help(), disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Show what would be done and send nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,
    /// Print one JSON document, also on failure
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing when all is well
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: what is unchanged, what was found
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Stop after this long and roll back: 50s, 500ms, 2m
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// What to do while another run holds the lock; wait gives up after 5 s [default: wait; check: skip]
    #[arg(long, global = true, value_name = "HOW")]
    pub lock: Option<LockMode>,
    /// Work in this network namespace
    #[arg(long, global = true, value_name = "NAME")]
    pub netns: Option<String>,
    /// Where policies are
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/etc/lvsh",
        env = "LVSH_CONFIG_DIR",
        hide_env_values = true
    )]
    pub config_dir: PathBuf,
    /// Where the state of started policies is kept [default: /run/lvsh]
    #[arg(long, global = true, value_name = "DIR", env = "LVSH_STATE_DIR", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,
    /// Tell by the exit code whether there are changes (4) or trouble (5)
    #[arg(long, global = true)]
    pub exit_code: bool,
    /// Where changes, warnings and lvs.log go
    #[arg(long, global = true, value_name = "WHERE", default_value = "stderr")]
    pub log: LogTo,
    /// Refuse every change; start, apply, stop and check show what they would do
    #[arg(long, global = true)]
    pub read_only: bool,
    /// How much of Lua's library scripts get
    #[arg(long, global = true, value_name = "WHICH", default_value = "safe")]
    pub stdlib: Library,
    /// The machine to work on: the kernel, or one in memory
    #[arg(long, global = true, value_name = "WHICH", default_value = "kernel")]
    pub backend: Machine,
    /// Keep the machine in memory in this file between runs: a playground without root
    #[arg(long, global = true, value_name = "FILE")]
    pub memory: Option<PathBuf>,
    /// Work on a dump that lvsh export --as json wrote: plan and lint without privileges; nothing can be sent
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["memory", "netns"])]
    pub against: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start a policy; refuse if something foreign is in the way
    #[command(after_help = "Example:\n  lvsh start web")]
    Start {
        #[command(flatten)]
        policy: Policy,
        /// Take over what is there already
        #[arg(long)]
        adopt: bool,
    },
    /// Stop a policy: remove what it owns, bring back what was there before it
    #[command(after_help = "Example:\n  lvsh stop web")]
    Stop {
        #[command(flatten)]
        policy: Policy,
    },
    /// Stop a policy and start it again; drops its connections
    #[command(after_help = "Example:\n  lvsh restart --yes web")]
    Restart {
        #[command(flatten)]
        policy: Policy,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Make it so, in place: start what is missing, change what differs, leave the rest
    #[command(after_help = "Example:\n  lvsh apply web")]
    Apply {
        #[command(flatten)]
        policy: Policy,
    },
    /// Show what apply would do
    #[command(after_help = "Example:\n  lvsh plan web --as ipvsadm")]
    Plan {
        #[command(flatten)]
        policy: Policy,
        /// Show what stop would do
        #[arg(long)]
        stop: bool,
        /// Print the commands instead
        #[arg(long = "as", value_name = "SPELLING")]
        spelling: Option<Spelling>,
    },
    /// Show how a policy is
    #[command(after_help = "Example:\n  lvsh status web")]
    Status {
        #[command(flatten)]
        policy: Policy,
    },
    List(super::list::ListArgs),
    Stats(super::stats::StatsArgs),
    Zero(super::zero::ZeroArgs),
    Metrics(super::metrics::MetricsArgs),
    /// Run a script; its changes are made at once, and taken back if it fails
    #[command(after_help = "Example:\n  lvsh run --quiet /etc/lvsh/web-health.lua")]
    Run {
        /// The script; also by #!/usr/bin/env -S lvsh run
        file: PathBuf,
        /// What the script gets as its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Evaluate Lua and print what it gives
    #[command(after_help = "Example:\n  lvsh eval 'lvs.get_service { fwmark = 3 }.servers'")]
    Eval {
        /// An expression or statements
        code: String,
    },
    /// Speak ipvsadm: its options, its output, its exit codes
    #[command(after_help = "Example:\n  lvsh ipvsadm -Ln")]
    Ipvsadm(super::ipvsadm::Words),
    /// Write the machine as a policy, as lines for ipvsadm -R, or as JSON
    #[command(after_help = "Example:\n  lvsh export --as json > director.json")]
    Export(super::export::Arguments),
    /// Make a policy of the running machine or of what was saved; or put it back with --apply
    #[command(after_help = "Example:\n  ipvsadm -Sn | lvsh import - -o web.lua")]
    Import(super::import::Arguments),
    /// One round of health: ask the servers, and set the weights that follow
    #[command(after_help = "Example:\n  * * * * * root lvsh check --quiet web")]
    Check {
        #[command(flatten)]
        args: super::care::Check,
    },
    /// No new clients for a server; those it has may finish
    #[command(after_help = "Example:\n  lvsh drain web 192.168.1.109 --reason 'new kernel' --wait")]
    Drain {
        #[command(flatten)]
        word: super::care::Word,
    },
    /// Take a drain back
    #[command(after_help = "Example:\n  lvsh undrain web 192.168.1.109")]
    Undrain {
        #[command(flatten)]
        word: super::care::Word,
    },
    /// Weight 0 for a server, whatever its checks say, until ready
    #[command(after_help = "Example:\n  lvsh maint web 192.168.1.109 --reason 'disk'")]
    Maint {
        #[command(flatten)]
        word: super::care::Word,
    },
    /// End drain and maint of a server
    #[command(after_help = "Example:\n  lvsh ready web 192.168.1.109")]
    Ready {
        #[command(flatten)]
        word: super::care::Word,
    },
    /// Another weight for a server than the policy's; without a number the policy's again
    #[command(after_help = "Example:\n  lvsh weight web 192.168.1.109 4")]
    Weight {
        #[command(flatten)]
        word: super::care::Word,
        /// 0..65535
        #[arg(value_parser = clap::value_parser!(u32).range(0..=65535))]
        weight: Option<u32>,
    },
    /// A prompt on the live machine; also lvsh alone on a terminal
    #[command(after_help = "Example:\n  lvsh repl web")]
    Repl(Prompt),
    /// Check a policy and say what the kernel would do with it that one may not expect
    #[command(after_help = "Example:\n  lvsh lint web")]
    Lint {
        #[command(flatten)]
        policy: Policy,
    },
    /// Run tests of policies and scripts: without root, in simulated time
    #[command(after_help = "Example:\n  lvsh test web_test.lua --filter drain")]
    Test(super::test::Tests),
    /// Show what is known of a command, or of a function, table or field of the API
    #[command(
        after_help = "Example:\n  lvsh help start\n  lvsh help add_service\n  lvsh help service.persistent"
    )]
    Help(tooling::Help),
    /// Write the API's types for the Lua language server beside the policies
    #[command(after_help = "Example:\n  lvsh types /etc/lvsh")]
    Types(tooling::Types),
    /// Print the JSON Schema of a policy's table
    #[command(after_help = "Example:\n  lvsh schema > policy.schema.json")]
    Schema(tooling::Schema),
    /// Show a page of the manual, or write all pages
    #[command(after_help = "Example:\n  lvsh man lua\n  lvsh man --dir /usr/local/share/man")]
    Man(tooling::Man),
    /// Print the completion script of a shell
    #[command(after_help = "Example:\n  lvsh completions bash > /etc/bash_completion.d/lvsh")]
    Completions(tooling::Completions),
}

impl Verb {
    /// As it is written.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Start { .. } => "start",
            Verb::Stop { .. } => "stop",
            Verb::Restart { .. } => "restart",
            Verb::Apply { .. } => "apply",
            Verb::Plan { .. } => "plan",
            Verb::Status { .. } => "status",
            Verb::List(_) => "list",
            Verb::Stats(_) => "stats",
            Verb::Zero(_) => "zero",
            Verb::Metrics(_) => "metrics",
            Verb::Run { .. } => "run",
            Verb::Eval { .. } => "eval",
            Verb::Ipvsadm(_) => "ipvsadm",
            Verb::Export(_) => "export",
            Verb::Import(_) => "import",
            Verb::Check { .. } => "check",
            Verb::Drain { .. } => "drain",
            Verb::Undrain { .. } => "undrain",
            Verb::Maint { .. } => "maint",
            Verb::Ready { .. } => "ready",
            Verb::Weight { .. } => "weight",
            Verb::Lint { .. } => "lint",
            Verb::Test(_) => "test",
            Verb::Help(_) => "help",
            Verb::Types(_) => "types",
            Verb::Schema(_) => "schema",
            Verb::Man(_) => "man",
            Verb::Completions(_) => "completions",
            Verb::Repl(_) => "repl",
        }
    }

    /// Whether it can change the machine, and so what a failure says of the changes.
    pub fn changes(&self) -> bool {
        use Verb::{
            Completions, Export, Help, Import, Lint, List, Man, Metrics, Plan, Schema, Stats, Status, Test,
            Types,
        };
        match self {
            Plan { .. } | Status { .. } | List(_) | Stats(_) | Metrics(_) | Lint { .. } | Export(_) => false,
            Help(_) | Test(_) | Types(_) | Schema(_) | Man(_) | Completions(_) => false,
            Import(arguments) => arguments.apply,
            _ => true,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct Policy {
    /// A name (web: /etc/lvsh/web.lua, or the file it was started from) or a path
    pub policy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LockMode {
    Wait,
    Fail,
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Library {
    Safe,
    Full,
}

impl From<Library> for Stdlib {
    fn from(library: Library) -> Stdlib {
        match library {
            Library::Safe => Stdlib::Safe,
            Library::Full => Stdlib::Full,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    Kernel,
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Spelling {
    /// A shell script of ipvsadm, nft, ip and sysctl
    Ipvsadm,
    /// The nft part alone
    Nft,
    /// A script for lvsh run
    Lua,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_kind_of_error_has_its_exit_code_in_the_manual() {
        use crate::error::Kind::*;
        for kind in
            [Refused, Conflict, Script, Usage, Locked, RollbackFailed, Unable, Timeout, Interrupted, Io]
        {
            assert!(EXIT_CODES.iter().any(|(code, _)| *code == kind.exit_code()), "{kind:?}");
        }
    }
}
