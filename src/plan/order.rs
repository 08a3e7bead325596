//! In which order changes are made, and why.

use super::Step;

/// The place of a step. Lower is earlier; equal places keep their order.
///
/// One rule makes all of it: traffic never meets half a director. What brings traffic in comes after what carries
/// it, and goes before it.
pub fn rank(step: &Step) -> u8 {
    use Step::*;
    match step {
        // What brings traffic in goes first: no packet finds a mark or service that is half gone.
        DelVip { .. } | DelRule { .. } => 0,
        // The route goes after the rules that lead to it, a device after the addresses on it.
        DelMark { .. } | DelRoute { .. } | DelTunnel { .. } => 1,
        // A running daemon and a server of the other family forbid each other (EINVAL), so it stops before one comes.
        StopSync { .. } | DelFou { .. } => 2,
        // Host settings hold before the first connection that they concern.
        SetTimeouts { .. } => 3,
        SetSysctl { .. } => 4,
        // A service exists before its servers, and what unpacks before the address that it is unpacked for.
        AddFou { .. } | AddTunnel { .. } | SetTunnel { .. } | AddService { .. } => 5,
        SetService { .. } => 6,
        // New servers before old ones lose weight: the pool is never empty on the way.
        AddServer { .. } => 7,
        SetServer { from, to, .. } if to.weight > from.weight => 8,
        SetServer { .. } => 9,
        // A mark moves to its new service when that one is whole, and before the old one goes.
        AddMark { .. } | SetMark { .. } => 11,
        DelServer { .. } => 12,
        // A rule that leads to an empty table would let the packet go on to table main.
        DelService { .. } | AddRoute { .. } => 13,
        // When the last server of the other family is gone.
        StartSync { .. } => 14,
        // Last, when everything behind the address, or behind the mark, is whole.
        AddVip { .. } | SetVip { .. } | AddRule { .. } => 15,
    }
}

/// Sorts steps into the order in which they can be made safely.
pub fn sort(steps: &mut [Step]) {
    steps.sort_by_key(rank);
}
