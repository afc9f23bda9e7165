//! openraft's view of the replica: entries go in, snapshots come out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot};
use tokio::sync::{oneshot, watch};

use crate::environment::Clock;
use crate::metrics::{Basic, Detailed, Histogram};
use crate::raft::proposer::Proposer;
use crate::raft::types::{
    LogId, SnapshotMeta, StoredMembership, TypeConfig, entry_id, snapshot_meta, snapshot_meta_bytes,
};
use crate::replica::{Ending, LastSnapshot, Progress, Replica};
use crate::storage::{EntryId, SnapshotFile, Snapshots, is_out_of_space};
use crate::tree::{Batch, Lane, Tree, image};

/// Pause before a snapshot that found no room on the disk is tried again.
const SPACE_RETRY: Duration = Duration::from_secs(5);

/// Applies committed entries to the replica, and keeps its snapshots.
pub(crate) struct StateMachine {
    replica: Arc<Replica>,
    snapshots: Arc<Snapshots>,
    proposer: Arc<Proposer>,
    clock: Arc<dyn Clock>,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    /// The index of the last entry applied; whoever waits for a read index waits here.
    applied: watch::Sender<u64>,
}

/// A snapshot that was loaded at start, before there was a replica.
pub(crate) struct Restored {
    pub(crate) tree: Tree,
    pub(crate) meta: SnapshotMeta,
}

/// Loads a snapshot file. Blocks; not for async threads.
pub(crate) fn load(file: &SnapshotFile) -> io::Result<Restored> {
    let mut loader = image::Loader::new();
    for chunk in file.chunks() {
        loader
            .push(&chunk.map_err(io::Error::other)?)
            .map_err(invalid)?;
    }
    Ok(Restored {
        tree: loader.finish().map_err(invalid)?,
        meta: snapshot_meta(&file.meta).map_err(invalid)?,
    })
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl StateMachine {
    pub(crate) fn new(
        replica: Arc<Replica>,
        snapshots: Arc<Snapshots>,
        proposer: Arc<Proposer>,
        clock: Arc<dyn Clock>,
        restored: Option<SnapshotMeta>,
        applied: watch::Sender<u64>,
    ) -> StateMachine {
        let meta = restored.unwrap_or_default();
        StateMachine {
            replica,
            snapshots,
            proposer,
            clock,
            last_applied: meta.last_log_id,
            membership: meta.last_membership,
            applied,
        }
    }

    /// Opens a lane behind a later life of this server, if one was met. What was under way on
    /// this one is lost, so its connections end.
    fn follow_lane(&self, superseded: Option<u64>) {
        let Some(boot) = superseded else {
            return;
        };
        let lane = Lane {
            boot: boot + 1,
            ..self.replica.lane()
        };
        self.replica.set_lane(lane);
        self.proposer.open_lane(lane);
        for connection in self.replica.connections() {
            connection.end(Ending::SnapshotInstalled);
        }
    }

    /// A snapshot replaced the tree: it tells how far this server's lane has come.
    fn adopt_lane(&self) {
        let own = self.replica.lane();
        let Some((boot, number)) = self.replica.tree().lane(own.server) else {
            return;
        };
        if boot == own.boot {
            self.proposer.progress(Progress {
                done: Some(number),
                ..Progress::default()
            });
        } else if boot > own.boot {
            self.follow_lane(Some(boot));
        }
    }

    /// How long the proposals of a batch were on their way.
    fn measure(&self, batch: &Batch, executed: u64) {
        let stamp_ms = batch.stamp_ms().unwrap_or_default();
        let ms = u64::try_from(self.clock.wall_ms().saturating_sub(stamp_ms)).unwrap_or(0);
        let metrics = self.replica.metrics();
        metrics
            .detailed(Detailed::PropagationLatency)
            .observe_times(ms * 1000, executed);
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.last_applied,
            last_membership: self.membership.clone(),
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let log_id = entry.log_id;
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(batch) => {
                    let now_us = self.clock.monotonic_us();
                    let progress = self.replica.apply(*log_id.leader_id, &batch, now_us);
                    let progress = progress.map_err(invalid)?;
                    self.measure(&batch, progress.executed);
                    self.proposer.progress(progress);
                    self.follow_lane(progress.superseded);
                }
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(log_id), membership);
                }
            }
            self.last_applied = Some(log_id);
            self.applied.send_replace(log_id.index);
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            snapshots: Arc::clone(&self.snapshots),
            view: self.replica.view(),
            meta: self.meta(),
            time: Arc::clone(self.replica.metrics().basic(Basic::SnapshotTime)),
            last: Arc::clone(&self.replica.last_snapshot),
            clock: Arc::clone(&self.clock),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        let loading = tokio::task::spawn_blocking(move || load(&snapshot));
        let restored = loading.await.map_err(io::Error::other)??;
        let old = self.replica.install(restored.tree);
        drop(tokio::task::spawn_blocking(move || drop(old)));
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.applied
            .send_replace(meta.last_log_id.map_or(0, |id| id.index));
        self.adopt_lane();
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<Snapshot<CommittedLeader, u64, openraft::BasicNode, SnapshotFile>>> {
        let listed = self.snapshots.list()?;
        let Some(snapshot) = listed.into_iter().find_map(|listed| listed.file.ok()) else {
            return Ok(None);
        };
        let meta = snapshot_meta(&snapshot.meta).map_err(invalid)?;
        Ok(Some(Snapshot { meta, snapshot }))
    }
}

type CommittedLeader = openraft::type_config::alias::CommittedLeaderIdOf<TypeConfig>;

/// Writes one snapshot from a view of the tree, on a thread of its own.
pub(crate) struct SnapshotBuilder {
    snapshots: Arc<Snapshots>,
    view: Tree,
    meta: SnapshotMeta,
    time: Arc<Histogram>,
    last: Arc<LastSnapshot>,
    clock: Arc<dyn Clock>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(
        &mut self,
    ) -> io::Result<Snapshot<CommittedLeader, u64, openraft::BasicNode, SnapshotFile>> {
        // An error stops the server, and a full disk must not: the snapshot can wait, and costs
        // little memory while it does, since writes are refused.
        let begun_us = self.clock.monotonic_us();
        loop {
            match self.write_aside().await {
                Ok(snapshot) => {
                    let now_us = self.clock.monotonic_us();
                    self.time.observe(now_us.saturating_sub(begun_us));
                    let written_s = self.clock.wall_ms() / 1000;
                    self.last.note(self.view.last_zxid(), Some(written_s));
                    return Ok(Snapshot {
                        meta: self.meta.clone(),
                        snapshot,
                    });
                }
                Err(error) if is_out_of_space(&error) => {
                    tracing::error!("no room on the disk for a snapshot; it is tried again");
                    tokio::time::sleep(SPACE_RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl SnapshotBuilder {
    async fn write_aside(&self) -> io::Result<SnapshotFile> {
        let (snapshots, view) = (Arc::clone(&self.snapshots), self.view.clone());
        let meta = self.meta.clone();
        let (done, written) = oneshot::channel();
        std::thread::Builder::new()
            .name("zoowarden-snapshot".into())
            .spawn(move || drop(done.send(write(&snapshots, view, &meta))))?;
        written.await.map_err(io::Error::other)?
    }
}

/// Writes a snapshot file. Blocks.
pub(super) fn write(
    snapshots: &Snapshots,
    view: Tree,
    meta: &SnapshotMeta,
) -> io::Result<SnapshotFile> {
    let id = meta
        .last_log_id
        .as_ref()
        .map_or(EntryId { term: 0, index: 0 }, entry_id);
    let mut writer = snapshots.create(id, &snapshot_meta_bytes(meta))?;
    for chunk in image::chunks(view) {
        writer.write(&chunk)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ConnectionId, OpCode, ServerId, SessionId};
    use crate::storage::{RealDisk, SimDisk};
    use crate::tree::{Draft, Rules};

    /// Larger than a chunk of a snapshot file, so that records lie across chunks.
    fn large_tree() -> Tree {
        let lane = Lane {
            server: ServerId(1),
            boot: 1,
        };
        let (session, connection) = (SessionId(1), ConnectionId(1));
        let mut tree = Tree::new();
        let (password, timeout_ms) = ([1; 16], 1000);
        let open = Draft::Open {
            session,
            password,
            timeout_ms,
            connection,
        };
        assert!(tree.apply(1, 1, lane, 1, &open).result.is_ok());
        for number in 2..40 {
            let mut body = bytes::BytesMut::new();
            let w = &mut crate::proto::Writer::new(&mut body);
            w.text(&format!("/z{number}"));
            w.buffer(Some(&vec![7; 100_000]));
            crate::proto::Acl::encode_list(&[crate::proto::Acl::open()], w);
            w.i32(0);
            let create = Draft::Request {
                session,
                connection,
                scope: crate::session::Scope::Global,
                rules: Rules::default(),
                identities: Vec::new(),
                op: OpCode::Create,
                body: &body,
            };
            assert!(tree.apply(1, 1, lane, number, &create).result.is_ok());
        }
        tree
    }

    #[test]
    fn a_tree_comes_back_from_its_snapshot_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let snapshots = Snapshots::open(Arc::new(RealDisk), dir.path(), 2).expect("it opens");
        let tree = large_tree();
        let meta = SnapshotMeta {
            last_log_id: Some(crate::raft::types::log_id(EntryId { term: 3, index: 9 })),
            ..SnapshotMeta::default()
        };
        let file = write(&snapshots, tree.clone(), &meta).expect("it is written");
        let restored = load(&file).expect("it loads");
        assert_eq!(restored.tree.digest(), tree.digest());
        assert_eq!(restored.meta.last_log_id, meta.last_log_id);
        assert_eq!(
            snapshots.list().expect("it lists")[0].id,
            EntryId { term: 3, index: 9 }
        );
    }

    #[tokio::test]
    async fn a_builder_that_found_the_disk_full_builds_once_there_is_room() {
        let disk = Arc::new(SimDisk::new());
        let dir = std::path::Path::new("/data");
        let snapshots = Snapshots::open(disk.clone(), dir, 2).expect("it opens");
        let mut builder = SnapshotBuilder {
            snapshots: Arc::new(snapshots),
            view: Tree::new(),
            meta: SnapshotMeta::default(),
            time: Arc::default(),
            last: Arc::default(),
            clock: Arc::new(crate::environment::SystemClock::new()),
        };
        disk.set_space(Some(disk.bytes_used()));
        let full = builder.write_aside().await.expect_err("there is no room");
        assert!(is_out_of_space(&full), "{full}");
        disk.set_space(None);
        assert!(builder.build_snapshot().await.is_ok());
    }
}
