//! What `examples/demo` shows; as a test it is also run with all others, so that the demo cannot rot.

use std::collections::BTreeSet;

use super::site::{VIP, direct, example, lvsh};
use super::support::{Host, Output};

fn say(text: &str) {
    println!("\n\x1b[1m{text}\x1b[0m");
}

/// Shows a command as one would type it, and all that it says.
fn show(director: &Host, args: &str) -> Output {
    println!("\n\x1b[1;34mdirector#\x1b[0m lvsh {args}");
    let file = example("web.lua");
    let output = lvsh(director, &args.replace("examples/web.lua", &file));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    print!("{}{}", output.stdout.replace(root, ""), output.stderr.replace(root, ""));
    output
}

fn left(director: &Host) -> String {
    ["ipvsadm -Sn", "nft list ruleset", "ip -brief addr show eth0"]
        .map(|command| format!("director# {command}\n{}", director.run(command)))
        .concat()
}

#[test]
fn the_site_balances_http_and_https_and_leaves_nothing() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    director.run("modprobe ip_vs");
    let before = left(director);
    let kernel = director.run("uname -r");
    say(&format!("Three clients, a director and two real servers on one segment; kernel {}", kernel.trim()));
    show(director, "plan examples/web.lua");
    show(director, "start examples/web.lua");

    say(&format!("Each client asks http://{VIP}/ and https://{VIP}/ in turn, ten times each:"));
    println!("  {:<16}{:<24}https", "client", "http");
    let mut all = BTreeSet::new();
    for client in net.clients() {
        let (mut http, mut https) = (BTreeSet::new(), BTreeSet::new());
        let mut from = String::new();
        for _ in 0..10 {
            let answer = client.get(&format!("http://{VIP}/")).expect("an answer");
            from = answer.client.map_or(String::new(), |seen| seen.ip().to_string());
            http.insert(answer.server);
            https.insert(client.server_of(&format!("https://{VIP}/")));
        }
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" and ");
        println!("  {from:<16}{:<24}{}", names(&http), names(&https));
        assert_eq!(http, https, "{} was moved between http and https", client.name);
        assert_eq!(http.len(), 1, "{} was moved", client.name);
        all.extend(http);
    }
    assert_eq!(all.len(), 2, "only {all:?} answered: nothing was balanced");
    show(director, "status examples/web.lua");
    show(director, "stop examples/web.lua");
    say("What is left on the director:");
    let after = left(director);
    println!("{after}");
    assert_eq!(after, before);
}
