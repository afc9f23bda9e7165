//! Bytes on disks: the durable log, snapshot files, and the identity of a data directory.
//!
//! What lives here: [`Log`] (entries, vote, truncation and purge in one stream of segments),
//! [`Snapshots`], [`DataDir`] and [`Identity`], all over the seam [`Disk`]. What does not: any
//! knowledge of what the bytes mean. This room knows no tree, no consensus, no async runtime; it
//! has one thread, `zoowarden-log`, owned and joined by [`Log`].
//!
//! ```text
//!   <data>/lock       held by the running server        directory.rs
//!   <data>/identity   who this server is                directory.rs
//!   <log>/log.*       segments of the stream            segment.rs record.rs log.rs queue.rs
//!   <log>/free.*      segments between two lives        writer.rs recovery.rs reader.rs index.rs
//!   <snap>/snapshot.* snapshots                         snapshots.rs
//! ```
//!
//! Invariants:
//! * What was acknowledged is on the disk, in the order of the calls.
//! * A write that was never acknowledged may be lost at a crash; one that was is found again or
//!   reported as damaged, never dropped silently.
//! * No operation is repeated after a failed sync.

#[cfg(test)]
mod crash_test;
mod directory;
mod disk;
mod index;
mod log;
#[cfg(test)]
mod log_test;
mod memory_disk;
mod queue;
mod reader;
mod record;
mod recovery;
mod segment;
#[cfg(any(test, feature = "simulation"))]
mod sim_disk;
mod snapshots;
#[cfg(test)]
mod snapshots_test;
mod writer;

pub use directory::{DataDir, Identity, IdentityError, LockError, Standing};
pub use disk::{Disk, DiskFile, Holding, OpenMode, RealDisk, is_out_of_space};
pub use log::{
    Cut, Done, Entry, EntryId, Log, LogOptions, LogState, LogStats, OpenError, PAYLOAD_BYTES_MAX,
    Recovered, Space, VOTE_BYTES_MAX,
};
pub use memory_disk::MemoryDisk;
#[cfg(any(test, feature = "simulation"))]
pub use sim_disk::SimDisk;
pub use snapshots::{
    CHUNK_BYTES_MAX, Chunks, Listed, META_BYTES_MAX, SnapshotError, SnapshotFile, SnapshotReceiver,
    SnapshotWriter, Snapshots,
};
