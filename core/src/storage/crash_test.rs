//! The log against a model, on a disk that crashes: whatever the power, the process or the disk
//! does, the log comes back as it was after some call not earlier than the last acknowledged one.
//!
//! A run is a chain of lives of one directory. Each life issues random calls and ends by a power
//! cut at a random disk operation, by the end of the process alone, or by a failed write or sync.
//! A run depends on nothing but its seed: `STORAGE_SEED=<seed> cargo test -p zoowarden --features
//! server crash_test` repeats one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use fastrand::Rng;

use super::disk::Disk;
use super::log::{Done, Entry, EntryId, Log, OpenError};
use super::log_test::{dir, entry, id, options, read_all, records};
use super::record::Kind;
use super::sim_disk::SimDisk;
use super::writer::Writer;

const RUNS: u64 = 3000;
const LIVES: usize = 5;
const CALLS: usize = 60;

/// What the log should hold.
#[derive(Clone, Default, Debug, PartialEq)]
struct Model {
    purged: Option<EntryId>,
    last: Option<EntryId>,
    vote: Option<Bytes>,
    entries: VecDeque<Entry>,
}

impl Model {
    fn next_index(&self) -> u64 {
        self.last.map_or(1, |last| last.index + 1)
    }

    fn append(&mut self, entry: Entry) {
        self.last = Some(entry.id);
        self.entries.push_back(entry);
    }

    fn truncate(&mut self, last: Option<EntryId>) {
        let keep = last.map_or(0, |last| last.index + 1);
        self.entries.retain(|entry| entry.id.index < keep);
        self.last = last.or(self.purged);
    }

    fn purge(&mut self, upto: EntryId) {
        self.entries.retain(|entry| entry.id.index > upto.index);
        if self.purged.is_none_or(|purged| purged.index < upto.index) {
            self.purged = Some(upto);
        }
        if self.last.is_none_or(|last| last.index < upto.index) {
            self.last = Some(upto);
        }
    }

    fn of(log: &Log) -> Model {
        let state = log.state();
        let committed = state.committed.map(|id| id.index);
        assert!(
            committed <= state.last.map(|id| id.index),
            "committed beyond the last entry"
        );
        let entries = read_all(log).expect("a recovered log is readable").into();
        Model {
            purged: state.purged,
            last: state.last,
            vote: state.vote,
            entries,
        }
    }
}

/// One life of the log: the states after each step, the first of them durable.
struct Life {
    log: Log,
    writer: Writer,
    steps: Vec<Model>,
    /// How many steps were acknowledged.
    acknowledged: Arc<AtomicUsize>,
    term: u64,
}

impl Life {
    fn now(&self) -> &Model {
        self.steps
            .last()
            .expect("there is always the state it began with")
    }

    fn step(&mut self, change: impl FnOnce(&mut Model)) {
        let mut model = self.now().clone();
        change(&mut model);
        self.steps.push(model);
    }

    /// A done for everything up to the last step.
    fn done(&self) -> Done {
        let acknowledged = self.acknowledged.clone();
        let step = self.steps.len() - 1;
        Box::new(move |result| {
            if result.is_ok() {
                let before = acknowledged.swap(step, Ordering::Relaxed);
                assert!(before <= step, "acknowledged out of order");
            }
        })
    }

    fn call(&mut self, random: &mut Rng) {
        let first = self.now().next_index();
        match random.u32(..100) {
            0..60 => {
                let count = random.u64(1..4);
                let bytes = if random.u32(..40) == 0 {
                    6000
                } else {
                    random.usize(0..500)
                };
                let entries: Vec<Entry> = (first..first + count)
                    .map(|index| entry(self.term, index, bytes))
                    .collect();
                for entry in &entries {
                    self.step(|model| model.append(entry.clone()));
                }
                self.log.append(entries, self.done());
            }
            60..70 => {
                self.term += 1;
                let vote = Bytes::from(self.term.to_be_bytes().to_vec());
                self.step(|model| model.vote = Some(vote.clone()));
                self.log.save_vote(vote, self.done());
            }
            70..80 => self.truncate(random),
            80..87 => self.purge(random),
            87..92 => {
                if let Some(entry) = self.now().entries.front() {
                    self.log.save_committed(entry.id);
                }
            }
            92..96 => self.writer.mark(),
            _ => self.check_reads(random),
        }
    }

    fn truncate(&mut self, random: &mut Rng) {
        let Model {
            purged, entries, ..
        } = self.now();
        let back = random.usize(0..4).min(entries.len());
        let kept = entries.len() - back;
        let last = match kept.checked_sub(1) {
            Some(position) => Some(entries[position].id),
            None => *purged,
        };
        self.term += 1;
        self.step(|model| model.truncate(last));
        self.log.truncate_after(last, self.done());
    }

    fn purge(&mut self, random: &mut Rng) {
        let Model { last, entries, .. } = self.now();
        let upto = if random.u32(..6) == 0 {
            // A snapshot from the leader, ahead of everything here.
            id(
                self.term,
                last.map_or(0, |last| last.index) + random.u64(1..20),
            )
        } else {
            let Some(entry) = entries.get(random.usize(0..entries.len().max(1))) else {
                return;
            };
            entry.id
        };
        self.step(|model| model.purge(upto));
        self.log.purge(upto, self.done());
    }

    /// What is queued can be read, wherever it is.
    fn check_reads(&self, random: &mut Rng) {
        let Model { entries, .. } = self.now();
        if self.log.failure().is_some() || entries.is_empty() {
            return;
        }
        let from = random.usize(..entries.len());
        let to = random.usize(from..entries.len()) + 1;
        let range = entries[from].id.index..entries[to - 1].id.index + 1;
        let Ok(found) = self.log.read(range.start, range.end, random.usize(..1500)) else {
            return; // The power may be off.
        };
        assert!(!found.is_empty());
        assert!(
            found.iter().eq(entries.range(from..from + found.len())),
            "{range:?}"
        );
    }

    fn live(&mut self, random: &mut Rng) {
        for _ in 0..random.usize(..CALLS) {
            self.call(random);
            if random.u32(..3) == 0 {
                self.writer.turn();
                self.writer.provide(Instant::now());
            }
        }
        if random.u32(..4) == 0 {
            self.writer.turn();
            self.writer.finish();
        }
    }
}

/// Opens the log, with the power failing in between now and then; it is never damaged.
fn open(disk: &SimDisk, random: &mut Rng) -> (Log, Writer) {
    loop {
        if random.u32(..4) == 0 {
            disk.power_off_after(random.u64(..40));
        }
        match Log::open_parts(Arc::new(disk.clone()), dir(), options(random.u64(..))) {
            Ok(parts) => {
                disk.heal();
                return parts;
            }
            Err(OpenError::Io { .. }) => disk.crash(random.u64(..)),
            Err(error) => panic!("{error}"),
        }
    }
}

fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let disk = SimDisk::new();
    let mut possible = vec![Model::default()];
    for _ in 0..LIVES {
        let (log, writer) = open(&disk, &mut random);
        let found = Model::of(&log);
        assert!(
            possible.contains(&found),
            "found {found:?}, possible {possible:?}"
        );
        let mut life = Life {
            log,
            writer,
            steps: vec![found],
            acknowledged: Arc::new(AtomicUsize::new(0)),
            term: seed + random.u64(1..1_000_000),
        };
        let end = random.u32(..10);
        match end {
            0..5 => disk.power_off_after(random.u64(..200)),
            5 => disk.fail_sync_after(random.u64(..30)),
            6 => disk.fail_write_after(random.u64(..30)),
            _ => {}
        }
        life.live(&mut random);
        // The process ends; in some lives the machine with it.
        if end < 5 || random.u32(..2) == 0 {
            disk.crash(random.u64(..));
        } else {
            disk.heal();
        }
        let acknowledged = life.acknowledged.load(Ordering::Relaxed);
        possible = life.steps.split_off(acknowledged);
    }
}

/// Damages a log that was closed cleanly: one bit, or a range of random bytes.
fn rot(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let disk = SimDisk::new();
    let (log, writer) = open(&disk, &mut Rng::with_seed(1));
    let acknowledged = Arc::default();
    let mut life = Life {
        log,
        writer,
        steps: vec![Model::default()],
        acknowledged,
        term: 1,
    };
    life.live(&mut random);
    life.writer.turn();
    life.writer.finish();
    let names = disk.list(dir()).expect("the disk is well");
    let path = dir().join(&names[random.usize(..names.len())]);
    let mut bytes = disk.contents(&path).expect("it was listed");
    let offset = random.usize(..bytes.len());
    match random.bool() {
        true => bytes[offset] ^= 1 << random.u32(..8),
        false => bytes[offset..]
            .iter_mut()
            .take(600)
            .for_each(|byte| *byte = random.u8(..)),
    }
    let written = life.steps.pop().expect("there is always a state");
    let vouched_for = vouched_for(&disk.contents(&path).expect("it was listed"), &bytes);
    disk.replace(&path, bytes);
    match Log::open_parts(Arc::new(disk), dir(), options(2)) {
        Ok((log, _)) => assert!(!vouched_for || Model::of(&log) == written),
        Err(OpenError::Damaged { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The last mark of the stream is vouched for by nothing; what destroys it together with the group
/// before it looks like a torn tail. The end of any other segment is vouched for by the next one.
fn vouched_for(before: &[u8], after: &[u8]) -> bool {
    let last = records(before).pop().unwrap_or_default();
    let is_roll = before[last.clone()].get(3) == Some(&(Kind::Roll as u8));
    is_roll || before[last.clone()] == after[last]
}

#[test]
fn rot_anywhere_is_damage_or_harmless() {
    for seed in 0..RUNS {
        let outcome = std::panic::catch_unwind(|| rot(seed));
        assert!(outcome.is_ok(), "failed with seed {seed}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_ends_the_process() {
    if let Ok(seed) = std::env::var("STORAGE_SEED") {
        return run(seed.parse().expect("STORAGE_SEED is a number"));
    }
    for seed in 0..RUNS {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "failed with STORAGE_SEED={seed}");
    }
}
