//! The table's notation for rules, routes, tunnel devices and ports that unpack.

use lvsh::model::{
    DeviceKind, Family, Fou, FouKey, Fwmark, IfName, Installed, RouteKey, RouteTable, RuleKey, State,
    TunnelDevice,
};
use lvsh::plan::Step;

/// `None` when the item is about something else.
pub fn parse(words: &[&str]) -> Option<Step> {
    Some(match words {
        ["+ru", rest @ ..] => Step::AddRule { key: rule(rest), rule: Installed::ours() },
        ["-ru", rest @ ..] => Step::DelRule { key: rule(rest), rule: Installed::ours() },
        ["+ro", rest @ ..] => Step::AddRoute { key: route(rest), route: Installed::ours() },
        ["-ro", rest @ ..] => Step::DelRoute { key: route(rest), route: Installed::ours() },
        ["+t", dev, kind] => Step::AddTunnel { dev: device(dev), tunnel: tunnel(kind) },
        ["=t", dev, kind, state] => {
            let to = TunnelDevice { up: *state == "up", ..tunnel(kind) };
            Step::SetTunnel { dev: device(dev), from: tunnel(kind), to }
        }
        ["-t", dev] => Step::DelTunnel { dev: device(dev), tunnel: tunnel("ipip") },
        ["+g", rest @ ..] => Step::AddFou { key: fou(rest), fou: Fou::Gue },
        ["-g", rest @ ..] => Step::DelFou { key: fou(rest), fou: Fou::Gue },
        _ => return None,
    })
}

/// What stands, as items of the notation.
pub fn picture(state: &State) -> Vec<String> {
    let mut out = Vec::new();
    for (key, _) in state.rules.iter().filter(|(_, rule)| rule.is_ours()) {
        out.push(format!("ru {} {} {} {}", key.family, key.mark, key.table, key.priority));
    }
    for (key, _) in state.routes.iter().filter(|(_, route)| route.is_ours()) {
        out.push(format!("ro {} {}", key.family, key.table));
    }
    for (dev, tunnel) in state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours()) {
        assert_eq!((tunnel.from_anyone, tunnel.rp_filter), (true, 2), "{dev}");
        let sum = if tunnel.checksum { "+csum" } else { "" };
        out.push(format!("t {dev} {}{sum}{}", tunnel.kind, if tunnel.up { "" } else { " down" }));
    }
    for (key, fou) in &state.fous {
        assert_eq!(*fou, Fou::Gue);
        out.push(format!("g {} {}", key.family, key.port));
    }
    out
}

fn family(word: &str) -> Family {
    match word {
        "ipv4" => Family::Ipv4,
        "ipv6" => Family::Ipv6,
        other => panic!("unknown family {other}"),
    }
}

fn rule(words: &[&str]) -> RuleKey {
    let [of, mark, table, priority] = words else { panic!("a rule has four words, not {words:?}") };
    let table = RouteTable::new(table.parse().unwrap()).unwrap();
    let mark = Fwmark::new(mark.parse().unwrap()).unwrap();
    RuleKey { family: family(of), priority: priority.parse().unwrap(), mark, table }
}

fn route(words: &[&str]) -> RouteKey {
    let [of, table] = words else { panic!("a route has two words, not {words:?}") };
    RouteKey { family: family(of), table: RouteTable::new(table.parse().unwrap()).unwrap() }
}

fn device(name: &str) -> IfName {
    IfName::new(name).unwrap()
}

fn tunnel(kind: &str) -> TunnelDevice {
    {
        // `gre+csum`: with a checksum.
        let (kind, sum) = kind.split_once('+').map_or((kind, false), |(kind, _)| (kind, true));
        TunnelDevice::ours(kind.parse::<DeviceKind>().unwrap(), sum)
    }
}

fn fou(words: &[&str]) -> FouKey {
    let [of, port] = words else { panic!("a port has two words, not {words:?}") };
    FouKey { family: family(of), port: port.parse().unwrap() }
}
