//! Snapshot files: written beside, checked, and put in place by a rename.
//!
//! What lives here: the catalogue of a directory ([`Snapshots`]), writing one's own
//! ([`SnapshotWriter`]), taking one from a peer byte by byte ([`SnapshotReceiver`]), and reading
//! ([`SnapshotFile`]). What does not: what is in them; `meta` and the chunks are opaque.
//!
//! ```text
//!   snapshot.<index, 16 hex digits>.<term, 16 hex digits>
//!   0          8         12           16     24      32
//!   | "ZWSNAPSH" | version | meta bytes | term | index | meta ... | crc of all before |
//!   | length 1..=1 MiB (4) | crc of the bytes (4) | bytes |      as often as needed
//!   | 0 (4) | "END!" (4) | chunks (8) | bytes in chunks (8) | crc of these bytes (4)
//!                                                  | crc of the four numbers before (4) |
//! ```
//!
//! All numbers are little-endian. The footer comes last and says how much there is, so a file that
//! lost its end, a chunk, or the order of its chunks is recognized.
//!
//! Invariants:
//! * A file is named `snapshot.*` only when all of it is durable; unfinished ones end in `.tmp`
//!   and are removed at opening.
//! * An older snapshot is removed only after a newer one is durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;

use super::disk::{Disk, DiskFile, OpenMode};
use super::log::EntryId;
use super::record::{u32_at, u64_at};

/// The longest chunk.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;
/// The longest `meta`.
pub const META_BYTES_MAX: usize = 16 << 20;
/// A file is synced each time so much was written: one long flush at the end would stall the log,
/// which shares the disk.
const SYNC_EVERY_BYTES: u64 = 8 << 20;
const MAGIC: [u8; 8] = *b"ZWSNAPSH";
const VERSION: u32 = 1;
const FIXED_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
const CHUNK_HEADER_BYTES: usize = 8;
const FOOTER_BYTES: usize = 32;
const FOOTER_MAGIC: [u8; 4] = *b"END!";
const PREFIX: &str = "snapshot.";
const TMP_SUFFIX: &str = ".tmp";

/// The snapshots of one directory.
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keep: usize,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk failed.
    #[error("snapshot {file}: {error}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// The file is not a whole snapshot.
    #[error("snapshot {file} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

impl From<SnapshotError> for io::Error {
    fn from(error: SnapshotError) -> io::Error {
        match error {
            SnapshotError::Io { error, .. } => error,
            damaged @ SnapshotError::Damaged { .. } => {
                io::Error::new(io::ErrorKind::InvalidData, damaged.to_string())
            }
        }
    }
}

/// A snapshot in the catalogue, usable or not.
#[derive(Debug)]
pub struct Listed {
    /// What its name says.
    pub id: EntryId,
    /// The file, if header and footer are good. The chunks are checked when they are read.
    pub file: Result<SnapshotFile, SnapshotError>,
}

impl Snapshots {
    /// Opens the directory, creating it if needed, and removes unfinished files. Of the snapshots
    /// the newest `keep` are kept, at least one; where files can rot, let it be two.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, keep: usize) -> io::Result<Snapshots> {
        disk.create_dir_all(dir)?;
        for name in disk.list(dir)? {
            if name.starts_with(PREFIX) && name.ends_with(TMP_SUFFIX) {
                disk.remove(&dir.join(name))?;
            }
        }
        Ok(Snapshots {
            disk,
            dir: dir.to_owned(),
            keep: keep.max(1),
        })
    }

    /// Begins a snapshot of everything up to and including `id`.
    pub fn create(&self, id: EntryId, meta: &[u8]) -> io::Result<SnapshotWriter> {
        if meta.len() > META_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the meta is too long",
            ));
        }
        let mut unfinished = self.begin(id, "")?;
        unfinished.write(&encode_header(id, meta))?;
        let chunk = Vec::with_capacity(CHUNK_HEADER_BYTES + CHUNK_BYTES_MAX);
        let (count, bytes, whole) = (0, 0, Hasher::new());
        Ok(SnapshotWriter {
            unfinished,
            chunk,
            count,
            bytes,
            whole,
        })
    }

    /// Begins to take a snapshot from a peer, whose file must be of `id`.
    pub fn receive(&self, id: EntryId) -> io::Result<SnapshotReceiver> {
        Ok(SnapshotReceiver {
            unfinished: self.begin(id, ".received")?,
        })
    }

    fn begin(&self, id: EntryId, mark: &str) -> io::Result<Unfinished> {
        let path = self.path(id);
        let tmp = self
            .dir
            .join(format!("{}{mark}{TMP_SUFFIX}", file_name(id)));
        Ok(Unfinished {
            file: self.disk.open(&tmp, OpenMode::Create)?,
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            keep: self.keep,
            id,
            path,
            tmp,
            offset: 0,
            unsynced: 0,
            in_place: false,
        })
    }

    fn path(&self, id: EntryId) -> PathBuf {
        self.dir.join(file_name(id))
    }

    /// Renames a damaged snapshot so that it is no longer listed but may still be looked at;
    /// returns the new path.
    pub fn set_aside(&self, id: EntryId) -> io::Result<PathBuf> {
        let aside = self.dir.join(format!("damaged.{}", file_name(id)));
        self.disk.rename(&self.path(id), &aside)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(aside)
    }

    /// All snapshots, the newest first, damaged ones included: if the newest is damaged, the caller
    /// decides whether the log still reaches back to an older one.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        list(self.disk.as_ref(), &self.dir)
    }

    /// The newest snapshot, if there is any. If that one is damaged, this is an error; older ones
    /// are in [`Snapshots::list`].
    pub fn newest(&self) -> Result<Option<SnapshotFile>, SnapshotError> {
        let listed = self.list().map_err(|error| SnapshotError::Io {
            file: self.dir.clone(),
            error,
        })?;
        listed
            .into_iter()
            .next()
            .map(|newest| newest.file)
            .transpose()
    }
}

fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Listed>> {
    let mut ids: Vec<EntryId> = disk
        .list(dir)?
        .iter()
        .filter_map(|name| parse_name(name))
        .collect();
    ids.sort_unstable_by_key(|id| std::cmp::Reverse((id.index, id.term)));
    let open = |id| Listed {
        id,
        file: SnapshotFile::open(disk, &dir.join(file_name(id)), id),
    };
    Ok(ids.into_iter().map(open).collect())
}

fn file_name(id: EntryId) -> String {
    format!("{PREFIX}{:016x}.{:016x}", id.index, id.term)
}

fn parse_name(name: &str) -> Option<EntryId> {
    let (index, term) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let number = |text: &str| {
        (text.len() == 16)
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
    };
    Some(EntryId {
        index: number(index)?,
        term: number(term)?,
    })
}

/// A file that is not a snapshot yet; removed when dropped.
struct Unfinished {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keep: usize,
    id: EntryId,
    path: PathBuf,
    tmp: PathBuf,
    file: Arc<dyn DiskFile>,
    offset: u64,
    unsynced: u64,
    in_place: bool,
}

impl Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Makes the file durable, gives it its name, and removes what is older than needed.
    fn put_in_place(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.disk.rename(&self.tmp, &self.path)?;
        self.in_place = true;
        self.disk.sync_dir(&self.dir)?;
        let mut good = 0;
        for listed in list(self.disk.as_ref(), &self.dir)? {
            if good >= self.keep {
                self.disk.remove(&self.dir.join(file_name(listed.id)))?;
            }
            good += usize::from(listed.file.is_ok());
        }
        self.disk.sync_dir(&self.dir)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.in_place {
            // If that fails, the next opening removes the file.
            drop(self.disk.remove(&self.tmp));
        }
    }
}

/// Writes a snapshot. Dropping it unfinished removes the file.
pub struct SnapshotWriter {
    unfinished: Unfinished,
    /// The chunk being filled, after room for its header.
    chunk: Vec<u8>,
    count: u64,
    bytes: u64,
    whole: Hasher,
}

impl SnapshotWriter {
    /// Appends bytes; a reader gets them back in chunks of another size.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.chunk.is_empty() {
                self.chunk.resize(CHUNK_HEADER_BYTES, 0);
            }
            let room = CHUNK_HEADER_BYTES + CHUNK_BYTES_MAX - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(body) = self.chunk.get(CHUNK_HEADER_BYTES..) else {
            return Ok(());
        };
        let mut crc = Hasher::new();
        crc.update(body);
        self.whole.combine(&crc);
        self.count += 1;
        self.bytes += body.len() as u64;
        let length = body.len() as u32;
        self.chunk[..4].copy_from_slice(&length.to_le_bytes());
        self.chunk[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        self.unfinished.write(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    /// Completes the snapshot: durable and in the catalogue on return.
    pub fn finish(mut self) -> io::Result<SnapshotFile> {
        self.flush()?;
        let footer = encode_footer(self.count, self.bytes, self.whole.clone().finalize());
        self.unfinished.write(&footer)?;
        self.unfinished.put_in_place()?;
        let Unfinished { disk, path, id, .. } = &self.unfinished;
        Ok(SnapshotFile::open(disk.as_ref(), path, *id)?)
    }
}

/// Takes a snapshot from a peer. Dropping it unfinished removes the file.
pub struct SnapshotReceiver {
    unfinished: Unfinished,
}

impl SnapshotReceiver {
    /// Appends the next bytes of the peer's file.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unfinished.write(bytes)
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.unfinished.offset
    }

    /// Checks every byte, then puts the snapshot into the catalogue: durable on return.
    pub fn finish(mut self) -> Result<SnapshotFile, SnapshotError> {
        let Unfinished {
            disk,
            id,
            tmp,
            path,
            ..
        } = &self.unfinished;
        let (path, id) = (path.clone(), *id);
        SnapshotFile::open(disk.as_ref(), tmp, id)?.verify()?;
        let io = |error| SnapshotError::Io {
            file: path.clone(),
            error,
        };
        self.unfinished.put_in_place().map_err(io)?;
        SnapshotFile::open(self.unfinished.disk.as_ref(), &path, id)
    }
}

/// A finished snapshot. Stays readable while it is held, even when a newer one replaces it.
#[derive(Clone)]
pub struct SnapshotFile {
    /// The last entry whose effect it contains.
    pub id: EntryId,
    /// What its writer attached.
    pub meta: Bytes,
    /// Where it is.
    pub path: PathBuf,
    /// Length of the file.
    pub bytes: u64,
    file: Arc<dyn DiskFile>,
    chunks_offset: u64,
    footer: Footer,
}

impl std::fmt::Debug for SnapshotFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("SnapshotFile")
            .field(&self.path)
            .field(&self.bytes)
            .finish()
    }
}

impl SnapshotFile {
    fn open(disk: &dyn Disk, path: &Path, id: EntryId) -> Result<SnapshotFile, SnapshotError> {
        let io = |error| SnapshotError::Io {
            file: path.to_owned(),
            error,
        };
        let damaged = |offset: u64, what: &str| SnapshotError::Damaged {
            file: path.to_owned(),
            offset,
            what: what.to_owned(),
        };
        let file = disk.open(path, OpenMode::Read).map_err(io)?;
        let bytes = file.bytes().map_err(io)?;
        let fixed = read(file.as_ref(), 0, FIXED_BYTES).map_err(io)?;
        if fixed.len() < FIXED_BYTES || fixed[..8] != MAGIC {
            return Err(damaged(0, "not a snapshot"));
        }
        let (version, meta_bytes) = (u32_at(&fixed, 8), u32_at(&fixed, 12) as usize);
        if version != VERSION {
            return Err(damaged(8, "written by another version, or damaged"));
        }
        if meta_bytes > META_BYTES_MAX {
            return Err(damaged(12, "the meta is too long"));
        }
        let header_bytes = FIXED_BYTES + meta_bytes;
        let header = read(file.as_ref(), 0, header_bytes + CRC_BYTES).map_err(io)?;
        if header.len() < header_bytes + CRC_BYTES
            || crc32fast::hash(&header[..header_bytes]) != u32_at(&header, header_bytes)
        {
            return Err(damaged(0, "the header fails its checksum"));
        }
        if (EntryId {
            term: u64_at(&header, 16),
            index: u64_at(&header, 24),
        }) != id
        {
            return Err(damaged(16, "it is a snapshot of another entry"));
        }
        let chunks_offset = (header_bytes + CRC_BYTES) as u64;
        let footer_offset = bytes.saturating_sub(FOOTER_BYTES as u64).max(chunks_offset);
        let footer = read(file.as_ref(), footer_offset, FOOTER_BYTES).map_err(io)?;
        let footer = Footer::decode(&footer)
            .ok_or_else(|| damaged(footer_offset, "the end is missing or damaged"))?;
        let meta = Bytes::copy_from_slice(&header[FIXED_BYTES..header_bytes]);
        Ok(SnapshotFile {
            id,
            meta,
            path: path.to_owned(),
            bytes,
            file,
            chunks_offset,
            footer,
        })
    }

    /// The contents, in order. Ends after the first error; without one, everything was checked.
    pub fn chunks(&self) -> Chunks {
        Chunks {
            snapshot: self.clone(),
            offset: self.chunks_offset,
            count: 0,
            bytes: 0,
            whole: Hasher::new(),
            over: false,
        }
    }

    /// Reads the contents once and forgets them.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        self.chunks().try_for_each(|chunk| chunk.map(drop))
    }

    /// Bytes of the file as they are, for a peer; returns how much was read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// The contents of a snapshot, piece by piece.
pub struct Chunks {
    snapshot: SnapshotFile,
    offset: u64,
    count: u64,
    bytes: u64,
    whole: Hasher,
    over: bool,
}

impl Chunks {
    fn step(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let file = self.snapshot.file.clone();
        let (offset, path) = (self.offset, self.snapshot.path.clone());
        let io = |error| SnapshotError::Io {
            file: path.clone(),
            error,
        };
        let damaged = |what: &str| {
            Err(SnapshotError::Damaged {
                file: path.clone(),
                offset,
                what: what.to_owned(),
            })
        };
        let header = read(file.as_ref(), offset, CHUNK_HEADER_BYTES).map_err(io)?;
        if header.len() < CHUNK_HEADER_BYTES {
            return damaged("the file ends early");
        }
        let (length, expected) = (u32_at(&header, 0) as usize, u32_at(&header, 4));
        if length == 0 {
            let found = Footer {
                count: self.count,
                bytes: self.bytes,
                crc: self.whole.clone().finalize(),
            };
            let at_end = offset + FOOTER_BYTES as u64 == self.snapshot.bytes;
            if !at_end || found != self.snapshot.footer {
                return damaged("the chunks are not those the end speaks of");
            }
            return Ok(None);
        }
        if length > CHUNK_BYTES_MAX {
            return damaged("a chunk's length is impossible");
        }
        let chunk = read(file.as_ref(), offset + CHUNK_HEADER_BYTES as u64, length).map_err(io)?;
        let mut crc = Hasher::new();
        crc.update(&chunk);
        self.whole.combine(&crc);
        if chunk.len() < length || crc.finalize() != expected {
            return damaged("a chunk fails its checksum");
        }
        self.count += 1;
        self.bytes += length as u64;
        self.offset += (CHUNK_HEADER_BYTES + length) as u64;
        Ok(Some(chunk))
    }
}

impl Iterator for Chunks {
    type Item = Result<Vec<u8>, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.step().transpose();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

fn encode_header(id: EntryId, meta: &[u8]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    header.extend_from_slice(&id.term.to_le_bytes());
    header.extend_from_slice(&id.index.to_le_bytes());
    header.extend_from_slice(meta);
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Footer {
    count: u64,
    bytes: u64,
    crc: u32,
}

impl Footer {
    fn decode(bytes: &[u8]) -> Option<Footer> {
        let whole = bytes.len() == FOOTER_BYTES
            && bytes[..4] == [0; 4]
            && bytes[4..8] == FOOTER_MAGIC
            && crc32fast::hash(&bytes[..28]) == u32_at(bytes, 28);
        whole.then(|| Footer {
            count: u64_at(bytes, 8),
            bytes: u64_at(bytes, 16),
            crc: u32_at(bytes, 24),
        })
    }
}

fn encode_footer(count: u64, bytes: u64, crc: u32) -> Vec<u8> {
    let mut footer = vec![0; 4];
    footer.extend_from_slice(&FOOTER_MAGIC);
    footer.extend_from_slice(&count.to_le_bytes());
    footer.extend_from_slice(&bytes.to_le_bytes());
    footer.extend_from_slice(&crc.to_le_bytes());
    footer.extend_from_slice(&crc32fast::hash(&footer).to_le_bytes());
    footer
}

/// Up to `length` bytes; fewer at the end of the file.
fn read(file: &dyn DiskFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, offset)?;
    bytes.truncate(read);
    Ok(bytes)
}
