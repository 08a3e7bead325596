//! Numbers and addresses as the C library reads them, which is what decides whether ipvsadm takes a word.

use std::net::Ipv4Addr;

/// `strtol(text, &end, 10)` with nothing after the number: blanks before it and a sign are fine. `None` for what is no
/// number or does not fit.
pub fn decimal(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(is_space);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `atoi`: what follows the number is ignored, and no number is 0.
pub fn leading(text: &str) -> i64 {
    let text = text.trim_start_matches(is_space);
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    // Of what does not fit the low 32 bits are kept, which no caller can mean; here it is out of every range.
    text[..sign + digits].parse().unwrap_or(if digits == 0 { 0 } else { i64::MAX })
}

/// `inet_aton`: one to four numbers, decimal, octal (`010`) or hexadecimal (`0xa`), of which the last fills what is left
/// of the address. What follows a blank is ignored.
pub fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    // Nearly every word is the plain form, which both read alike: octal numbers are none for Rust.
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let text = text.split(is_space).next().filter(|text| !text.is_empty())?;
    let parts: Vec<u32> = text.split('.').map(c_number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let left = 32 - 8 * first.len() as u32;
    if u64::from(*last) >= 1 << left {
        return None;
    }
    let shift = |(index, part): (usize, &u32)| part << (24 - 8 * index);
    Some(Ipv4Addr::from_bits(first.iter().enumerate().map(shift).sum::<u32>() | last))
}

/// `strtoul(text, &end, 0)` of a word that begins with a digit.
fn c_number(text: &str) -> Option<u32> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, radix).ok() }
}

/// `isspace` of the C locale.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, number) in
            [("0", 0), (" 7", 7), ("+7", 7), ("-7", -7), ("007", 7), ("9999999999", 9_999_999_999)]
        {
            assert_eq!(decimal(text), Some(number), "{text}");
        }
        for text in ["", " ", "7 ", "0x7", "7a", "--7", "+-7", "99999999999999999999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        for (text, number) in [("64", 64), ("64abc", 64), ("abc", 0), ("", 0), ("-1", -1), ("24.5", 24)] {
            assert_eq!(leading(text), number, "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("10", "0.0.0.10"),
            ("10.1", "10.0.0.1"),
            ("10.1.2", "10.1.0.2"),
            ("0x0a.010.1.1", "10.8.1.1"),
            ("192.0.2.1 x", "192.0.2.1"),
            ("4294967295", "255.255.255.255"),
        ] {
            assert_eq!(inet_aton(text), address.parse().ok(), "{text}");
        }
        for text in [
            "",
            "256.1.1.1",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2",
            "a.b",
            "1.2.3.4x",
            "4294967296",
            "+1",
            "08.1.1.1",
        ] {
            assert_eq!(inet_aton(text), None, "{text}");
        }
    }
}
