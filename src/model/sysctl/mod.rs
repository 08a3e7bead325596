//! The kernel settings that matter to a director: what each may be, what it does, and what it costs.
//!
//! One table for checks, hints and help.

mod table;

pub use table::SYSCTLS;

use super::SysctlName;

/// One setting. A kernel may lack it: see `since`.
#[derive(Debug)]
pub struct Sysctl {
    /// Of IPVS's own without `net.ipv4.vs.`; of a device's with `*` in its place: `net.ipv4.conf.*.arp_ignore`.
    pub name: &'static str,
    pub values: Values,
    /// In a new network namespace; empty where it depends on the machine.
    pub default: &'static str,
    /// What the number counts; empty for choices.
    pub unit: &'static str,
    /// The first Linux that has it, where that is later than 6.1.
    pub since: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// What the choice costs.
    pub cost: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// 0 or 1
    Switch,
    /// A whole number, both ends included.
    Range(i64, i64),
    /// A power of two in this range.
    Power(i64, i64),
    /// Two numbers: `3 50`.
    Pair,
    /// Processors: `0-3,8`.
    Processors,
}

impl Values {
    /// `0 or 1`, `0..3`
    pub fn describe(self) -> String {
        match self {
            Values::Switch => "0 or 1".to_string(),
            Values::Range(min, i64::MAX) => format!("{min} or more"),
            Values::Range(min, max) => format!("{min}..{max}"),
            Values::Power(min, max) => format!("a power of 2, {min}..{max}"),
            Values::Pair => "two numbers".to_string(),
            Values::Processors => "a list of processors".to_string(),
        }
    }

    /// All of them, where they are few.
    pub fn few(self) -> Vec<i64> {
        const FEW: i64 = 16;
        match self {
            Values::Switch => vec![0, 1],
            Values::Range(min, max) if max.saturating_sub(min) <= FEW => (min..=max).collect(),
            Values::Power(min, max) => {
                (0..62).map(|bits| 1 << bits).filter(|power| (min..=max).contains(power)).take(17).collect()
            }
            Values::Range(..) | Values::Pair | Values::Processors => Vec::new(),
        }
    }

    fn take(self, value: &str) -> bool {
        let number = value.parse::<i64>();
        match (self, number) {
            (Values::Switch, Ok(number)) => (0..=1).contains(&number),
            (Values::Range(min, max), Ok(number)) => (min..=max).contains(&number),
            (Values::Power(min, max), Ok(number)) => {
                (min..=max).contains(&number) && u64::try_from(number).is_ok_and(u64::is_power_of_two)
            }
            (Values::Pair, _) => {
                let numbers: Vec<_> = value.split_whitespace().map(str::parse::<u32>).collect();
                (1..=2).contains(&numbers.len()) && numbers.iter().all(Result::is_ok)
            }
            (Values::Processors, _) => value.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b','),
            (_, Err(_)) => false,
        }
    }
}

impl Sysctl {
    /// With dots, as sysctl(8) writes it.
    pub fn full_name(&self) -> String {
        if self.name.contains('.') {
            self.name.to_string()
        } else {
            format!("{}{}", SysctlName::VS, self.name)
        }
    }

    /// What is known of a setting; `None` for one that this table does not have.
    pub fn of(name: &SysctlName) -> Option<&'static Sysctl> {
        let name = name.name();
        if let Some(short) = name.strip_prefix(SysctlName::VS) {
            return SYSCTLS.iter().find(|known| known.name == short);
        }
        // net.ipv4.conf.DEVICE.arp_ignore, or with slashes where the device has dots.
        let separator = if name.contains('/') { '/' } else { '.' };
        let last = name.rsplit(separator).next()?;
        let of_device = |known: &&Sysctl| {
            known.name.split_once("*.").is_some_and(|(before, after)| {
                let before = before.replace('.', &separator.to_string());
                after == last && name.len() > before.len() + last.len() + 1 && name.starts_with(&before)
            })
        };
        SYSCTLS.iter().find(|known| known.full_name() == name).or_else(|| SYSCTLS.iter().find(of_device))
    }

    /// Refuses what the kernel would refuse or silently take for something else.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if self.values.take(value.trim()) {
            return Ok(());
        }
        let unit = if self.unit.is_empty() { String::new() } else { format!(" ({})", self.unit) };
        Err(format!("'{value}' is not {}{unit}", self.values.describe()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str) -> Option<&'static Sysctl> {
        Sysctl::of(&SysctlName::new(name).expect(name))
    }

    #[test]
    fn every_row_is_whole() {
        for row in SYSCTLS {
            assert!(row.doc.ends_with('.') && row.cost.ends_with('.'), "{}", row.name);
            assert!(row.default.is_empty() || row.check(row.default).is_ok(), "{}: its default", row.name);
            let name = row.full_name().replace('*', "eth0");
            assert_eq!(about(&name).map(|found| found.name), Some(row.name), "{name} is found");
        }
        let (own, others): (Vec<&str>, Vec<&str>) =
            SYSCTLS.iter().map(|row| row.name).partition(|name| !name.contains('.'));
        assert!(own.is_sorted() && others.is_sorted(), "both parts are sorted");
    }

    #[test]
    fn names_find_their_row() {
        assert_eq!(about("conntrack").map(|row| row.name), Some("conntrack"));
        assert_eq!(about("net.ipv4.conf.all.arp_ignore").map(|row| row.values), Some(Values::Range(0, 8)));
        assert!(about("net/ipv4/conf/eth0.5/arp_announce").is_some(), "a device with a dot");
        for unknown in [
            "conntrak",
            "net.ipv4.conf.arp_ignore",
            "net.ipv4.tcp_syncookies",
            "net.ipv6.conf.all.arp_ignore",
        ] {
            assert!(about(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn values_are_checked() {
        for (name, good, bad, words) in [
            ("conntrack", "1", "2", "'2' is not 0 or 1"),
            ("drop_entry", "3", "4", "'4' is not 0..3 (mode)"),
            ("sync_ports", "8", "6", "'6' is not a power of 2, 1..64 (threads)"),
            ("sync_threshold", "3 50", "3 50 1", "'3 50 1' is not two numbers (packets)"),
            ("est_cpulist", "0-3,8", "all", "'all' is not a list of processors"),
            ("conn_lfactor", "-8", "", "'' is not -8..8 (powers of 2)"),
        ] {
            let row = about(name).expect(name);
            assert_eq!(row.check(good), Ok(()), "{name}");
            assert_eq!(row.check(bad).expect_err(name), words);
        }
    }
}
