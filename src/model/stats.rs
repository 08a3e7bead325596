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

impl Stats {
    /// Number by number.
    #[must_use]
    pub fn zip(&self, other: &Stats, each: impl Fn(u64, u64) -> u64) -> Stats {
        Stats {
            conns: each(self.conns, other.conns),
            in_packets: each(self.in_packets, other.in_packets),
            out_packets: each(self.out_packets, other.out_packets),
            in_bytes: each(self.in_bytes, other.in_bytes),
            out_bytes: each(self.out_bytes, other.out_bytes),
            conns_per_s: each(self.conns_per_s, other.conns_per_s),
            in_packets_per_s: each(self.in_packets_per_s, other.in_packets_per_s),
            out_packets_per_s: each(self.out_packets_per_s, other.out_packets_per_s),
            in_bytes_per_s: each(self.in_bytes_per_s, other.in_bytes_per_s),
            out_bytes_per_s: each(self.out_bytes_per_s, other.out_bytes_per_s),
        }
    }

    /// These totals with rates worked out from an `earlier` reading, so many seconds ago. Counters that were set back
    /// meanwhile count from 0.
    #[must_use]
    pub fn measured(&self, earlier: &Stats, seconds: f64) -> Stats {
        let rate = |now: u64, then: u64| {
            let gone = if now >= then { now - then } else { now };
            // Counters are far below what a double holds exactly for any time that matters here.
            (gone as f64 / seconds).round() as u64
        };
        Stats {
            conns_per_s: rate(self.conns, earlier.conns),
            in_packets_per_s: rate(self.in_packets, earlier.in_packets),
            out_packets_per_s: rate(self.out_packets, earlier.out_packets),
            in_bytes_per_s: rate(self.in_bytes, earlier.in_bytes),
            out_bytes_per_s: rate(self.out_bytes, earlier.out_bytes),
            ..*self
        }
    }
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
