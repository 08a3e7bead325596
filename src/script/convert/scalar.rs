//! Single values: numbers, durations, addresses, ports.

use std::net::IpAddr;

use ipnet::IpNet;
use mlua::Value;

use super::{Checked, Fault, wrong};
use crate::model::{Fwmark, Port, PortRange, parse_endpoint};

/// A value as it would be written, for messages: `"direct"`, `2.5`, `a table`.
pub fn show(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => format!("\"{}\"", text.to_string_lossy().escape_debug()),
        Value::Table(_) => "a table".to_string(),
        Value::Function(_) => "a function".to_string(),
        Value::Thread(_) => "a coroutine".to_string(),
        other => format!("a {}", other.type_name()),
    }
}

fn bad(what: &str, why: impl std::fmt::Display) -> Box<Fault> {
    Fault::bad(format!("bad value for '{what}': {why}"))
}

pub fn integer(value: &Value, what: &str, min: i64, max: i64) -> Checked<i64> {
    let range = if min == i64::MIN { "".to_string() } else { format!(" ({min}..{max})") };
    let number = match value {
        Value::Integer(number) => *number,
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => *number as i64,
        Value::Number(number) if number.is_finite() && number.fract() != 0.0 => {
            return Err(bad(what, format!("{number} is not a whole number{range}; 10 // 4 gives 2")));
        }
        Value::String(text) => {
            let text = text.to_string_lossy();
            let remedy = match text.trim().parse::<i64>() {
                Ok(number) => format!("; write {number}"),
                Err(_) => String::new(),
            };
            let why = format!("{} is a string, not a whole number{range}{remedy}", show(value));
            return Err(bad(what, why));
        }
        other => return Err(bad(what, format!("{} is not a whole number{range}", show(other)))),
    };
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(bad(what, format!("{number} is not in {min}..{max}")))
    }
}

pub fn mark(value: &Value, what: &str) -> Checked<i64> {
    if let (Value::Integer(0), Err(why)) = (value, Fwmark::new(0)) {
        return Err(bad(what, why));
    }
    integer(value, what, 1, i64::from(u32::MAX))
}

/// Reads `10m`, `500ms`, `90`: seconds.
pub fn parse_seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        "w" => 604800.0,
        _ => return None,
    };
    Some(number * factor)
}

pub fn seconds(value: &Value, what: &str, min: u32, max: u32, whole: bool) -> Checked<f64> {
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        Value::String(text) => parse_seconds(&text.to_string_lossy()).ok_or_else(|| {
            let why = format!(
                "{} is not a duration; write seconds, or \"500ms\", \"10m\", \"2h\", \"1d\"",
                show(value)
            );
            bad(what, why)
        })?,
        other => return Err(wrong(what, other, "a duration (seconds, or \"10m\")")),
    };
    if whole && number.fract() != 0.0 {
        return Err(bad(what, format!("{number} s is not a whole number of seconds ({min}..{max})")));
    }
    if number >= f64::from(min) && number <= f64::from(max) {
        Ok(number)
    } else {
        Err(bad(what, format!("{number} s is not in {min}..{max} seconds")))
    }
}

pub fn text(value: &Value, what: &str) -> Checked<String> {
    match value {
        Value::String(text) => match text.to_str() {
            Ok(text) => Ok(text.to_string()),
            Err(_) => Err(bad(what, "the text is not UTF-8")),
        },
        other => Err(wrong(what, other, "a string")),
    }
}

pub fn bytes(value: &Value, what: &str) -> Checked<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        other => Err(wrong(what, other, "a string")),
    }
}

pub fn endpoint(value: &Value, what: &str) -> Checked<(IpAddr, Option<Port>)> {
    let Value::String(text) = value else {
        return Err(wrong(what, value, "an address like \"192.0.2.1:80\""));
    };
    // The borrow saves an allocation per address: a big director has ten thousand of them.
    match text.to_str() {
        Ok(text) => parse_endpoint(&text).map_err(|why| bad(what, why)),
        Err(_) => Err(bad(what, "the text is not UTF-8")),
    }
}

pub fn address(value: &Value, what: &str) -> Checked<IpAddr> {
    match endpoint(value, what)? {
        (addr, None) => Ok(addr),
        (addr, Some(port)) => Err(bad(what, format!("a port ({port}) is not wanted here; write \"{addr}\""))),
    }
}

pub fn net(value: &Value, what: &str) -> Checked<IpNet> {
    let Value::String(typed) = value else {
        return Err(wrong(what, value, "an address like \"192.0.2.1/32\""));
    };
    let typed = typed.to_string_lossy();
    if let Ok(net) = typed.parse::<IpNet>() {
        return Ok(net);
    }
    match typed.split_once('/') {
        Some((host, length)) => match host.parse::<IpAddr>() {
            Ok(addr) => {
                let max = if addr.is_ipv4() { 32 } else { 128 };
                Err(bad(what, format!("prefix length '{length}' is not in 0..{max}")))
            }
            Err(_) => Err(address(value, what).err().unwrap_or_else(|| bad(what, "no address"))),
        },
        None => address(value, what).map(IpNet::from),
    }
}

pub fn ports(value: &Value, what: &str) -> Checked<PortRange> {
    let Value::String(typed) = value else {
        return match integer(value, what, 1, 65535) {
            Ok(port) => Ok(PortRange::one(port as u16)),
            Err(fault) => Err(fault),
        };
    };
    let typed = typed.to_string_lossy();
    let number = |text: &str| match text.trim().parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(bad(what, format!("'{}' is not a port (1..65535)", text.trim()))),
    };
    if let Some(port) = NAMES.iter().find(|(name, _)| *name == typed) {
        return Ok(PortRange::one(port.1));
    }
    match typed.split_once('-') {
        Some((first, last)) if first.trim().starts_with(|c: char| c.is_ascii_digit()) => {
            PortRange::new(number(first)?, number(last)?).map_err(|why| bad(what, why))
        }
        _ if typed.starts_with(|c: char| c.is_ascii_digit()) => number(&typed).map(PortRange::one),
        _ => {
            let why = format!(
                "\"{typed}\" is not a port: a number, a range \"8000-8100\", or a name like \"http\""
            );
            let mut fault = bad(what, why);
            if let Some(near) = crate::error::did_you_mean(&typed, NAMES.iter().map(|(name, _)| *name)) {
                fault.label = format!("did you mean \"{near}\"?");
                fault = fault.hint(format!("did you mean \"{near}\"?"));
            }
            Err(fault)
        }
    }
}

/// Names of ports (IANA). Built in, so that a file means the same on every machine.
const NAMES: [(&str, u16); 31] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("dns", 53),
    ("tftp", 69),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("ldap", 389),
    ("https", 443),
    ("submissions", 465),
    ("syslog", 514),
    ("submission", 587),
    ("ldaps", 636),
    ("domain-s", 853),
    ("imaps", 993),
    ("pop3s", 995),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("mysql", 3306),
    ("rdp", 3389),
    ("sip", 5060),
    ("sips", 5061),
    ("postgresql", 5432),
    ("redis", 6379),
    ("mqtt", 1883),
];
