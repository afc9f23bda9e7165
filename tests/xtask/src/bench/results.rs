//! What was measured, as it is kept: a file of JSON that tables and plots are made from. Silent but
//! for reading and writing that file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Contender {
    Zoowarden,
    ZooKeeper,
}

impl Contender {
    /// In the order of their turns.
    pub(super) const ALL: [Contender; 2] = [Contender::Zoowarden, Contender::ZooKeeper];

    pub(super) fn name(self) -> &'static str {
        match self {
            Contender::Zoowarden => "Zoowarden",
            Contender::ZooKeeper => "Apache ZooKeeper",
        }
    }
}

/// The figures of one run, by name; units are in the names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub(super) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Takes over all figures of `other`.
    pub(super) fn merge(&mut self, other: Figures) {
        self.0.extend(other.0);
    }

    /// Takes over one figure of `other` under another name.
    pub(super) fn take(&mut self, name: &str, other: &Figures, their_name: &str) {
        if let Some(value) = other.get(their_name) {
            self.set(name, value);
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {}", super::markdown::number(*value))?;
        }
        Ok(())
    }
}

/// One run of one scenario on one contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) scenario: String,
    pub(super) contender: Contender,
    pub(super) round: u32,
    /// The size, where a scenario has several.
    pub(super) point: Option<u64>,
    pub(super) figures: Figures,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) scenario: String,
    pub(super) contender: Contender,
    pub(super) what: String,
}

/// Everything that one call measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    /// What it ran on, as rows of a table.
    pub(super) machine: Vec<(String, String)>,
    pub(super) rounds: u32,
    pub(super) quick: bool,
    pub(super) records: Vec<Record>,
    pub(super) failures: Vec<Failure>,
}

/// The middle of the rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Middle {
    pub(super) median: f64,
    /// From the least to the most, as a share of the median.
    pub(super) spread: f64,
}

impl Results {
    /// Lets go of what was seen of these, which are measured again.
    pub(super) fn forget(&mut self, scenarios: &[&str], contenders: &[Contender]) {
        let stays = |scenario: &str, contender: Contender| {
            !scenarios.contains(&scenario) || !contenders.contains(&contender)
        };
        self.records
            .retain(|record| stays(&record.scenario, record.contender));
        self.failures
            .retain(|failure| stays(&failure.scenario, failure.contender));
    }

    /// The rounds' median of one figure; `None` if it was never measured.
    pub(super) fn middle(
        &self,
        scenario: &str,
        point: Option<u64>,
        contender: Contender,
        figure: &str,
    ) -> Option<Middle> {
        let of_it = self.records.iter().filter(|record| {
            record.scenario == scenario && record.point == point && record.contender == contender
        });
        middle(
            of_it
                .filter_map(|record| record.figures.get(figure))
                .collect(),
        )
    }

    /// All names of figures that a scenario has.
    pub(super) fn figures(&self, scenario: &str) -> Vec<String> {
        let of_it = self
            .records
            .iter()
            .filter(|record| record.scenario == scenario);
        let names = of_it.flat_map(|record| record.figures.0.keys().cloned());
        let unique: std::collections::BTreeSet<String> = names.collect();
        unique.into_iter().collect()
    }

    pub(super) fn read(path: &Path) -> Result<Results, String> {
        let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
        serde_json::from_str(&text).map_err(|error| fail(&error))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The median: the mean of the two in the middle if their number is even.
pub(super) fn middle(mut values: Vec<f64>) -> Option<Middle> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let half = values.len() / 2;
    let median = match values.len() % 2 {
        0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    };
    let spread = match median {
        0.0 => 0.0,
        _ => (last - first) / median,
    };
    Some(Middle { median, spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(contender: Contender, round: u32, point: Option<u64>, value: f64) -> Record {
        let mut figures = Figures::default();
        figures.set("per_second", value);
        Record {
            scenario: "a".to_owned(),
            contender,
            round,
            point,
            figures,
        }
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let median = |values: &[f64]| middle(values.to_vec()).map(|middle| middle.median);
        assert_eq!(median(&[3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(&[f64::NAN, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        let spread = |values: &[f64]| middle(values.to_vec()).map(|middle| middle.spread);
        assert_eq!(spread(&[8.0, 10.0, 13.0]), Some(0.5));
        assert_eq!(spread(&[0.0, 0.0]), Some(0.0));
    }

    #[test]
    fn points_and_contenders_are_told_apart_and_survive_the_file() {
        let results = Results {
            records: vec![
                record(Contender::Zoowarden, 1, None, 10.0),
                record(Contender::Zoowarden, 1, Some(5), 20.0),
                record(Contender::ZooKeeper, 1, None, 30.0),
            ],
            ..Results::default()
        };
        let text = serde_json::to_string(&results).unwrap();
        let results: Results = serde_json::from_str(&text).unwrap();
        let median = |point, contender| {
            let middle = results.middle("a", point, contender, "per_second");
            middle.map(|middle| middle.median)
        };
        assert_eq!(median(None, Contender::Zoowarden), Some(10.0));
        assert_eq!(median(Some(5), Contender::Zoowarden), Some(20.0));
        assert_eq!(median(None, Contender::ZooKeeper), Some(30.0));
        assert_eq!(median(Some(5), Contender::ZooKeeper), None);
    }
}
