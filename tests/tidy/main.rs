//! The house rules that a compiler does not check.
//!
//! What lives here: one test per rule, each a function from the tree to its violations. What does
//! not: anything rustfmt, rustc or clippy already say.
//!
//! Invariant: no rule is one that cannot fail. Every test first plants a violation in a tree made
//! of strings and demands that the rule names its file, then shows the rule an innocent tree, then
//! the real one.

#![forbid(unsafe_code)]

mod compatibility;
mod documents;
mod numbers;
mod rooms;
mod source;
mod words;

use source::Tree;

/// A breach of a rule, as `file:line: what is wrong and what to do`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation(String);

impl Violation {
    /// At a line of a file; lines count from 1.
    pub(crate) fn at(path: &str, line: usize, message: &str) -> Self {
        Self(format!("{path}:{line}: {message}"))
    }
}

/// A rule finds the violations of one promise in a whole tree.
pub(crate) type Rule = fn(&Tree) -> Vec<Violation>;

/// Fails with the list of violations of `rule` in this repository.
pub(crate) fn holds(rule: Rule) {
    let violations = rule(&Tree::of_repository());
    let list: Vec<&str> = violations
        .iter()
        .map(|violation| violation.0.as_str())
        .collect();
    assert!(
        list.is_empty(),
        "{} violation(s):\n{}\n",
        list.len(),
        list.join("\n")
    );
}

/// Proves that `rule` can fail: every planted file on its own is caught by name.
pub(crate) fn catches(rule: Rule, planted: &[(&str, &str)]) {
    for (path, text) in planted {
        let violations = rule(&Tree::planted(&[(path, text)]));
        let named = violations
            .iter()
            .any(|violation| violation.0.starts_with(path));
        assert!(
            named,
            "the rule is blind to this, in {path}:\n{text}\nit said {violations:?}"
        );
    }
}

/// Proves that `rule` leaves the innocent alone.
pub(crate) fn allows(rule: Rule, innocent: &[(&str, &str)]) {
    for (path, text) in innocent {
        let violations = rule(&Tree::planted(&[(path, text)]));
        assert_eq!(
            violations,
            [],
            "the rule accuses the innocent, in {path}:\n{text}\n"
        );
    }
}
