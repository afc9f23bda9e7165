//! The promises of the log, one test each. What needs order drives the writer by hand on a
//! simulated disk; what needs threads uses the real one.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::disk::RealDisk;
use super::log::{Done, Entry, EntryId, Log, LogOptions, LogState, OpenError, Space};
use super::record::{HEADER_BYTES, Header};
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
        fsync_time: Arc::default(),
        fsync_slow_us: u64::MAX,
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

fn entries(term: u64, indexes: Range<u64>) -> Vec<Entry> {
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

/// The log after each of a series of single-record operations, and where its bytes ended then.
struct Trace {
    disk: SimDisk,
    path: PathBuf,
    steps: Vec<(usize, LogState, Vec<Entry>)>,
}

/// A small run in one segment, with everything that can be in a stream.
fn trace() -> Trace {
    let mut rig = Rig::new();
    let path = segment_path(dir(), 1);
    let mut steps = Vec::new();
    let note = |rig: &Rig, steps: &mut Vec<_>| {
        let bytes = rig.disk.contents(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let state = LogState {
            committed: None,
            ..rig.log.state()
        };
        steps.push((end, state, rig.all()));
    };
    note(&rig, &mut steps);
    for step in 0..9 {
        match step {
            0 | 1 | 2 | 3 | 7 => rig.append(vec![entry(1, step + 1, 30)]),
            4 => rig
                .run(|log, done| log.save_vote(Bytes::from_static(b"me"), done))
                .unwrap(),
            5 => rig
                .run(|log, done| log.truncate_after(Some(id(1, 2)), done))
                .unwrap(),
            6 => {
                rig.writer.mark();
                note(&rig, &mut steps);
                rig.append(vec![entry(2, 3, 10), entry(2, 4, 10), entry(2, 5, 10)]);
                rig.append(vec![entry(2, 6, 10), entry(2, 7, 10)]);
            }
            _ => rig.run(|log, done| log.purge(id(1, 1), done)).unwrap(),
        }
        note(&rig, &mut steps);
    }
    Trace {
        disk: rig.disk.fork(),
        path,
        steps,
    }
}

#[test]
fn log_cut_after_any_byte_keeps_what_was_before_and_goes_on() {
    let Trace { disk, path, steps } = trace();
    let whole = disk.contents(&path).unwrap();
    let (end, _, _) = steps.last().unwrap();
    let mut ends = vec![RECORDS_OFFSET as usize];
    ends.extend(records(&whole).iter().map(|record| record.end));
    for cut in RECORDS_OFFSET as usize..=*end {
        let disk = disk.fork();
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        disk.replace(&path, bytes);
        let mut rig = Rig::open(&disk, 2).unwrap();
        let (_, state, entries) = match steps.iter().rfind(|(end, _, _)| *end <= cut) {
            Some(step) => step.clone(),
            None => (0, LogState::default(), Vec::new()),
        };
        let (found_state, found) = (rig.log.state(), rig.all());
        // A group of several records may survive in part, its first ones.
        let next = steps.iter().find(|(end, _, _)| *end > cut);
        let in_part = next.is_some_and(|(_, _, next)| {
            found.len() > entries.len() && found.len() < next.len() && next.starts_with(&found)
        });
        assert!(found == entries || in_part, "cut at {cut}: {found:?}");
        assert_eq!(
            (found_state.vote, found_state.purged),
            (state.vote, state.purged),
            "{cut}"
        );
        // Only a cut behind a whole record, zeros left aside, cannot be noticed.
        let zeros = |from: usize, to: usize| whole[from..to].iter().all(|byte| *byte == 0);
        let unnoticed = ends.iter().any(|end| zeros(*end.min(&cut), *end.max(&cut)));
        assert_eq!(rig.log.recovered().cut.is_none(), unnoticed, "{cut}");

        let more = entry(3, found_state.last.map_or(1, |last| last.index + 1), 40);
        rig.append(vec![more.clone()]);
        let rig = rig.reopen(3);
        assert_eq!(rig.all(), [found, vec![more]].concat(), "cut at {cut}");
        assert_eq!(rig.log.recovered().cut, None, "{cut}");
    }
}

#[test]
fn every_flipped_byte_is_damage_or_harmless_and_never_a_wrong_entry() {
    let Trace { disk, path, steps } = trace();
    let (_, state, entries) = steps.last().unwrap();
    // A clean end: everything is covered by a last mark.
    let rig = Rig::open(&disk, 2).unwrap().reopen(3);
    let disk = rig.disk.fork();
    let whole = disk.contents(&path).unwrap();
    let guarded = guarded_bytes(&whole);
    for offset in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1 << (offset % 8);
        let disk = disk.fork();
        disk.replace(&path, bytes);
        match Rig::open(&disk, 4) {
            Err(OpenError::Damaged { file, .. }) => assert_eq!(file, path, "{offset}"),
            Err(error) => panic!("byte {offset}: {error}"),
            Ok(rig) => {
                assert_eq!(rig.log.state().vote, state.vote, "byte {offset}");
                assert_eq!(rig.log.state().purged, state.purged, "byte {offset}");
                assert_eq!(&rig.all(), entries, "byte {offset}");
                assert!(!guarded[offset], "byte {offset} went unnoticed");
            }
        }
    }
}

/// Where the records of a segment are, without their padding.
pub(super) fn records(segment: &[u8]) -> Vec<Range<usize>> {
    let salt = u32::from_le_bytes(segment[12..16].try_into().unwrap());
    let mut offset = RECORDS_OFFSET as usize;
    let mut found = Vec::new();
    while let Some(header) = Header::decode(&segment[offset..], salt) {
        found.push(offset..offset + HEADER_BYTES + header.payload_bytes as usize);
        offset += header.record_bytes() as usize;
    }
    found
}

/// Which bytes of a segment must not change unnoticed: the header's and those of all records but
/// the last, which is a mark that nothing can vouch for.
fn guarded_bytes(segment: &[u8]) -> Vec<bool> {
    let mut guarded = vec![false; segment.len()];
    guarded[..28].fill(true);
    let records = records(segment);
    for record in &records[..records.len() - 1] {
        guarded[record.clone()].fill(true);
    }
    guarded
}

#[test]
fn rot_in_the_last_group_is_found_once_the_log_was_idle() {
    for idle in [false, true] {
        let mut rig = Rig::new();
        rig.append(entries(1, 1..4));
        let path = segment_path(dir(), 1);
        let bytes = rig.disk.contents(&path).unwrap();
        let last = bytes.iter().rposition(|byte| *byte == b'.').unwrap();
        if idle {
            rig.writer.mark();
        }
        rig.disk.flip_bit(&path, last, 0);
        let disk = rig.disk.fork();
        match Rig::open(&disk, 2) {
            Err(OpenError::Damaged { .. }) => assert!(idle),
            Err(error) => panic!("{error}"),
            Ok(rig) => {
                assert!(!idle, "an acknowledged entry was dropped silently");
                let cut = rig
                    .log
                    .recovered()
                    .cut
                    .clone()
                    .expect("what is cut is reported");
                assert_eq!((cut.file, rig.all().len()), (path, 2));
            }
        }
    }
}

#[test]
fn missing_or_headless_segment_is_damage() {
    let mut rig = Rig::new();
    for index in 1..40 {
        rig.append(vec![entry(1, index, 600)]);
    }
    rig.writer.finish();
    let segments = rig.segments();
    assert!(segments.len() > 4);
    // The last one is the spare, which holds nothing.
    for (position, path) in segments.iter().enumerate().take(segments.len() - 1) {
        let disk = rig.disk.fork();
        super::disk::Disk::remove(&disk, path).unwrap();
        let missing = Rig::open(&disk, 2).err().expect("a segment is missing");
        assert!(
            matches!(missing, OpenError::Damaged { .. }),
            "{position}: {missing}"
        );

        let disk = rig.disk.fork();
        disk.flip_bit(path, 14, 3);
        let headless = Rig::open(&disk, 2)
            .err()
            .expect("a header is damaged")
            .to_string();
        assert!(headless.contains(path.to_str().unwrap()), "{headless}");
    }
}

#[test]
fn rot_under_a_running_log_is_an_error_of_the_read() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..20));
    rig.disk
        .flip_bit(&segment_path(dir(), 1), RECORDS_OFFSET as usize + 300, 1);
    let error = read_all(&rig.log).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(
        error.to_string().contains("log.0000000000000001"),
        "{error}"
    );
}

#[test]
fn failed_sync_poisons_the_log_and_is_not_tried_again() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..3));
    let syncs = rig.log.stats().fsync_count;
    rig.disk.fail_sync_after(0);
    let (first, first_result) = expect();
    let (second, second_result) = expect();
    rig.log.append(entries(1, 3..4), first);
    rig.log.save_vote(Bytes::from_static(b"x"), second);
    rig.writer.turn();
    let error = first_result.try_recv().unwrap().unwrap_err().to_string();
    assert!(error.contains("the log failed"), "{error}");
    for result in [second_result.try_recv().unwrap(), {
        let (done, result) = expect();
        rig.log.purge(id(1, 1), done);
        result.try_recv().expect("a poisoned log answers at once")
    }] {
        assert_eq!(result.unwrap_err().to_string(), error);
    }
    assert_eq!(rig.log.read(1, 2, 1).unwrap_err().to_string(), error);
    assert_eq!(rig.log.failure().unwrap().to_string(), error);
    rig.log.save_committed(id(1, 1));
    let operations = rig.disk.operations();
    rig.writer.turn();
    rig.writer.mark();
    rig.writer.provide(Instant::now());
    rig.writer.finish();
    assert_eq!(rig.disk.operations(), operations, "the disk is left alone");
    assert_eq!(rig.log.stats().fsync_count, syncs);
}

#[test]
fn bytes_of_a_failed_sync_are_written_again_before_they_are_trusted() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..3));
    rig.disk.fail_sync_after(0);
    rig.run(|log, done| log.append(entries(1, 3..5), done))
        .unwrap_err();
    // The process ends, the machine does not: the cache shows the bytes, the disk lacks them.
    let mut rig = Rig::open(&rig.disk, 2).unwrap();
    assert_eq!(rig.all(), entries(1, 1..5));
    rig.append(entries(1, 5..6));
    rig.disk.crash(1);
    assert_eq!(Rig::open(&rig.disk, 3).unwrap().all(), entries(1, 1..6));
}

#[test]
fn full_disk_is_low_space_until_the_reserve_is_used_up() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..2));
    assert_eq!(rig.log.space(), Space::Enough);
    rig.disk.set_space(Some(rig.disk.bytes_used()));
    let mut index = 2;
    let mut write = |rig: &mut Rig| {
        let result = rig.run(|log, done| log.append(vec![entry(1, index, 500)], done));
        index += 1;
        result
    };
    while rig.log.space() == Space::Enough {
        write(&mut rig).unwrap();
    }
    // The spare segment is in use now, and takes more.
    write(&mut rig).unwrap();
    assert!(rig.log.failure().is_none());

    let soon = Instant::now() + Duration::from_millis(10);
    rig.disk.set_space(None);
    rig.writer.provide(soon);
    assert_eq!(
        rig.log.space(),
        Space::Low,
        "not asked again within the second"
    );
    rig.writer.provide(Instant::now() + Duration::from_secs(2));
    assert_eq!(rig.log.space(), Space::Enough, "it recovers by itself");

    rig.disk.set_space(Some(rig.disk.bytes_used()));
    let error = loop {
        if let Err(error) = write(&mut rig) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    rig.disk.set_space(None);
    let rig = Rig::open(&rig.disk.fork(), 2).unwrap();
    assert_eq!(
        rig.all().len() as u64,
        index - 2,
        "all that was acknowledged"
    );
}

#[test]
fn purged_space_is_used_again_and_nothing_old_comes_back() {
    let mut rig = Rig::new();
    let mut used = 0;
    for round in 0..20 {
        // The same indexes again and again, so that left-overs would fit.
        for index in 1..12 {
            rig.append(vec![entry(round, index, 900)]);
        }
        rig.run(|log, done| log.truncate_after(None, done)).unwrap();
        rig.append(vec![entry(round, 1, 10)]);
        if round == 3 {
            used = rig.disk.bytes_used();
        }
        let expected = vec![entry(round, 1, 10)];
        assert_eq!(rig.all(), expected);
        let crashed = rig.disk.fork();
        crashed.crash(round);
        assert_eq!(Rig::open(&crashed, 100 + round).unwrap().all(), expected);
        rig.run(|log, done| log.truncate_after(None, done)).unwrap();
    }
    assert!(rig.disk.bytes_used() <= used, "space is bounded");
    assert_eq!(
        rig.reopen(2).log.recovered().cut,
        None,
        "old bytes are no torn tail"
    );
}

#[test]
fn record_cut_off_earlier_does_not_come_back_behind_its_successor() {
    let vote = |byte: u8| Bytes::from(vec![byte; 50]);
    let mut rig = Rig::new();
    rig.append(entries(1, 1..2));
    let path = segment_path(dir(), 1);
    let from = records(&rig.disk.contents(&path).unwrap()).len();
    // One group; its first record is as long as the State record that will take its place.
    rig.log.append(vec![entry(1, 2, 60)], no_matter());
    rig.log.save_vote(vote(1), no_matter());
    rig.log.save_vote(vote(2), no_matter());
    rig.writer.turn();
    let mut before = rig.disk.contents(&path).unwrap();
    let places = records(&before).split_off(from);
    // The group was torn: its first record is bad, the others survive.
    before[places[0].start + 70] ^= 1;
    rig.disk.replace(&path, before.clone());
    let mut rig = Rig::open(&rig.disk, 2).unwrap();
    assert_eq!((rig.log.state().vote, rig.all().len()), (None, 1));
    // The next group takes exactly the places of the others, and loses its second record.
    rig.log.save_vote(vote(3), no_matter());
    rig.log.save_vote(vote(4), no_matter());
    rig.writer.turn();
    let mut after = rig.disk.contents(&path).unwrap();
    assert_eq!(records(&after)[from + 1..], places[1..]);
    after[places[2].clone()].copy_from_slice(&before[places[2].clone()]);
    rig.disk.replace(&path, after);
    assert_eq!(
        Rig::open(&rig.disk, 3).unwrap().log.state().vote,
        Some(vote(3))
    );
}

#[test]
fn panic_in_a_done_fails_the_log_instead_of_hanging_it() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(Arc::new(RealDisk), place.path(), options(1)).unwrap();
    let (done, result) = expect();
    log.save_vote(Bytes::from_static(b"v"), Box::new(|_| panic!("on purpose")));
    log.save_vote(Bytes::from_static(b"w"), done);
    // In the same group it is dropped unanswered; in a later one it is told.
    assert!(!matches!(result.recv(), Ok(Ok(()))));
    log.close();
    assert!(log.failure().unwrap().to_string().contains("panicked"));
}

#[test]
fn log_is_empty_behind_a_snapshot_that_is_ahead_of_it() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..4));
    rig.run(|log, done| log.purge(id(5, 1000), done)).unwrap();
    let mut rig = rig.reopen(2);
    let state = rig.log.state();
    assert_eq!(
        (state.purged, state.last),
        (Some(id(5, 1000)), Some(id(5, 1000)))
    );
    assert_eq!(rig.log.bytes(), 0);
    assert_eq!(
        rig.log.read(1000, 1001, 1).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(rig.log.read(1001, 2000, 1).unwrap(), []);
    rig.append(vec![entry(5, 1001, 10)]);
    assert_eq!(rig.reopen(3).all(), [entry(5, 1001, 10)]);
}

#[test]
fn vote_and_purge_survive_the_segments_they_were_written_to() {
    let mut rig = Rig::new();
    rig.run(|log, done| log.save_vote(Bytes::from_static(b"vote"), done))
        .unwrap();
    for index in 1..100 {
        rig.append(vec![entry(1, index, 400)]);
        rig.run(|log, done| log.purge(id(1, index), done)).unwrap();
    }
    assert!(!rig.segments().contains(&segment_path(dir(), 1)));
    let state = rig.log.state();
    assert_eq!(rig.reopen(2).log.state(), state);
}

#[test]
fn entry_longer_than_a_segment_is_kept() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..3));
    rig.append(vec![entry(1, 3, 100_000)]);
    rig.append(entries(1, 4..6));
    let rig = rig.reopen(2);
    let all = rig.all();
    assert_eq!((all.len(), &all[2]), (5, &entry(1, 3, 100_000)));
}

#[test]
fn read_is_bounded_in_bytes_but_gives_at_least_one_entry() {
    let mut rig = Rig::new();
    rig.append((1..30).map(|index| entry(1, index, 100)).collect());
    assert_eq!(rig.log.read(1, 30, 0).unwrap(), [entry(1, 1, 100)]);
    assert_eq!(rig.log.read(1, 30, 250).unwrap().len(), 2);
    // The first ones are on the disk only, the last ones in memory.
    assert_eq!(rig.log.read(1, 30, 10_000).unwrap().len(), 29);
    assert_eq!(rig.log.read(28, 30, 0).unwrap(), [entry(1, 28, 100)]);
    assert_eq!(rig.log.read(3, 5, 10_000).unwrap().len(), 2);
}

#[test]
fn entries_not_written_yet_are_readable_beyond_the_bound_of_the_cache() {
    let mut rig = Rig::new();
    // Together too much for one group: the last one stays in the queue.
    let long: Vec<Entry> = (1..4).map(|index| entry(1, index, 3 << 20)).collect();
    for entry in &long {
        rig.log.append(vec![entry.clone()], no_matter());
    }
    rig.writer.turn();
    assert_eq!(rig.log.stats().queued, 2);
    assert_eq!(rig.log.read(1, 4, usize::MAX).unwrap(), long);
    rig.writer.turn();
    rig.writer.turn();
    assert_eq!(rig.log.stats().queued, 0);
    assert_eq!(rig.all(), long);
}

#[test]
fn calls_that_break_the_contract_are_refused_and_change_nothing() {
    let mut rig = Rig::new();
    rig.append(entries(1, 1..4));
    let state = rig.log.state();
    let gap = rig.run(|log, done| log.append(entries(1, 5..6), done));
    let hole = rig.run(|log, done| log.append(vec![entry(1, 4, 1), entry(1, 6, 1)], done));
    let beyond = rig.run(|log, done| log.truncate_after(Some(id(1, 9)), done));
    let long = rig.run(|log, done| log.save_vote(Bytes::from(vec![0; 2000]), done));
    for refused in [gap, hole, beyond, long] {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(rig.log.state(), state);
    assert_eq!(rig.reopen(2).log.state(), state);
}

#[test]
fn everything_queued_goes_to_the_disk_with_one_write_and_one_sync() {
    let rig = Rig::new();
    let Rig {
        disk,
        log,
        mut writer,
    } = rig;
    writer.provide(Instant::now());
    let before = (disk.operations(), log.stats().fsync_count);
    for index in 1..20 {
        log.append(vec![entry(1, index, 20)], no_matter());
    }
    log.save_vote(Bytes::from_static(b"v"), no_matter());
    assert_eq!(log.stats().queued, 20);
    writer.turn();
    assert_eq!(
        (disk.operations(), log.stats().fsync_count),
        (before.0 + 2, before.1 + 1)
    );
    assert_eq!((log.stats().queued, log.stats().queued_bytes), (0, 0));
}

#[test]
fn dones_run_in_the_order_of_the_calls() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(Arc::new(RealDisk), place.path(), options(1)).unwrap();
    let (sender, order) = channel();
    for index in 1..300 {
        let sender = sender.clone();
        let done: Done = Box::new(move |result| sender.send((index, result.is_ok())).unwrap());
        match index % 10 {
            9 => log.truncate_after(log.state().last, done),
            8 => log.save_vote(Bytes::from_static(b"v"), done),
            _ => log.append(vec![entry(1, log.state().next_index(), 100)], done),
        }
    }
    log.close();
    let order: Vec<_> = order.try_iter().collect();
    assert_eq!(
        order,
        (1..300).map(|index| (index, true)).collect::<Vec<_>>()
    );
    let (done, result) = expect();
    log.save_vote(Bytes::from_static(b"late"), done);
    assert!(
        result.try_recv().unwrap().is_err(),
        "a closed log takes nothing"
    );
}

#[test]
fn readers_see_whole_entries_while_the_log_is_written_and_purged() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(Arc::new(RealDisk), place.path(), options(1)).unwrap();
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let log = &log;
            scope.spawn(move || read_along(log, reader));
        }
        for index in 0..3000 {
            log.append(vec![entry(1, index, 200)], no_matter());
            if index % 50 == 49 {
                let (done, result) = expect();
                log.purge(id(1, index - 20), done);
                result.recv().unwrap().unwrap();
            }
        }
        log.append(vec![entry(2, 3000, 200)], no_matter());
    });
}

/// Reads random ranges until the entry of term 2 is there.
fn read_along(log: &Log, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let state = log.state();
        let first = state.purged.map_or(0, |purged| purged.index + 1);
        let from = random.u64(first..first.max(state.next_index()) + 1);
        match log.read(from, u64::MAX, random.usize(..2000)) {
            Ok(found) => {
                for (entry_found, index) in found.iter().zip(from..) {
                    assert_eq!(*entry_found, entry(entry_found.id.term, index, 200));
                }
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
        }
        if state.last.is_some_and(|last| last.term == 2) {
            return;
        }
    }
}
