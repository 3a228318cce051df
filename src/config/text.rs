//! Texts of settings as values.

use std::time::Duration;

use super::variables::TimeUnit;

/// `true` or `false`, and the other words zipkin understands.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// A time: `11s`, `100ms`, `1h30m`, `7d`; a bare number is of the unit given.
pub(super) fn duration(text: &str, unit: TimeUnit) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        return Ok(match unit {
            TimeUnit::Milliseconds => Duration::from_millis(number),
            TimeUnit::Seconds => Duration::from_secs(number),
        });
    }
    humantime::parse_duration(text).map_err(|_| "is not a time like 11s or 100ms".to_owned())
}

/// Bytes: `1048576`, `1MiB`, `1MB`; the letters alone (`64m`, `64MB`) count in powers of 1024, as in zipkin.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
    let unit = match unit.as_str() {
        "" | "b" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        "t" | "tb" | "tib" => "TiB",
        _ => return Err("is not a size like 1048576 or 64MiB".to_owned()),
    };
    let size: Result<bytesize::ByteSize, _> = format!("{number}{unit}").parse();
    size.map(|size| size.as_u64()).map_err(|_| "is not a size like 1048576 or 64MiB".to_owned())
}

/// Texts between commas, without blanks around them and without empty ones.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_the_variables_own() {
        let ms = |text| duration(text, TimeUnit::Milliseconds);
        assert_eq!(ms("11s"), Ok(Duration::from_secs(11)));
        assert_eq!(ms("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(ms("86400000"), Ok(Duration::from_secs(86_400)));
        assert_eq!(ms("0"), Ok(Duration::ZERO));
        assert_eq!(ms("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("5", TimeUnit::Seconds), Ok(Duration::from_secs(5)));
        for bad in ["-1", "1.5", "eleven", "11 parsecs", "99999999999999999999"] {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(bytes("1048576"), Ok(1 << 20));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("64MB"), Ok(64 << 20));
        assert_eq!(bytes("64m"), Ok(64 << 20));
        assert_eq!(bytes("1.5 GiB"), Ok(3 << 29));
        for bad in ["", "-1", "MiB", "1 floppy", "1e9"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_and_lists_are_lenient_about_blanks() {
        assert_eq!(flag("TRUE"), Ok(true));
        assert_eq!(flag(" no "), Ok(false));
        assert!(flag("maybe").is_err());
        assert_eq!(list(" a, b ,,c"), ["a", "b", "c"]);
    }
}
