//! `cargo xtask bench`: ours and Apache ZooKeeper side by side, in one run.
//!
//! What lives here: `scenarios` what is measured and what it must come to (data), `arguments` the
//! words, `ensemble` servers started and ended, `load` runs of `zoowarden bench`, `meter` what
//! processes use, `probe` a session by hand, `measure` and `growth` a scenario carried out,
//! `results` what is kept, `verdict` and `markdown` what it comes to, `machine` what it ran on,
//! `plots` pictures. What does not: the load generator, which is `server/src/bench/`.
//!
//! Invariants: the contenders take turns, round by round. A figure that could not be taken and a
//! bar that is not met are told, and count as failures.

mod arguments;
mod ensemble;
mod growth;
mod load;
mod machine;
mod markdown;
mod measure;
mod meter;
mod plots;
mod probe;
mod results;
mod scenarios;
mod verdict;

use std::path::PathBuf;

use super::process::{cargo, root, target};
use super::report::Outcome;
use super::tally::Tally;
use super::tools;
use arguments::Arguments;
use ensemble::Ensemble;
use measure::Settings;
use results::{Contender, Failure, Figures, Record, Results};
use scenarios::{Kind, Scenario};
use verdict::Verdict;

/// Where everything is written that is not published: on the disk that is measured.
fn folder() -> PathBuf {
    target().join("bench")
}

/// What is measured, and what makes the load.
fn binary() -> PathBuf {
    std::env::var_os("ZOOWARDEN_BIN")
        .map_or_else(|| target().join("release/zoowarden"), PathBuf::from)
}

/// Does what `words` ask for.
pub(crate) fn bench(words: &[String]) -> Outcome {
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(what) => {
            println!("{}", arguments::HELP);
            return match what.is_empty() {
                true => Outcome::Ran(Tally::default()),
                false => Outcome::failed(&what),
            };
        }
    };
    let all = scenarios::all(arguments.extent);
    if arguments.list {
        for scenario in &all {
            println!("{:<24} {}", scenario.name, scenario.title);
        }
        return Outcome::Ran(Tally::default());
    }
    let selected = match arguments.select(&all) {
        Ok(selected) => selected,
        Err(what) => return Outcome::failed(&what),
    };
    let path = arguments.results.clone();
    let path = path.unwrap_or_else(|| folder().join("results.json"));
    if !arguments.render {
        match prepare(&arguments) {
            Outcome::Ran(tally) if tally.failed == 0 => {}
            other => return other,
        }
    }
    let told = Run::begin(&arguments, path).and_then(|mut run| {
        if !arguments.render {
            run.measure(&selected)?;
        }
        tell(&arguments, &run, &all)?;
        Ok(tally(&run.results, &selected))
    });
    told.map_or_else(|what| Outcome::failed(&what), Outcome::Ran)
}

/// The tools, the binary, the folder.
fn prepare(arguments: &Arguments) -> Outcome {
    if arguments.contenders.contains(&Contender::ZooKeeper)
        && let Some(missing) = tools::missing(&[tools::JAVA, tools::ZOOKEEPER])
    {
        return missing;
    }
    if let Err(error) = std::fs::create_dir_all(folder()) {
        return Outcome::failed(&format!("{}: {error}", folder().display()));
    }
    match std::env::var_os("ZOOWARDEN_BIN") {
        Some(_) => Outcome::Ran(Tally::default()),
        None => cargo(&["build", "--release", "--package", "zoowarden-server"]).run_check(),
    }
}

/// One call: its settings, and what it has seen so far.
struct Run {
    settings: Settings,
    contenders: Vec<Contender>,
    results: Results,
    path: PathBuf,
}

impl Run {
    /// Goes on with what the file holds, unless that was of another kind.
    fn begin(arguments: &Arguments, path: PathBuf) -> Result<Run, String> {
        let quick = arguments.extent == scenarios::Extent::Quick;
        let mut results = match (path.exists(), arguments.render) {
            (false, false) => Results::default(),
            _ => Results::read(&path)?,
        };
        if !arguments.render {
            if !results.records.is_empty() && results.quick != quick {
                return Err(format!(
                    "{} holds figures of {} run; name another file by --results, or delete it",
                    path.display(),
                    if results.quick { "a quick" } else { "a full" }
                ));
            }
            results.quick = quick;
            results.rounds = arguments.rounds;
            results.machine = machine::described(&folder());
        }
        Ok(Run {
            settings: Settings {
                extent: arguments.extent,
                pace: arguments.pace(),
            },
            contenders: arguments.contenders.clone(),
            results,
            path,
        })
    }

    fn measure(&mut self, selected: &[Scenario]) -> Result<(), String> {
        let names: Vec<&str> = selected
            .iter()
            .map(|scenario| scenario.name.as_str())
            .collect();
        self.results.forget(&names, &self.contenders);
        let mut rest = selected;
        while let Some(first) = rest.first() {
            // Those that share ensembles stand next to each other.
            let together = rest.iter().take_while(|scenario| {
                scenario.shares_ensembles() && scenario.servers == first.servers
            });
            let group = together.count().max(1);
            match first.shares_ensembles() {
                true => self.on_standing_ensembles(&rest[..group])?,
                false => self.on_fresh_ensembles(first)?,
            }
            rest = &rest[group..];
        }
        Ok(())
    }

    fn on_standing_ensembles(&mut self, group: &[Scenario]) -> Result<(), String> {
        let mut ensembles = Vec::new();
        for contender in Contender::ALL {
            // The peer sets the rate of an open loop, even where it is not measured itself.
            let is_needed = self.contenders.contains(&contender)
                || group
                    .iter()
                    .any(|scenario| matches!(scenario.kind, Kind::Open { .. }));
            if !is_needed {
                continue;
            }
            println!("starting {} x {}", group[0].servers, contender.name());
            let started = Ensemble::start(contender, group[0].servers).and_then(|ensemble| {
                measure::warm_up(&ensemble, self.settings)?;
                Ok(ensemble)
            });
            match started {
                Ok(ensemble) => ensembles.push(ensemble),
                Err(what) => {
                    for scenario in group {
                        self.fail(scenario, contender, what.clone());
                    }
                }
            }
        }
        for scenario in group {
            for round in 1..=self.results.rounds {
                self.round_on(scenario, round, &ensembles)?;
            }
        }
        Ok(())
    }

    fn round_on(
        &mut self,
        scenario: &Scenario,
        round: u32,
        ensembles: &[Ensemble],
    ) -> Result<(), String> {
        let pace = self.settings.pace;
        let load = match &scenario.kind {
            Kind::Open { load, share } => {
                let peer = ensembles
                    .iter()
                    .find(|e| e.contender == Contender::ZooKeeper);
                let saturated = peer.map(|peer| measure::loaded(peer, load, pace));
                match saturated {
                    Some(Ok(figures)) => {
                        let rate = figures.get("per_second").unwrap_or_default() * share;
                        load.at_rate(rate as u64)
                    }
                    // What failed at its start is told already.
                    None => return Ok(()),
                    Some(Err(what)) => {
                        self.fail(scenario, Contender::ZooKeeper, what);
                        return Ok(());
                    }
                }
            }
            Kind::Closed(load) => load.clone(),
            _ => return Ok(()),
        };
        for ensemble in ensembles {
            let contender = ensemble.contender;
            if !self.contenders.contains(&contender) {
                continue;
            }
            let figures = measure::loaded(ensemble, &load, pace).map(|mut figures| {
                if let Some(rate) = load.rate {
                    figures.set("asked_per_second", rate as f64);
                }
                figures
            });
            self.keep(scenario, contender, round, figures)?;
        }
        Ok(())
    }

    fn on_fresh_ensembles(&mut self, scenario: &Scenario) -> Result<(), String> {
        for round in 1..=self.results.rounds {
            for contender in self.contenders.clone() {
                match &scenario.kind {
                    Kind::Growth { axis, points } => {
                        if growth::contenders(*axis).contains(&contender) {
                            self.grow(scenario, (*axis, points), contender, round)?;
                        }
                    }
                    _ => {
                        let figures = measure::alone(scenario, contender, self.settings);
                        self.keep(scenario, contender, round, figures)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn grow(
        &mut self,
        scenario: &Scenario,
        (axis, points): (scenarios::Axis, &[u64]),
        contender: Contender,
        round: u32,
    ) -> Result<(), String> {
        let mut records = Vec::new();
        let servers = scenario.servers;
        let settings = self.settings;
        let went = growth::along(
            axis,
            points,
            contender,
            servers,
            settings,
            |point, figures| {
                println!(
                    "{} {} at {point}: {figures}",
                    scenario.name,
                    contender.name()
                );
                records.push(Record {
                    scenario: scenario.name.clone(),
                    contender,
                    round,
                    point: Some(point),
                    figures,
                });
            },
        );
        self.results.records.extend(records);
        if let Err(what) = went {
            self.fail(scenario, contender, what);
        }
        self.results.write(&self.path)
    }

    /// Keeps what was seen at once: a run of hours that is interrupted was not for nothing.
    fn keep(
        &mut self,
        scenario: &Scenario,
        contender: Contender,
        round: u32,
        figures: Result<Figures, String>,
    ) -> Result<(), String> {
        match figures {
            Ok(figures) => {
                println!(
                    "{} {} round {round}: {figures}",
                    scenario.name,
                    contender.name()
                );
                self.results.records.push(Record {
                    scenario: scenario.name.clone(),
                    contender,
                    round,
                    point: None,
                    figures,
                });
            }
            Err(what) => self.fail(scenario, contender, what),
        }
        self.results.write(&self.path)
    }

    fn fail(&mut self, scenario: &Scenario, contender: Contender, what: String) {
        println!("FAILED: {} on {}: {what}", scenario.name, contender.name());
        self.results.failures.push(Failure {
            scenario: scenario.name.clone(),
            contender,
            what,
        });
    }
}

/// Writes and prints the table, and draws the plots.
fn tell(arguments: &Arguments, run: &Run, all: &[Scenario]) -> Result<(), String> {
    let beside = run.path.parent().map(PathBuf::from).unwrap_or_default();
    let text = markdown::document(&run.results, all, &[]);
    let written = run.path.with_extension("md");
    write(&written, &text)?;
    println!("\n{text}");
    let mut folder = beside.join("plots");
    if arguments.publish {
        folder = root().join("docs/benchmarks");
    }
    let drawn = plots::draw(&run.path, &folder)?;
    if arguments.publish {
        run.results.write(&folder.join("results.json"))?;
        let text = markdown::document(&run.results, all, &drawn);
        write(&folder.join("results.md"), &text)?;
    }
    println!("written: {}, {}", written.display(), folder.display());
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A bar met is a test passed; one missed, or not measured, one failed.
fn tally(results: &Results, selected: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    for scenario in selected {
        let bars = verdict::rows(results, scenario, None);
        for (_, verdict) in bars.into_iter().filter_map(|row| row.bar) {
            match verdict {
                Verdict::Met => tally.passed += 1,
                Verdict::Missed | Verdict::Unknown => tally.failed += 1,
            }
        }
    }
    let names: Vec<&String> = selected.iter().map(|scenario| &scenario.name).collect();
    let failures = results
        .failures
        .iter()
        .filter(|failure| names.contains(&&failure.scenario));
    for _ in failures {
        tally = tally + Tally::FAILURE;
    }
    tally
}
