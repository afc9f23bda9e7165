//! What two servers said, side by side.

use std::fmt;

use super::allowed::{Allowed, Rule};
use super::player::{Channel, END, Line, Transcript};
use super::steps::Sequence;

/// Lines around a difference that are shown.
const LINES_SHOWN: usize = 4;

/// The first difference that no rule allows.
#[derive(Clone, Debug)]
pub struct Difference {
    pub step: usize,
    channel: String,
    before: Vec<String>,
    real: Vec<String>,
    ours: Vec<String>,
}

impl Difference {
    /// A server has ended.
    pub fn gone(who: &str) -> Difference {
        Difference {
            step: END,
            channel: String::new(),
            before: Vec::new(),
            real: vec![format!("{who} is gone")],
            ours: Vec::new(),
        }
    }

    /// Whether a server has ended.
    pub fn is_gone(&self) -> bool {
        self.channel.is_empty()
    }

    /// Whether this is the same fault as another one, as far as its words say.
    pub fn resembles(&self, other: &Difference) -> bool {
        let head = |lines: &[String]| -> Vec<String> {
            let first = lines.first().cloned().unwrap_or_default();
            first.split(' ').take(2).map(str::to_owned).collect()
        };
        head(&self.real) == head(&other.real) && head(&self.ours) == head(&other.ours)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            END => writeln!(f, "on connection {}, in the end:", self.channel)?,
            step => writeln!(f, "on connection {}, by step {step}:", self.channel)?,
        }
        for line in &self.before {
            writeln!(f, "    both  {line}")?;
        }
        for line in &self.real {
            writeln!(f, "    real  {line}")?;
        }
        for line in &self.ours {
            writeln!(f, "    ours  {line}")?;
        }
        Ok(())
    }
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Verdict {
    pub difference: Option<Difference>,
    /// Rules that were needed, by their place.
    pub rules: Vec<usize>,
    /// The states differ from this step on, by a rule.
    pub ended: Option<usize>,
}

/// Compares all connections.
pub fn compare(
    sequence: &Sequence,
    real: &Transcript,
    ours: &Transcript,
    allowed: &Allowed,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut differences = Vec::new();
    for (real, ours) in real.iter().zip(ours) {
        differences.extend(channel(sequence, real, ours, allowed, &mut verdict));
    }
    if real.len() != ours.len() {
        differences.push(Difference {
            step: END,
            channel: "any".into(),
            before: Vec::new(),
            real: vec![format!("{} connections", real.len())],
            ours: vec![format!("{} connections", ours.len())],
        });
    }
    let ended = verdict.ended.unwrap_or(END);
    differences.sort_by_key(|difference| difference.step);
    let counts = |difference: &Difference| difference.step < ended || verdict.ended.is_none();
    verdict.difference = differences.into_iter().find(counts);
    verdict
}

fn channel(
    sequence: &Sequence,
    real: &Channel,
    ours: &Channel,
    allowed: &Allowed,
    verdict: &mut Verdict,
) -> Option<Difference> {
    let (mut at, mut of) = (0, 0);
    loop {
        let (one, other) = (real.lines.get(at), ours.lines.get(of));
        let (told, said) = (one.map(text), other.map(text));
        if told == said {
            one?;
            (at, of) = (at + 1, of + 1);
            continue;
        }
        let one_sided = || {
            let of_real = told.and_then(|told| allowed.find(sequence, Some(told), None));
            let of_ours = || said.and_then(|said| allowed.find(sequence, None, Some(said)));
            of_real
                .map(|rule| (rule, 1, 0))
                .or_else(|| of_ours().map(|rule| (rule, 0, 1)))
        };
        let found = allowed
            .find(sequence, told, said)
            .filter(|_| told.is_some() && said.is_some());
        let found = found
            .map(|rule| (rule, 1, 1))
            .or_else(|| reordered(sequence, &real.lines[at..], &ours.lines[of..], allowed))
            .or_else(one_sided);
        let step = [one, other].into_iter().flatten().map(|line| line.step);
        let step = step.min().unwrap_or(END);
        if let Some((rule, of_real, of_ours)) = found {
            verdict.rules.push(rule);
            if allowed.rules[rule].ends {
                verdict.ended = Some(verdict.ended.map_or(step, |ended| ended.min(step)));
                return None;
            }
            (at, of) = (at + of_real, of + of_ours);
            continue;
        }
        let shown = |lines: &[Line], from: usize| {
            let lines = lines.iter().skip(from).take(LINES_SHOWN);
            lines.map(|line| line.text.clone()).collect()
        };
        return Some(Difference {
            step,
            channel: real.name.clone(),
            before: shown(&real.lines[at.saturating_sub(LINES_SHOWN)..at], 0),
            real: shown(&real.lines, at),
            ours: shown(&ours.lines, of),
        });
    }
}

fn text(line: &Line) -> &str {
    &line.text
}

/// The rule for notifications that stand together in another order, and how many there are on both
/// sides. Those of the real server that ours need not send may be among them.
fn reordered(
    sequence: &Sequence,
    real: &[Line],
    ours: &[Line],
    allowed: &Allowed,
) -> Option<(usize, usize, usize)> {
    let rule = allowed.rules.iter().position(Rule::is_unordered)?;
    let (real, mut left) = (events(real), events(ours));
    let counts = (rule, real.len(), left.len());
    for event in real {
        match left.iter().position(|other| *other == event) {
            Some(at) => drop(left.remove(at)),
            None => drop(allowed.find(sequence, Some(&format!("event -1 {event}")), None)?),
        }
    }
    (left.is_empty() && counts.2 > 1).then_some(counts)
}

/// The notifications at the beginning, without their zxids.
fn events(lines: &[Line]) -> Vec<&str> {
    let events = lines
        .iter()
        .map_while(|line| line.text.strip_prefix("event "));
    events
        .filter_map(|event| Some(event.split_once(' ')?.1))
        .collect()
}
