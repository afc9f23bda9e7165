//! One setting as the operator wrote it, and the kinds of value a setting can have.
//!
//! A value parser returns the value or the end of the sentence "expected ...".

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use super::error::ConfigError;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A line of a file.
    File {
        /// The file as it was named.
        name: String,
        /// The line, counted from 1.
        line: u32,
    },
    /// `-Dkey=value` among the arguments.
    CommandLine,
    /// `-Dkey=value` in the environment variable of this name.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(variable) => f.write_str(variable),
        }
    }
}

/// A key and its value, both trimmed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) origin: Origin,
    pub(super) key: String,
    pub(super) value: String,
}

impl fmt::Debug for Setting {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.written_key(), self.origin)
    }
}

impl Setting {
    /// The error that this setting's value is not what was expected.
    pub(super) fn refuse(&self, allowed: impl Into<String>) -> ConfigError {
        let (file, line) = match &self.origin {
            Origin::File { name, line } => (name.clone(), Some(*line)),
            other => (other.to_string(), None),
        };
        let value = (!is_secret(&self.key)).then(|| self.value.clone());
        ConfigError {
            file,
            line,
            key: Some(self.written_key()),
            value,
            allowed: allowed.into(),
        }
    }

    /// The key with the `-D` it was written with.
    pub(super) fn written_key(&self) -> String {
        match self.origin {
            Origin::File { .. } => self.key.clone(),
            _ => format!("-D{}", self.key),
        }
    }
}

/// Secrets stay out of errors and logs.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("password") || key.contains("superdigest")
}

/// A configuration as it was written, but for secret values.
pub(super) fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_secret = false;
    for line in text.split_inclusive('\n') {
        let continues = line.trim_end().ends_with('\\');
        if !std::mem::replace(&mut in_secret, false) {
            let end = line.find(['=', ':']).unwrap_or(line.len());
            let (key, value) = line.split_at(end);
            if value.is_empty() || !is_secret(key) || key.trim_start().starts_with(['#', '!']) {
                out.push_str(line);
                continue;
            }
            out.push_str(key);
            out.push_str("=***\n");
        }
        in_secret = continues;
    }
    out
}

/// What a value parser answers: the value, or what was expected.
pub(super) type Parsed<T> = Result<T, String>;

/// A whole number within `range`; `what` names it ("a whole number of ticks, 1 or more").
/// Hexadecimal is taken as Java's `Integer.getInteger` takes it: `jute.maxbuffer=0x9fffff`.
pub(super) fn whole(value: &str, range: RangeInclusive<i64>, what: &str) -> Parsed<i64> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let hex = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix));
    let (radix, digits) = hex.map_or((10, digits), |rest| (16, rest));
    let is_digit = |c: char| c.is_digit(radix);
    let magnitude = Some(digits)
        .filter(|d| !d.is_empty() && d.chars().all(is_digit))
        .and_then(|d| i64::from_str_radix(d, radix).ok());
    magnitude
        .map(|n| if negative { -n } else { n })
        .filter(|n| range.contains(n))
        .ok_or_else(|| format!("expected {what}"))
}

/// A [`whole`] number that fits an `u32`; the lowest allowed value is named by the caller.
pub(super) fn u32_from(value: &str, least: u32, what: &str) -> Parsed<u32> {
    let range = i64::from(least)..=i64::from(i32::MAX);
    let number = whole(value, range, &format!("{what}, {least} or more"))?;
    Ok(u32::try_from(number).expect("the range begins at 0 or above and ends at i32::MAX"))
}

/// A limit where 0 and below mean "no limit", as everywhere in ZooKeeper.
pub(super) fn limit(value: &str, what: &str) -> Parsed<Option<NonZeroU32>> {
    let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let number = whole(value, range, &format!("{what}, 0 for no limit"))?;
    Ok(u32::try_from(number).ok().and_then(NonZeroU32::new))
}

/// A TCP port that can be connected to.
pub(super) fn port(value: &str) -> Parsed<u16> {
    let number = whole(value, 1..=65_535, "a port, 1 to 65535")?;
    Ok(u16::try_from(number).expect("the range ends at 65535"))
}

/// `true` or `false`, in any case.
pub(super) fn boolean(value: &str) -> Parsed<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// `yes` or `no`: the two oldest switches are spelled so.
pub(super) fn yes_no(value: &str) -> Parsed<bool> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

/// Any text, but some.
pub(super) fn text(value: &str, what: &str) -> Parsed<String> {
    if value.is_empty() {
        Err(format!("expected {what}"))
    } else {
        Ok(value.to_owned())
    }
}

/// A number of hours, or with a suffix (ms, s, m, h, d) of that unit; in milliseconds.
pub(super) fn hours(value: &str) -> Parsed<u64> {
    const WHAT: &str =
        "a whole number of hours, 0 for never; or with one of the suffixes ms, s, m, h, d";
    const UNITS: [(&str, i64); 5] = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let suffixed = |(suffix, unit): &(&str, i64)| Some((value.strip_suffix(suffix)?, *unit));
    let (digits, unit) = UNITS
        .iter()
        .find_map(suffixed)
        .unwrap_or((value, 3_600_000));
    let number = whole(digits.trim_end(), 0..=i64::from(i32::MAX), WHAT)?;
    Ok(u64::try_from(number * unit).expect("both factors are 0 or above and fit 31 bits each"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_java_takes_them() {
        let any = i64::MIN..=i64::MAX;
        for (value, want) in [
            ("0", Some(0)),
            ("+7", Some(7)),
            ("-1", Some(-1)),
            ("0x9fffff", Some(0x9f_ffff)),
            ("0XA", Some(10)),
            ("#ff", Some(255)),
            ("-0x10", Some(-16)),
            ("007", Some(7)),
            ("", None),
            ("-", None),
            ("0x", None),
            ("--1", None),
            ("+-1", None),
            ("1.5", None),
            ("1 000", None),
            ("abc", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(whole(value, any.clone(), "it").ok(), want, "{value:?}");
        }
    }

    #[test]
    fn each_kind_says_what_it_expects() {
        let ticks = "a whole number of ticks";
        assert_eq!(
            u32_from("0", 1, ticks),
            Err(format!("expected {ticks}, 1 or more"))
        );
        assert_eq!(
            u32_from("2147483648", 1, ticks),
            Err(format!("expected {ticks}, 1 or more"))
        );
        assert_eq!(
            limit("x", "a number"),
            Err("expected a number, 0 for no limit".into())
        );
        assert_eq!(limit("-1", "a number"), Ok(None));
        assert_eq!(limit("60", "a number"), Ok(NonZeroU32::new(60)));
        assert_eq!(port("0"), Err("expected a port, 1 to 65535".into()));
        assert_eq!(port("65535"), Ok(65_535));
        assert_eq!(boolean("TRUE"), Ok(true));
        assert_eq!(boolean("yes"), Err("expected true or false".into()));
        assert_eq!(yes_no("no"), Ok(false));
        assert_eq!(yes_no("true"), Err("expected yes or no".into()));
        assert_eq!(text("", "a path"), Err("expected a path".into()));
    }

    #[test]
    fn purge_intervals_are_hours_unless_they_say_otherwise() {
        assert_eq!(hours("0"), Ok(0));
        assert_eq!(hours("24"), Ok(86_400_000));
        assert_eq!(hours("10s"), Ok(10_000));
        assert_eq!(hours("250 ms"), Ok(250));
        assert_eq!(hours("3m"), Ok(180_000));
        assert_eq!(hours("2h"), Ok(7_200_000));
        assert_eq!(hours("1d"), Ok(86_400_000));
        for wrong in ["-1", "1w", "", "d"] {
            assert!(hours(wrong).is_err(), "{wrong:?}");
        }
    }
}
