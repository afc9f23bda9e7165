//! The words behind `cargo xtask bench`.

use std::path::PathBuf;

use super::load::Pace;
use super::results::Contender;
use super::scenarios::{Extent, Scenario};

pub(super) const HELP: &str = "\
usage: cargo xtask bench [NAME...] [options]

  NAME          scenarios whose names contain this: 3/, tree, 1/read-64x16; without, all of them
  --list        the names, and nothing else
  --rounds N    interleaved rounds of each [default: 5]
  --seconds N   how long each load is measured [default: 10]
  --quick       one second, and a fiftieth of every size: shows that all of it runs
  --only ours|zookeeper   measures one of both
  --results F   where the figures are kept [default: target/bench/results.json]; scenarios that are
                measured again replace their figures in it
  --render      measures nothing: the table and the plots anew from the file
  --publish     writes docs/benchmarks/ from the file, too

ZOOWARDEN_BIN names the binary; without it, a release build is made.";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    names: Vec<String>,
    pub(super) list: bool,
    pub(super) rounds: u32,
    seconds: Option<u64>,
    pub(super) extent: Extent,
    pub(super) contenders: Vec<Contender>,
    pub(super) results: Option<PathBuf>,
    pub(super) render: bool,
    pub(super) publish: bool,
}

impl Arguments {
    /// Understands the words, or says which one it does not.
    pub(super) fn parse(words: &[String]) -> Result<Arguments, String> {
        let mut arguments = Arguments {
            names: Vec::new(),
            list: false,
            rounds: 5,
            seconds: None,
            extent: Extent::Full,
            contenders: Contender::ALL.to_vec(),
            results: None,
            render: false,
            publish: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" => return Err(String::new()),
                "--list" => arguments.list = true,
                "--quick" => arguments.extent = Extent::Quick,
                "--render" => arguments.render = true,
                "--publish" => arguments.publish = true,
                "--rounds" => arguments.rounds = number(word, value()?)?,
                "--seconds" => arguments.seconds = Some(number(word, value()?)?),
                "--only" => arguments.contenders = vec![contender(value()?)?],
                "--results" => arguments.results = Some(value()?.into()),
                option if option.starts_with('-') => return Err(format!("unknown: {option}")),
                name => arguments.names.push(name.to_owned()),
            }
        }
        Ok(arguments)
    }

    /// Those that were named, in their own order; an error if a name fits none.
    pub(super) fn select(&self, all: &[Scenario]) -> Result<Vec<Scenario>, String> {
        let fits = |name: &String, scenario: &Scenario| scenario.name.contains(name.as_str());
        let stray = |name: &&String| !all.iter().any(|scenario| fits(name, scenario));
        if let Some(stray) = self.names.iter().find(stray) {
            return Err(format!(
                "no scenario is called {stray}; --list tells their names"
            ));
        }
        let wanted = |scenario: &&Scenario| {
            self.names.is_empty() || self.names.iter().any(|name| fits(name, scenario))
        };
        Ok(all.iter().filter(wanted).cloned().collect())
    }

    pub(super) fn pace(&self) -> Pace {
        let (seconds, warmup_seconds) = match self.extent {
            Extent::Full => (10, 2),
            Extent::Quick => (1, 1),
        };
        Pace {
            seconds: self.seconds.unwrap_or(seconds),
            warmup_seconds,
        }
    }
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(
    option: &str,
    value: &str,
) -> Result<T, String> {
    let number = value.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("{option} {value}: a number from 1 on is needed"))
}

fn contender(value: &str) -> Result<Contender, String> {
    match value {
        "ours" => Ok(Contender::Zoowarden),
        "zookeeper" => Ok(Contender::ZooKeeper),
        other => Err(format!("--only {other}: ours or zookeeper")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenarios::all;
    use super::*;

    fn parse(words: &str) -> Result<Arguments, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn options_and_names_come_in_any_order() {
        let arguments = parse("tree --rounds 2 --quick 1/read --only ours --seconds 3").unwrap();
        assert_eq!(arguments.rounds, 2);
        assert_eq!(arguments.contenders, [Contender::Zoowarden]);
        assert_eq!(arguments.pace().seconds, 3);
        let selected = arguments.select(&all(Extent::Quick)).unwrap();
        let names: Vec<&str> = selected.iter().map(|s| s.name.as_str()).collect();
        let want = [
            "3/tree",
            "1/read-64x16",
            "1/read-64x1",
            "1/read-1x1",
            "1/tree",
        ];
        assert_eq!(names, want);
    }

    #[test]
    fn without_a_name_all_are_meant() {
        let all = all(Extent::Full);
        let selected = parse("").unwrap().select(&all).unwrap();
        assert_eq!(selected.len(), all.len());
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            "--rounds 0",
            "--rounds",
            "--rounds five",
            "--fast",
            "--only etcd",
            "--seconds -1",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
        assert!(
            parse("nowhere")
                .unwrap()
                .select(&all(Extent::Full))
                .is_err()
        );
    }
}
