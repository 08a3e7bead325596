//! How packets for an address that this machine does not have reach it all the same: by a rule and a local route.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Family, Fwmark, Vip};

/// A routing table's number: 1..=4294967295 but those of the kernel's own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteTable(u32);

impl RouteTable {
    /// Refuses what linux/rtnetlink.h reserves (`RT_TABLE_UNSPEC`, `_DEFAULT`, `_MAIN`, `_LOCAL`): a default route of
    /// type local there would take every packet of the machine, not only the marked ones.
    pub fn new(number: u32) -> Result<RouteTable, String> {
        let name = match number {
            0 => "no table",
            253 => "table default",
            254 => "table main",
            255 => "table local",
            _ => return Ok(RouteTable(number)),
        };
        Err(format!(
            "{number} is {name}, which all packets use; take one of your own, such as 100 (1..4294967295)"
        ))
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RouteTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A rule that sends packets with a mark to a table: `fwmark 3 lookup 100`. Rules with more conditions are others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleKey {
    pub family: Family,
    /// Lower is asked first.
    pub priority: u32,
    pub mark: Fwmark,
    pub table: RouteTable,
}

impl RuleKey {
    /// Behind the kernel's `local` (0), in front of `main` (32766) and of what VPNs and VRFs add (1000 and up): a
    /// packet that has the mark is for IPVS, whatever else would be said of it. Said, because the kernel's own choice
    /// depends on which rules are there.
    pub const PRIORITY: u32 = 100;
}

impl fmt::Display for RuleKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuleKey { family, priority, mark, table } = self;
        write!(out, "{}fwmark {mark} lookup {table} priority {priority}", of_family(*family))
    }
}

/// The route in a table that delivers every packet here: `local default dev lo table 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteKey {
    pub family: Family,
    pub table: RouteTable,
}

impl fmt::Display for RouteKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}local default dev lo table {}", of_family(self.family), self.table)
    }
}

fn of_family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "",
        Family::Ipv6 => "ipv6 ",
    }
}

/// Who installed a rule (`FRA_PROTOCOL`) or route (`rtm_protocol`); 0 when nobody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Installed {
    pub by: u8,
}

impl Installed {
    /// The number that addresses have, too. iproute2's rt_protos gives it to nobody.
    pub fn ours() -> Installed {
        Installed { by: Vip::OURS }
    }

    pub fn is_ours(self) -> bool {
        self == Installed::ours()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel_are_refused() {
        for number in [0, 253, 254, 255] {
            assert!(RouteTable::new(number).is_err_and(|why| why.contains("which all packets use")));
        }
        for number in [1, 100, 252, 256, u32::MAX] {
            assert_eq!(RouteTable::new(number).map(RouteTable::get), Ok(number));
        }
    }
}
