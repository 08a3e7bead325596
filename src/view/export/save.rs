//! A dump as what `ipvsadm -R` reads: complete where ipvsadm has words, and what it has none for is told.
//!
//! Nothing but lines of arguments: `ipvsadm -R` takes no comments.

use super::Exported;
use crate::model::{Fou, Timeouts};
use crate::plan::Dump;
use crate::view::ipvsadm::{Faithful, Numeric, Saved, save_text, settings_text};
use crate::view::marks::group;

/// One line per timeout setting, daemon, service and server, in the order in which they can be restored.
pub fn save(dump: &Dump) -> Exported {
    let state = &dump.state;
    let timeouts = if dump.says.timeouts { state.timeouts } else { Timeouts::NONE };
    let (mut text, mut left_out) = settings_text(timeouts, &state.syncs);
    for (key, entry) in &state.services {
        let saved = Saved { key, service: &entry.service, servers: entry.servers.iter().collect() };
        let (lines, lost) = save_text(&saved, Faithful::ToTable, &mut Numeric);
        text.push_str(&lines);
        left_out.extend(lost);
    }
    let mut silent = |what: String| left_out.push(format!("{what}: ipvsadm has no words for it"));
    for one in group(state.marks.iter().map(|(selector, entry)| (selector, entry.mark))) {
        silent(format!("mark {} for {}", one.mark, one.match_text()));
    }
    state.vips.iter().filter(|(_, vip)| vip.is_ours()).for_each(|(key, _)| silent(format!("vip {key}")));
    state.rules.iter().filter(|(_, rule)| rule.is_ours()).for_each(|(key, _)| silent(format!("rule {key}")));
    let routes = state.routes.iter().filter(|(_, route)| route.is_ours());
    routes.for_each(|(key, _)| silent(format!("route {key}")));
    let tunnels = state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours());
    tunnels.for_each(|(dev, tunnel)| silent(format!("tunnel {dev}, {}", tunnel.kind)));
    let ports = state.fous.iter().filter(|(_, fou)| **fou == Fou::Gue);
    ports.for_each(|(key, _)| silent(format!("gue port {key}")));
    state.sysctls.iter().for_each(|(name, value)| silent(format!("sysctl {name} = {value}")));
    Exported { text, left_out }
}
