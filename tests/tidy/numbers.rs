//! The house numbers: how long files and functions may be.

use super::source::{File, Tree};
use super::{Violation, allows, catches, holds};

const FILE_LINES_MAX: usize = 900;
const FILE_LINES_MEDIAN: usize = 250;
const FUNCTION_LINES_MAX: usize = 70;
const FUNCTION_LINES_P90: usize = 30;

fn lines(file: &File) -> usize {
    file.text.lines().count()
}

fn long_files(tree: &Tree) -> Vec<Violation> {
    let long = tree.rust().filter(|file| lines(file) > FILE_LINES_MAX);
    let message = |file: &File| {
        format!(
            "{} lines, {FILE_LINES_MAX} at most: split it by idea",
            lines(file)
        )
    };
    long.map(|file| Violation::at(&file.path, 1, &message(file)))
        .collect()
}

#[test]
fn no_file_is_longer_than_900_lines() {
    let long = "//\n".repeat(FILE_LINES_MAX + 1);
    catches(long_files, &[("core/src/tree/a.rs", &long)]);
    allows(long_files, &[("core/src/tree/a.rs", &long[3..])]);
    holds(long_files);
}

fn long_median_file(tree: &Tree) -> Vec<Violation> {
    let mut files: Vec<&File> = tree.rust().collect();
    files.sort_by_key(|file| lines(file));
    let median = files[files.len() / 2];
    let message = format!(
        "the median file has {} lines, {FILE_LINES_MEDIAN} at most",
        lines(median)
    );
    let too_long = lines(median) > FILE_LINES_MEDIAN;
    too_long
        .then(|| Violation::at(&median.path, 1, &message))
        .into_iter()
        .collect()
}

#[test]
fn the_median_file_has_at_most_250_lines() {
    let long = "//\n".repeat(FILE_LINES_MEDIAN + 1);
    catches(long_median_file, &[("core/src/tree/a.rs", &long)]);
    allows(long_median_file, &[("core/src/tree/a.rs", &long[3..])]);
    holds(long_median_file);
}

fn long_functions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust() {
        for f in file
            .functions()
            .iter()
            .filter(|f| f.lines > FUNCTION_LINES_MAX)
        {
            let message = format!(
                "fn {} has {} lines, {FUNCTION_LINES_MAX} at most",
                f.name, f.lines
            );
            violations.push(Violation::at(&file.path, f.line, &message));
        }
    }
    violations
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let of_lines = |lines: usize| format!("pub fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    catches(
        long_functions,
        &[("core/src/tree/a.rs", &of_lines(FUNCTION_LINES_MAX + 1))],
    );
    allows(
        long_functions,
        &[("core/src/tree/a.rs", &of_lines(FUNCTION_LINES_MAX))],
    );
    holds(long_functions);
}

fn long_p90_function(tree: &Tree) -> Vec<Violation> {
    let found = tree.rust().flat_map(|file| {
        file.functions()
            .into_iter()
            .map(|f| (f.lines, f.line, &file.path))
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    let Some((lines, line, path)) = found.get(found.len() * 9 / 10) else {
        return Vec::new();
    };
    let message =
        format!("one function in ten has {lines} lines or more, {FUNCTION_LINES_P90} at most");
    let too_long = *lines > FUNCTION_LINES_P90;
    too_long
        .then(|| Violation::at(path, *line, &message))
        .into_iter()
        .collect()
}

#[test]
fn nine_functions_in_ten_have_at_most_30_lines() {
    let of_lines = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    catches(
        long_p90_function,
        &[("core/src/tree/a.rs", &of_lines(FUNCTION_LINES_P90 + 1))],
    );
    allows(
        long_p90_function,
        &[("core/src/tree/a.rs", &of_lines(FUNCTION_LINES_P90))],
    );
    holds(long_p90_function);
}
