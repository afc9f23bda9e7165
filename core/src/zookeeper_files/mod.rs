//! The files of Apache ZooKeeper 3.4 to 3.9: snapshots and transaction logs, read and written.
//!
//! What lives here: the formats as streams over `std::io::Read` and `Write` ([`SnapshotReader`],
//! [`SnapshotWriter`], [`LogReader`]), compression around them, what they make of a
//! [`Tree`](crate::tree::Tree) and back ([`read_snapshot`], [`write_snapshot`]), and which files of
//! a directory count, in which order ([`read_directory`]). What does not: our own files, and when
//! any of this happens.
//!
//! Nothing is read or written whole: a reader holds one znode or one transaction, and the tree it
//! builds. A length is believed only as far as bytes come. Bytes that are not what they should be
//! are an error with the offset in the uncompressed stream, never a panic.
//!
//! Specification: reference/file-formats.md; of snappy-java's container, what it writes.

mod compression;
mod directory;
mod dump;
mod input;
mod log;
mod output;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

use std::io;
use std::path::PathBuf;

pub use compression::Compression;
pub use directory::{Loaded, Options, Progress, read_directory};
pub use dump::{Dumped, Format, Restored, read_snapshot, session_password, write_snapshot};
pub use log::LogReader;
pub use snapshot::{DigestStamp, SnapshotReader, SnapshotWriter, StoredZnode, Trailer};
pub use transaction::{Transaction, TransactionDigest};

/// The longest string, buffer or transaction that is read, bytes. ZooKeeper's own limit is
/// jute.maxbuffer, 1 MiB unless somebody raised it.
pub const BUFFER_BYTES_MAX: usize = 256 << 20;

/// Why bytes cannot be read as what they should be.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The reader failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The bytes are wrong.
    #[error("damaged at byte {offset}: {what}")]
    Damaged {
        /// Where, in the uncompressed stream.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
}

impl FormatError {
    fn damaged(offset: u64, what: impl Into<String>) -> FormatError {
        FormatError::Damaged {
            offset,
            what: what.into(),
        }
    }
}

/// Why a directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The operating system refused something.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{file}: {error}")]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        error: FormatError,
    },
    /// The directory as a whole is not what it should be.
    #[error("{dir}: {what}")]
    Directory {
        /// Which.
        dir: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
}
