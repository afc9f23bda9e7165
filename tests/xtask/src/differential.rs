//! The same random sequences for Apache ZooKeeper and for our server (`tests/interop/differential`).

use std::time::Duration;

use super::fleet::build;
use super::process::{Run, target};
use super::report::Outcome;
use super::server;
use super::tally::{self, Tally};
use super::tools;

/// Five million requests take their time.
const TIME_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// Requests to three servers of ours, in a run of everything.
const ENSEMBLE_OPERATIONS: &str = "20000";

/// `arguments` go to the program; without any, all of its forms run as they do in CI.
pub(crate) fn differential(arguments: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::ZOOKEEPER]) {
        return missing;
    }
    let classpath = server::reference_classpath("");
    let run = |arguments: &[String]| {
        Run::new(target().join("debug/examples/differential"))
            .args(&[server::binary()])
            .args(&[classpath.as_str()])
            .args(arguments)
            .time_max(TIME_MAX)
            .run_tests(tally::of_plain)
    };
    let built = server::build().and_then(|| build("differential"));
    match arguments {
        [] => built.and_then(|| everything(&run)),
        _ => built.and_then(|| run(arguments)),
    }
}

/// The sequences of a run without arguments are always the same, so that what a change breaks is told
/// apart from what was never alike; other ones are for `--seed` and `--long`.
const SEEDS: [&str; 2] = ["97546221763877", "28010811324061"];
const ENSEMBLE_SEED: &str = "28348898503681";

/// Two runs of random sequences side by side, because each of them waits for servers half of the
/// time; what is not random beside them.
fn everything(run: &(impl Fn(&[String]) -> Outcome + Sync)) -> Outcome {
    let reaping = ["--reaping".to_owned()];
    let ensemble = [
        "--ensemble",
        "--operations",
        ENSEMBLE_OPERATIONS,
        "--seed",
        ENSEMBLE_SEED,
    ];
    let ensemble = ensemble.map(str::to_owned);
    let [one, other] = SEEDS.map(|seed| ["--seed".to_owned(), seed.to_owned()]);
    std::thread::scope(|scope| {
        let lanes = [
            scope.spawn(|| run(&one)),
            scope.spawn(|| run(&other)),
            scope.spawn(|| run(&reaping).and_then(|| run(&ensemble))),
        ];
        let outcomes = lanes.map(|lane| lane.join().expect("a run does not panic"));
        let none = Outcome::Ran(Tally::default());
        outcomes.into_iter().fold(none, Outcome::plus)
    })
}
