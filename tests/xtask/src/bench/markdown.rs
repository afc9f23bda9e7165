//! Results as Markdown: what was promised, what was seen, what failed. Silent.

use std::fmt::Write;

use super::results::{Contender, Middle, Results};
use super::scenarios::{Kind, Rule, Scenario};
use super::verdict::{Row, Verdict, rows};

/// What a figure is called, by the ends of their names; the first that fits.
const UNITS: [(&str, &str); 9] = [
    ("mb_per_second", "MB/s"),
    ("per_second", "per second"),
    ("s_per_1000", "s of CPU per 1,000"),
    ("_us", "µs"),
    ("_ms", "ms"),
    ("_mib", "MiB"),
    ("_percent", "% of a core"),
    ("_ns_per_child", "ns per child"),
    ("_s", "s"),
];

/// The whole document; `plots` are file names beside it.
pub(super) fn document(results: &Results, scenarios: &[Scenario], plots: &[String]) -> String {
    let mut text = String::from("# Measured\n\nMade by `cargo xtask bench`; [how](README.md).\n\n");
    preface(&mut text, results);
    let measured = scenarios.iter().filter(|scenario| {
        let name = &scenario.name;
        let failed = results
            .failures
            .iter()
            .any(|failure| failure.scenario == *name);
        failed
            || results
                .records
                .iter()
                .any(|record| record.scenario == *name)
    });
    let (growing, others): (Vec<&Scenario>, Vec<&Scenario>) =
        measured.partition(|scenario| matches!(scenario.kind, Kind::Growth { .. }));
    missed(&mut text, results, &others);
    for scenario in others {
        let _ = writeln!(text, "## {}\n\n`{}`\n", scenario.title, scenario.name);
        comparison(&mut text, &rows(results, scenario, None));
        failures(&mut text, results, scenario);
    }
    for scenario in growing {
        let _ = writeln!(
            text,
            "## Growth: {}\n\n`{}`\n",
            scenario.title, scenario.name
        );
        growth(&mut text, results, scenario);
        failures(&mut text, results, scenario);
    }
    if !plots.is_empty() {
        text.push_str("## Plots\n\n");
    }
    for plot in plots {
        let _ = writeln!(text, "![{plot}]({plot})\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn preface(text: &mut String, results: &Results) {
    let rounds = results.rounds;
    let _ = writeln!(
        text,
        "Medians of {rounds} interleaved round{}; ± is half the way from the least to the most, as \
         a share of the median. A ratio is ours divided by Apache ZooKeeper's.\n",
        if rounds == 1 { "" } else { "s" }
    );
    if results.quick {
        text.push_str("**A quick run: it shows that everything runs, not how fast.**\n\n");
    }
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in &results.machine {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push('\n');
}

/// How many bars there are, and each one that was not met.
fn missed(text: &mut String, results: &Results, scenarios: &[&Scenario]) {
    let (mut met, mut lines) = (0, Vec::new());
    for scenario in scenarios {
        for row in rows(results, scenario, None) {
            match row.bar {
                Some((_, Verdict::Met)) => met += 1,
                Some((rule, _)) => lines.push(format!(
                    "- {} `{}`: {}, wanted {}",
                    scenario.title,
                    row.figure,
                    seen(&row, rule),
                    wanted(rule)
                )),
                None => {}
            }
        }
    }
    let _ = writeln!(text, "## Bars\n\n{met} met, {} not met.\n", lines.len());
    if !lines.is_empty() {
        let _ = writeln!(text, "Not met:\n\n{}\n", lines.join("\n"));
    }
}

fn seen(row: &Row, rule: Rule) -> String {
    let value = match rule {
        Rule::AtMost(_) => row.ours.map(|ours| number(ours.median)),
        Rule::RatioAtLeast(_) | Rule::RatioAtMost(_) => row.ratio.map(times),
    };
    value.map_or_else(|| "not measured".to_owned(), |value| format!("**{value}**"))
}

pub(super) fn wanted(rule: Rule) -> String {
    match rule {
        Rule::RatioAtLeast(limit) => format!("≥ {limit}x"),
        Rule::RatioAtMost(limit) => format!("≤ {limit}x"),
        Rule::AtMost(limit) => format!("≤ {limit}"),
    }
}

/// A table of both contenders, one figure to a line.
pub(super) fn comparison(text: &mut String, rows: &[Row]) {
    let names = Contender::ALL.map(Contender::name);
    let _ = writeln!(
        text,
        "| figure | {} | {} | ratio | bar | |\n|---|--:|--:|--:|--:|---|",
        names[0], names[1]
    );
    for row in rows {
        let value = |middle: Option<Middle>| middle.map_or_else(|| "-".to_owned(), with_spread);
        let (bar, verdict) = match row.bar {
            None => (String::new(), ""),
            Some((rule, Verdict::Met)) => (wanted(rule), "met"),
            Some((rule, Verdict::Missed)) => (wanted(rule), "**MISSED**"),
            Some((rule, Verdict::Unknown)) => (wanted(rule), "**NOT MEASURED**"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {bar} | {verdict} |",
            label(&row.figure),
            value(row.ours),
            value(row.peer),
            row.ratio.map_or_else(|| "-".to_owned(), times)
        );
    }
    text.push('\n');
}

/// A table with a line for each size.
fn growth(text: &mut String, results: &Results, scenario: &Scenario) {
    let Kind::Growth { points, .. } = &scenario.kind else {
        return;
    };
    let figures = results.figures(&scenario.name);
    for contender in Contender::ALL {
        let at = |point: &u64, figure: &String| {
            let middle = results.middle(&scenario.name, Some(*point), contender, figure);
            middle.map(|middle| middle.median)
        };
        let has = |figure: &&String| points.iter().any(|point| at(point, figure).is_some());
        let figures: Vec<&String> = figures.iter().filter(has).collect();
        if figures.is_empty() {
            continue;
        }
        let labels: Vec<String> = figures.iter().map(|figure| label(figure)).collect();
        let _ = writeln!(
            text,
            "{}:\n\n| {} | {} |\n|--:|{}",
            contender.name(),
            scenario.title,
            labels.join(" | "),
            "--:|".repeat(figures.len())
        );
        for point in points {
            let value = |figure: &&String| at(point, figure).map_or_else(|| "-".to_owned(), number);
            let values: Vec<String> = figures.iter().map(value).collect();
            let _ = writeln!(
                text,
                "| {} | {} |",
                grouped(&point.to_string()),
                values.join(" | ")
            );
        }
        text.push('\n');
    }
}

fn failures(text: &mut String, results: &Results, scenario: &Scenario) {
    let failures = results.failures.iter();
    for failure in failures.filter(|failure| failure.scenario == scenario.name) {
        let what = failure.what.replace('\n', " ");
        let _ = writeln!(text, "**FAILED** on {}: {what}\n", failure.contender.name());
    }
}

/// A figure's name with its unit apart.
fn label(figure: &str) -> String {
    let unit = UNITS.iter().find(|(end, _)| figure.ends_with(end));
    let (what, unit) = match unit {
        None => return figure.replace('_', " "),
        Some((end, unit)) => (figure.strip_suffix(end).unwrap_or_default(), unit),
    };
    let what = what.trim_end_matches('_').replace('_', " ");
    match what.is_empty() {
        true => (*unit).to_owned(),
        false => format!("{what}, {unit}"),
    }
}

fn with_spread(middle: Middle) -> String {
    let percent = middle.spread * 50.0;
    match percent < 0.5 {
        true => number(middle.median),
        false => format!("{} ± {percent:.0} %", number(middle.median)),
    }
}

fn times(ratio: f64) -> String {
    format!("{}x", number(ratio))
}

/// Three digits at least, thousands grouped: 0.0123, 4.56, 78.9, 1,234,567.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        below if below < 0.1 => 4,
        below if below < 1.0 => 3,
        below if below < 10.0 => 2,
        below if below < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    match text.split_once('.') {
        None => grouped(&text),
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
    }
}

/// 1,234,567
fn grouped(whole: &str) -> String {
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut grouped = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::results::{Failure, Figures, Record};
    use super::super::scenarios::{Extent, all};
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, want) in [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (0.5, "0.500"),
            (4.561, "4.56"),
            (78.94, "78.9"),
            (1_234_567.8, "1,234,568"),
            (-1_500.0, "-1,500"),
        ] {
            assert_eq!(number(value), want);
        }
    }

    #[test]
    fn units_stand_apart() {
        for (figure, want) in [
            ("per_second", "per second"),
            ("write_per_second", "write, per second"),
            ("write_mb_per_second", "write, MB/s"),
            ("cpu_s_per_1000", "cpu, s of CPU per 1,000"),
            ("snapshot_gap_ms", "snapshot gap, ms"),
            ("errors", "errors"),
        ] {
            assert_eq!(label(figure), want);
        }
    }

    fn record(scenario: &str, contender: Contender, point: Option<u64>, value: f64) -> Record {
        let mut figures = Figures::default();
        figures.set("per_second", value);
        Record {
            scenario: scenario.to_owned(),
            contender,
            round: 1,
            point,
            figures,
        }
    }

    #[test]
    fn what_was_missed_and_what_failed_is_told() {
        let results = Results {
            rounds: 1,
            records: vec![
                record("3/write-64x16", Contender::Zoowarden, None, 2000.0),
                record("3/write-64x16", Contender::ZooKeeper, None, 1000.0),
                record("growth/servers", Contender::Zoowarden, Some(5), 1.5),
            ],
            failures: vec![Failure {
                scenario: "3/watch".to_owned(),
                contender: Contender::ZooKeeper,
                what: "it burnt".to_owned(),
            }],
            ..Results::default()
        };
        let text = document(&results, &all(Extent::Full), &["a.svg".to_owned()]);
        for line in [
            "0 met, 3 not met.",
            "| per second | 2,000 | 1,000 | 2.00x | ≥ 5x | **MISSED** |",
            "**FAILED** on Apache ZooKeeper: it burnt",
            "| per second | - | - | - | ≥ 4x | **NOT MEASURED** |",
            "| 5 | 1.50 |",
            "![a.svg](a.svg)",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
