//! What ipvsadm(8) writes and reads: steps as its arguments, and its listings byte for byte.

mod list;
mod save;
mod sort;
mod step;

pub use list::{
    connection_text, connections_title, daemon_text, head_text, service_text, timeouts_text, title_text,
};
pub use save::{Faithful, Saved, save_text, settings_text};
pub use sort::{sort_servers, sort_services};
pub use step::{ipvsadm, ipvsadm_service};

use std::net::{IpAddr, Ipv6Addr};

use crate::model::{Port, Protocol};

/// Which columns a listing has, and how its numbers look. Where several are set, ipvsadm shows the first in the order
/// of these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    pub stats: bool,
    pub rate: bool,
    pub thresholds: bool,
    /// Persistent connections; of the connection table, the data of persistence engines.
    pub persistent: bool,
    pub tunnels: bool,
    /// Addresses and ports as numbers.
    pub numeric: bool,
    /// Counters in full, not as `123M`.
    pub exact: bool,
    /// In the kernel's order.
    pub unsorted: bool,
}

/// Where names come from when a listing is not numeric.
pub trait Names {
    /// `None`: the address stays a number.
    fn host(&mut self, addr: IpAddr) -> Option<String>;
    /// `None`: the port stays a number.
    fn service(&mut self, port: Port, protocol: Protocol) -> Option<String>;
}

/// No names at all.
pub struct Numeric;

impl Names for Numeric {
    fn host(&mut self, _: IpAddr) -> Option<String> {
        None
    }

    fn service(&mut self, _: Port, _: Protocol) -> Option<String> {
        None
    }
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`, or with names; of 60 bytes ipvsadm keeps 59.
fn endpoint(addr: IpAddr, port: Port, protocol: Protocol, names: &mut dyn Names) -> String {
    let host = names.host(addr).unwrap_or_else(|| address(addr));
    let service = names.service(port, protocol).unwrap_or_else(|| port.to_string());
    let mut text = if addr.is_ipv4() { format!("{host}:{service}") } else { format!("[{host}]:{service}") };
    cut(&mut text, 59);
    text
}

/// `inet_ntop`, which writes the last two groups of an IPv4-compatible address as IPv4.
fn address(addr: IpAddr) -> String {
    match addr {
        IpAddr::V6(v6) if compatible(v6) => {
            let [.., a, b, c, d] = v6.octets();
            format!("::{a}.{b}.{c}.{d}")
        }
        addr => addr.to_string(),
    }
}

fn compatible(addr: Ipv6Addr) -> bool {
    let groups = addr.segments();
    groups[..6].iter().all(|group| *group == 0) && groups[6] != 0
}

/// Keeps so many bytes.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_c_library_writes_them() {
        for (addr, text) in [
            ("::1", "::1"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::5", "::5"),
            ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ] {
            assert_eq!(address(addr.parse().expect("an address")), text);
        }
    }
}
