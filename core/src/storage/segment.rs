//! Segments: the files the log's stream is written into.
//!
//! What lives here: a segment's name and header, and how a file becomes a segment - newly
//! allocated or recycled from one whose entries are purged. What does not: records.
//!
//! ```text
//!   log.<ordinal, 16 hex digits>
//!   0          8         12        16         24           28
//!   | "ZWLOGSEG" | version | salt   | ordinal  | header crc | unused to 4096
//!   4096
//!   | State record | records ... | Roll record or terminator | zeros or bytes of an earlier life
//! ```
//!
//! Ordinals count from 1. The header has a block of its own: no later write touches it.
//!
//! Invariants:
//! * A file is named `log.*` only after its header is durable. So a `log.*` with a bad header is
//!   damaged, never merely unfinished; unfinished files are `free.*` and are removed at opening.
//! * The salt of a recycled file differs from every salt it had before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, OpenMode};
use super::record::{u32_at, u64_at};

/// Where the records begin: the header's block is never written again.
pub(super) const RECORDS_OFFSET: u64 = 4096;
const MAGIC: [u8; 8] = *b"ZWLOGSEG";
const VERSION: u32 = 1;
const SEGMENT_HEADER_BYTES: usize = 28;
const SEGMENT_PREFIX: &str = "log.";
const FREE_PREFIX: &str = "free.";

/// A file of the log.
pub(super) struct Segment {
    pub(super) ordinal: u64,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) salt: u32,
    /// When it was opened, everything from here on was zero.
    pub(super) data_end: u64,
}

/// Why a segment's header could not be used.
pub(super) enum HeaderError {
    Io(io::Error),
    Damaged(String),
}

impl Segment {
    /// Opens an existing segment and checks its header.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, ordinal: u64) -> Result<Segment, HeaderError> {
        let path = segment_path(dir, ordinal);
        let file = disk.open(&path, OpenMode::Write).map_err(HeaderError::Io)?;
        let data_end = file.data_end().map_err(HeaderError::Io)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(&mut header, 0).map_err(HeaderError::Io)?;
        let damaged = |what: String| Err(HeaderError::Damaged(what));
        if read < header.len() || header[..8] != MAGIC {
            return damaged("the segment header is missing".into());
        }
        if crc32fast::hash(&header[..24]) != u32_at(&header, 24) {
            return damaged("the segment header fails its checksum".into());
        }
        let (version, found) = (u32_at(&header, 8), u64_at(&header, 16));
        if version != VERSION {
            return damaged(format!(
                "format version {version}, this build reads {VERSION}"
            ));
        }
        if found != ordinal {
            return damaged(format!("the header says segment {found:016x}"));
        }
        Ok(Segment {
            ordinal,
            path,
            file,
            salt: u32_at(&header, 12),
            data_end,
        })
    }

    /// Makes a new segment of at least `bytes`, from `free` if there is one. Durable on return.
    pub(super) fn prepare(
        disk: &dyn Disk,
        dir: &Path,
        ordinal: u64,
        salt: u32,
        bytes: u64,
        free: Option<PathBuf>,
    ) -> io::Result<Segment> {
        let (unfinished, mode) = match free {
            Some(free) => (free, OpenMode::Write),
            None => (free_path(dir, ordinal), OpenMode::Create),
        };
        let file = disk.open(&unfinished, mode)?;
        if let Err(error) = file.allocate(bytes) {
            // Gives back what may have been allocated; a leftover would go at the next opening.
            drop(disk.remove(&unfinished));
            return Err(error);
        }
        file.write_at(&encode_header(ordinal, salt), 0)?;
        file.sync_data()?;
        let path = segment_path(dir, ordinal);
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(dir)?;
        Ok(Segment {
            ordinal,
            path,
            file,
            salt,
            data_end: RECORDS_OFFSET,
        })
    }

    /// Takes the segment out of the log; its file may become another segment. Durable on return.
    pub(super) fn free(&self, disk: &dyn Disk, dir: &Path) -> io::Result<PathBuf> {
        let path = free_path(dir, self.ordinal);
        disk.rename(&self.path, &path)?;
        disk.sync_dir(dir)?;
        Ok(path)
    }
}

fn encode_header(ordinal: u64, salt: u32) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&salt.to_le_bytes());
    header.extend_from_slice(&ordinal.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header
}

pub(super) fn segment_path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(format!("{SEGMENT_PREFIX}{ordinal:016x}"))
}

fn free_path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(format!("{FREE_PREFIX}{ordinal:016x}"))
}

/// The ordinals of the segments in a directory, ascending. Removes unfinished and freed files.
pub(super) fn list_segments(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u64>> {
    let mut ordinals = Vec::new();
    for name in disk.list(dir)? {
        if name.starts_with(FREE_PREFIX) {
            disk.remove(&dir.join(name))?;
        } else if let Some(digits) = name.strip_prefix(SEGMENT_PREFIX)
            && digits.len() == 16
            && let Ok(ordinal) = u64::from_str_radix(digits, 16)
        {
            ordinals.push(ordinal);
        }
    }
    ordinals.sort_unstable();
    Ok(ordinals)
}

/// The checksum seed of a segment: different for different ordinals of one opening.
pub(super) fn segment_salt(opening: u64, ordinal: u64) -> u32 {
    let folded = (opening ^ (opening >> 32)) as u32;
    // Multiplying by an odd number maps different ordinals to different salts.
    folded ^ (ordinal as u32).wrapping_mul(0x9E37_79B1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_segments_of_an_opening_share_a_salt() {
        let mut salts: Vec<u32> = (1..10_000)
            .map(|ordinal| segment_salt(5, ordinal))
            .collect();
        salts.sort_unstable();
        salts.dedup();
        assert_eq!(salts.len(), 9_999);
        assert_ne!(segment_salt(5, 1), segment_salt(6, 1));
    }
}
