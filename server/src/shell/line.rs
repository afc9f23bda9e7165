//! How a typed line falls into words.
//!
//! The rule is zkCli's: words are parted by blanks; a word that begins with `"` or `'` goes to the
//! next such quote and may hold blanks; a quote inside a word is an ordinary character, and so is a
//! backslash. Where zkCli guesses, at a quote without its partner, this one says so.

use std::fmt;

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without the quotes.
    pub(crate) text: String,
    /// It stood in quotes: `'-'` and `'@x'` are data, not where to read it.
    pub(crate) quoted: bool,
}

impl Word {
    /// A word that stood without quotes, or came from the command line of the system.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            quoted: false,
        }
    }
}

/// A quote that is never closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenQuote {
    quote: char,
    /// Where it stands, in characters from 1.
    column: usize,
}

impl fmt::Display for OpenQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quote, column } = self;
        write!(
            f,
            "the quote {quote} in column {column} is never closed: add {quote} at the end of the word"
        )
    }
}

/// The words of a line.
pub(crate) fn split(line: &str) -> Result<Vec<Word>, OpenQuote> {
    let scanned = scan(line);
    scanned.open.map_or(Ok(scanned.words), Err)
}

/// Whether a line is a comment or holds nothing.
pub(crate) fn is_empty(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The words as far as they are typed, the last one possibly within an open quote; and where the
/// last one begins, in bytes. After a blank the last word is empty.
pub(crate) fn unfinished(line: &str) -> (Vec<Word>, usize) {
    let mut scanned = scan(line);
    let is_behind_a_blank = scanned.open.is_none() && line.ends_with(char::is_whitespace);
    if scanned.words.is_empty() || is_behind_a_blank {
        scanned.words.push(Word::plain(""));
        return (scanned.words, line.len());
    }
    (scanned.words, scanned.last_begins)
}

/// A line in words, as far as it goes.
#[derive(Default)]
struct Scanned {
    words: Vec<Word>,
    /// Where the text of the last word begins, in bytes, behind its quote.
    last_begins: usize,
    /// The last word's quote has no partner.
    open: Option<OpenQuote>,
}

fn scan(line: &str) -> Scanned {
    let mut scanned = Scanned::default();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = line.len() - rest.len();
        let quoted = first == '"' || first == '\'';
        let inside = if quoted { &rest[1..] } else { rest };
        let end = match quoted {
            true => inside.find(first),
            false => Some(inside.find(char::is_whitespace).unwrap_or(inside.len())),
        };
        if end.is_none() {
            scanned.open = Some(OpenQuote {
                quote: first,
                column: line[..at].chars().count() + 1,
            });
        }
        let text = inside[..end.unwrap_or(inside.len())].to_owned();
        scanned.last_begins = at + usize::from(quoted);
        let closing = usize::from(quoted && end.is_some());
        rest = inside[text.len() + closing..].trim_start();
        scanned.words.push(Word { text, quoted });
    }
    scanned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).unwrap().into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_are_parted_as_zkcli_parts_them() {
        for (line, want) in [
            ("", &[][..]),
            ("   ", &[]),
            ("ls /", &["ls", "/"]),
            (
                "  create\t/a   \"hello world\" ",
                &["create", "/a", "hello world"],
            ),
            ("create /b 'it''s'", &["create", "/b", "it", "s"]),
            ("create /q a\"b\"c", &["create", "/q", "a\"b\"c"]),
            ("create /q 'a\"b'", &["create", "/q", "a\"b"]),
            ("create /q \"a'b\"", &["create", "/q", "a'b"]),
            ("create /q \"\"", &["create", "/q", ""]),
            ("create /q \"a\\\"b", &["create", "/q", "a\\", "b"]),
            ("get '/f g'", &["get", "/f g"]),
        ] {
            assert_eq!(texts(line), want, "{line}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_with_its_column() {
        let error = split("get \"/bin").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the quote \" in column 5 is never closed: add \" at the end of the word"
        );
        assert!(split("ä 'b").unwrap_err().to_string().contains("column 3"));
    }

    #[test]
    fn quotes_make_a_word_literal() {
        let words = split("set /a '-'").unwrap();
        assert!(words[2].quoted && !words[1].quoted);
    }

    #[test]
    fn the_word_under_the_cursor_is_found_with_its_place() {
        for (line, want, begin) in [
            ("", "", 0),
            ("ls", "ls", 0),
            ("ls ", "", 3),
            ("ls /a", "/a", 3),
            ("ls \"/a b", "/a b", 4),
            ("ls \"/a ", "/a ", 4),
            ("ls '/a'", "/a", 4),
        ] {
            let (words, at) = unfinished(line);
            assert_eq!(
                (words.last().unwrap().text.as_str(), at),
                (want, begin),
                "{line}"
            );
        }
    }

    #[test]
    fn random_lines_never_panic_and_words_hold_no_loose_blanks() {
        let mut state: u64 = 0x9e37_79b9;
        println!("seed {state}");
        for _ in 0..5_000 {
            let mut line = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                line.push(['a', ' ', '"', '\'', '/', 'ä', '\t', '\\'][(state >> 33) as usize % 8]);
            }
            let (words, begin) = unfinished(&line);
            assert!(
                line.is_char_boundary(begin) && !words.is_empty(),
                "{line:?}"
            );
            for word in split(&line).unwrap_or_default() {
                assert!(
                    word.quoted || !word.text.contains(char::is_whitespace),
                    "{line:?}"
                );
            }
        }
    }
}
