//! What stands behind a command: its flags and its operands, told apart by the command's own list.
//!
//! Flags may stand anywhere, short ones may be joined (`-sw`), and `--` ends them: all of it as
//! zkCli takes it. Long names are new, with one dash or two.

use std::fmt::Display;
use std::str::FromStr;

use super::line::Word;
use super::nearest::nearest;

/// A flag that a command knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// The letter behind one dash.
    pub(crate) short: Option<char>,
    /// The name behind one dash or two; the code asks for the flag by it.
    pub(crate) long: &'static str,
    /// What its value is called in help; `None` for a flag without one.
    pub(crate) value: Option<&'static str>,
    pub(crate) help: &'static str,
}

/// Every command takes this one.
pub(crate) const JSON: Flag = Flag {
    short: None,
    long: "json",
    value: None,
    help: "answer as JSON, on one line",
};

/// The flags and operands of one call of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    flags: Vec<(&'static str, Option<String>)>,
    operands: Vec<Word>,
}

/// What is wrong with the words behind a command.
pub(crate) type Mistake = String;

impl Arguments {
    /// Tells flags from operands.
    pub(crate) fn parse(words: &[Word], known: &'static [Flag]) -> Result<Self, Mistake> {
        let mut parsed = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.text == "--" && !word.quoted {
                parsed.operands.extend(words.cloned());
                break;
            }
            if is_operand(word) {
                parsed.operands.push(word.clone());
                continue;
            }
            let (name, inline) = match word.text.split_once('=') {
                Some((name, value)) if name.len() > 2 => (name, Some(value.to_owned())),
                _ => (word.text.as_str(), None),
            };
            match by_long_name(name, known) {
                Some(flag) => parsed.push(flag, inline, &mut words)?,
                None => parsed.push_short(&word.text, known, &mut words)?,
            }
        }
        Ok(parsed)
    }

    fn push_short<'a>(
        &mut self,
        word: &str,
        known: &'static [Flag],
        rest: &mut impl Iterator<Item = &'a Word>,
    ) -> Result<(), Mistake> {
        let letters = word.strip_prefix('-').unwrap_or(word);
        for (at, letter) in letters.char_indices() {
            let flag = known.iter().find(|flag| flag.short == Some(letter));
            let flag = flag.ok_or_else(|| unknown(word, known))?;
            let behind = &letters[at + letter.len_utf8()..];
            if flag.value.is_some() && !behind.is_empty() {
                return self.push(flag, Some(behind.to_owned()), rest);
            }
            self.push(flag, None, rest)?;
        }
        Ok(())
    }

    fn push<'a>(
        &mut self,
        flag: &'static Flag,
        inline: Option<String>,
        rest: &mut impl Iterator<Item = &'a Word>,
    ) -> Result<(), Mistake> {
        let value = match (flag.value, inline) {
            (None, None) => None,
            (None, Some(_)) => return Err(format!("--{} takes no value", flag.long)),
            (Some(_), Some(value)) => Some(value),
            (Some(called), None) => {
                let word = rest.next();
                let missing = || format!("{} needs a value: {called}", spelled(flag));
                Some(word.ok_or_else(missing)?.text.clone())
            }
        };
        self.flags.push((flag.long, value));
        Ok(())
    }

    /// Whether a flag was given.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == long)
    }

    /// A flag's value; of several the last.
    pub(crate) fn value(&self, long: &str) -> Option<&str> {
        let given = self.flags.iter().rev().find(|(name, _)| *name == long);
        given.and_then(|(_, value)| value.as_deref())
    }

    /// All values of a flag that may be given more than once.
    pub(crate) fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.flags.iter().filter(move |(name, _)| *name == long);
        given.filter_map(|(_, value)| value.as_deref())
    }

    /// A flag's value as a number.
    pub(crate) fn number<T: FromStr<Err: Display>>(
        &self,
        long: &str,
    ) -> Result<Option<T>, Mistake> {
        let Some(text) = self.value(long) else {
            return Ok(None);
        };
        let wrong = |error| format!("--{long} {text}: expected a whole number ({error})");
        text.parse().map(Some).map_err(wrong)
    }

    /// The operands.
    pub(crate) fn operands(&self) -> &[Word] {
        &self.operands
    }

    /// The text of an operand.
    pub(crate) fn operand(&self, at: usize) -> Option<&str> {
        self.operands.get(at).map(|word| word.text.as_str())
    }
}

/// A lone dash is standard input, and a negative number is a number.
fn is_operand(word: &Word) -> bool {
    let behind = word.text.strip_prefix('-');
    word.quoted
        || behind
            .is_none_or(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn by_long_name(name: &str, known: &'static [Flag]) -> Option<&'static Flag> {
    let two = name.strip_prefix("--");
    let one = name.strip_prefix('-').filter(|name| name.len() > 1);
    let name = two.or(one)?;
    let all = known.iter().chain(std::iter::once(&JSON));
    all.into_iter()
        .find(|flag| flag.long.eq_ignore_ascii_case(name))
}

/// A flag as it is typed: the short way where there is one.
pub(crate) fn spelled(flag: &Flag) -> String {
    match flag.short {
        Some(short) => format!("-{short}"),
        None => format!("--{}", flag.long),
    }
}

fn unknown(word: &str, known: &'static [Flag]) -> Mistake {
    let longs = known.iter().map(|flag| flag.long);
    let hint = match nearest(word.trim_start_matches('-'), longs) {
        Some(long) if word.len() > 3 => format!("; did you mean --{long}?"),
        _ if known.is_empty() => "; it has no flags".to_owned(),
        _ => {
            let all: Vec<String> = known.iter().map(spelled).collect();
            format!("; it knows {}", all.join(" "))
        }
    };
    format!("unknown flag {word}{hint}\nan operand that begins with a dash goes behind --")
}

#[cfg(test)]
mod tests {
    use super::super::line;
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag {
            short: Some('s'),
            long: "stat",
            value: None,
            help: "",
        },
        Flag {
            short: Some('w'),
            long: "watch",
            value: None,
            help: "",
        },
        Flag {
            short: Some('v'),
            long: "version",
            value: Some("version"),
            help: "",
        },
        Flag {
            short: None,
            long: "on-conflict",
            value: Some("policy"),
            help: "",
        },
    ];

    fn parse(text: &str) -> Result<Arguments, Mistake> {
        Arguments::parse(&line::split(text).unwrap(), FLAGS)
    }

    fn operands(arguments: &Arguments) -> Vec<&str> {
        arguments
            .operands()
            .iter()
            .map(|word| word.text.as_str())
            .collect()
    }

    #[test]
    fn flags_stand_anywhere_and_may_be_joined() {
        for text in ["-s -w /a d", "/a -sw d", "/a d -w -s", "--stat -watch /a d"] {
            let got = parse(text).unwrap();
            assert!(got.has("stat") && got.has("watch"), "{text}");
            assert_eq!(operands(&got), ["/a", "d"], "{text}");
        }
    }

    #[test]
    fn values_stand_behind_their_flag_in_every_spelling() {
        for text in [
            "-v 3",
            "-v3",
            "-sv 3",
            "--version 3",
            "--version=3",
            "-version 3",
        ] {
            assert_eq!(
                parse(text).unwrap().number("version"),
                Ok(Some(3)),
                "{text}"
            );
        }
        assert_eq!(parse("-v -1").unwrap().number("version"), Ok(Some(-1)));
        assert_eq!(parse("/a -v 1 -v 2").unwrap().value("version"), Some("2"));
    }

    #[test]
    fn what_looks_like_a_flag_can_be_an_operand() {
        assert_eq!(operands(&parse("/a -").unwrap()), ["/a", "-"]);
        assert_eq!(operands(&parse("/a -5").unwrap()), ["/a", "-5"]);
        assert_eq!(operands(&parse("/a '-s'").unwrap()), ["/a", "-s"]);
        assert_eq!(operands(&parse("-- -s --x").unwrap()), ["-s", "--x"]);
    }

    #[test]
    fn every_command_takes_json() {
        assert!(parse("--json /a").unwrap().has("json"));
    }

    #[test]
    fn mistakes_say_what_to_type_instead() {
        for (text, part) in [
            ("-q", "unknown flag -q; it knows -s -w -v --on-conflict"),
            ("--on-conflct x", "did you mean --on-conflict?"),
            ("-v", "-v needs a value: version"),
            ("--stat=3", "--stat takes no value"),
        ] {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.contains(part), "{text}: {mistake}");
        }
        let wrong = parse("-v x").unwrap().number::<i32>("version").unwrap_err();
        assert!(
            wrong.contains("--version x: expected a whole number"),
            "{wrong}"
        );
    }
}
