//! The messages themselves.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Types of records (RFC 1035 section 3.2.2, RFC 3596, RFC 2782).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
}

impl RecordType {
    pub const NAMES: &[&str] = &["A", "AAAA", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "SRV"];

    pub fn name(self) -> &'static str {
        let known = RecordType::NAMES.iter().find(|name| RecordType::named(name) == Some(self));
        known.copied().unwrap_or_default()
    }

    pub fn named(name: &str) -> Option<RecordType> {
        use RecordType::*;
        Some(match name {
            "A" => A,
            "AAAA" => Aaaa,
            "NS" => Ns,
            "CNAME" => Cname,
            "SOA" => Soa,
            "PTR" => Ptr,
            "MX" => Mx,
            "TXT" => Txt,
            "SRV" => Srv,
            _ => return None,
        })
    }
}

/// What is wanted of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub code: u8,
    /// It did not fit into a datagram.
    pub cut: bool,
    /// Type and text, those of the type asked for and what leads to them (CNAME).
    pub records: Vec<(u16, String)>,
}

const CLASS_IN: u16 = 1;
const HEADER: usize = 12;

/// A question that may be passed on (RD).
pub fn query(id: u16, name: &str, ty: RecordType) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(64);
    out.extend(id.to_be_bytes());
    out.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.len() > 253 {
        return Err(format!("\"{name}\" is longer than 253 characters"));
    }
    for label in bare.split('.').filter(|_| !bare.is_empty()) {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        out.push(length.ok_or_else(|| {
            format!("\"{name}\" has a part of {} characters; 1 to 63 are allowed", label.len())
        })?);
        out.extend(label.bytes());
    }
    out.push(0);
    out.extend((ty as u16).to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    Ok(out)
}

/// Reads an answer; `None` for what is not the answer to question `id`, or is cut off.
pub fn parse(message: &[u8], id: u16) -> Option<Response> {
    let mut reader = Reader { message, at: 0 };
    let (found, flags) = (reader.u16()?, reader.u16()?);
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    const RESPONSE: u16 = 0x8000;
    const TRUNCATED: u16 = 0x0200;
    if found != id || flags & RESPONSE == 0 {
        return None;
    }
    let code = (flags & 0x000f) as u8;
    reader.at = HEADER;
    for _ in 0..questions {
        reader.name()?;
        reader.skip(4)?;
    }
    let mut records = Vec::new();
    for _ in 0..answers {
        reader.name()?;
        let ty = reader.u16()?;
        // Class and time to live.
        reader.skip(6)?;
        let length = usize::from(reader.u16()?);
        let end = reader.at + length;
        if end > message.len() {
            return None;
        }
        if let Some(text) = reader.record(ty, length) {
            records.push((ty, text));
        }
        reader.at = end;
    }
    Some(Response { code, cut: flags & TRUNCATED != 0, records })
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.message.get(self.at..self.at + N)?.try_into().ok()?;
        self.at += N;
        Some(bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.message.len()).then_some(())
    }

    fn u16(&mut self) -> Option<u16> {
        self.take::<2>().map(u16::from_be_bytes)
    }

    /// `www.example.org.`, following pointers backwards only, so that it ends.
    fn name(&mut self) -> Option<String> {
        let mut text = String::new();
        let (mut at, mut end) = (self.at, None);
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Some(if text.is_empty() { ".".to_string() } else { text });
                }
                1..=63 => {
                    let label = self.message.get(at + 1..at + 1 + length)?;
                    text.push_str(&String::from_utf8_lossy(label));
                    text.push('.');
                    at += 1 + length;
                }
                0xc0..=0xff => {
                    let low = usize::from(*self.message.get(at + 1)?);
                    let target = (length & 0x3f) << 8 | low;
                    end = end.or(Some(at + 2));
                    if target >= at {
                        return None;
                    }
                    at = target;
                }
                _ => return None,
            }
            if text.len() > 255 {
                return None;
            }
        }
    }

    fn record(&mut self, ty: u16, length: usize) -> Option<String> {
        // Names are told without the last dot, as people write them.
        let bare = |name: String| if name.len() > 1 { name.trim_end_matches('.').to_string() } else { name };
        let start = self.at;
        Some(match ty {
            1 => Ipv4Addr::from(self.take::<4>()?).to_string(),
            28 => Ipv6Addr::from(self.take::<16>()?).to_string(),
            2 | 5 | 12 => bare(self.name()?),
            6 => bare(self.name()?),
            15 => {
                let preference = self.u16()?;
                format!("{preference} {}", bare(self.name()?))
            }
            33 => {
                let (priority, weight, port) = (self.u16()?, self.u16()?, self.u16()?);
                format!("{priority} {weight} {port} {}", bare(self.name()?))
            }
            16 => {
                let mut text = String::new();
                while self.at < start + length {
                    let [count] = self.take::<1>()?;
                    let part = self.message.get(self.at..self.at + usize::from(count))?;
                    text.push_str(&String::from_utf8_lossy(part));
                    self.at += usize::from(count);
                }
                text
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer to A? a.example with a CNAME and an address, its names compressed.
    fn answer() -> Vec<u8> {
        let mut message = query(7, "a.example", RecordType::A).unwrap();
        message[2] = 0x81;
        message[7] = 2;
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'b', 0xc0, 14]);
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        message
    }

    #[test]
    fn answers_are_read() {
        let read = parse(&answer(), 7).unwrap();
        assert_eq!(
            read,
            Response { code: 0, cut: false, records: vec![(5, "b.example".into()), (1, "192.0.2.1".into())] }
        );
        assert_eq!(parse(&answer(), 8), None);
    }

    #[test]
    fn what_is_cut_or_loops_is_no_answer() {
        let whole = answer();
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length], 7), None, "{length}");
        }
        let mut looping = whole.clone();
        let end = looping.len();
        looping[end - 16 - 2..end - 16].copy_from_slice(&[0xc0, 250]);
        // The record is passed over; reading ends.
        assert!(parse(&looping, 7).is_some_and(|read| read.records == [(1, "192.0.2.1".to_string())]));
    }

    #[test]
    fn names_that_cannot_be() {
        assert!(query(1, "a..b", RecordType::A).is_err());
        assert!(query(1, &"x".repeat(64), RecordType::A).is_err());
        assert!(query(1, ".", RecordType::Soa).is_ok());
    }
}
