//! Values of options: addresses, masks, numbers, flags, as ipvsadm reads them.

use std::net::IpAddr;

use super::names;
use super::number::{decimal, inet_aton};
use super::wrong::Wrong;
use crate::error::did_you_mean;
use crate::model::{Flags, MAX_PERSIST_SECONDS, Netmask, Persistence, Protocol, Scheduler};

/// `HOST[:PORT]`; the port is `None` where none was given. An error is the reason.
///
/// ipvsadm's ways: an IPv6 address with a port is in brackets, and one in brackets has a port; an IPv4 address in
/// brackets is taken and its port is not.
pub fn endpoint(text: &str, protocol: Protocol) -> Result<(IpAddr, Option<u16>), String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let what = if text.is_empty() {
            "the address is empty".to_string()
        } else {
            format!("'{text}' is a number")
        };
        return Err(format!("{what}; write it as 192.0.2.1:80 or [2001:db8::1]:80"));
    }
    let (host, mut port) = match text.strip_prefix('[') {
        None => (text, None),
        Some(rest) => match rest.split_once(']') {
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => {
                    return Err(format!(
                        "'{text}' has no port; write it as [{host}]:PORT, or without brackets"
                    ));
                }
            },
            None => return Err(format!("'{text}' has '[' without ']'")),
        },
    };
    let addr = match host.parse() {
        Ok(addr) => IpAddr::V6(addr),
        Err(_) => {
            let (host, own) = match host.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (host, None),
            };
            port = own;
            let found = inet_aton(host).or_else(|| names::host(host));
            IpAddr::V4(found.ok_or_else(|| unknown_host(text, host))?)
        }
    };
    let number = |port: &str| {
        let number = decimal(port).and_then(|number| u16::try_from(number).ok());
        number.or_else(|| names::port(port, protocol)).ok_or_else(|| unknown_port(port, protocol))
    };
    Ok((addr, port.map(number).transpose()?))
}

fn unknown_host(text: &str, host: &str) -> String {
    if host.contains(':') {
        format!("'{text}' is not an address; write an IPv6 address with its port as [2001:db8::1]:80")
    } else if host.is_empty() {
        format!("'{text}' has no address before ':'")
    } else if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        format!("'{host}' is not an IPv4 address (four numbers, 0..255)")
    } else {
        format!("'{host}' is not an address, and no host of this name has an IPv4 address")
    }
}

fn unknown_port(port: &str, protocol: Protocol) -> String {
    if port.is_empty() {
        "the port after ':' is empty".to_string()
    } else if port.bytes().all(|b| b.is_ascii_digit()) {
        format!("port {port} is not in 0..65535")
    } else if let Protocol::Other(_) = protocol {
        format!("port '{port}' has no meaning before the service is named; put -t or -u first")
    } else {
        format!("port '{port}' is neither a number 0..65535 nor a {protocol} service of /etc/services")
    }
}

/// `-M` of IPv4: anything that `inet_aton` reads, or a host's name.
pub fn netmask_v4(text: &str) -> Option<Netmask> {
    inet_aton(text).or_else(|| names::host(text)).map(Netmask::V4)
}

/// A number in a range; `theirs` is what ipvsadm says of others.
pub fn number(
    text: &str,
    range: std::ops::RangeInclusive<u32>,
    what: &str,
    theirs: &str,
) -> Result<u32, Wrong> {
    let number = decimal(text).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = range.into_inner();
        Wrong::new(theirs, format!("{what} '{text}' is not a number {least}..{most}"))
    })
}

/// Seconds; without text what ipvsadm takes for `-p` alone.
pub fn seconds(text: Option<&str>, least: u32, what: &str) -> Result<u32, Wrong> {
    let Some(text) = text else { return Ok(Persistence::DEFAULT_SECONDS) };
    let theirs = format!("invalid timeout value `{text}' specified");
    number(text, least..=MAX_PERSIST_SECONDS, what, &theirs)
}

/// `-f`: `strtol` into an unsigned, so that only 0 and what has more than 32 bits is refused.
pub fn fwmark(text: &str) -> Result<u32, Wrong> {
    let number = decimal(text).filter(|number| *number > 0).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        let wrong = Wrong::new(
            format!("invalid fwmark value `{text}' specified"),
            format!("firewall mark '{text}' is not a number 1..{}", u32::MAX),
        );
        match text.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
            Some(number) => wrong.hint(format!("write it in decimal: {number}")),
            None => wrong,
        }
    })
}

/// `-b`: words with commas between them, some of which belong to one scheduler.
pub fn sched_flags(text: &str, scheduler: &str) -> Result<Flags, Wrong> {
    let scheduler = if scheduler.is_empty() { Scheduler::DEFAULT } else { scheduler };
    let mut flags = Flags::default();
    let words: Vec<&str> = text.split(',').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(Wrong::new("invalid scheduler flag `'", format!("'{text}' names no scheduler flag")));
    }
    for word in words {
        let Some((_, flag, owner)) = Flags::WORDS.iter().find(|known| known.0 == word) else {
            let wrong = Wrong::new(
                format!("invalid scheduler flag `{word}'"),
                format!("unknown scheduler flag '{word}'"),
            );
            let known = || Flags::WORDS.iter().map(|known| known.0);
            return Err(match did_you_mean(word, known()) {
                Some(near) => wrong.hint(format!("did you mean '{near}'?")),
                None => wrong.hint(format!("flags: {}", known().collect::<Vec<_>>().join(", "))),
            });
        };
        if let Some(owner) = owner.filter(|owner| *owner != scheduler) {
            let theirs = format!("incompatible scheduler flag `{word}'");
            let wrong = Wrong::new(
                theirs,
                format!("flag '{word}' belongs to scheduler '{owner}', not '{scheduler}'"),
            );
            return Err(wrong.hint(format!("add -s {owner}")));
        }
        flags = flags.with(*flag);
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Option<u16>), String> {
        endpoint(text, Protocol::Tcp).map(|(addr, port)| (addr.to_string(), port))
    }

    #[test]
    fn endpoints_as_ipvsadm_reads_them() {
        for (text, addr, port) in [
            ("192.0.2.1:80", "192.0.2.1", Some(80)),
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:http", "192.0.2.1", Some(80)),
            ("192.0.2.1: 80", "192.0.2.1", Some(80)),
            ("10.1:80", "10.0.0.1", Some(80)),
            ("[2001:db8::1]:80", "2001:db8::1", Some(80)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[192.0.2.1]:80", "192.0.2.1", None),
            ("[192.0.2.1:81]:80", "192.0.2.1", Some(81)),
            ("localhost:http", "127.0.0.1", Some(80)),
        ] {
            assert_eq!(read(text), Ok((addr.to_string(), port)), "{text}");
        }
        for (text, part) in [
            ("80", "is a number"),
            ("", "empty"),
            ("[2001:db8::1]", "no port"),
            ("[2001:db8::1", "without ']'"),
            ("192.0.2.1:70000", "0..65535"),
            ("192.0.2.1:", "empty"),
            ("192.0.2.1:-1", "neither"),
            ("192.0.2.300:80", "four numbers"),
            (":80", "no address"),
            ("2001:db8::1:80:x", "brackets-or-not"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(part) || part == "brackets-or-not", "{text}: {said}");
        }
        // A service's name means nothing before its protocol is known.
        assert!(endpoint("192.0.2.1:http", Protocol::Other(0)).is_err());
    }

    #[test]
    fn flags_belong_to_schedulers() {
        assert_eq!(sched_flags("sh-fallback,sh-port", "sh").ok(), Some(Flags::SCHED1.with(Flags::SCHED2)));
        assert_eq!(sched_flags("flag-3,", "").ok(), Some(Flags::SCHED3));
        for (text, scheduler) in [("sh-port", ""), ("mh-port", "sh"), ("fallback", "sh"), (",", "sh")] {
            assert_eq!(sched_flags(text, scheduler).map_err(|wrong| wrong.code), Err(2), "{text}");
        }
    }
}
