//! `name=value, name="value"`: what every token but the first consists of.

use crate::sasl::TOKEN_BYTES_MAX;

/// Directives one token may have.
const DIRECTIVES_MAX: usize = 64;

/// Why bytes are not directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Syntax {
    #[error("a token of more than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("more than {DIRECTIVES_MAX} directives")]
    TooMany,
    #[error("a token that is not UTF-8")]
    NotText,
    #[error("a directive without a name or a value")]
    Empty,
    #[error("a quoted value without an end")]
    OpenQuote,
    #[error("something other than a comma behind a value")]
    NoComma,
    #[error("a directive given twice")]
    Twice,
}

/// The directives of one token, in their order.
#[derive(Debug)]
pub(crate) struct Directives(Vec<(String, String)>);

impl Directives {
    /// Reads a token. Names are in lower case; blanks around names, signs and values mean nothing,
    /// nor do empty places between commas, nor a last name without a value.
    pub(crate) fn parse(token: &[u8]) -> Result<Directives, Syntax> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Syntax::TooLong);
        }
        let mut rest = std::str::from_utf8(token).map_err(|_| Syntax::NotText)?;
        let mut found = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c| is_blank(c) || c == ',');
            let Some((name, after)) = rest.split_once('=') else {
                return Ok(Directives(found));
            };
            let name = name.trim_end_matches(is_blank);
            if name.is_empty() || name.contains(|c: char| is_blank(c) || c == ',' || c == '"') {
                return Err(Syntax::Empty);
            }
            let (value, after) = value(after.trim_start_matches(is_blank))?;
            if found.len() == DIRECTIVES_MAX {
                return Err(Syntax::TooMany);
            }
            found.push((name.to_ascii_lowercase(), value));
            rest = after;
        }
    }

    /// The value of a directive that may be given once.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, Syntax> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(Syntax::Twice),
            None => Ok(first),
        }
    }

    /// The values of a directive that may be given more than once.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// A value, and what stands behind its comma.
fn value(text: &str) -> Result<(String, &str), Syntax> {
    let (value, after) = match text.strip_prefix('"') {
        Some(text) => quoted(text)?,
        None => {
            let end = text.find(|c| is_blank(c) || c == ',').unwrap_or(text.len());
            if end == 0 {
                return Err(Syntax::Empty);
            }
            (text[..end].to_owned(), &text[end..])
        }
    };
    let after = after.trim_start_matches(is_blank);
    match after.strip_prefix(',') {
        Some(after) => Ok((value, after)),
        None if after.is_empty() => Ok((value, after)),
        None => Err(Syntax::NoComma),
    }
}

/// What stands before the closing quote, without its backslashes, and what stands behind it.
fn quoted(text: &str) -> Result<(String, &str), Syntax> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(chars.next().ok_or(Syntax::OpenQuote)?.1),
            c => value.push(c),
        }
    }
    Err(Syntax::OpenQuote)
}

/// A value as it stands between quotes.
#[cfg(feature = "client")]
pub(crate) fn quote(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Java's `DigestMD5Base.parseDirectives`, asked through Apache ZooKeeper 3.8.0.
    #[test]
    fn directives_are_read_as_java_reads_them() {
        for (token, want) in [
            ("", Ok(vec![])),
            ("a=b", Ok(vec![("a", "b")])),
            ("A=\"b\"", Ok(vec![("a", "b")])),
            (" a = \"b\" ,\tc=d ", Ok(vec![("a", "b"), ("c", "d")])),
            ("a=b,,c=d,", Ok(vec![("a", "b"), ("c", "d")])),
            ("a=\"\"", Ok(vec![("a", "")])),
            ("a=\"b\\\"\\c,\"", Ok(vec![("a", "b\"c,")])),
            ("a=b,x", Ok(vec![("a", "b")])),
            ("a=b,a=c", Ok(vec![("a", "b"), ("a", "c")])),
            ("a=", Err(Syntax::Empty)),
            ("a=,b=c", Err(Syntax::Empty)),
            ("=b", Err(Syntax::Empty)),
            ("x,a=b", Err(Syntax::Empty)),
            ("a=\"b", Err(Syntax::OpenQuote)),
            ("a=\"b\\", Err(Syntax::OpenQuote)),
            ("a=\"b\"c", Err(Syntax::NoComma)),
            ("a=b c", Err(Syntax::NoComma)),
        ] {
            let got = Directives::parse(token.as_bytes()).map(|found| found.0);
            let want = want.map(|list| {
                let owned = list.into_iter();
                owned
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect::<Vec<_>>()
            });
            assert_eq!(got, want, "{token:?}");
        }
    }

    #[test]
    fn a_token_has_limits() {
        let longest = |bytes| format!("a=\"{}\"", "b".repeat(bytes - 4));
        assert!(Directives::parse(longest(TOKEN_BYTES_MAX).as_bytes()).is_ok());
        let got = Directives::parse(longest(TOKEN_BYTES_MAX + 1).as_bytes());
        assert_eq!(got.unwrap_err(), Syntax::TooLong);
        assert!(Directives::parse("a=b,".repeat(DIRECTIVES_MAX).as_bytes()).is_ok());
        let got = Directives::parse("a=b,".repeat(DIRECTIVES_MAX + 1).as_bytes());
        assert_eq!(got.unwrap_err(), Syntax::TooMany);
        assert_eq!(Directives::parse(b"a=\xff").unwrap_err(), Syntax::NotText);
    }

    #[cfg(feature = "client")]
    #[test]
    fn what_is_quoted_reads_back() {
        for value in ["", "bob", "a\"b\\c", "a,b = c", "j\u{fc}rgen"] {
            let token = format!("x={}, y=z", quote(value));
            let read = Directives::parse(token.as_bytes()).unwrap();
            assert_eq!(read.one("x"), Ok(Some(value)));
            assert_eq!(read.one("y"), Ok(Some("z")));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..20_000 {
            let letters = b"a=\",\\ \t\xc3\xbcusername";
            let token: Vec<u8> = (0..random.usize(..40))
                .map(|_| letters[random.usize(..letters.len())])
                .collect();
            let _ = Directives::parse(&token);
        }
    }
}
