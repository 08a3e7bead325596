//! What the kernel counts. Never compared by a plan.

use serde::{Deserialize, Serialize};

/// Totals since the service or server was added (or zeroed), and the kernel's own per-second estimates.
///
/// Bytes, never bits, although the kernel's names end in BPS (`IPVS_STATS_ATTR_*`, linux/ip_vs.h). Rates are
/// smoothed over about 8 s by a timer of 2 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    pub conns: u64,
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
    pub conns_per_s: u64,
    pub in_packets_per_s: u64,
    pub out_packets_per_s: u64,
    pub in_bytes_per_s: u64,
    pub out_bytes_per_s: u64,
}

/// The live numbers of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerLive {
    /// Established connections.
    pub active: u32,
    /// All other entries; they count for the thresholds.
    pub inactive: u32,
    /// Persistence templates that point here.
    pub persist: u32,
    pub stats: Stats,
}
