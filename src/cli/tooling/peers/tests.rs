//! The tables for those who come from another program are whole, and name only what there is.

use std::collections::BTreeSet;

use super::{PEERS, Part, Peer};
use crate::cli::tooling::command;
use crate::script::help::topic;

/// What keepalived.conf(5) of keepalived 2.2.7 has in virtual_server, real_server, the checkers and SSL.
const KEEPALIVED: &str = "
    virtual_server_group virtual_server
    lvs_sched flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback ops lvs_method persistence_engine
    persistence_timeout persistence_granularity protocol ha_suspend smtp_alert virtualhost snmp_name alpha omega quorum
    hysteresis quorum_up quorum_down ip_family sorry_server sorry_server_inhibit sorry_server_lvs_method connect_timeout
    retry delay_before_retry warmup delay_loop inhibit_on_failure
    real_server weight notify_up notify_down uthreshold lthreshold
    connect_ip connect_port bindto bind_if bind_port fwmark log_all_failures
    HTTP_GET SSL_GET http_protocol fast_recovery url path digest status_code regex regex_no_match regex_options
    regex_stack regex_min_offset regex_max_offset enable_sni
    TCP_CHECK SMTP_CHECK helo_name DNS_CHECK type name MISC_CHECK misc_path misc_timeout misc_dynamic user BFD_CHECK
    PING_CHECK UDP_CHECK payload require_reply min_reply_length max_reply_length FILE_CHECK track_file dynamic reverse
    password ca certificate key";

/// What ldirectord(8) 4.12.0 has for all services and in a virtual block, its types of checks and its services; and
/// schedflags, which the manual leaves out.
const LDIRECTORD: &str = "
    checktimeout negotiatetimeout checkinterval checkcount failurecount autoreload callback fallback fallbackcommand
    logfile emailalert emailalertfrom emailalertfreq emailalertstatus smtp execute supervised fork quiescent
    readdquiescent cleanstop maintenancedir
    virtual real checktype service checkcommand checkport request receive httpmethod virtualhost login passwd database
    secret scheduler persistent netmask protocol monitorfile ops servicename comment virtual6 real6 fallback6 schedflags
    connect external external-perl negotiate off on ping
    dns ftp http https http_proxy imap imaps ldap ldaps mysql nntp none oracle pgsql pop pops radius simpletcp sip smtp
    submission";

fn peer(name: &str) -> &'static Peer {
    PEERS.iter().find(|peer| peer.name == name).expect("a page")
}

/// The words of the rows below what differs by default, which is not a table of directives.
fn words(peer: &Peer) -> Vec<&'static str> {
    let mut section = "";
    let mut found = Vec::new();
    for part in peer.parts() {
        match part {
            Part::Section(title) => section = title,
            Part::Row(words, text) => {
                assert!(!text.is_empty(), "{words:?} says nothing");
                if section != "WHAT DIFFERS WHEN NOTHING IS SAID" {
                    found.extend(words);
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_directive_has_a_row_and_no_row_is_without() {
    for (name, list) in [("keepalived", KEEPALIVED), ("ldirectord", LDIRECTORD)] {
        let wanted: BTreeSet<&str> = list.split_whitespace().collect();
        let found: BTreeSet<&str> = words(peer(name)).into_iter().collect();
        let missing: Vec<_> = wanted.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&wanted).collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "{name}: without {missing:?}, too many {unknown:?}"
        );
    }
}

/// What is wrong with a command line, or with a name of the API.
fn wrong(marked: &str) -> Option<String> {
    let Some(line) = marked.strip_prefix("lvsh ") else {
        return topic(marked).is_none().then(|| format!("lvsh help does not know '{marked}'"));
    };
    let command = command();
    let mut words = line.split(' ');
    let verb = words.next().unwrap_or_default();
    let Some(verb) = command.get_subcommands().find(|known| known.get_name() == verb) else {
        return Some(format!("there is no verb '{verb}'"));
    };
    let known = |option: &str| verb.get_arguments().any(|arg| arg.get_long() == Some(option));
    let unknown = words.filter_map(|word| word.strip_prefix("--")).find(|option| !known(option));
    unknown.map(|option| format!("lvsh {} has no --{option}", verb.get_name()))
}

#[test]
fn what_is_named_exists() {
    let mut named = 0;
    for peer in &PEERS {
        for part in peer.parts() {
            let (Part::Paragraph(text) | Part::Row(_, text)) = part else { continue };
            assert_eq!(text.matches('`').count() % 2, 0, "{}: {text}", peer.name);
            for marked in text.split('`').skip(1).step_by(2) {
                named += 1;
                assert_eq!(wrong(marked), None, "{}: {text}", peer.name);
            }
        }
    }
    assert!(named > 150, "{named}");
    // And it would have been found.
    for name in ["health.fal", "lvsh chek --loop", "lvsh check --lop", "lvs.probe_al", "http.paht"] {
        assert!(wrong(name).is_some(), "{name}");
    }
}

#[test]
fn a_text_is_taken_apart() {
    let text = "= ONE\nA line,\nand more.\n```lua\nreturn 1\n```\nThen\n\n- a, b\n  Instead\n  `c`.\n";
    let parts = Peer { name: "x", text }.parts();
    let wanted = [
        Part::Section("ONE"),
        Part::Paragraph("A line, and more.".to_string()),
        Part::Code("return 1\n".to_string()),
        Part::Paragraph("Then".to_string()),
        Part::Row(vec!["a", "b"], "Instead `c`.".to_string()),
    ];
    assert_eq!(parts, wanted);
    let page = Peer { name: "x", text }.page();
    assert!(page.contains(".TP\n\\fBa, b\\fR\nInstead \\fBc\\fR.\n"), "{page}");
}
