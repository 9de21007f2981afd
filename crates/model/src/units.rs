//! Durations and byte sizes as people write them: `90s`, `15m`, `7d`; `512MB`, `1.5GiB`. Whole numbers as programs do.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// The text is not a duration or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}; write for example {example}")]
pub struct ParseUnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// Reads a duration in whole seconds: a number and one of `s`, `m`, `h`, `d`, `w`. A bare number is seconds.
pub fn parse_seconds(text: &str) -> Result<u64, ParseUnitError> {
    let error = || ParseUnitError {
        text: text.to_owned(),
        what: "a duration",
        example: "`90s`, `15m`, `12h` or `7d`",
    };
    let (number, unit) = split(text);
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(error()),
    };
    let number: u64 = number.parse().map_err(|_| error())?;
    number
        .checked_mul(seconds)
        .filter(|total| *total <= 10 * 366 * 86_400)
        .ok_or_else(error)
}

/// Reads a size in bytes: a number and one of `B`, `kB`/`KB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, `GiB`.
pub fn parse_bytes(text: &str) -> Result<u64, ParseUnitError> {
    let error = || ParseUnitError {
        text: text.to_owned(),
        what: "a size",
        example: "`512MB` or `2GiB`",
    };
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "k" | "kB" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return Err(error()),
    };
    let number: f64 = number.parse().map_err(|_| error())?;
    let bytes = number * factor as f64;
    if bytes.is_finite() && (0.0..=1e15).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(error())
    }
}

/// A whole number, which JSON may also write as `3.0`, or nothing.
pub fn whole_or_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    #[derive(Deserialize)]
    #[serde(bound = "T: TryFrom<i128>")]
    struct Number<T: TryFrom<i128>>(#[serde(deserialize_with = "whole")] T);
    Ok(Option::<Number<T>>::deserialize(deserializer)?.map(|Number(number)| number))
}

/// A whole number, which JSON may also write as `3.0`.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<T, D::Error> {
    struct Number;
    impl Visitor<'_> for Number {
        type Value = i128;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_i64<E>(self, number: i64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_u64<E>(self, number: u64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<i128, E> {
            // Beyond this, two whole numbers are one float.
            if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
                return Ok(number as i128);
            }
            Err(E::invalid_value(de::Unexpected::Float(number), &self))
        }
    }
    let number = deserializer.deserialize_any(Number)?;
    T::try_from(number).map_err(|_| de::Error::custom(format!("{number} is out of range")))
}

/// Writes bytes with one decimal and a unit: `1.4 MB`.
pub fn format_bytes(bytes: u64) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_949 => format!("{:.1} kB", bytes as f64 / 1e3),
        999_950..=999_949_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Writes milliseconds as people read them: `12ms`, `1.4s`, `2m 05s`.
pub fn format_millis(millis: u64) -> String {
    match millis {
        0..=999 => format!("{millis}ms"),
        1_000..=59_949 => format!("{:.1}s", millis as f64 / 1e3),
        _ => format!("{}m {:02}s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("0", 0),
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("7d", 604_800),
            ("2w", 1_209_600),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_seconds(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "s", "-1s", "1.5h", "7 days", "99999999999d", "1y"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("1", 1),
            ("512MB", 512_000_000),
            ("1.5GiB", 1_610_612_736),
            ("64 KiB", 65_536),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "MB", "-1MB", "1TB", "nan", "1e99GB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_whole_and_in_range() {
        #[derive(Debug, serde::Deserialize)]
        struct Number(#[serde(deserialize_with = "whole")] u32);
        assert_eq!(serde_json::from_str::<Number>("3.0").unwrap().0, 3);
        for wrong in [
            "3.5",
            "-1",
            "4294967296",
            "1e300",
            "-9223372036854775809",
            "\"3\"",
            "null",
        ] {
            assert!(serde_json::from_str::<Number>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_well() {
        assert_eq!(format_bytes(1_400_000), "1.4 MB");
        assert_eq!(format_millis(1_449), "1.4s");
        assert_eq!(format_millis(125_000), "2m 05s");
    }
}
