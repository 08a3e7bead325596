//! Firewall marks in the table `inet lvsh`, written over netlink as one transaction per change.
//!
//! ```text
//! table inet lvsh {
//!     map prerouting_range4 { type ipv4_addr . inet_proto . inet_service : mark; flags interval; … }
//!     map prerouting_range6 { … }
//!     map prerouting_exact4 {
//!         type ipv4_addr . inet_proto . inet_service : mark
//!         elements = { 192.168.1.99 . tcp . 80 comment "web" : 0x00000003 }
//!     }
//!     map prerouting_exact6 { … }
//!     chain prerouting {
//!         type filter hook prerouting priority mangle; policy accept;
//!         meta mark set ip daddr . meta l4proto . th dport map @prerouting_range4
//!         meta mark set ip6 daddr . meta l4proto . th dport map @prerouting_range6
//!         meta mark set ip daddr . meta l4proto . th dport map @prerouting_exact4
//!         meta mark set ip6 daddr . meta l4proto . th dport map @prerouting_exact6
//!         ip saddr 10.0.0.0/8 ip daddr 192.168.1.99 tcp dport 80 meta mark set 0x00000004 comment "web"
//!     }
//! }
//! ```
//!
//! and the same for `output`, of type route. Later look-ups win. A hook's part exists while it has marks, and the
//! table while there are any. The comment says whose a mark is.

mod change;
mod decode;
mod element;
mod expr;
mod layout;
mod rule;
mod socket;
mod table;
mod userdata;

use std::collections::BTreeMap;

use self::change::{Marks, Part};
use self::socket::{Errno, NftSocket};
use self::table::Table;
use crate::backend::Outcome;
use crate::error::{Error, Kind, Result};
use crate::model::{MarkEntry, MarkSelector};
use crate::plan::{Step, refusal};

/// Marks of the network namespace that the thread was in at the first use.
#[derive(Default)]
pub struct Nft {
    socket: Option<NftSocket>,
    notes: Vec<String>,
}

impl Nft {
    /// Opens nothing yet.
    pub fn new() -> Nft {
        Nft::default()
    }

    /// All marks of our table. No table is no marks; neither is a kernel without nf_tables.
    pub fn marks(&mut self) -> Result<BTreeMap<MarkSelector, MarkEntry>> {
        let table = match self.read() {
            Ok(table) => table,
            Err(errno) if is_missing(errno) => {
                self.notes = vec!["this kernel has no nf_tables: no marks can be set".to_string()];
                return Ok(BTreeMap::new());
            }
            Err(errno) => return Err(cannot_read(errno)),
        };
        Ok(entries(&table))
    }

    /// What the last reading found in our table that is not ours, or missed; one line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Makes all changes as one transaction: all are done, or none.
    ///
    /// Without steps it repairs a table that somebody took parts of.
    pub fn apply(&mut self, steps: &[&Step]) -> Vec<Outcome> {
        let table = match self.read() {
            Ok(table) => table,
            Err(errno) if is_missing(errno) => return refuse(steps, &[(0, libc::EOPNOTSUPP)]),
            Err(errno) => {
                return outcomes(steps, |place| (place == 0).then(|| cannot_read(errno)));
            }
        };
        let mut wanted = entries(&table);
        let mut refused = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            if let Err(errno) = change::play(&mut wanted, step) {
                refused.push((place, errno));
            }
        }
        if refused.is_empty() {
            refused = self.send(&table, &wanted, steps);
        }
        if refused.is_empty() { vec![Outcome::Done; steps.len()] } else { refuse(steps, &refused) }
    }

    /// Sends the changes; says which steps the kernel refused.
    fn send(&mut self, table: &Table, wanted: &Marks, steps: &[&Step]) -> Vec<(usize, Errno)> {
        let (blamed, sure) = self.send_in(change::parts(table, wanted, change::FULL), steps);
        if sure {
            return blamed;
        }
        // The kernel names the message, not the element: nothing was done, so ask again one by one.
        self.send_in(change::parts(table, wanted, change::SINGLE), steps).0
    }

    /// The refused steps, and whether they are surely those.
    fn send_in(&mut self, parts: Vec<Part>, steps: &[&Step]) -> (Vec<(usize, Errno)>, bool) {
        if parts.is_empty() {
            return (Vec::new(), true);
        }
        let socket = match self.socket() {
            Ok(socket) => socket,
            Err(errno) => return (vec![(0, errno)], true),
        };
        let (requests, about): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.request, part.about)).unzip();
        let Err(refused) = socket.batch(requests) else {
            return (Vec::new(), true);
        };
        let (mut blamed, mut sure) = (BTreeMap::new(), true);
        for (message, errno) in &refused.messages {
            let selectors = about.get(*message).map(Vec::as_slice).unwrap_or_default();
            sure &= selectors.len() <= 1;
            for selector in selectors {
                let step =
                    steps.iter().rposition(|step| change::selector_of(step).as_ref() == Some(selector));
                blamed.entry(step.unwrap_or(0)).or_insert(*errno);
            }
        }
        if blamed.is_empty() {
            let first = refused.messages.first().map(|(_, errno)| *errno);
            blamed.insert(0, refused.whole.or(first).unwrap_or(libc::EIO));
        }
        (blamed.into_iter().collect(), sure)
    }

    fn read(&mut self) -> std::result::Result<Table, Errno> {
        let table = Table::read(self.socket()?)?;
        self.notes = table.notes.clone();
        Ok(table)
    }

    fn socket(&mut self) -> std::result::Result<&mut NftSocket, Errno> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            empty => Ok(empty.insert(NftSocket::open()?)),
        }
    }
}

/// What a kernel without nf_tables answers: no such protocol, or no such subsystem of nfnetlink.
fn is_missing(errno: Errno) -> bool {
    matches!(errno, libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL)
}

fn entries(table: &Table) -> Marks {
    table.marks.iter().map(|(selector, standing)| (selector.clone(), standing.entry.clone())).collect()
}

fn cannot_read(errno: Errno) -> Error {
    let kind = if errno == libc::EPERM { Kind::Unable } else { Kind::Io };
    let error = Error::system(kind, "read", format!("table inet {}", layout::TABLE), errno);
    if errno == libc::EPERM { error.hint("reading nf_tables needs root or CAP_NET_ADMIN") } else { error }
}

fn refuse(steps: &[&Step], refused: &[(usize, Errno)]) -> Vec<Outcome> {
    outcomes(steps, |place| {
        let (_, errno) = refused.iter().find(|(step, _)| *step == place)?;
        steps.get(place).map(|step| refusal(step, *errno))
    })
}

/// Nothing of a refused transaction is done.
fn outcomes(steps: &[&Step], error: impl Fn(usize) -> Option<Error>) -> Vec<Outcome> {
    (0..steps.len()).map(|place| error(place).map_or(Outcome::NotSent, Outcome::Failed)).collect()
}
