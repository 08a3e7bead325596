//! The connection table, read from /proc: netlink has no call for it.
//!
//! A table may have a million lines, so they are parsed as bytes while they come, and nothing is kept. The kernel hands
//! out a page per read whatever it is asked for. Before Linux 6.8 it also counts through the table from its start at
//! each of these reads, so that reading takes time by the square of the length there. What comes and goes meanwhile
//! may be missed or seen twice, there also what comes and goes in other namespaces, whose entries are in the same table.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::model::{Connection, ConnectionState, Family, Fwmark, PeData, Port, Protocol, ServerKey, Target};

/// Of the namespace of the thread that opens it: /proc/net is that of the process.
const TABLE: &str = "/proc/thread-self/net/ip_vs_conn";
const BUFFER: usize = 64 * 1024;

/// The table of this thread's namespace, entry by entry.
pub struct Table {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// What of the buffer is read and not yet given out.
    rest: Range<usize>,
    /// The head line was not met yet.
    head: bool,
    ended: bool,
}

impl Table {
    pub fn open() -> Result<Table> {
        let file = File::open(TABLE).map_err(|error| Error::io("read", Path::new(TABLE), &error))?;
        Ok(Table::of(Box::new(file)))
    }

    fn of(source: Box<dyn Read + Send>) -> Table {
        Table { source, buffer: vec![0; BUFFER], rest: 0..0, head: true, ended: false }
    }

    /// Where the next line is in the buffer; `None` at the end.
    fn line(&mut self) -> std::io::Result<Option<Range<usize>>> {
        let mut looked = 0;
        loop {
            let unread = self.buffer.get(self.rest.clone()).unwrap_or_default();
            let fresh = unread.get(looked..).unwrap_or_default();
            if let Some(length) = fresh.iter().position(|byte| *byte == b'\n').map(|at| looked + at) {
                let line = self.rest.start..self.rest.start + length;
                self.rest.start = line.end + 1;
                return Ok(Some(line));
            }
            looked = unread.len();
            // A line is far shorter than the buffer: one that fills it is none of ours, and will not parse.
            if self.ended || looked == self.buffer.len() {
                let line = std::mem::replace(&mut self.rest, 0..0);
                return Ok((!line.is_empty()).then_some(line));
            }
            self.buffer.copy_within(self.rest.clone(), 0);
            let room = self.buffer.get_mut(looked..).unwrap_or_default();
            let got = self.source.read(room)?;
            self.ended = got == 0;
            self.rest = 0..looked + got;
        }
    }
}

impl Iterator for Table {
    type Item = Result<Connection>;

    fn next(&mut self) -> Option<Result<Connection>> {
        loop {
            let line = match self.line() {
                Ok(line) => self.buffer.get(line?).unwrap_or_default(),
                Err(error) => {
                    (self.ended, self.rest) = (true, 0..0);
                    return Some(Err(Error::io("read", Path::new(TABLE), &error)));
                }
            };
            let head = std::mem::take(&mut self.head) && line.starts_with(b"Pro ");
            if line.is_empty() || head {
                continue;
            }
            let entry = parse(line).ok_or_else(|| not_understood(line));
            if entry.is_err() {
                (self.ended, self.rest) = (true, 0..0);
            }
            return Some(entry);
        }
    }
}

fn not_understood(line: &[u8]) -> Error {
    let line = String::from_utf8_lossy(line);
    Error::new(Kind::Unable, "bad_answer", format!("{TABLE}: a line of the kernel is not understood: {line}"))
}

/// `TCP 0A00000B C350 0A000063 0050 0A00006B 0050 ESTABLISHED     899`, and the engine with its datum behind it.
fn parse(line: &[u8]) -> Option<Connection> {
    let mut words = Words(line);
    let protocol = protocol(words.next()?)?;
    let (client, client_port) = (address(words.next()?)?, port(words.next()?)?);
    let (virtual_addr, virtual_port) = (address(words.next()?)?, port(words.next()?)?);
    let server = ServerKey { addr: address(words.next()?)?, port: port(words.next()?)? };
    let state = ConnectionState::new(std::str::from_utf8(words.next()?).ok()?);
    let expires = number(words.next()?)?;
    let target = match mark(protocol, virtual_addr) {
        Some(mark) => Target::Mark { family: Family::of(client), mark },
        None => Target::Address { addr: virtual_addr, port: virtual_port },
    };
    let pe = words.next().map(|name| PeData {
        name: String::from_utf8_lossy(name).into_owned(),
        data: String::from_utf8_lossy(words.0.trim_ascii()).into_owned(),
    });
    Some(Connection { protocol, client, client_port, target, server, state, expires, pe })
}

/// Words between spaces; what is left of the line stays in it.
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

/// `ip_vs_proto_name` (ip_vs_core.c): `IP_n` for those without a name.
fn protocol(word: &[u8]) -> Option<Protocol> {
    Some(Protocol::from_number(match word {
        b"TCP" => 6,
        b"UDP" => 17,
        b"SCTP" => 132,
        b"IP" => 0,
        b"ICMP" => 1,
        b"ICMPv6" => 58,
        other => std::str::from_utf8(other.strip_prefix(b"IP_")?).ok()?.parse().ok()?,
    }))
}

/// The mark of a template: `ip_vs_sched_persist` puts it in place of the address, into the first 32 bits.
fn mark(protocol: Protocol, addr: IpAddr) -> Option<Fwmark> {
    if protocol.number() != 0 {
        return None;
    }
    Fwmark::new(match addr {
        IpAddr::V4(addr) => addr.to_bits(),
        IpAddr::V6(addr) => u32::try_from(addr.to_bits() >> 96).ok()?,
    })
    .ok()
}

/// IPv4 as eight digits, IPv6 in full (`%pI6`), also in brackets.
fn address(word: &[u8]) -> Option<IpAddr> {
    let word = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")).unwrap_or(word);
    match word.len() {
        8 => Some(Ipv4Addr::from_bits(u32::try_from(hexadecimal(word)?).ok()?).into()),
        39 => {
            let mut bits = 0;
            for group in word.split(|byte| *byte == b':') {
                bits = bits << 16 | (group.len() == 4).then(|| hexadecimal(group))??;
            }
            Some(Ipv6Addr::from_bits(bits).into())
        }
        _ => None,
    }
}

fn port(word: &[u8]) -> Option<Port> {
    (word.len() == 4).then(|| hexadecimal(word))?.and_then(|port| u16::try_from(port).ok()).map(Port)
}

fn hexadecimal(word: &[u8]) -> Option<u128> {
    word.iter().try_fold(0, |sum, byte| Some(sum << 4 | u128::from(char::from(*byte).to_digit(16)?)))
}

fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that hands out so many bytes at a time, as the kernel ends its pages at a line or anywhere.
    struct Pages(&'static [u8], usize);

    impl Read for Pages {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(self.1).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(text: &str, page: usize) -> Result<Vec<Connection>> {
        let text: &'static str = Box::leak(text.to_string().into_boxed_str());
        Table::of(Box::new(Pages(text.as_bytes(), page))).collect()
    }

    /// `ipvsadm -Lcn` of the same table, but without its clock.
    fn line(entry: &Connection) -> String {
        let client = crate::model::show_endpoint(entry.client, entry.client_port);
        let Connection { protocol, target, server, state, expires, pe, .. } = entry;
        let kind = if entry.is_template() { " template" } else { "" };
        let pe = pe.as_ref().map_or(String::new(), |pe| format!(" {}={}", pe.name, pe.data));
        format!("{protocol} {client} {target} {server} {state} {expires}{kind}{pe}\n")
    }

    const LINUX_6_1: &str = include_str!("../../tests/wire/captures/linux-6.1/connections.txt");
    const LINUX_7_2: &str = include_str!("../../tests/wire/captures/linux-7.2/connections.txt");

    #[test]
    fn captured_tables() {
        for (name, text) in [("6.1", LINUX_6_1), ("7.2", LINUX_7_2)] {
            let entries = all(text, 4096).expect(name);
            assert_eq!(entries.len(), text.lines().count() - 1, "{name}");
            insta::assert_snapshot!(
                format!("connections_of_linux_{name}"),
                entries.iter().map(line).collect::<String>()
            );
            for page in [1, 7, 100] {
                assert_eq!(all(text, page).expect("the same in small pieces"), entries);
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let good =
            LINUX_6_1.lines().find(|line| line.contains(" 01BB ") && line.contains("0A00")).expect("a line");
        for (bad, with) in
            [("TCP", "XYZ"), ("0A00000B", "0A00000"), (" 01BB ", " 1BB "), ("0A000063", "0A00006G")]
        {
            let line = good.replace(bad, with);
            assert_ne!(line, good);
            let error = all(&line, 4096).expect_err(&line);
            assert!(error.to_string().ends_with(&line), "{error}");
        }
        assert!(all("TCP 0A00000B AFE6", 4096).is_err(), "cut off");
        assert!(all(&"x".repeat(2 * BUFFER), 4096).is_err(), "endless");
        assert_eq!(all("", 4096).expect("empty"), []);
    }

    #[test]
    fn states_and_protocols_of_later_kernels_are_kept() {
        let line = "IP_50 0A00000B 0000 0A000063 0000 C0A8006B 0000 BRAND_NEW_STATE         58";
        let entry = all(line, 4096).expect("a line").remove(0);
        assert_eq!((entry.protocol, entry.state.name()), (Protocol::Other(50), "BRAND_NEW_STATE"));
        assert!(!entry.is_template(), "its state says that it is something else");
    }

    #[test]
    fn after_an_error_there_is_no_more() {
        let text = format!("{}TCP is no line\n{}", LINUX_6_1, LINUX_6_1).leak();
        let mut table = Table::of(Box::new(Pages(text.as_bytes(), 4096)));
        assert_eq!(table.by_ref().filter(|entry| entry.is_err()).count(), 1);
        assert!(table.next().is_none());
    }
}
