//! Schedulers: shares, ties, and what happens when a server takes no more.

use super::*;

const HTTP: &str = "http://192.168.1.99/";

/// A.6.21: the buckets of a server at weight 0 refuse their clients, unless the scheduler may fall back.
fn hashed(scheduler: &str) {
    let net = farm();
    let director = net.director();
    tcp(director, 80, &format!("scheduler = '{scheduler}'"));
    let client = net.client("c1");
    let server = stays(client, HTTP, 3);
    weigh(director, address_of(&server), 0);
    is_refused(client, HTTP);
    script(
        director,
        &format!("lvs.set_service({{ tcp = '{VIP}:80' }}, {{ flags = {{ '{scheduler}-fallback' }} }})"),
    );
    assert_eq!(stays(client, HTTP, 3), other(&server), "with fallback");
    weigh(director, address_of(&server), 1);
    assert_eq!(stays(client, HTTP, 3), server, "back where it belongs");
}

#[test]
fn source_hashing_and_weight_zero() {
    needs!(ipvs);
    hashed("sh");
}

#[test]
fn maglev_hashing_and_weight_zero() {
    needs!(ipvs);
    hashed("mh");
}

/// With `sh-port` the port counts too: one client's connections are spread.
#[test]
fn hashing_the_port_spreads_one_client() {
    needs!(ipvs);
    let net = farm();
    tcp(net.director(), 80, "scheduler = 'sh', flags = { 'sh-port', 'sh-fallback' }");
    let mut servers = answers(net.client("c1"), HTTP, 24);
    servers.sort();
    servers.dedup();
    assert_eq!(servers, ["rs1", "rs2"]);
}

/// A.6.22: no server that may be used, in three ways. The client is told at once.
#[test]
fn without_a_usable_server_clients_are_refused() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    let client = net.client("c1");
    script(director, &format!("lvs.add_service {{ tcp = '{VIP}:80', scheduler = 'wlc' }}"));
    is_refused(client, HTTP);
    let add = |server: &str| {
        script(director, &format!("lvs.get_service({{ tcp = '{VIP}:80' }}):add_server {{ {server} }}"));
    };
    add("addr = '192.168.1.107', weight = 0");
    is_refused(client, HTTP);
    add("addr = '192.168.1.109', upper = 1");
    assert_eq!(client.server_of(HTTP), "rs2");
    is_refused(client, HTTP);
    weigh(director, SERVERS[0], 1);
    assert_eq!(client.server_of(HTTP), "rs1");
}

/// A.6.10: the kernel looks at the newest server first, and a tie is the first that it sees.
#[test]
fn a_tie_goes_to_the_newest_server() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    let services: Vec<String> = ["lc", "wlc", "nq", "sed"]
        .iter()
        .zip(80..)
        .map(|(scheduler, port)| {
            format!(
                "local s = lvs.add_service {{ tcp = '{VIP}:{port}', scheduler = '{scheduler}' }}
                 s:add_server {{ addr = '192.168.1.109' }}
                 s:add_server {{ addr = '192.168.1.107' }}"
            )
        })
        .map(|lines| format!("do {lines} end\n"))
        .collect();
    script(director, &services.concat());
    for port in 80..84 {
        // Nobody serves most of these ports; who was chosen is in the table.
        net.client("c1").connect(&format!("{VIP}:{port}")).ok();
    }
    let chosen: Vec<_> = entries(director).iter().map(|entry| entry.server.0.to_string()).collect();
    assert_eq!(chosen, ["192.168.1.107"; 4]);
}

/// What is listed is sorted, whatever the kernel's order is.
#[test]
fn lists_are_in_the_order_of_addresses() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    script(
        director,
        "for _, mark in ipairs { 30, 4, 1000 } do
           local s = lvs.add_service { fwmark = mark }
           for _, last in ipairs { 9, 100, 20 } do s:add_server { addr = '10.0.0.' .. last } end
         end",
    );
    let listed = lvsh(director, "list --json").stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("a document");
    let names = |list: &serde_json::Value, field: &str| -> Vec<String> {
        let items = list.as_array().expect("a list").iter();
        items.map(|item| item[field].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&listed["services"], "service"), ["fwm:4", "fwm:30", "fwm:1000"]);
    for service in listed["services"].as_array().expect("services") {
        assert_eq!(names(&service["servers"], "server"), ["10.0.0.9", "10.0.0.20", "10.0.0.100"]);
    }
}
