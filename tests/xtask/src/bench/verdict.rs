//! Bars held against figures. Silent.

use super::results::{Contender, Middle, Results};
use super::scenarios::{Bar, Rule, Scenario};

/// One line of the table of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) figure: String,
    pub(super) ours: Option<Middle>,
    pub(super) peer: Option<Middle>,
    /// Ours divided by the peer's.
    pub(super) ratio: Option<f64>,
    pub(super) bar: Option<(Rule, Verdict)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// What it takes was not measured.
    Unknown,
}

/// All figures of a scenario at a point; those with a bar come first, and are there whether or not
/// they were measured.
pub(super) fn rows(results: &Results, scenario: &Scenario, point: Option<u64>) -> Vec<Row> {
    let bars = scenario.bars.iter().map(|bar| bar.figure.to_owned());
    let others = results.figures(&scenario.name).into_iter();
    let others = others.filter(|name| scenario.bars.iter().all(|bar| bar.figure != name));
    bars.chain(others)
        .map(|figure| row(results, scenario, point, figure))
        .collect()
}

fn row(results: &Results, scenario: &Scenario, point: Option<u64>, figure: String) -> Row {
    let middle = |contender| results.middle(&scenario.name, point, contender, &figure);
    let (ours, peer) = (middle(Contender::Zoowarden), middle(Contender::ZooKeeper));
    let ratio = ours.zip(peer).and_then(|(ours, peer)| ratio(ours, peer));
    let bar = scenario.bars.iter().find(|bar| bar.figure == figure);
    Row {
        bar: bar.map(|bar| (bar.rule, hold(*bar, ours, ratio))),
        figure,
        ours,
        peer,
        ratio,
    }
}

fn ratio(ours: Middle, peer: Middle) -> Option<f64> {
    (peer.median > 0.0).then(|| ours.median / peer.median)
}

fn hold(bar: Bar, ours: Option<Middle>, ratio: Option<f64>) -> Verdict {
    let (value, is_met): (_, fn(f64, f64) -> bool) = match bar.rule {
        Rule::RatioAtLeast(_) => (ratio, |value, limit| value >= limit),
        Rule::RatioAtMost(_) => (ratio, |value, limit| value <= limit),
        Rule::AtMost(_) => (ours.map(|ours| ours.median), |value, limit| value <= limit),
    };
    let (Rule::RatioAtLeast(limit) | Rule::RatioAtMost(limit) | Rule::AtMost(limit)) = bar.rule;
    match value {
        None => Verdict::Unknown,
        Some(value) if is_met(value, limit) => Verdict::Met,
        Some(_) => Verdict::Missed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::{Figures, Record};
    use super::super::scenarios::{Extent, all};
    use super::*;

    fn results(scenario: &str, values: &[(Contender, &str, f64)]) -> Results {
        let record = |(contender, name, value): &(Contender, &str, f64)| {
            let mut figures = Figures::default();
            figures.set(name, *value);
            Record {
                scenario: scenario.to_owned(),
                contender: *contender,
                round: 1,
                point: None,
                figures,
            }
        };
        Results {
            records: values.iter().map(record).collect(),
            ..Results::default()
        }
    }

    fn verdicts(name: &str, values: &[(Contender, &str, f64)]) -> Vec<(String, Verdict)> {
        let all = all(Extent::Full);
        let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
        let rows = rows(&results(name, values), scenario, None);
        let held = rows
            .into_iter()
            .filter_map(|row| Some((row.figure, row.bar?.1)));
        held.collect()
    }

    #[test]
    fn ratios_are_held_against_their_bars() {
        let at = |ours, peer| {
            let values = [
                (Contender::Zoowarden, "per_second", ours),
                (Contender::ZooKeeper, "per_second", peer),
            ];
            verdicts("3/write-64x16", &values)[0].1
        };
        assert_eq!(at(50.0, 10.0), Verdict::Met);
        assert_eq!(at(49.0, 10.0), Verdict::Missed);
        assert_eq!(at(49.0, 0.0), Verdict::Unknown);
    }

    #[test]
    fn a_bar_that_was_not_measured_is_not_met() {
        let ours = [(Contender::Zoowarden, "errors", 1.0)];
        let want = [
            ("write_gap_ms".to_owned(), Verdict::Unknown),
            ("errors".to_owned(), Verdict::Missed),
        ];
        assert_eq!(verdicts("3/kill", &ours), want);
    }

    #[test]
    fn a_bar_of_our_own_needs_no_peer() {
        let at = |value| verdicts("1/start", &[(Contender::Zoowarden, "ready_ms", value)])[0].1;
        assert_eq!(at(50.0), Verdict::Met);
        assert_eq!(at(50.1), Verdict::Missed);
    }
}
