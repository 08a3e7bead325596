//! How the hashing schedulers spread clients over servers, computed as the kernel does it.

use crate::model::{Scheduler, Weight};

/// Which server each slot of the scheduler's table belongs to (an index into `weights`), or `None` for
/// schedulers without such a table.
///
/// `weights` are in the order of the kernel's list of destinations, newest first.
pub fn table(scheduler: &Scheduler, weights: &[Weight]) -> Option<Vec<usize>> {
    if weights.is_empty() {
        return None;
    }
    match scheduler.name() {
        "sh" => Some(sh(weights)),
        _ => None,
    }
}

/// `IP_VS_SH_TAB_SIZE`: 2^`CONFIG_IP_VS_SH_TAB_BITS`, 8 everywhere (net/netfilter/ipvs/ip_vs_sh.c).
const SH_SLOTS: usize = 256;

/// `ip_vs_sh_reassign`: runs of as many slots as the server's weight, round and round until the table is full.
/// A server of weight 0 still gets a run of one: its slots refuse clients unless `sh-fallback` is set.
fn sh(weights: &[Weight]) -> Vec<usize> {
    let run = |(server, weight): (usize, &Weight)| {
        let length = usize::try_from(weight.get()).unwrap_or(SH_SLOTS).clamp(1, SH_SLOTS);
        std::iter::repeat_n(server, length)
    };
    weights.iter().enumerate().cycle().flat_map(run).take(SH_SLOTS).collect()
}

/// Slots of each server.
pub fn shares(table: &[usize], servers: usize) -> Vec<usize> {
    let mut counts = vec![0; servers];
    for server in table {
        counts[*server] += 1;
    }
    counts
}

/// The share of clients, in percent, that get another server when weights change; `None` when the scheduler has
/// no table that could be computed. Both lists name the same servers in the same order.
pub fn buckets_moved(scheduler: &Scheduler, before: &[Weight], after: &[Weight]) -> Option<u32> {
    let (before, after) = (table(scheduler, before)?, table(scheduler, after)?);
    let moved = before.iter().zip(&after).filter(|(old, new)| old != new).count();
    Some(percent(moved, before.len()))
}

/// Rounded to whole percent.
pub fn percent(part: usize, whole: usize) -> u32 {
    let rounded = (part * 100 + whole / 2) / whole.max(1);
    u32::try_from(rounded).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(list: &[u32]) -> Vec<Weight> {
        list.iter().map(|weight| Weight::new(*weight).unwrap()).collect()
    }

    fn sh() -> Scheduler {
        Scheduler::new("sh").unwrap()
    }

    #[test]
    fn shares_of_sh_are_runs() {
        let shares_of = |list: &[u32]| shares(&table(&sh(), &weights(list)).unwrap(), list.len());
        assert_eq!(shares_of(&[100, 100]), [156, 100]);
        assert_eq!(shares_of(&[8, 8]), [128, 128]);
        assert_eq!(shares_of(&[1, 0]), [128, 128]);
        assert_eq!(shares_of(&[0, 4, 4000]), [1, 4, 251]);
    }

    #[test]
    fn moved_buckets() {
        let moved = |before: &[u32], after: &[u32]| buckets_moved(&sh(), &weights(before), &weights(after));
        assert_eq!(moved(&[8, 8], &[8, 4]), Some(48));
        assert_eq!(moved(&[8, 8], &[4, 8]), Some(50));
        assert_eq!(moved(&[1, 1], &[1, 0]), Some(0));
        assert_eq!(buckets_moved(&Scheduler::new("wlc").unwrap(), &weights(&[1]), &weights(&[2])), None);
    }
}
