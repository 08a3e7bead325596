//! Counters ⇄ attributes.

use crate::kernel::ipvs::attr::{self, Count, Malformed, Nested, StatsAttr, put};
use crate::model::Stats;

/// Counters of either width.
pub fn read_stats(nest: Nested<'_>) -> Result<Stats, Malformed> {
    let mut stats = Stats::default();
    for attr in attr::read::<StatsAttr<'_>>(nest.0) {
        match attr? {
            StatsAttr::Conns(count) => stats.conns = count.get(),
            StatsAttr::InPkts(count) => stats.in_packets = count.get(),
            StatsAttr::OutPkts(count) => stats.out_packets = count.get(),
            StatsAttr::InBytes(count) => stats.in_bytes = count.get(),
            StatsAttr::OutBytes(count) => stats.out_bytes = count.get(),
            StatsAttr::Cps(count) => stats.conns_per_s = count.get(),
            StatsAttr::InPps(count) => stats.in_packets_per_s = count.get(),
            StatsAttr::OutPps(count) => stats.out_packets_per_s = count.get(),
            StatsAttr::InBps(count) => stats.in_bytes_per_s = count.get(),
            StatsAttr::OutBps(count) => stats.out_bytes_per_s = count.get(),
            StatsAttr::Pad(_) | StatsAttr::Other(_) => {}
        }
    }
    Ok(stats)
}

/// Counters as `*_STATS64` has them. The kernel never takes them; this is for answers made by hand.
pub fn put_stats(out: &mut Vec<u8>, stats: &Stats) {
    put(out, &StatsAttr::Conns(Count::Wide(stats.conns)));
    put(out, &StatsAttr::InPkts(Count::Wide(stats.in_packets)));
    put(out, &StatsAttr::OutPkts(Count::Wide(stats.out_packets)));
    put(out, &StatsAttr::InBytes(Count::Wide(stats.in_bytes)));
    put(out, &StatsAttr::OutBytes(Count::Wide(stats.out_bytes)));
    put(out, &StatsAttr::Cps(Count::Wide(stats.conns_per_s)));
    put(out, &StatsAttr::InPps(Count::Wide(stats.in_packets_per_s)));
    put(out, &StatsAttr::OutPps(Count::Wide(stats.out_packets_per_s)));
    put(out, &StatsAttr::InBps(Count::Wide(stats.in_bytes_per_s)));
    put(out, &StatsAttr::OutBps(Count::Wide(stats.out_bytes_per_s)));
}
