//! Attributes of counters and rates.

use super::{Count, Nested, attributes};
use crate::kernel::ipvs::consts::*;

attributes! {
    /// Counters and rates, within `*_ATTR_STATS` and `*_ATTR_STATS64`. "Bps" is the kernel's word for bytes per second.
    'a StatsAttr<'a> {
        Conns(Count) = IPVS_STATS_ATTR_CONNS,
        InPkts(Count) = IPVS_STATS_ATTR_INPKTS,
        OutPkts(Count) = IPVS_STATS_ATTR_OUTPKTS,
        InBytes(Count) = IPVS_STATS_ATTR_INBYTES,
        OutBytes(Count) = IPVS_STATS_ATTR_OUTBYTES,
        Cps(Count) = IPVS_STATS_ATTR_CPS,
        InPps(Count) = IPVS_STATS_ATTR_INPPS,
        OutPps(Count) = IPVS_STATS_ATTR_OUTPPS,
        InBps(Count) = IPVS_STATS_ATTR_INBPS,
        OutBps(Count) = IPVS_STATS_ATTR_OUTBPS,
        Pad(Nested<'a>) = IPVS_STATS_ATTR_PAD,
    }
}
