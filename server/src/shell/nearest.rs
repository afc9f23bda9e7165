//! The name that somebody probably meant.

/// More slips than this are another word.
const SLIPS_MAX: usize = 2;

/// The known name that is nearest to what was typed, if one is near enough.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    let slips_max = SLIPS_MAX.min(typed.chars().count() / 2);
    let scored = known.map(|name| {
        let lower = name.to_ascii_lowercase();
        let begins = typed.len() > 1 && lower.starts_with(&typed);
        (if begins { 0 } else { slips(&typed, &lower) }, name)
    });
    let best = scored.min_by_key(|(slips, _)| *slips);
    best.filter(|(slips, _)| *slips <= slips_max)
        .map(|(_, name)| name)
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_another_word_is_not() {
        let known = ["ls", "get", "getAcl", "create", "delete", "deleteall"];
        for (typed, want) in [
            ("crate", Some("create")),
            ("getacl", Some("getAcl")),
            ("dleete", Some("delete")),
            ("deletea", Some("deleteall")),
            ("sl", Some("ls")),
            ("x", None),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), want, "{typed}");
        }
    }
}
