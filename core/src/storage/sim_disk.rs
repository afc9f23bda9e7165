//! A disk in memory that forgets what was not synced, for tests.
//!
//! Every file is kept twice: as a running program sees it (`current`) and as a power cut leaves it
//! (`durable`), with the writes between them in order. Names are kept the same way. Faults:
//!
//! * [`SimDisk::crash`]: of the un-synced writes any subset survives, each whole, as a prefix, as
//!   some of its blocks, or as one range of bytes; of the un-synced name changes any prefix or
//!   subset. Handles from before the crash are dead.
//! * [`SimDisk::power_off_after`]: the power goes in the middle of whatever runs then.
//! * [`SimDisk::fail_sync_after`], [`SimDisk::fail_write_after`]: one operation fails with EIO. As
//!   on Linux, the bytes of a failed sync stay readable and are *not* written by the next sync.
//! * [`SimDisk::set_space`]: the disk is full at so many bytes; can be raised again.
//! * [`SimDisk::flip_bit`], [`SimDisk::replace`]: rot at rest.
//!
//! The same calls with the same seeds give the same bytes. Directories are durable at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, Holding, OpenMode};
use super::memory_disk::Holds;

const BLOCK_BYTES: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The simulated disk; clones share it.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    holds: Holds,
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    names_durable: BTreeMap<PathBuf, u64>,
    names_pending: Vec<NameChange>,
    inode_next: u64,
    /// Counts crashes: a handle of an older generation is dead.
    generation: u64,
    operations: u64,
    power_off_at: Option<u64>,
    sync_fails_in: Option<u64>,
    write_fails_in: Option<u64>,
    bytes_max: Option<u64>,
}

#[derive(Default, Clone)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Lengthen(usize),
}

enum NameChange {
    Link(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

impl SimDisk {
    /// An empty disk without faults.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Cuts the power and turns it on again: what was not synced survives in part, by `seed`.
    pub fn crash(&self, seed: u64) {
        self.heal();
        let mut random = Random(seed);
        let mut state = self.state.lock();
        state.generation += 1;
        for inode in state.files.values_mut() {
            inode.tear(&mut random);
        }
        state.tear_names(&mut random);
    }

    /// Takes back the faults that did not happen yet.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.power_off_at = None;
        state.sync_fails_in = None;
        state.write_fails_in = None;
    }

    /// After so many more operations every call fails until [`SimDisk::crash`].
    pub fn power_off_after(&self, operations: u64) {
        let mut state = self.state.lock();
        state.power_off_at = Some(state.operations + operations);
    }

    /// Operations done so far: the unit of [`SimDisk::power_off_after`].
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Lets `count` syncs pass, then one of a file fails.
    pub fn fail_sync_after(&self, count: u64) {
        self.state.lock().sync_fails_in = Some(count);
    }

    /// Lets `count` writes pass, then one fails, half written.
    pub fn fail_write_after(&self, count: u64) {
        self.state.lock().write_fails_in = Some(count);
    }

    /// Sets how many bytes the disk holds; `None` is unlimited.
    pub fn set_space(&self, bytes_max: Option<u64>) {
        self.state.lock().bytes_max = bytes_max;
    }

    /// Bytes in use.
    pub fn bytes_used(&self) -> u64 {
        self.state.lock().bytes_used()
    }

    /// The bytes of a file as a program sees them.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let inode = state.names.get(path)?;
        Some(state.files[inode].current.clone())
    }

    /// Flips one bit of a file, as rot does: current and durable bytes alike.
    pub fn flip_bit(&self, path: &Path, offset: usize, bit: u8) {
        let mut bytes = self.contents(path).unwrap_or_default();
        bytes[offset] ^= 1 << (bit % 8);
        self.replace(path, bytes);
    }

    /// Replaces the bytes of a file, durably; creates it if needed.
    pub fn replace(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        let inode = state.link(path);
        state.names_durable.insert(path.to_owned(), inode);
        let file = Inode {
            current: bytes.clone(),
            durable: bytes,
            pending: Vec::new(),
        };
        state.files.insert(inode, file);
    }

    /// A second disk with the same durable and pending bytes and no faults.
    pub fn fork(&self) -> SimDisk {
        let state = self.state.lock();
        let copy = State {
            files: state.files.clone(),
            names: state.names.clone(),
            names_durable: state.names_durable.clone(),
            inode_next: state.inode_next,
            ..State::default()
        };
        SimDisk {
            state: Arc::new(Mutex::new(copy)),
            holds: Holds::default(),
        }
    }
}

impl State {
    /// Counts an operation; fails when the power is off.
    fn step(&mut self) -> io::Result<()> {
        if self.power_off_at.is_some_and(|at| self.operations >= at) {
            return Err(io::Error::other("the power is off"));
        }
        self.operations += 1;
        Ok(())
    }

    fn bytes_used(&self) -> u64 {
        let linked: BTreeSet<u64> = self
            .names
            .values()
            .chain(self.names_durable.values())
            .copied()
            .collect();
        linked
            .iter()
            .map(|inode| self.files[inode].current.len() as u64)
            .sum()
    }

    fn reserve(&self, inode: u64, bytes: usize) -> io::Result<()> {
        let length = self.files[&inode].current.len();
        let more = bytes.saturating_sub(length) as u64;
        match self.bytes_max {
            Some(max) if more > 0 && self.bytes_used() + more > max => {
                Err(io::Error::from_raw_os_error(ENOSPC))
            }
            _ => Ok(()),
        }
    }

    fn link(&mut self, path: &Path) -> u64 {
        if let Some(inode) = self.names.get(path) {
            return *inode;
        }
        self.inode_next += 1;
        let inode = self.inode_next;
        self.names.insert(path.to_owned(), inode);
        self.names_pending
            .push(NameChange::Link(path.to_owned(), inode));
        self.files.insert(inode, Inode::default());
        inode
    }

    fn tear_names(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.names_pending);
        let kept = random.below(pending.len() as u64 + 1) as usize;
        let prefix_only = random.below(2) == 0;
        for (position, change) in pending.into_iter().enumerate() {
            let survives = if prefix_only {
                position < kept
            } else {
                random.below(2) == 0
            };
            if survives {
                apply_name(&mut self.names_durable, change);
            }
        }
        self.names = self.names_durable.clone();
        self.drop_unlinked();
    }

    fn drop_unlinked(&mut self) {
        let linked: BTreeSet<u64> = self.names_durable.values().copied().collect();
        self.files.retain(|inode, _| linked.contains(inode));
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, u64>, change: NameChange) {
    match change {
        NameChange::Link(path, inode) => {
            names.insert(path, inode);
        }
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        NameChange::Unlink(path) => {
            names.remove(&path);
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        apply(&mut self.current, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    fn tear(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            for part in torn(change, random) {
                apply(&mut self.durable, &part);
            }
        }
        self.current = self.durable.clone();
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Lengthen(length) => bytes.resize((*length).max(bytes.len()), 0),
        Change::Write { offset, bytes: new } => {
            let end = offset + new.len();
            bytes.resize(end.max(bytes.len()), 0);
            bytes[*offset..end].copy_from_slice(new);
        }
    }
}

/// The parts of an un-synced change that reached the disk.
fn torn(change: Change, random: &mut Random) -> Vec<Change> {
    let Change::Write { offset, bytes } = change else {
        return if random.below(2) == 0 {
            vec![change]
        } else {
            Vec::new()
        };
    };
    let length = bytes.len() as u64;
    let part = |from: usize, to: usize| Change::Write {
        offset: offset + from,
        bytes: bytes[from..to].to_vec(),
    };
    match random.below(5) {
        0 => Vec::new(),
        1 => vec![part(0, bytes.len())],
        2 => vec![part(0, random.below(length + 1) as usize)],
        3 => {
            let from = random.below(length + 1);
            let to = from + random.below(length - from + 1);
            vec![part(from as usize, to as usize)]
        }
        _ => {
            // Blocks of the disk, not of the write: the first and last may be partial.
            let mut parts = Vec::new();
            let mut from = 0;
            while from < bytes.len() {
                let to = (from + BLOCK_BYTES - (offset + from) % BLOCK_BYTES).min(bytes.len());
                if random.below(2) == 0 {
                    parts.push(part(from, to));
                }
                from = to;
            }
            parts
        }
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.state.lock().step()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state.lock();
        state.step()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.step()?;
        if mode != OpenMode::Create && !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Emptying an existing file would need a torn truncation; a new inode shows the same.
        if mode == OpenMode::Create && state.names.remove(path).is_some() {
            state
                .names_pending
                .push(NameChange::Unlink(path.to_owned()));
        }
        let inode = state.link(path);
        let generation = state.generation;
        Ok(Arc::new(SimFile {
            state: self.state.clone(),
            inode,
            generation,
        }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state.lock();
        state.step()?;
        Ok(state.names.contains_key(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        state
            .names_pending
            .push(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state
            .names_pending
            .push(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let State {
            names_pending,
            names_durable,
            ..
        } = &mut *state;
        for change in std::mem::take(names_pending) {
            let (NameChange::Link(path, _)
            | NameChange::Rename(path, _)
            | NameChange::Unlink(path)) = &change;
            if path.parent() == Some(dir) {
                apply_name(names_durable, change);
            } else {
                names_pending.push(change);
            }
        }
        Ok(())
    }

    fn bytes_free(&self, _path: &Path) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.step()?;
        Ok(state
            .bytes_max
            .unwrap_or(u64::MAX)
            .saturating_sub(state.bytes_used()))
    }

    fn hold(&self, path: &Path, owner: &str) -> io::Result<Holding> {
        Ok(self.holds.take(path, owner))
    }
}

/// An open file: keeps its bytes readable after the name is gone, as Unix does.
struct SimFile {
    state: Arc<Mutex<State>>,
    inode: u64,
    generation: u64,
}

impl SimFile {
    fn run<T>(&self, body: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        state.step()?;
        if state.generation != self.generation || !state.files.contains_key(&self.inode) {
            return Err(io::Error::other("the handle is from before the crash"));
        }
        body(&mut state)
    }
}

fn inode(state: &mut State, number: u64) -> &mut Inode {
    state
        .files
        .get_mut(&number)
        .expect("an inode lives as long as its generation")
}

/// Whether the countdown of an injected fault ends with this call.
fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.run(|state| {
            let bytes = &inode(state, self.inode).current;
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.run(|state| {
            let offset = offset as usize;
            state.reserve(self.inode, offset + bytes.len())?;
            let fails = due(&mut state.write_fails_in);
            let written = if fails {
                &bytes[..bytes.len() / 2]
            } else {
                bytes
            };
            let change = Change::Write {
                offset,
                bytes: written.to_vec(),
            };
            inode(state, self.inode).change(change);
            if fails {
                Err(io::Error::from_raw_os_error(EIO))
            } else {
                Ok(())
            }
        })
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.run(|state| {
            state.reserve(self.inode, bytes as usize)?;
            inode(state, self.inode).change(Change::Lengthen(bytes as usize));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.run(|state| {
            if due(&mut state.sync_fails_in) {
                // The pages are marked clean although they never reached the disk.
                inode(state, self.inode).pending.clear();
                return Err(io::Error::from_raw_os_error(EIO));
            }
            inode(state, self.inode).sync();
            Ok(())
        })
    }

    fn bytes(&self) -> io::Result<u64> {
        self.run(|state| Ok(inode(state, self.inode).current.len() as u64))
    }

    fn data_end(&self) -> io::Result<u64> {
        self.run(|state| {
            let bytes = &inode(state, self.inode).current;
            Ok(bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last as u64 + 1))
        })
    }
}

/// SplitMix64: the smallest generator that is good enough to tear writes with.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsynced_bytes_and_names_may_vanish_and_synced_ones_stay() {
        let (mut lost_bytes, mut lost_name) = (false, false);
        for seed in 0..64 {
            let disk = SimDisk::new();
            let dir = Path::new("d");
            let file = disk.open(&dir.join("a"), OpenMode::Create).unwrap();
            file.write_at(b"kept", 0).unwrap();
            file.sync_data().unwrap();
            disk.sync_dir(dir).unwrap();
            file.write_at(b"maybe", 4).unwrap();
            disk.open(&dir.join("b"), OpenMode::Create).unwrap();
            disk.crash(seed);
            let bytes = disk.contents(&dir.join("a")).expect("the name was synced");
            assert_eq!(&bytes[..4], b"kept");
            lost_bytes |= bytes.len() < 9;
            lost_name |= disk.contents(&dir.join("b")).is_none();
            assert!(file.sync_data().is_err(), "old handles are dead");
        }
        assert!(lost_bytes && lost_name);
    }

    #[test]
    fn bytes_of_a_failed_sync_are_readable_and_never_durable() {
        let disk = SimDisk::new();
        let path = Path::new("d/a");
        let file = disk.open(path, OpenMode::Create).unwrap();
        disk.sync_dir(Path::new("d")).unwrap();
        file.write_at(b"gone", 0).unwrap();
        disk.fail_sync_after(0);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(disk.contents(path).unwrap(), b"gone");
        disk.crash(1);
        assert_eq!(disk.contents(path).unwrap(), b"");
    }

    #[test]
    fn full_disk_refuses_growth_and_takes_it_when_raised() {
        let disk = SimDisk::new();
        disk.set_space(Some(10));
        let file = disk.open(Path::new("d/a"), OpenMode::Create).unwrap();
        let full = file.allocate(11).unwrap_err();
        assert!(super::super::disk::is_out_of_space(&full));
        file.allocate(10).unwrap();
        disk.set_space(Some(11));
        file.allocate(11).unwrap();
    }
}
