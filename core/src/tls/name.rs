//! A subject's name as Java prints it: the id of scheme `x509` in ACLs.
//!
//! ACLs compare ids letter by letter, and those of existing ensembles were printed by
//! `X500Principal.getName()`: RFC 2253 with the last part first, nine attributes by name, every
//! other one by number with its value as encoded. Java decodes every kind of text as UTF-8, even
//! where the certificate says otherwise; so does this file.

use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, FromDer, Oid};

/// The attributes that have a name in RFC 2253.
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Kinds of ASN.1 text that Java shows as text: UTF8, Printable, T61, IA5, General, BMP.
const TEXTS: [u32; 6] = [0x0c, 0x13, 0x14, 0x16, 0x1b, 0x1e];

const SPECIAL: &str = ",=+<>#;\"\\";

/// The name whose DER encoding this is; `None` if it is none, whole and without anything behind.
pub(crate) fn java_name(der: &[u8]) -> Option<String> {
    let (mut rest, behind) = content(der, 0x30)?;
    if !behind.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (mut attributes, next) = content(rest, 0x31)?;
        rest = next;
        let mut part = String::new();
        while !attributes.is_empty() {
            let (attribute, next) = content(attributes, 0x30)?;
            attributes = next;
            if !part.is_empty() {
                part.push('+');
            }
            put_attribute(attribute, &mut part)?;
        }
        parts.push(part);
    }
    parts.reverse();
    Some(parts.join(","))
}

/// What is inside the first value, which must have this tag, and what is behind it.
fn content(der: &[u8], tag: u32) -> Option<(&[u8], &[u8])> {
    let (behind, value) = Any::from_der(der).ok()?;
    let constructed = tag & 0x20 != 0;
    let fits = value.tag().0 == tag & 0x1f && value.header.constructed() == constructed;
    fits.then_some((value.data, behind))
}

fn put_attribute(attribute: &[u8], out: &mut String) -> Option<()> {
    let (encoded, kind) = Oid::from_der(attribute).ok()?;
    let (behind, value) = Any::from_der(encoded).ok()?;
    if !behind.is_empty() {
        return None;
    }
    let number = number(&kind)?;
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == number);
    out.push_str(keyword.map_or(number.as_str(), |(_, name)| name));
    out.push('=');
    if keyword.is_some() && TEXTS.contains(&value.tag().0) {
        put_text(&String::from_utf8_lossy(value.data), out);
        return Some(());
    }
    out.push('#');
    for byte in encoded {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    Some(())
}

/// Escaped so that the text can be told from what is around it.
fn put_text(text: &str, out: &mut String) {
    let is_space = |c: char| c == ' ' || c == '\r';
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push_str("\\00"),
            c if SPECIAL.contains(c) => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    let inner_from = escaped.len() - escaped.trim_start_matches(is_space).len();
    let inner_to = escaped.trim_end_matches(is_space).len();
    for (at, c) in escaped.char_indices() {
        if at < inner_from || at >= inner_to {
            out.push('\\');
        }
        out.push(c);
    }
}

/// `1.2.3`. The parser's own text is wrong where the second number is 40 or more.
fn number(oid: &Oid<'_>) -> Option<String> {
    let mut text = String::new();
    let mut value = 0_u64;
    for byte in oid.as_bytes() {
        value = value.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing to a string does not fail.
        let _ = if text.is_empty() {
            // The first two numbers share one.
            let top = (value / 40).min(2);
            write!(text, "{top}.{}", value - 40 * top)
        } else {
            write!(text, ".{value}")
        };
        value = 0;
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn names_are_printed_as_java_prints_them() {
        let mut compared = 0;
        for line in include_str!("names.txt").lines().skip(1) {
            let (der, printed) = line.split_once(' ').unwrap();
            let printed = String::from_utf8(bytes(printed)).unwrap();
            assert_eq!(java_name(&bytes(der)), Some(printed), "{der}");
            compared += 1;
        }
        assert!(compared > 100, "{compared} names compared");
    }

    #[test]
    fn what_is_no_name_has_none() {
        for der in [
            "",
            "30",
            "3001",
            "310100",
            "300030",
            "30053103300106",
            "30023000",
        ] {
            assert_eq!(java_name(&bytes(der)), None, "{der}");
        }
    }
}
