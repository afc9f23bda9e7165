//! openraft's own suite for storage, over our log store and state machine on the real disk.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{BasicNode, OptionalSend, Snapshot, StorageError};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::environment::SystemClock;
use crate::proto::ServerId;
use crate::raft::log_store::LogStore;
use crate::raft::proposer::Proposer;
use crate::raft::state_machine::{SnapshotBuilder, StateMachine};
use crate::raft::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::replica::{DigestSettings, Replica, RequestSettings, SessionSettings, Settings};
use crate::storage::{Log, LogOptions, RealDisk, SnapshotFile, Snapshots};
use crate::tree::{Lane, Rules, Tree};

/// Makes stores in directories of their own.
struct Fresh;

/// The state machine as peers see it: a snapshot arrives over the network, into this server's own
/// directory, before it is installed. Here it is copied.
struct Receiving {
    inner: StateMachine,
    snapshots: Arc<Snapshots>,
}

fn settings() -> Settings {
    Settings {
        rules: Rules::default(),
        digest: DigestSettings {
            enabled: true,
            super_digest: None,
            algorithm: Default::default(),
        },
        sasl: Default::default(),
        required_schemes: Vec::new(),
        sessions: SessionSettings::default(),
        requests: RequestSettings::default(),
        outbox_bytes_max: 1 << 20,
        space_is_low: Arc::default(),
        reconfig: crate::replica::Reconfig::default(),
    }
}

impl StoreBuilder<TypeConfig, LogStore, Receiving, TempDir> for Fresh {
    async fn build(&self) -> Result<(TempDir, LogStore, Receiving), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut options = LogOptions::new(7);
        options.segment_bytes = 1 << 20;
        let log = Log::open(Arc::new(RealDisk), dir.path(), options).expect("an empty log opens");
        let snapshots = Snapshots::open(Arc::new(RealDisk), dir.path(), 3);
        let snapshots = Arc::new(snapshots.expect("an empty directory opens"));
        let lane = Lane {
            server: ServerId(1),
            boot: 1,
        };
        let inner = StateMachine::new(
            Arc::new(Replica::new(settings(), Tree::new(), lane)),
            Arc::clone(&snapshots),
            Arc::new(Proposer::new(lane)),
            Arc::new(SystemClock::new()),
            None,
            watch::Sender::new(0),
        );
        let state_machine = Receiving { inner, snapshots };
        Ok((dir, LogStore::new(Arc::new(log)), state_machine))
    }
}

impl Receiving {
    fn receive(&self, sent: &SnapshotFile) -> io::Result<SnapshotFile> {
        let mut receiver = self.snapshots.receive(sent.id)?;
        let mut bytes = vec![0; usize::try_from(sent.bytes).map_err(io::Error::other)?];
        let read = sent.read_at(&mut bytes, 0)?;
        assert_eq!(read, bytes.len(), "it was cut short");
        receiver.write(&Bytes::from(bytes))?;
        receiver.finish().map_err(io::Error::other)
    }
}

type CommittedLeader = openraft::type_config::alias::CommittedLeaderIdOf<TypeConfig>;

impl RaftStateMachine<TypeConfig> for Receiving {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.inner.applied_state().await
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        self.inner.apply(entries).await
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.inner.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        let received = self.receive(&snapshot)?;
        self.inner.install_snapshot(meta, received).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<Snapshot<CommittedLeader, u64, BasicNode, SnapshotFile>>> {
        self.inner.get_current_snapshot().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_suite_for_storage_passes() {
    Suite::test_all(Fresh)
        .await
        .expect("every test of the suite passes");
}
