//! The differences that are allowed, each with its reason: `allowed.json`.
//!
//! A rule has a pattern for what the real server said and one for what ours did; without one of them,
//! nothing was said there. In a pattern `*` is anything, and `<word>` is anything that is the same
//! wherever the word stands. `profile` names the kind of sequence it may happen in; `where` says
//! `closed` if it happens on paths only that have had an access list that is not open to all. With
//! `ends` the two servers' states are different from there on, so that the rest of the sequence says
//! nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::steps::Sequence;

const FILE: &str = include_str!("allowed.json");

/// One allowed difference.
#[derive(Debug)]
pub struct Rule {
    pub name: String,
    real: Option<String>,
    ours: Option<String>,
    profile: Option<String>,
    /// Only on paths that have had a list that is not open to all.
    closed: bool,
    unordered: bool,
    pub ends: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Allowed {
    pub rules: Vec<Rule>,
}

impl Allowed {
    /// What the file says.
    pub fn read() -> Allowed {
        let rules: Value = serde_json::from_str(FILE).expect("allowed.json is JSON");
        let rules = rules.as_array().expect("allowed.json is a list");
        Allowed {
            rules: rules.iter().map(rule).collect(),
        }
    }

    /// The rule that allows this, by its place.
    pub fn find(
        &self,
        sequence: &Sequence,
        real: Option<&str>,
        ours: Option<&str>,
    ) -> Option<usize> {
        let is_closed = || {
            let mut paths = sequence.closed_paths();
            let (_, told) = real.or(ours).and_then(|text| text.split_once('"'))?;
            paths.any(|path| told.starts_with(path)).then_some(())
        };
        let fits = |rule: &Rule| {
            rule.profile
                .as_deref()
                .is_none_or(|own| own == sequence.profile)
                && !rule.unordered
                && rule.matches(real, ours)
                && (!rule.closed || is_closed().is_some())
        };
        self.rules.iter().position(fits)
    }
}

fn rule(rule: &Value) -> Rule {
    let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
    assert!(text("reason").is_some(), "a rule without a reason: {rule}");
    Rule {
        name: text("name").expect("a rule has a name"),
        real: text("real"),
        ours: text("ours"),
        profile: text("profile"),
        closed: rule.get("where").is_some(),
        unordered: rule.get("unordered").is_some(),
        ends: rule.get("ends").and_then(Value::as_bool).unwrap_or(false),
    }
}

impl Rule {
    /// Whether it is about the order of notifications that stand together.
    pub fn is_unordered(&self) -> bool {
        self.unordered
    }

    fn matches(&self, real: Option<&str>, ours: Option<&str>) -> bool {
        let mut words = BTreeMap::new();
        one(self.real.as_deref(), real, &mut words) && one(self.ours.as_deref(), ours, &mut words)
    }
}

type Words = BTreeMap<String, String>;

fn one(pattern: Option<&str>, text: Option<&str>, words: &mut Words) -> bool {
    match (pattern, text) {
        (Some(pattern), Some(text)) => fits(pattern, text, words),
        (None, None) => true,
        _ => false,
    }
}

/// Whether `text` is what `pattern` says; what its words stand for is kept.
fn fits(pattern: &str, text: &str, words: &mut Words) -> bool {
    let open = pattern.find(['*', '<']).unwrap_or(pattern.len());
    let (plain, rest) = pattern.split_at(open);
    let Some(text) = text.strip_prefix(plain) else {
        return false;
    };
    if rest.is_empty() {
        return text.is_empty();
    }
    let (word, rest) = match rest.strip_prefix('*') {
        Some(rest) => (None, rest),
        None => {
            let (word, rest) = rest[1..].split_once('>').expect("a word ends with >");
            (Some(word), rest)
        }
    };
    if let Some(known) = word.and_then(|word| words.get(word)).cloned() {
        let behind = text.strip_prefix(known.as_str());
        return behind.is_some_and(|behind| fits(rest, behind, words));
    }
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for end in ends {
        let mut tried = words.clone();
        if let Some(word) = word {
            tried.insert(word.to_owned(), text[..end].to_owned());
        }
        if fits(rest, &text[end..], &mut tried) {
            *words = tried;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Words, fits};

    #[test]
    fn a_word_is_the_same_wherever_it_stands() {
        let check = |pattern: &str, text: &str, other: &str, text_of_other: &str| {
            let mut words = Words::new();
            fits(pattern, text, &mut words) && fits(other, text_of_other, &mut words)
        };
        assert!(check(
            "event -1 <e>",
            "event -1 x",
            "event zxid+* <e>",
            "event zxid+7 x"
        ));
        assert!(!check(
            "event -1 <e>",
            "event -1 x",
            "event zxid+* <e>",
            "event zxid+7 y"
        ));
        assert!(check("<a>b<a>", "xbx", "<a>*", "xyz"));
        assert!(!check("<a>b<a>", "xby", "*", ""));
    }

    #[test]
    fn a_pattern_takes_the_whole_text() {
        let check = |pattern: &str, text: &str| fits(pattern, text, &mut Words::new());
        assert!(check("a*c", "abc"));
        assert!(!check("a*c", "abcd"));
        assert!(!check("abc", "ab"));
        assert!(check("*", ""));
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let mut names: Vec<String> = Allowed::read().rules.into_iter().map(|r| r.name).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
