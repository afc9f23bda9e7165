//! The seam between the storage room and a disk.
//!
//! What lives here: [`Disk`] and [`DiskFile`], the few operations the log, the snapshots and the
//! files of a data directory need, and [`RealDisk`], which performs them. What does not: any
//! decision. The disk in memory is in `memory_disk.rs`, the simulated one of the tests in
//! `sim_disk.rs`.
//!
//! Invariant: nothing is durable before [`DiskFile::sync_data`] (bytes, length) or
//! [`Disk::sync_dir`] (names) returned `Ok`. After a failed sync the state of the un-synced part is
//! unknown for ever; callers must not try again and believe the second answer.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, SeekFrom};
use rustix::io::Errno;

/// What [`Disk::open`] does with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// The file exists; it is only read.
    Read,
    /// The file exists; it is read and written.
    Write,
    /// The file is created, or emptied if it exists.
    Create,
}

/// What [`Disk::hold`] found.
pub enum Holding {
    /// The file is ours until this is dropped; the end of the process drops it too.
    Ours(Box<dyn Send + Sync>),
    /// Somebody else holds it; the text is what they wrote into it.
    Theirs(String),
}

/// A file system, real or simulated.
pub trait Disk: Send + Sync + 'static {
    /// Creates a directory and its parents, durably.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// The names of the files in a directory, in no order; sub-directories are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Whether a file of this name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Renames a file, replacing the target. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes a server may still allocate on the disk of `path`.
    fn bytes_free(&self, path: &Path) -> io::Result<u64>;
    /// Takes a file for this holder alone, creating it if needed, and writes `owner` into it. Does
    /// not wait.
    fn hold(&self, path: &Path, owner: &str) -> io::Result<Holding>;
}

/// An open file. All positions are absolute; a file may be shared between threads.
pub trait DiskFile: Send + Sync {
    /// Reads until `buffer` is full or the file ends; returns how much was read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`, extending the file if needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves the file's first `bytes` bytes and makes the file at least that long, so that
    /// writing there neither runs out of space nor changes the length. Never shrinks. New bytes
    /// read as zero.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Makes all bytes and the length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// The file's length in bytes.
    fn bytes(&self) -> io::Result<u64>;
    /// A position behind the last byte that may be other than zero, not beyond the length. Lets a
    /// scan skip what was reserved and never written. To be asked before the file is read: reading
    /// makes holes look like data.
    fn data_end(&self) -> io::Result<u64>;
}

/// Whether an error says that the disk, or the owner's share of it, is full.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        let parent = parent_of(dir);
        self.create_dir_all(parent)?;
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(parent)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = match mode {
            OpenMode::Read => File::open(path)?,
            OpenMode::Write => OpenOptions::new().read(true).write(true).open(path)?,
            OpenMode::Create => OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)?,
        };
        Ok(Arc::new(RealFile(file)))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        File::open(dir)?.sync_all()
    }

    fn bytes_free(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn hold(&self, path: &Path, owner: &str) -> io::Result<Holding> {
        // Not truncated before the lock is ours: it names the owner.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut theirs = String::new();
                // The name is a courtesy: without it the answer is still right.
                drop(file.read_to_string(&mut theirs));
                return Ok(Holding::Theirs(theirs));
            }
            Err(error) => return Err(error.into()),
        }
        file.set_len(0)?;
        writeln!(file, "{owner}")?;
        Ok(Holding::Ours(Box::new(file)))
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self
                .0
                .read_at(&mut buffer[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // No reservation on this file system: at least the length need not change later.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    if self.0.metadata()?.len() < bytes {
                        self.0.set_len(bytes)?;
                    }
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn data_end(&self) -> io::Result<u64> {
        let mut end = 0;
        loop {
            let hole = rustix::fs::seek(&self.0, SeekFrom::Data(end))
                .and_then(|data| rustix::fs::seek(&self.0, SeekFrom::Hole(data)));
            match hole {
                Ok(hole) => end = hole,
                Err(Errno::NXIO) => return Ok(end),
                // The file system cannot tell: everything may be data.
                Err(Errno::INVAL | Errno::OPNOTSUPP) => return self.bytes(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocated_file_has_its_length_and_reads_as_zero() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = RealDisk.open(&path, OpenMode::Create).unwrap();
        file.allocate(8192).unwrap();
        assert_eq!(file.bytes().unwrap(), 8192);
        file.write_at(b"abc", 4096).unwrap();
        let data_end = file.data_end().unwrap();
        assert!(
            (4099..=8192).contains(&data_end),
            "written bytes are never skipped"
        );
        file.allocate(4096).unwrap();
        assert_eq!(file.bytes().unwrap(), 8192, "allocate never shrinks");
        let mut buffer = [1; 16];
        assert_eq!(
            file.read_at(&mut buffer, 8184).unwrap(),
            8,
            "a read stops at the end"
        );
        assert_eq!(buffer[..8], [0; 8]);
    }

    #[test]
    fn nested_directories_are_created_and_files_listed() {
        let dir = tempfile::tempdir().unwrap();
        let nested = dir.path().join("a/b");
        RealDisk.create_dir_all(&nested).unwrap();
        RealDisk.create_dir_all(&nested).unwrap();
        RealDisk.open(&nested.join("f"), OpenMode::Create).unwrap();
        RealDisk.create_dir_all(&nested.join("sub")).unwrap();
        assert_eq!(RealDisk.list(&nested).unwrap(), ["f"]);
        RealDisk
            .rename(&nested.join("f"), &nested.join("g"))
            .unwrap();
        assert!(RealDisk.exists(&nested.join("g")).unwrap());
        RealDisk.remove(&nested.join("g")).unwrap();
        assert!(!RealDisk.exists(&nested.join("g")).unwrap());
        assert!(RealDisk.bytes_free(&nested).unwrap() > 0);
    }
}
