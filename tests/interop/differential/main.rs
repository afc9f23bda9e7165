//! The same random sequences for Apache ZooKeeper and for our server; what they answer has to be the
//! same.
//!
//! usage: `differential BINARY CLASSPATH [--seed N] [--steps N] [--sequences N] [--operations N]
//! [--long] [--ensemble] [--reaping] [--faults N]`
//!
//! A sequence is drawn from one seed, and begins on a root of its own with sessions of its own. The
//! sequences of a run have the seeds N, N + 1, ... A sequence that fails is made shorter and printed;
//! `--seed` with its seed and `--sequences 1` plays it again.
//!
//! With `--ensemble` ours are three servers, each session is on one of its own, and syncs before it
//! asks after another one; Apache's is a single one all the same.
//!
//! With `--reaping` the servers' reapers are at work, and what is played is not drawn: `reaping.rs`.
//!
//! Every operation of a client is among the requests. What is not: `createSession`, which 3.8.0 carries
//! out for anybody; a `reconfig` that is permitted, which would need the same ensembles on both sides;
//! SASL behind its first token; writes behind a `closeSession` of the same connection, and `addWatch`
//! of null, for what 3.8.0 makes of them.
//!
//! Invariant: nothing is compared loosely. What may differ stands in `allowed.json` with its reason;
//! what depends on the run is named in `told.rs`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(missing_docs, reason = "a program of the tests, with no users")]

mod allowed;
mod compare;
mod generator;
mod hostile;
mod player;
mod reaping;
mod requests;
mod servers;
mod shrink;
mod steps;
mod told;
mod wire;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use allowed::Allowed;
use compare::{Difference, Verdict, compare};
use player::{Transcript, play};
use servers::{Kind, Programs, Service};
use steps::Sequence;

/// What a run plays; in CI there are two at a time.
const OPERATIONS: usize = 100_500;

/// What a long run plays.
const OPERATIONS_LONG: usize = 5_000_000;

/// Requests of one sequence.
const STEPS: usize = 200;

/// Sequences on their way between the two players.
const AHEAD_MAX: usize = 8;

/// Different faults after which a run ends.
const FAULTS_MAX: usize = 8;

struct Arguments {
    programs: Programs,
    seed: u64,
    steps: usize,
    operations: usize,
    sequences: usize,
    faults: usize,
    long: bool,
    /// Ours are three, and each session is on a server of its own.
    ensemble: bool,
    /// Znodes go by themselves.
    reaping: bool,
}

/// Both servers, each with its player.
struct Pair {
    real: Side,
    ours: Side,
    /// Roots that they have seen.
    roots: usize,
}

struct Side {
    service: Service,
    sequences: SyncSender<(Sequence, String)>,
    /// Nothing, or nobody, if the server is gone.
    transcripts: Receiver<Option<Transcript>>,
}

impl Side {
    fn new(service: Service) -> Side {
        let service = service.ready();
        let addresses = service.addresses();
        let (sequences, wanted) = sync_channel::<(Sequence, String)>(AHEAD_MAX);
        let (played, transcripts) = sync_channel(AHEAD_MAX);
        std::thread::spawn(move || {
            while let Ok((sequence, root)) = wanted.recv() {
                let transcript = play(&addresses, &sequence, &root);
                if transcript.is_err() || played.send(transcript.ok()).is_err() {
                    return;
                }
            }
        });
        Side {
            service,
            sequences,
            transcripts,
        }
    }

    fn transcript(&mut self) -> Option<Transcript> {
        self.transcripts.recv().ok().flatten()
    }
}

impl Pair {
    fn start(arguments: &Arguments) -> Pair {
        let programs = &arguments.programs;
        let servers = if arguments.ensemble { 3 } else { 1 };
        let real = Service::start(Kind::Real, programs, 1);
        let ours = Service::start(Kind::Ours, programs, servers);
        Pair {
            ours: Side::new(ours),
            real: Side::new(real),
            roots: 0,
        }
    }

    fn send(&mut self, sequence: &Sequence) {
        let root = generator::root(self.roots);
        self.roots += 1;
        for side in [&self.real, &self.ours] {
            // Where it fails the player has ended, which the transcript tells.
            let _ = side.sequences.send((sequence.clone(), root.clone()));
        }
    }

    fn verdict(&mut self, sequence: &Sequence, allowed: &Allowed) -> Verdict {
        let (real, ours) = (self.real.transcript(), self.ours.transcript());
        match (real, ours) {
            (Some(real), Some(ours)) => compare(sequence, &real, &ours, allowed),
            (real, _) => {
                let (who, side) = match real {
                    None => ("the real server", &self.real),
                    Some(_) => ("our server", &self.ours),
                };
                println!("{who} is gone\n{}", side.service.log());
                Verdict {
                    difference: Some(Difference::gone(who)),
                    ..Verdict::default()
                }
            }
        }
    }
}

/// What has been played.
struct Run {
    arguments: Arguments,
    allowed: Allowed,
    pair: Pair,
    operations: usize,
    played: usize,
    uses: BTreeMap<usize, usize>,
    profiles: BTreeMap<&'static str, usize>,
    faults: Vec<Difference>,
    failed: usize,
}

fn main() -> ExitCode {
    let arguments = arguments();
    println!("--seed {} --steps {}", arguments.seed, arguments.steps);
    let pair = Pair::start(&arguments);
    let mut run = Run {
        arguments,
        allowed: Allowed::read(),
        pair,
        operations: 0,
        played: 0,
        uses: BTreeMap::new(),
        profiles: BTreeMap::new(),
        faults: Vec::new(),
        failed: 0,
    };
    let start = Instant::now();
    match run.arguments.reaping {
        true => run.perform(),
        false => run.play(),
    }
    run.report(start);
    match run.failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn arguments() -> Arguments {
    let mut words = std::env::args().skip(1);
    let mut programs = Vec::new();
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            None => programs.push(word),
            Some(flag @ ("long" | "ensemble" | "reaping")) => drop(numbers.insert(flag.into(), 1)),
            Some(name) => {
                let number = words.next().and_then(|number| number.parse().ok());
                numbers.insert(name.into(), number.expect("a number"));
            }
        }
    }
    let [binary, classpath] = programs.try_into().expect("BINARY CLASSPATH");
    let long = numbers.contains_key("long");
    let whole =
        |name: &str, default: usize| numbers.get(name).map_or(default, |number| *number as usize);
    let reaping = numbers.contains_key("reaping");
    let operations = if long { OPERATIONS_LONG } else { OPERATIONS };
    Arguments {
        programs: Programs {
            binary: binary.into(),
            classpath,
            reaping,
        },
        seed: numbers
            .get("seed")
            .copied()
            .unwrap_or_else(|| fastrand::u64(..1 << 48)),
        steps: whole("steps", STEPS),
        operations: whole("operations", operations),
        sequences: whole("sequences", usize::MAX),
        faults: whole("faults", FAULTS_MAX),
        long,
        ensemble: numbers.contains_key("ensemble"),
        reaping,
    }
}

impl Run {
    fn play(&mut self) {
        let mut next = self.arguments.seed;
        let mut ahead = std::collections::VecDeque::new();
        let mut sent = 0;
        loop {
            while ahead.len() < AHEAD_MAX / 2
                && self.operations + sent < self.arguments.operations
                && self.played + ahead.len() < self.arguments.sequences
            {
                let sequence =
                    generator::sequence(next, self.arguments.steps, self.arguments.ensemble);
                next = next.wrapping_add(1);
                sent += sequence.operations();
                self.pair.send(&sequence);
                ahead.push_back(sequence);
            }
            let Some(sequence) = ahead.pop_front() else {
                return;
            };
            sent -= sequence.operations();
            let verdict = self.pair.verdict(&sequence, &self.allowed);
            self.count(&sequence, &verdict);
            if let Some(difference) = verdict.difference {
                self.explain(&sequence, difference);
                if self.faults.len() >= self.arguments.faults {
                    return;
                }
                // What was sent meanwhile was played on other states.
                next = next.wrapping_sub(ahead.len() as u64);
                ahead.clear();
                sent = 0;
                self.pair = Pair::start(&self.arguments);
            }
        }
    }

    /// Plays what is written down, one after the other.
    fn perform(&mut self) {
        for sequence in reaping::sequences() {
            self.pair.send(&sequence);
            let verdict = self.pair.verdict(&sequence, &self.allowed);
            self.count(&sequence, &verdict);
            if let Some(difference) = verdict.difference {
                println!("DIFFERENT: --reaping, number {}", sequence.seed);
                println!("{sequence}{difference}");
                self.failed += 1;
            }
        }
    }

    fn count(&mut self, sequence: &Sequence, verdict: &Verdict) {
        self.played += 1;
        let all = sequence.operations();
        let counted = |step: usize| {
            let steps = &sequence.steps[..step.min(sequence.steps.len())];
            let part = Sequence {
                steps: steps.to_vec(),
                ..sequence.clone()
            };
            part.operations()
        };
        self.operations += verdict.ended.map_or(all, counted);
        *self.profiles.entry(sequence.profile).or_default() += 1;
        for rule in &verdict.rules {
            *self.uses.entry(*rule).or_default() += 1;
        }
    }

    fn explain(&mut self, sequence: &Sequence, difference: Difference) {
        self.failed += 1;
        println!(
            "DIFFERENT: --seed {} --sequences 1 ({})",
            sequence.seed, sequence.profile
        );
        println!("{difference}");
        if self.faults.iter().any(|fault| fault.resembles(&difference)) {
            println!("  (like one before)");
            return;
        }
        let mut pair = Pair::start(&self.arguments);
        let mut last = None;
        let short = shrink::shrink(sequence, |tried| {
            pair.send(tried);
            let verdict = pair.verdict(tried, &self.allowed);
            let is_gone = verdict.difference.as_ref().is_some_and(Difference::is_gone);
            let same = verdict
                .difference
                .filter(|found| found.resembles(&difference));
            let is_same = same.is_some();
            if is_gone {
                pair = Pair::start(&self.arguments);
            }
            last = same.or(last.take());
            is_same
        });
        match last {
            Some(last) => println!("in short:\n{short}{last}"),
            None => println!("it does not happen on fresh servers; play the run from its seed"),
        }
        self.faults.push(difference);
    }

    fn report(&self, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{} operations in {} sequences, {seconds:.0} s, {:.0} a second",
            self.operations,
            self.played,
            self.operations as f64 / seconds
        );
        for (profile, count) in &self.profiles {
            println!("  {count:>8} sequences of kind {profile}");
        }
        for (number, rule) in self.allowed.rules.iter().enumerate() {
            let uses = self.uses.get(&number).copied().unwrap_or(0);
            println!("  {uses:>8} times allowed: {}", rule.name);
            if uses == 0 && self.arguments.long {
                println!("    it never happens: take it out of allowed.json");
            }
        }
        println!(
            "{} passed, {} failed",
            self.played - self.failed,
            self.failed
        );
    }
}
