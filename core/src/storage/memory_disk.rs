//! A disk in memory, for servers that keep nothing.
//!
//! What lives here: [`MemoryDisk`], which does what a file system does and creates no file. What
//! does not: faults and power cuts, which are `sim_disk.rs`; nothing here survives the process, so
//! a sync has nothing to do.
//!
//! A file is a list of blocks, made when they are first written: space that the log reserves costs
//! nothing, and a file that was removed gives its memory back when its last handle is dropped.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::disk::{Disk, DiskFile, Holding, OpenMode};

/// What memory is taken by.
const BLOCK_BYTES: usize = 64 << 10;

/// The disk; clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<PathBuf, Arc<MemoryFile>>>>,
    holds: Holds,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// Bytes of memory in the files that have a name.
    pub fn bytes_used(&self) -> u64 {
        let files = self.files.lock();
        files.values().map(|file| file.bytes_used()).sum()
    }
}

impl std::fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryDisk({} files)", self.files.lock().len())
    }
}

impl Disk for MemoryDisk {
    /// There are no directories, only names with slashes in them.
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let files = self.files.lock();
        let inside = files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock();
        match mode {
            OpenMode::Read | OpenMode::Write => {
                let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
                Ok(Arc::clone(file) as Arc<dyn DiskFile>)
            }
            OpenMode::Create => {
                let file = files.entry(path.to_owned()).or_default();
                file.empty();
                Ok(Arc::clone(file) as Arc<dyn DiskFile>)
            }
        }
    }

    /// A directory is there while something is in it.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files.lock().keys().any(|name| name.starts_with(path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.files.lock().remove(path);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    /// As much as the process may have, which nobody knows before it is refused.
    fn bytes_free(&self, _path: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn hold(&self, path: &Path, owner: &str) -> io::Result<Holding> {
        Ok(self.holds.take(path, owner))
    }
}

/// Who holds which file of a disk that is not the operating system's.
#[derive(Clone, Default)]
pub(super) struct Holds {
    owners: Arc<Mutex<BTreeMap<PathBuf, String>>>,
}

impl Holds {
    pub(super) fn take(&self, path: &Path, owner: &str) -> Holding {
        let mut owners = self.owners.lock();
        if let Some(theirs) = owners.get(path) {
            return Holding::Theirs(theirs.clone());
        }
        owners.insert(path.to_owned(), owner.to_owned());
        Holding::Ours(Box::new(Hold {
            holds: self.clone(),
            path: path.to_owned(),
        }))
    }
}

struct Hold {
    holds: Holds,
    path: PathBuf,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.owners.lock().remove(&self.path);
    }
}

/// Reads as zero where nothing was written.
type Block = Option<Box<[u8]>>;

#[derive(Default)]
struct MemoryFile {
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    bytes: u64,
    blocks: Vec<Block>,
}

impl MemoryFile {
    fn empty(&self) {
        *self.content.write() = Content::default();
    }

    fn bytes_used(&self) -> u64 {
        let content = self.content.read();
        (content.blocks.iter().flatten().count() * BLOCK_BYTES) as u64
    }
}

impl Content {
    /// The parts of blocks that `length` bytes from `offset` on are in: block, place in it, length.
    fn parts(offset: u64, length: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut at = offset as usize;
        let end = at + length;
        std::iter::from_fn(move || {
            let place = at % BLOCK_BYTES;
            let now = (BLOCK_BYTES - place).min(end - at);
            let part = (at / BLOCK_BYTES, place, now);
            at += now;
            (now > 0).then_some(part)
        })
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.read();
        let there = content.bytes.saturating_sub(offset);
        let count = buffer
            .len()
            .min(usize::try_from(there).unwrap_or(usize::MAX));
        let mut rest = &mut buffer[..count];
        for (block, place, length) in Content::parts(offset, count) {
            let (now, later) = rest.split_at_mut(length);
            match content.blocks.get(block) {
                Some(Some(bytes)) => now.copy_from_slice(&bytes[place..place + length]),
                _ => now.fill(0),
            }
            rest = later;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut content = self.content.write();
        let mut rest = bytes;
        for (block, place, length) in Content::parts(offset, bytes.len()) {
            if content.blocks.len() <= block {
                content.blocks.resize_with(block + 1, Block::default);
            }
            let target = content.blocks[block]
                .get_or_insert_with(|| vec![0; BLOCK_BYTES].into_boxed_slice());
            let (now, later) = rest.split_at(length);
            target[place..place + length].copy_from_slice(now);
            rest = later;
        }
        content.bytes = content.bytes.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut content = self.content.write();
        content.bytes = content.bytes.max(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.content.read().bytes)
    }

    fn data_end(&self) -> io::Result<u64> {
        let content = self.content.read();
        let last = content.blocks.iter().rposition(Option::is_some);
        let end = last.map_or(0, |last| (last + 1) * BLOCK_BYTES) as u64;
        Ok(end.min(content.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(disk: &MemoryDisk, name: &str) -> Arc<dyn DiskFile> {
        disk.open(Path::new(name), OpenMode::Create).unwrap()
    }

    #[test]
    fn reads_what_was_written_whatever_the_blocks() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = MemoryDisk::new();
        let file = file(&disk, "/d/a");
        let mut expected = Vec::new();
        for _ in 0..200 {
            let offset = random.usize(..4 * BLOCK_BYTES);
            let bytes: Vec<u8> = (0..random.usize(..2 * BLOCK_BYTES))
                .map(|_| random.u8(..))
                .collect();
            file.write_at(&bytes, offset as u64).unwrap();
            if !bytes.is_empty() {
                expected.resize(expected.len().max(offset + bytes.len()), 0);
                expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
            let from = random.usize(..5 * BLOCK_BYTES);
            let mut found = vec![1; random.usize(..2 * BLOCK_BYTES)];
            let read = file.read_at(&mut found, from as u64).unwrap();
            let rest = expected.get(from..).unwrap_or_default();
            assert_eq!(read, rest.len().min(found.len()));
            assert_eq!(found[..read], rest[..read]);
        }
    }

    #[test]
    fn reserved_space_costs_no_memory_and_reads_as_zero() {
        let disk = MemoryDisk::new();
        let file = file(&disk, "/d/a");
        file.allocate(1 << 30).unwrap();
        assert_eq!((file.bytes().unwrap(), disk.bytes_used()), (1 << 30, 0));
        file.write_at(b"x", 500 << 20).unwrap();
        assert_eq!(disk.bytes_used(), BLOCK_BYTES as u64);
        let end = file.data_end().unwrap();
        assert!((500 << 20) < end && end < 501 << 20, "{end}");
        let mut buffer = [1; 8];
        assert_eq!(file.read_at(&mut buffer, (1 << 30) - 3).unwrap(), 3);
        assert_eq!(buffer[..3], [0; 3]);
    }

    #[test]
    fn a_removed_file_stays_readable_while_it_is_held_and_then_is_gone() {
        let disk = MemoryDisk::new();
        let held = file(&disk, "/d/a");
        held.write_at(b"abc", 0).unwrap();
        disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
        assert_eq!(disk.list(Path::new("/d")).unwrap(), ["b"]);
        assert!(disk.exists(Path::new("/d")).unwrap());
        disk.remove(Path::new("/d/b")).unwrap();
        assert!(!disk.exists(Path::new("/d")).unwrap());
        let mut buffer = [0; 3];
        held.read_at(&mut buffer, 0).unwrap();
        assert_eq!((&buffer, disk.bytes_used()), (b"abc", 0));
        let error = disk.open(Path::new("/d/b"), OpenMode::Read).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_held_by_one_at_a_time() {
        let disk = MemoryDisk::new();
        let path = Path::new("/d/lock");
        let first = disk.hold(path, "me").unwrap();
        let second = disk.hold(path, "you").unwrap();
        assert!(matches!(second, Holding::Theirs(owner) if owner == "me"));
        drop(first);
        assert!(matches!(disk.hold(path, "you").unwrap(), Holding::Ours(_)));
    }
}
