//! All that lvsh could have changed on a host, as one text, for comparisons "byte for byte as before".

use super::Host;
use std::{fmt::Write, fs, path::Path};

pub fn text(host: &Host) -> String {
    // The kernel lists services by hash and servers by age: neither is configuration.
    let mut services: Vec<String> = host.run("ipvsadm -Sn").lines().map(normal).collect();
    services.sort();
    let mut all = format!("# ipvsadm -Sn\n{}\n", services.join("\n"));
    // Few processes, because each costs much in the lab. `table all` shows both families, and so does `fou show`.
    let batch = "link show\naddr show\nroute show table all\nrule show\n";
    let commands = [
        ("nft list ruleset", host.cmd("nft list ruleset")),
        ("ip -d link, addr, route, rule", host.cmd("ip -d -batch -").stdin(batch)),
        ("ip -6 rule", host.cmd("ip -6 -d rule")),
    ];
    for (name, command) in commands {
        let lines: Vec<String> = command.run().lines().map(normal).collect();
        writeln!(all, "# {name}\n{}", lines.join("\n")).expect("writing to a String");
    }
    // The module comes and goes with other tests; without it there are no ports.
    let ports = if Path::new("/sys/module/fou").exists() { host.run("ip fou show") } else { String::new() };
    writeln!(all, "# ip fou show\n{}", ports.trim_end()).expect("writing to a String");
    all.push_str("# sysctls\n");
    all.push_str(&host.namespace.inside(sysctls));
    all
}

/// Without what changes by itself: counters and life times.
fn normal(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        let number = words[at].trim_end_matches("sec").parse::<u64>().is_ok();
        if number && matches!(words[at - 1], "packets" | "bytes" | "valid_lft" | "preferred_lft" | "expires")
        {
            words[at] = "N";
        }
    }
    words.join(" ").trim_end().to_owned()
}

fn sysctls() -> String {
    let mut lines = Vec::new();
    let mut add = |path: &Path| {
        // Some are for writing only.
        if let Ok(value) = fs::read_to_string(path) {
            lines.push(format!("{} = {}\n", path.display(), value.trim_end()));
        }
    };
    let entries = |dir: &str| fs::read_dir(dir).into_iter().flatten().flatten();
    // lblc and lblcr bring a sysctl each, for all namespaces, while another test has them loaded.
    let of_module = |path: &Path| path.to_string_lossy().contains("/lblc");
    for entry in entries("/proc/sys/net/ipv4/vs").filter(|entry| !of_module(&entry.path())) {
        add(&entry.path());
    }
    for interface in entries("/proc/sys/net/ipv4/conf") {
        for name in
            ["arp_ignore", "arp_announce", "rp_filter", "accept_local", "forwarding", "send_redirects"]
        {
            add(&interface.path().join(name));
        }
    }
    for file in ["ipv4/ip_forward", "ipv4/ip_nonlocal_bind", "ipv6/conf/all/forwarding"] {
        add(&Path::new("/proc/sys/net").join(file));
    }
    lines.sort();
    lines.concat().replace("/proc/sys/", "")
}
