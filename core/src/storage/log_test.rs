//! The promises of the log, one test each. What needs order drives the writer by hand on a
//! simulated disk; what needs threads uses the real one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::disk::RealDisk;
use super::log::{Done, Entry, EntryId, Log, LogOptions, LogState, OpenError, Space};
use super::segment::{RECORDS_OFFSET, segment_path};
use super::sim_disk::SimDisk;
use super::writer::Writer;

pub(super) fn dir() -> &'static Path {
    Path::new("log")
}

pub(super) fn options(salt: u64) -> LogOptions {
    LogOptions {
        segment_bytes: 4096,
        cache_bytes: 256,
        salt,
    }
}

pub(super) fn id(term: u64, index: u64) -> EntryId {
    EntryId { term, index }
}

/// An entry whose bytes say who it is.
pub(super) fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let mut payload = format!("{term}:{index}:").into_bytes();
    let length = payload.len().max(bytes);
    payload.resize(length, b'.');
    Entry {
        id: id(term, index),
        payload: payload.into(),
    }
}

fn entries(term: u64, indexes: std::ops::Range<u64>) -> Vec<Entry> {
    indexes.map(|index| entry(term, index, 50)).collect()
}

fn no_matter() -> Done {
    Box::new(|_| {})
}

/// A done that can be waited for.
fn expect() -> (Done, Receiver<io::Result<()>>) {
    let (sender, receiver) = channel();
    (Box::new(move |result| drop(sender.send(result))), receiver)
}

/// A log on a simulated disk without a thread.
struct Rig {
    disk: SimDisk,
    log: Log,
    writer: Writer,
}

impl Rig {
    fn open(disk: &SimDisk, salt: u64) -> Result<Rig, OpenError> {
        let shared = Arc::new(disk.clone());
        let (log, writer) = Log::open_parts(shared, dir(), options(salt))?;
        Ok(Rig {
            disk: disk.clone(),
            log,
            writer,
        })
    }

    fn new() -> Rig {
        Rig::open(&SimDisk::new(), 1).unwrap()
    }

    fn append(&mut self, entries: Vec<Entry>) {
        self.run(|log, done| log.append(entries, done)).unwrap();
    }

    fn run(&mut self, call: impl FnOnce(&Log, Done)) -> io::Result<()> {
        let (done, result) = expect();
        call(&self.log, done);
        self.writer.turn();
        self.writer.provide(Instant::now());
        result.try_recv().expect("a turn finishes what was queued")
    }

    /// Closes the log cleanly and opens it again.
    fn reopen(mut self, salt: u64) -> Rig {
        self.writer.finish();
        drop(self.log);
        Rig::open(&self.disk, salt).unwrap()
    }

    fn all(&self) -> Vec<Entry> {
        read_all(&self.log).unwrap()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let paths = (1..100).map(|ordinal| segment_path(dir(), ordinal));
        paths
            .filter(|path| self.disk.contents(path).is_some())
            .collect()
    }
}

pub(super) fn read_all(log: &Log) -> io::Result<Vec<Entry>> {
    let state = log.state();
    let first = state.purged.map_or(0, |purged| purged.index + 1);
    let mut next = first;
    let mut all: Vec<Entry> = Vec::new();
    while next < state.next_index() {
        match log.read(next, u64::MAX, 300) {
            // A log that never had an entry may start anywhere: find the start.
            Err(error) if error.kind() == io::ErrorKind::NotFound && all.is_empty() => next += 1,
            Err(error) => return Err(error),
            Ok(some) => {
                next = some.last().expect("at least one entry").id.index + 1;
                all.extend(some);
            }
        }
    }
    Ok(all)
}

#[test]
fn everything_acknowledged_is_there_after_reopening_on_a_real_disk() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("data/log");
    let log = Log::open(Arc::new(RealDisk), &dir, options(1)).unwrap();
    let (done, result) = expect();
    log.append(entries(1, 1..200), no_matter());
    assert_eq!(
        log.read(1, 4, 1000).unwrap(),
        entries(1, 1..4),
        "readable at once"
    );
    log.save_vote(Bytes::from_static(b"vote"), no_matter());
    log.truncate_after(Some(id(1, 150)), no_matter());
    log.append(entries(2, 151..160), no_matter());
    log.purge(id(1, 100), done);
    result.recv().unwrap().unwrap();
    log.save_committed(id(1, 120));
    let state = log.state();
    log.close();
    assert!(log.stats().fsync_count >= 2);

    let log = Log::open(Arc::new(RealDisk), &dir, options(2)).unwrap();
    assert_eq!(log.state(), state);
    assert_eq!(log.recovered().cut, None);
    assert_eq!(log.recovered().entries, 59);
    let mut expected = entries(1, 101..151);
    expected.extend(entries(2, 151..160));
    assert_eq!(read_all(&log).unwrap(), expected);
}

#[test]
fn default_sized_log_opens_and_closes_on_a_real_disk() {
    let place = tempfile::tempdir().unwrap();
    for opening in 0..3 {
        let started = Instant::now();
        let log = Log::open(Arc::new(RealDisk), place.path(), LogOptions::new(opening)).unwrap();
        println!("opening {opening} took {:?}", started.elapsed());
        let (done, result) = expect();
        log.append(vec![entry(1, opening, 100_000)], done);
        result.recv().unwrap().unwrap();
    }
    let log = Log::open(Arc::new(RealDisk), place.path(), LogOptions::new(9)).unwrap();
    assert_eq!(log.recovered().entries, 3);
}
