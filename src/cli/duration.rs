//! Times on the command line.

use std::time::Duration;

use crate::script::parse_seconds;

/// `50s`, `500ms`, `2min`, `1d`, or seconds as a number: the words of policies.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = parse_seconds(text).ok_or("write seconds, or 500ms, 10m, 2h, 1d")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "it is too long".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("50s"), Ok(Duration::from_secs(50)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5min"), duration("5m"));
        assert_eq!(duration("1d"), duration("24h"));
        for wrong in ["", "10 parsecs", "5x", "-1s", "nan", "1e9d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(duration(&"9".repeat(30)).is_err());
    }
}
