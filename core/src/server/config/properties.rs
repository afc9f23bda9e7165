//! The syntax of zoo.cfg: Java properties, text in, settings with their line numbers out.
//!
//! Rules (`java.util.Properties.load`): a natural line that begins with `#` or `!` is a comment;
//! an odd number of backslashes at its end continues it on the next line, whose leading blanks
//! are dropped; the key ends at the first unescaped `=`, `:` or blank; escapes are `\t \n \r \f`,
//! `\uXXXX`, and any other escaped character stands for itself. ZooKeeper trims key and value.

use std::iter::Peekable;
use std::str::Chars;

use super::error::ConfigError;
use super::setting::{Origin, Setting};

/// Parses `text`; `file` is the name that errors carry. Later settings of a key come later.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) =
            split(&logical).map_err(|what| ConfigError::of_file(file, Some(line), what))?;
        let origin = Origin::File {
            name: file.to_owned(),
            line,
        };
        settings.push(Setting {
            origin,
            key: key.trim().to_owned(),
            value: value.trim().into(),
        });
    }
    Ok(settings)
}

/// Joins continued lines; drops blank lines and comments. Escapes stay as they are.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut out: Vec<(u32, String)> = Vec::new();
    let mut continues = false;
    for (number, natural) in (1u32..).zip(natural_lines(text)) {
        let line = natural.trim_start_matches(is_blank);
        // A line that so far is nothing but a continuation has not begun.
        continues &= out.last().is_some_and(|(_, begun)| !begun.is_empty());
        if !continues && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        let goes_on = backslashes % 2 == 1;
        let body = if goes_on {
            &line[..line.len() - 1]
        } else {
            line
        };
        match out.last_mut() {
            Some((_, begun)) if continues => begun.push_str(body),
            _ => out.push((number, body.to_owned())),
        }
        continues = goes_on;
    }
    out.retain(|(_, line)| !line.is_empty());
    out
}

/// Lines ended by LF, CR or CR LF.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Splits one logical line at its separator and resolves the escapes on both sides.
fn split(line: &str) -> Result<(String, String), &'static str> {
    let mut chars = line.chars().peekable();
    let key = unescape_until(&mut chars, |c| is_blank(c) || c == '=' || c == ':')?;
    while chars.next_if(|c| is_blank(*c)).is_some() {}
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while chars.next_if(|c| is_blank(*c)).is_some() {}
    }
    let value = unescape_until(&mut chars, |_| false)?;
    Ok((key, value))
}

fn unescape_until(
    chars: &mut Peekable<Chars<'_>>,
    ends: impl Fn(char) -> bool,
) -> Result<String, &'static str> {
    let mut out = String::new();
    while let Some(c) = chars.next_if(|c| !ends(*c)) {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => out.push(unicode_escape(chars)?),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

/// The four digits after `\u`, and the second half when they are the first of a surrogate pair.
fn unicode_escape(chars: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    const BAD: &str = "malformed \\uXXXX escape: expected four hexadecimal digits";
    let first = four_digits(chars).ok_or(BAD)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).ok_or("\\uXXXX escape is a lone half of a surrogate pair");
    }
    let escaped = chars.next() == Some('\\') && chars.next() == Some('u');
    let second = if escaped {
        four_digits(chars).ok_or(BAD)?
    } else {
        0
    };
    char::decode_utf16([first as u16, second as u16])
        .next()
        .and_then(Result::ok)
        .ok_or("\\uXXXX escape is a lone half of a surrogate pair")
}

fn four_digits(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    (0..4).try_fold(0, |n, _| Some(n * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(u32, String, String)> {
        let line = |origin| match origin {
            Origin::File { line, .. } => line,
            other => panic!("a file setting came from {other}"),
        };
        parse("zoo.cfg", text)
            .unwrap()
            .into_iter()
            .map(|s| (line(s.origin), s.key, s.value))
            .collect()
    }

    #[test]
    fn properties_read_as_java_reads_them() {
        let cases: &[(&str, u32, &str, &str)] = &[
            ("a=b", 1, "a", "b"),
            ("a = b ", 1, "a", "b"),
            ("  a:b", 1, "a", "b"),
            ("a b c", 1, "a", "b c"),
            ("a\tb", 1, "a", "b"),
            ("a  :  b", 1, "a", "b"),
            ("a = = b", 1, "a", "= b"),
            ("a", 1, "a", ""),
            ("a=", 1, "a", ""),
            ("=b", 1, "", "b"),
            ("# c\n! d\n\n  # e\na=b#c", 5, "a", "b#c"),
            ("a=b\\\n   c\\\n\td", 1, "a", "bcd"),
            ("a=b\\\\\n", 1, "a", "b\\"),
            ("a=b\\", 1, "a", "b"),
            ("# c \\\na=b", 2, "a", "b"),
            ("a=b\\\n# not a comment", 1, "a", "b# not a comment"),
            ("a\\ b\\=c\\:d=e", 1, "a b=c:d", "e"),
            ("dir=C:\\\\zk\\\\data", 1, "dir", "C:\\zk\\data"),
            ("dir=C:\\zk\\data", 1, "dir", "C:zkdata"),
            ("a=\\u0041\\u00e9", 1, "a", "A\u{e9}"),
            ("a=\\uD83D\\uDE00", 1, "a", "\u{1F600}"),
            ("a=b\r\n", 1, "a", "b"),
            ("x\\ty=1", 1, "x\ty", "1"),
            ("a=b\\\r\n  c", 1, "a", "bc"),
            ("\\\n# a comment\na=b", 3, "a", "b"),
            ("\\\n a=b", 2, "a", "b"),
        ];
        for (text, line, key, value) in cases {
            let want = (*line, (*key).to_owned(), (*value).to_owned());
            assert_eq!(pairs(text), [want], "{text:?}");
        }
    }

    #[test]
    fn every_setting_keeps_the_line_it_began_on() {
        let got = pairs("a=1\n\nb=2\\\n  3\nc=4\r\r\nd=5");
        let lines: Vec<_> = got
            .iter()
            .map(|(line, key, _)| (*line, key.as_str()))
            .collect();
        assert_eq!(lines, [(1, "a"), (3, "b"), (5, "c"), (7, "d")]);
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        let error = parse("zoo.cfg", "a=1\nb=\\u00g0\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "zoo.cfg:2: malformed \\uXXXX escape: expected four hexadecimal digits"
        );
        let error = parse("zoo.cfg", "b=\\ud800x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "zoo.cfg:1: \\uXXXX escape is a lone half of a surrogate pair"
        );
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise() {
        let seed = 0x5EED_2181;
        let mut random = fastrand::Rng::with_seed(seed);
        const ALPHABET: &[char] = &[
            '\\', 'u', '0', 'D', '8', '=', ':', ' ', '\n', '\r', '#', 'a', '\u{e9}',
        ];
        for _ in 0..5_000 {
            let text: String = (0..random.usize(0..24))
                .map(|_| ALPHABET[random.usize(0..ALPHABET.len())])
                .collect();
            if let Err(error) = parse("zoo.cfg", &text) {
                assert!(error.allowed.contains("\\uXXXX"), "seed {seed}: {text:?}");
            }
        }
    }
}
