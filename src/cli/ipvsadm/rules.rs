//! Which options go with which command.

use super::options::{Opt, Verb};
use super::wrong::Wrong;

/// ipvsadm's names of options, in the order in which it looks at them.
const ORDER: [&str; 34] = [
    "numeric",
    "connection",
    "service-address",
    "scheduler",
    "persistent",
    "netmask",
    "real-server",
    "forwarding-method",
    "weight",
    "u-threshold",
    "l-threshold",
    "mcast-interface",
    "timeout",
    "daemon",
    "stats",
    "rate",
    "thresholds",
    "persistent-conn",
    "nosort",
    "syncid",
    "exact",
    "ops",
    "pe",
    "sched-flags",
    "mcast-group",
    "mcast-port",
    "mcast-ttl",
    "sync-maxlen",
    "tun-info",
    "tun-type",
    "tun-port",
    "tun-nocsum",
    "tun-csum",
    "tun-remcsum",
];

/// What a command, or a type of tunnel, takes.
struct Rule {
    must: &'static [&'static str],
    may: &'static [&'static str],
    /// At most one of these.
    one: &'static [&'static str],
}

const NOTHING: Rule = Rule { must: &[], may: &[], one: &[] };
const SERVICE: Rule = Rule {
    must: &["service-address"],
    may: &["scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"],
    one: &[],
};
const SERVER: Rule = Rule {
    must: &["service-address", "real-server"],
    may: &[
        "forwarding-method",
        "weight",
        "u-threshold",
        "l-threshold",
        "tun-type",
        "tun-port",
        "tun-nocsum",
        "tun-csum",
        "tun-remcsum",
    ],
    one: &[],
};

/// The rule of a command, and what ipvsadm calls that command.
fn rule(verb: Verb) -> (Rule, &'static str) {
    match verb {
        Verb::AddService => (SERVICE, "add-service"),
        Verb::EditService => (SERVICE, "edit-service"),
        Verb::DeleteService => (Rule { must: &["service-address"], ..NOTHING }, "delete-service"),
        Verb::Clear => (NOTHING, "flush"),
        Verb::List => {
            let may = &[
                "numeric",
                "stats",
                "rate",
                "thresholds",
                "persistent-conn",
                "nosort",
                "syncid",
                "exact",
                "tun-info",
            ];
            (Rule { must: &[], may, one: &["connection", "service-address", "timeout", "daemon"] }, "list")
        }
        Verb::AddServer => (SERVER, "add-server"),
        Verb::EditServer => (SERVER, "edit-server"),
        Verb::DeleteServer => {
            (Rule { must: &["service-address", "real-server"], ..NOTHING }, "delete-server")
        }
        Verb::Set => (NOTHING, "set"),
        Verb::StartDaemon => {
            let may = &["mcast-interface", "syncid", "mcast-group", "mcast-port", "mcast-ttl", "sync-maxlen"];
            (Rule { may, ..NOTHING }, "start-daemon")
        }
        Verb::StopDaemon => (Rule { may: &["syncid"], ..NOTHING }, "stop-daemon"),
        Verb::Restore => (NOTHING, "restore"),
        Verb::Save => (Rule { may: &["numeric"], ..NOTHING }, "save"),
        Verb::Zero => (Rule { may: &["service-address"], ..NOTHING }, "zero"),
        Verb::Help => (NOTHING, "help"),
        Verb::Version => (NOTHING, "version"),
    }
}

/// An option that was given.
pub struct Given {
    pub opt: Opt,
    /// ipvsadm's name of it.
    pub name: &'static str,
    pub word: usize,
}

/// ipvsadm's `generic_opt_check`.
pub fn check(verb: Verb, given: &[Given]) -> Result<(), Wrong> {
    let (rule, name) = rule(verb);
    compare(&rule, &ORDER, given, || format!("'{name}' command"))
}

/// ipvsadm's `tunnel_opt_check`, for `ipip`, `gue` and `gre`.
pub fn check_tunnel(kind: &str, given: &[Given]) -> Result<(), Wrong> {
    const OPTIONS: [&str; 4] = ["tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"];
    let rule = match kind {
        "gue" => Rule { must: &["tun-port"], may: &[], one: &["tun-nocsum", "tun-csum", "tun-remcsum"] },
        "gre" => Rule { one: &["tun-nocsum", "tun-csum"], ..NOTHING },
        _ => NOTHING,
    };
    compare(&rule, &OPTIONS, given, || format!("'{kind}' tunnel type"))
}

/// Whether all is well, which it is in thousands of lines of a save file: then nobody asks for words.
fn fits(rule: &Rule, order: &[&str], given: &[Given]) -> bool {
    let mut musts = 0;
    for Given { name, .. } in given {
        if rule.must.contains(name) {
            // No option is given twice.
            musts += 1;
        } else if !rule.may.contains(name) && order.contains(name) {
            // One of those that exclude each other, or a wrong one.
            return false;
        }
    }
    musts == rule.must.len()
}

/// `whose`: `'list' command`.
fn compare(rule: &Rule, order: &[&str], given: &[Given], whose: impl Fn() -> String) -> Result<(), Wrong> {
    if fits(rule, order, given) {
        return Ok(());
    }
    let whose = whose();
    let mut first = None;
    for name in order {
        let Some(Given { opt, word, .. }) = given.iter().find(|given| given.name == *name) else {
            if rule.must.contains(name) {
                let theirs = format!("You need to supply the '{name}' option for the {whose}");
                let (what, how) = needed(name);
                return Err(Wrong::new(theirs, format!("the {whose} needs {what}")).hint(how));
            }
            continue;
        };
        let spelling = opt.spelling();
        if rule.one.contains(name) {
            let Some((before, other)) = first.replace((*name, opt)) else { continue };
            let other: &Opt = other;
            let theirs = format!("The option '{name}' conflicts with the '{before}' option in the {whose}");
            let message = format!("{} and {spelling} exclude each other in the {whose}", other.spelling());
            return Err(Wrong::new(theirs, message).at(*word).hint("give one of the two"));
        }
        if !rule.must.contains(name) && !rule.may.contains(name) {
            let theirs = format!("Illegal '{name}' option with the {whose}");
            let wrong = Wrong::new(theirs, format!("the {whose} does not take {spelling}")).at(*word);
            return Err(wrong.hint(takes(rule)));
        }
    }
    Ok(())
}

fn needed(name: &str) -> (&'static str, &'static str) {
    match name {
        "service-address" => (
            "a virtual service",
            "name it with -t ADDRESS:PORT, -u ADDRESS:PORT, --sctp-service ADDRESS:PORT or -f MARK",
        ),
        "real-server" => ("a real server", "name it with -r ADDRESS or -r ADDRESS:PORT"),
        _ => ("--tun-port", "give the UDP port of the tunnel with --tun-port PORT"),
    }
}

fn takes(rule: &Rule) -> String {
    let names: Vec<&str> = [rule.must, rule.may, rule.one].concat();
    if names.is_empty() {
        "it takes no options".to_string()
    } else {
        format!("it takes {}", names.join(", "))
    }
}
