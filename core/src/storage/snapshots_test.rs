//! The promises of snapshot files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::disk::RealDisk;
use super::log::EntryId;
use super::sim_disk::SimDisk;
use super::snapshots::{CHUNK_BYTES_MAX, SnapshotError, SnapshotFile, Snapshots};

fn id(index: u64) -> EntryId {
    EntryId { term: 1, index }
}

fn body(index: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(index);
    std::iter::repeat_with(|| random.u8(..))
        .take(bytes)
        .collect()
}

fn write(snapshots: &Snapshots, index: u64, bytes: usize) -> io::Result<SnapshotFile> {
    let mut writer = snapshots.create(id(index), b"meta")?;
    for piece in body(index, bytes).chunks(7000) {
        writer.write(piece)?;
    }
    writer.finish()
}

fn contents(file: &SnapshotFile) -> Result<Vec<u8>, SnapshotError> {
    Ok(file.chunks().collect::<Result<Vec<_>, _>>()?.concat())
}

fn open(disk: &SimDisk) -> Snapshots {
    Snapshots::open(Arc::new(disk.clone()), Path::new("snap"), 2).unwrap()
}

fn indexes(snapshots: &Snapshots) -> Vec<u64> {
    snapshots
        .list()
        .unwrap()
        .iter()
        .map(|listed| listed.id.index)
        .collect()
}

#[test]
fn snapshot_reads_back_chunk_by_chunk_on_a_real_disk() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("snap");
    let snapshots = Snapshots::open(Arc::new(RealDisk), &dir, 2).unwrap();
    assert!(snapshots.newest().unwrap().is_none());
    for bytes in [0, 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 9 << 20] {
        write(&snapshots, bytes as u64, bytes).unwrap();
        let newest = snapshots.newest().unwrap().unwrap();
        assert_eq!(
            (newest.id, newest.meta.as_ref()),
            (id(bytes as u64), b"meta".as_slice())
        );
        assert!(
            newest
                .chunks()
                .all(|chunk| chunk.unwrap().len() <= CHUNK_BYTES_MAX)
        );
        assert_eq!(
            contents(&newest).unwrap(),
            body(bytes as u64, bytes),
            "{bytes}"
        );
    }
}

#[test]
fn newest_two_are_kept_and_a_reader_of_an_older_one_is_not_disturbed() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    let first = write(&snapshots, 1, 5000).unwrap();
    for index in 2..5 {
        write(&snapshots, index, 5000).unwrap();
    }
    assert_eq!(indexes(&snapshots), [4, 3]);
    assert_eq!(contents(&first).unwrap(), body(1, 5000));
}

#[test]
fn dropped_writer_leaves_nothing() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    let mut writer = snapshots.create(id(1), b"").unwrap();
    writer.write(b"half").unwrap();
    drop(writer);
    drop(snapshots.receive(id(2)).unwrap());
    assert_eq!(disk.bytes_used(), 0);
    assert!(snapshots.list().unwrap().is_empty());
}

#[test]
fn crash_at_each_step_leaves_the_old_or_the_new_snapshot_whole() {
    let mut completed = false;
    let mut power = 0;
    while !completed {
        for seed in 0..40 {
            let disk = SimDisk::new();
            let snapshots = open(&disk);
            write(&snapshots, 1, 3000).unwrap();
            write(&snapshots, 2, 3000).unwrap();
            disk.power_off_after(power);
            let written = write(&snapshots, 3, 20_000).is_ok();
            completed |= written;
            disk.crash(seed);
            let newest = open(&disk).newest().unwrap().unwrap();
            let index = newest.id.index;
            assert!(
                index == 3 || (index == 2 && !written),
                "{power} {seed}: {index}"
            );
            let bytes = if index == 3 { 20_000 } else { 3000 };
            assert_eq!(
                contents(&newest).unwrap(),
                body(index, bytes),
                "{power} {seed}"
            );
            assert!(
                indexes(&open(&disk)).len() >= 2,
                "an older one stays until then"
            );
        }
        power += 1;
        assert!(power < 100, "a snapshot takes few operations");
    }
}

#[test]
fn every_flipped_byte_of_a_snapshot_is_found() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    let path = write(&snapshots, 1, 3000).unwrap().path;
    for offset in 0..disk.contents(&path).unwrap().len() {
        let bit = (offset % 8) as u8;
        disk.flip_bit(&path, offset, bit);
        let found = snapshots
            .newest()
            .and_then(|newest| newest.unwrap().verify());
        assert!(
            matches!(found, Err(SnapshotError::Damaged { .. })),
            "byte {offset}"
        );
        disk.flip_bit(&path, offset, bit);
    }
    snapshots.newest().unwrap().unwrap().verify().unwrap();
}

#[test]
fn every_shortened_snapshot_is_found() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    let path = write(&snapshots, 1, 500).unwrap().path;
    let whole = disk.contents(&path).unwrap();
    for length in 0..whole.len() {
        disk.replace(&path, whole[..length].to_vec());
        assert!(snapshots.newest().is_err(), "length {length}");
    }
}

#[test]
fn damaged_newest_is_reported_and_the_older_one_is_offered() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    write(&snapshots, 1, 500).unwrap();
    let newest = write(&snapshots, 2, 500).unwrap();
    disk.flip_bit(&newest.path, 20, 0);
    assert!(matches!(
        snapshots.newest(),
        Err(SnapshotError::Damaged { .. })
    ));
    let listed = snapshots.list().unwrap();
    assert!(listed[0].file.is_err() && listed[1].file.is_ok());
    // A damaged one does not count among those kept.
    write(&snapshots, 3, 500).unwrap();
    assert_eq!(indexes(&snapshots), [3, 2, 1]);
    write(&snapshots, 4, 500).unwrap();
    assert_eq!(indexes(&snapshots), [4, 3]);
}

#[test]
fn snapshot_travels_to_a_peer_byte_by_byte() {
    let (sender, receiver) = (SimDisk::new(), SimDisk::new());
    let file = write(&open(&sender), 7, 50_000).unwrap();
    let theirs = open(&receiver);
    let mut receiving = theirs.receive(id(7)).unwrap();
    let mut buffer = [0; 999];
    while receiving.bytes() < file.bytes {
        let read = file.read_at(&mut buffer, receiving.bytes()).unwrap();
        receiving.write(&buffer[..read]).unwrap();
    }
    let received = receiving.finish().unwrap();
    assert_eq!(contents(&received).unwrap(), body(7, 50_000));
    assert_eq!(theirs.newest().unwrap().unwrap().id, id(7));
}

#[test]
fn received_snapshot_with_a_wrong_byte_or_id_is_refused() {
    let (sender, receiver) = (SimDisk::new(), SimDisk::new());
    let file = write(&open(&sender), 7, 2000).unwrap();
    let bytes = sender.contents(&file.path).unwrap();
    let theirs = open(&receiver);
    for offset in (0..bytes.len()).step_by(13) {
        let mut wrong = bytes.clone();
        wrong[offset] ^= 4;
        let mut receiving = theirs.receive(id(7)).unwrap();
        receiving.write(&wrong).unwrap();
        assert!(receiving.finish().is_err(), "byte {offset}");
    }
    let mut receiving = theirs.receive(id(8)).unwrap();
    receiving.write(&bytes).unwrap();
    assert!(receiving.finish().is_err(), "of another entry");
    assert!(theirs.list().unwrap().is_empty());
    assert_eq!(receiver.bytes_used(), 0);
}

#[test]
fn full_disk_fails_the_snapshot_and_gives_its_space_back() {
    let disk = SimDisk::new();
    let snapshots = open(&disk);
    write(&snapshots, 1, 5000).unwrap();
    disk.set_space(Some(8000));
    assert!(write(&snapshots, 2, 5000).is_err());
    assert_eq!(indexes(&snapshots), [1]);
    disk.set_space(None);
    write(&snapshots, 2, 5000).unwrap();
}
