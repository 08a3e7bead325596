//! The examples at work. Those of persistence are in `persistence`, the site itself in `web`.

use super::*;
use crate::site::example;
use crate::support::{Load, runs};
use std::collections::BTreeMap;
use std::io::{Read, Write};

/// An example with other values at its head, as an operator edits it.
fn edited(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(example(name)).expect("an example");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

#[test]
fn blue_green_switches_forth_and_back_under_load() {
    needs!(ipvs);
    let net = direct();
    let preview = "192.168.1.98";
    for server in net.servers() {
        server.add_address("lo", preview);
    }
    let director = net.director();
    let version = |live: &str| {
        let live = format!("local LIVE = \"{live}\"");
        write("blue-green", &edited("blue-green.lua", &[("local LIVE = \"blue\"", &live)]))
    };
    lvsh(director, &format!("start {}", version("blue")));
    assert_eq!(net.client("c2").server_of("https://192.168.1.98/"), "rs2", "the preview is green");

    let load = Load::http(net.client("c1"), "http://192.168.1.99/");
    load.more(20);
    let mut held = net.client("c2").connect("192.168.1.99:80").expect("a connection to blue");
    let file = version("green");
    let plan = lvsh(director, &format!("plan {file}")).stdout;
    assert!(plan.contains("0 to add, 2 to change, 0 to remove"), "the marks of both addresses: {plan}");
    lvsh(director, &format!("apply {file}"));
    load.more(20);
    assert_eq!(net.client("c2").server_of("https://192.168.1.98/"), "rs1", "the preview is blue now");
    let mut answer = String::new();
    held.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("writing");
    held.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("name=rs1"), "what was open stays with blue: {answer}");
    lvsh(director, &format!("apply {}", version("blue")));
    load.more(20);
    // Although the services are persistent: a template belongs to a mark, and this is another one.
    assert_eq!(runs(&load.servers()), ["rs1", "rs2", "rs1"]);
}

#[test]
fn the_canary_gets_one_in_ten() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    lvsh(director, &format!("start {}", write("canary", &edited("canary.lua", &[]))));
    let shares = |count: usize| {
        let mut shares = BTreeMap::new();
        for server in answers(net.client("c1"), "http://192.168.1.99/", count) {
            *shares.entry(server).or_insert(0) += 1;
        }
        [shares.remove("rs1").unwrap_or(0), shares.remove("rs2").unwrap_or(0)]
    };
    assert_eq!(shares(40), [36, 4]);
    let half = [("local CANARY = 10 ", "local CANARY = 50 ")];
    lvsh(director, &format!("apply {}", write("canary", &edited("canary.lua", &half))));
    let now = shares(20);
    assert!((9..=11).contains(&now[1]), "about half: {now:?}");
    let out = [("local CANARY = 10 ", "local CANARY = 0 ")];
    lvsh(director, &format!("apply {}", write("canary", &edited("canary.lua", &out))));
    assert_eq!(shares(10), [10, 0]);
}
