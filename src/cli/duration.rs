//! Times on the command line.

use std::time::Duration;

/// `50s`, `500ms`, `2m`, `1h`, or seconds as a number.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| "write it as 50s, 500ms or 2m".to_string())?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("'{other}' is not a unit; use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| "it must be a positive time".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("50s"), Ok(Duration::from_secs(50)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        for wrong in ["", "10 parsecs", "5x", "-1s", "nan"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
