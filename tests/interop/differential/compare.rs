//! What two servers said, side by side.

use std::fmt;

use super::allowed::Allowed;
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
            channel: "any".into(),
            before: Vec::new(),
            real: vec![format!("{who} is gone")],
            ours: Vec::new(),
        }
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
        let rules = [(told, said), (told, None), (None, said)];
        let found = rules.iter().find_map(|(told, said)| {
            let rule = allowed.find(sequence, *told, *said)?;
            Some((rule, told.is_some(), said.is_some()))
        });
        let step = [one, other].into_iter().flatten().map(|line| line.step);
        let step = step.min().unwrap_or(END);
        if let Some((rule, of_real, of_ours)) = found {
            verdict.rules.push(rule);
            if allowed.rules[rule].ends {
                verdict.ended = Some(verdict.ended.map_or(step, |ended| ended.min(step)));
                return None;
            }
            (at, of) = (at + usize::from(of_real), of + usize::from(of_ours));
            continue;
        }
        if let Some(lines) = reordered(&real.lines[at..], &ours.lines[of..]) {
            (at, of) = (at + lines, of + lines);
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

/// How many lines are the same notifications in another order. The order of the ephemerals that end
/// with their session is not defined.
fn reordered(real: &[Line], ours: &[Line]) -> Option<usize> {
    let events = |lines: &[Line]| -> Vec<String> {
        let texts = lines.iter().map(|line| line.text.split_once(' '));
        let events = texts.map_while(|text| match text {
            Some(("event", rest)) => rest.split_once(' '),
            _ => None,
        });
        events.map(|(_, event)| event.to_owned()).collect()
    };
    let (mut real, mut ours) = (events(real), events(ours));
    let count = real.len().min(ours.len());
    real.truncate(count);
    ours.truncate(count);
    real.sort();
    ours.sort();
    (count > 1 && real == ours).then_some(count)
}
