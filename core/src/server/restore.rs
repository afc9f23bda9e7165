//! Puts a snapshot of ZooKeeper's into the place of everything, on all servers, while they run.
//!
//! What lives here: reading the snapshot ([`Replacement`]) and sending it through the log
//! ([`Observer::restore`]). What does not: what its pieces do when they are applied, see
//! `tree::replace`; who may ask for it, which is the endpoint's business.
//!
//! Nothing is sent before the whole snapshot was read and found sound. It is in force with one
//! entry of the log, so after a crash at any moment there is the old state or the new one, on every
//! server the same.

use std::io::{BufReader, Read};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::metrics::{Basic, Count};
use crate::proto::Zxid;
use crate::server::four_letter::report::Serving;
use crate::server::{Observer, Shared};
use crate::tree::{Draft, IMAGE_BYTES_MAX, Tree, ZXID_MAX, image};
use crate::zookeeper_files::{FormatError, read_snapshot};

/// Bytes of a snapshot that is read: the image made of it is about as long.
pub const SNAPSHOT_BYTES_MAX: u64 = IMAGE_BYTES_MAX;

/// Bytes of the image in one draft.
const PIECE_BYTES: usize = 128 << 10;

/// Bytes that may be on their way through the log at once.
const UNDER_WAY_BYTES_MAX: u64 = 2 << 20;

/// Chunks of the image that may wait to be cut into pieces.
const CHUNKS_MAX: usize = 2;

/// How long the log may take for some progress.
const PROGRESS_LIMIT: Duration = Duration::from_secs(30);

/// Why nothing, or not for certain, was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The bytes are no whole snapshot. Nothing was changed.
    #[error("this is no whole snapshot of ZooKeeper: {0}")]
    Damaged(#[from] FormatError),
    /// There are too few zxids left above its last one. Nothing was changed.
    #[error("the last zxid of the snapshot is {0}, and too few are left above it")]
    ZxidsSpent(Zxid),
    /// It is too long. Nothing was changed.
    #[error("the snapshot has more than the {SNAPSHOT_BYTES_MAX} bytes that can be restored")]
    TooLong,
    /// This server has no leader with a quorum. Nothing was changed.
    #[error("no leader with a quorum took the snapshot in time; nothing was changed")]
    NotAgreed,
    /// The disk of this server is nearly full. Nothing was changed.
    #[error(
        "the disk is nearly full, and the log needs room for the snapshot; nothing was changed"
    )]
    NoSpace,
    /// Another restore began, or this one was held up for too long. Nothing was changed by it.
    #[error("another restore took the place of this one, or it was held up for minutes; try again")]
    Superseded,
    /// Everything was sent, and nobody has said what came of it.
    #[error(
        "the snapshot was sent, and no leader with a quorum has answered: it is in force later or \
         never; look at the data when there is a leader again"
    )]
    Unknown,
    /// The operating system gives no random number. Nothing was changed.
    #[error("no random number: {0}")]
    Random(getrandom::Error),
}

/// Another state for all servers.
#[derive(Debug)]
pub struct Replacement {
    tree: Tree,
}

impl Replacement {
    /// Reads a snapshot as ZooKeeper 3.9 and [`Export`](super::observer::Export) write it. Blocks;
    /// needs memory for the tree.
    ///
    /// # Errors
    /// It is not whole, too long, or its zxids are spent.
    pub fn read(from: impl Read) -> Result<Replacement, RestoreError> {
        let mut limited = from.take(SNAPSHOT_BYTES_MAX);
        let read = read_snapshot(BufReader::new(&mut limited));
        let tree = match read {
            Err(_) if limited.limit() == 0 => return Err(RestoreError::TooLong),
            read => read?.tree,
        };
        let last_zxid = tree.last_zxid();
        if last_zxid > ZXID_MAX {
            return Err(RestoreError::ZxidsSpent(last_zxid));
        }
        Ok(Replacement { tree })
    }

    /// The last change in it.
    pub fn last_zxid(&self) -> Zxid {
        self.tree.last_zxid()
    }
}

impl Observer {
    /// Puts `replacement` into the place of everything on all servers of the ensemble, and gives the
    /// zxid of that. Every connection ends; sessions that it has live on. Members of the ensemble
    /// stay as they are. When it comes back this server has applied it and a quorum has it on disk.
    ///
    /// Dropping the future ends it, with nothing changed or all.
    ///
    /// # Errors
    /// See [`RestoreError`]; only [`RestoreError::Unknown`] leaves open what happens.
    pub async fn restore(&self, replacement: Replacement) -> Result<Zxid, RestoreError> {
        let begun_us = self.shared().clock.monotonic_us();
        let restored = self.send(replacement.tree).await;
        match &restored {
            Ok(_) => {
                let us = self.shared().clock.monotonic_us().saturating_sub(begun_us);
                self.measure(Basic::RestoreTime, us);
                // The log holds the old state and the whole image.
                self.shared().consensus.trigger_snapshot().await;
            }
            Err(_) => self.count(Count::RestoreErrors),
        }
        restored
    }

    async fn send(&self, tree: Tree) -> Result<Zxid, RestoreError> {
        let shared = self.shared();
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(RestoreError::Random)?;
        // 0 stands for none.
        let restore = u64::from_ne_bytes(random).max(1);
        let (sender, mut chunks) = mpsc::channel(CHUNKS_MAX);
        tokio::task::spawn_blocking(move || {
            let mut chunks = image::chunks(tree);
            // Whoever receives them may have given up.
            while chunks
                .next()
                .is_some_and(|chunk| sender.blocking_send(chunk).is_ok())
            {}
        });
        if self.serving() != Serving::ReadWrite || !catches_up(shared).await {
            return Err(RestoreError::NotAgreed);
        }
        let mut offset = 0;
        while let Some(chunk) = chunks.recv().await {
            for bytes in chunk.chunks(PIECE_BYTES) {
                let end = offset + bytes.len() as u64;
                if end > IMAGE_BYTES_MAX {
                    return Err(RestoreError::TooLong);
                }
                if shared.replica.space_is_low() {
                    return Err(RestoreError::NoSpace);
                }
                shared.consensus.propose_draft(&Draft::Piece {
                    restore,
                    offset,
                    bytes,
                });
                let arrived = end.saturating_sub(UNDER_WAY_BYTES_MAX);
                progress(shared, restore, offset, arrived).await?;
                offset = end;
            }
        }
        // A last word only when there is nothing left to refuse.
        progress(shared, restore, offset, offset).await?;
        let last = Draft::Replace {
            restore,
            bytes: offset,
        };
        shared.consensus.propose_draft(&last);
        in_force(shared, restore).await
    }
}

async fn catches_up(shared: &Shared) -> bool {
    let caught_up = timeout(PROGRESS_LIMIT, shared.consensus.catch_up()).await;
    caught_up.unwrap_or(false)
}

/// Waits until `arrived` bytes are applied here; `sent` were sent before the last piece.
async fn progress(
    shared: &Shared,
    restore: u64,
    sent: u64,
    arrived: u64,
) -> Result<(), RestoreError> {
    let waiting = async {
        let mut applied = shared.consensus.watch_applied();
        loop {
            applied.mark_unchanged();
            let bytes = shared.replica.tree().arrived_bytes(restore);
            match bytes {
                Some(bytes) if bytes >= arrived => return Ok(()),
                // Without its first pieces it would not have come this far.
                None if sent > UNDER_WAY_BYTES_MAX => return Err(RestoreError::Superseded),
                _ if applied.changed().await.is_err() => return Err(RestoreError::NotAgreed),
                _ => {}
            }
        }
    };
    if arrived == 0 {
        return Ok(());
    }
    let waited = timeout(PROGRESS_LIMIT, waiting).await;
    waited.unwrap_or(Err(RestoreError::NotAgreed))
}

/// Waits for what comes of the last word.
async fn in_force(shared: &Shared, restore: u64) -> Result<Zxid, RestoreError> {
    let waiting = async {
        let mut applied = shared.consensus.watch_applied();
        loop {
            applied.mark_unchanged();
            let (replaced, arrived) = {
                let tree = shared.replica.tree();
                (tree.replaced(), tree.arrived_bytes(restore))
            };
            match arrived {
                _ if replaced.restore == restore => return Ok(replaced.zxid),
                None => return Err(RestoreError::Superseded),
                Some(_) if applied.changed().await.is_err() => return Err(RestoreError::Unknown),
                Some(_) => {}
            }
        }
    };
    let waited = timeout(PROGRESS_LIMIT, waiting).await;
    waited.unwrap_or(Err(RestoreError::Unknown))
}
