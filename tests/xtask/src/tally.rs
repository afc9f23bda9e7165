//! Counting tests by the lines in which their runners sum up.

use std::fmt;
use std::ops::Add;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// A failure that no runner counted.
    pub(crate) const PASS: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };

    pub(crate) const FAILURE: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// Whether any test ran.
    pub(crate) fn ran_something(self) -> bool {
        self.passed + self.failed > 0
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`
pub(crate) fn of_cargo(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(sum(counts.split("; ")))
}

/// `====== 1 failed, 486 passed, 7 skipped, 1 error in 258.81s (0:04:18) ======`
pub(crate) fn of_pytest(line: &str) -> Option<Tally> {
    let (counts, time) = line.trim_matches([' ', '=']).rsplit_once(" in ")?;
    let timed = time
        .split(' ')
        .next()?
        .strip_suffix('s')?
        .parse::<f64>()
        .is_ok();
    let counted = counts.split(", ").all(|part| count(part).is_some());
    (timed && counted).then(|| sum(counts.split(", ")))
}

/// `ℹ pass 73`, one line for each way to end.
pub(crate) fn of_node(line: &str) -> Option<Tally> {
    let (what, number) = line.strip_prefix("ℹ ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    let mut tally = Tally::default();
    match what {
        "pass" => tally.passed = number,
        "fail" | "cancelled" => tally.failed = number,
        "skipped" | "todo" => tally.skipped = number,
        _ => return None,
    }
    Some(tally)
}

/// `139 passed, 0 failed`, alone on its line.
pub(crate) fn of_plain(line: &str) -> Option<Tally> {
    let parts = line.split(", ");
    let counted = parts.clone().all(|part| count(part).is_some());
    (counted && parts.count() > 1).then(|| sum(line.split(", ")))
}

fn count(part: &str) -> Option<(u32, &str)> {
    let (number, what) = part.split_once(' ')?;
    Some((number.parse().ok()?, what))
}

fn sum<'a>(parts: impl Iterator<Item = &'a str>) -> Tally {
    let mut tally = Tally::default();
    for (number, what) in parts.filter_map(count) {
        match what {
            "passed" | "xpassed" => tally.passed += number,
            "failed" | "error" | "errors" => tally.failed += number,
            "ignored" | "skipped" | "xfailed" => tally.skipped += number,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parse: fn(&str) -> Option<Tally>, line: &str, want: Option<(u32, u32, u32)>) {
        let want = want.map(|(passed, failed, skipped)| Tally {
            passed,
            failed,
            skipped,
        });
        assert_eq!(parse(line), want, "{line}");
    }

    #[test]
    fn closing_lines_are_counted() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        check(of_cargo, ok, Some((5, 0, 1)));
        check(
            of_cargo,
            "test result: FAILED. 5 passed; 2 failed; 0 ignored",
            Some((5, 2, 0)),
        );
        check(
            of_pytest,
            "== 486 passed, 7 skipped in 258.81s (0:04:18) ==",
            Some((486, 0, 7)),
        );
        let broken = "= 2 failed, 3 passed, 1 warning, 4 errors in 0.12s =";
        check(of_pytest, broken, Some((3, 6, 0)));
        check(of_plain, "139 passed, 0 failed", Some((139, 0, 0)));
        check(of_node, "ℹ pass 73", Some((73, 0, 0)));
        check(of_node, "ℹ cancelled 2", Some((0, 2, 0)));
        check(of_node, "ℹ skipped 1", Some((0, 0, 1)));
    }

    #[test]
    fn other_lines_are_not_counted() {
        check(of_cargo, "test a::b ... ok", None);
        check(of_pytest, "== test session starts ==", None);
        check(of_pytest, "3 items found in cache", None);
        check(of_plain, "FAILED: 3 passed, 1 failed", None);
        check(of_plain, "passed", None);
        check(of_node, "ℹ duration_ms 76893.06", None);
        check(of_node, "ℹ tests 75", None);
    }
}
