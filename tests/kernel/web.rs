//! The case that must always work, with real traffic: the issue's own policy in all its forms.

use std::collections::BTreeSet;

use super::site::{VIP, direct, everyone_stays, example, lvsh, policy, topology, visit, write};

#[test]
fn declared_policy_with_sh_keeps_every_client_on_one_server() {
    needs!(ipvs);
    let net = direct();
    lvsh(net.director(), &format!("start {}", example("web.lua")));
    everyone_stays(&net);
}

#[test]
fn imperative_policy_with_sh_keeps_every_client_on_one_server() {
    needs!(ipvs);
    let net = direct();
    lvsh(net.director(), &format!("start {}", example("web-imperative.lua")));
    everyone_stays(&net);
}

#[test]
fn persistence_keeps_http_and_https_together_and_its_template_has_the_mark() {
    needs!(ipvs);
    let net = direct();
    let file = write("web", &policy("scheduler = 'rr', persistent = 600", "method = 'dr'"));
    lvsh(net.director(), &format!("start {file}"));
    everyone_stays(&net);
    let conns = net.director().conns();
    let templates: Vec<_> = conns.iter().filter(|conn| conn.is_template()).collect();
    assert_eq!(templates.len(), 3, "one for each client: {conns:#?}");
    assert!(templates.iter().all(|template| template.mark() == Some(3)), "{templates:#?}");
}

/// Without stickiness the same traffic is split: so it was not luck above.
#[test]
fn plain_round_robin_does_not_keep_them_together() {
    needs!(ipvs);
    let net = direct();
    let file = write("web", &policy("scheduler = 'rr'", "method = 'dr'"));
    lvsh(net.director(), &format!("start {file}"));
    for client in net.clients() {
        let servers: BTreeSet<_> = visit(client).into_iter().collect();
        assert_eq!(servers.len(), 2, "{} saw only one server", client.name);
    }
}

/// Nothing but the marks leads to the service: without them nobody answers.
#[test]
fn without_its_marks_the_site_is_not_there() {
    needs!(ipvs);
    let net = direct();
    lvsh(net.director(), &format!("start {}", example("web.lua")));
    net.director().run("nft delete table inet lvsh");
    let answer = net.client("c1").get(&format!("http://{VIP}/"));
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn nat_variant() {
    needs!(ipvs);
    let net = topology_two_arms();
    let file = write("web", &policy("scheduler = 'rr', persistent = 600", "method = 'nat'"));
    let text = std::fs::read_to_string(&file).expect("the policy");
    let text = text.replace("192.168.1.107", "10.0.0.107").replace("192.168.1.109", "10.0.0.109");
    let file = write("web", &text);
    lvsh(net.director(), &format!("start {file}"));
    everyone_stays(&net);
}

/// NAT needs the answers to pass the director: the real servers stand behind it.
fn topology_two_arms() -> super::support::Net {
    let net = super::support::Topology::new()
        .director("dir", "192.168.1.1")
        .client("c1", "192.168.1.11")
        .client("c2", "192.168.1.12")
        .client("c3", "192.168.1.13")
        .segment("back")
        .join("dir", "10.0.0.1")
        .server("rs1", "10.0.0.107")
        .server("rs2", "10.0.0.109")
        .build();
    net.director().forward();
    for server in net.servers() {
        server.masqueraded("10.0.0.1");
    }
    net
}

#[test]
fn tun_variant() {
    needs!(ipvs);
    let net = topology().build();
    for server in net.servers() {
        server.tunnel(VIP);
    }
    let file = write("web", &policy("scheduler = 'sh', flags = { 'sh-fallback' }", "method = 'tun'"));
    lvsh(net.director(), &format!("start {file}"));
    everyone_stays(&net);
}
