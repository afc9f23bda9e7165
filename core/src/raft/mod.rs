//! Consensus: the only room that knows openraft.
//!
//! What lives here: the adapters openraft asks for (log store, state machine, network), the lanes
//! that carry drafts to the leader, read indexes, and how an ensemble comes into being. What does
//! not: what a draft means, who is connected, what is on disk byte by byte.
//!
//! Everything above sees a [`Consensus`]: put drafts in, learn who leads, ask for a read index.

mod addresses;
mod bootstrap;
mod guests;
mod lanes;
mod log_store;
mod network;
mod peer;
mod proposer;
mod reconfigure;
mod rpc;
mod seed;
mod serving;
mod state_machine;
#[cfg(test)]
mod suite_test;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::linearizable_read::Linearizer;
use openraft::{Instant, ReadPolicy, ServerState, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::environment::{Clock, Net};
use crate::metrics::{Basic, Count, Metrics};
use crate::proto::{Member, ServerId, SessionId};
use crate::raft::addresses::AddressBook;
use crate::raft::lanes::Ask;
use crate::raft::log_store::LogStore;
use crate::raft::network::Network;
use crate::raft::proposer::Proposer;
use crate::raft::state_machine::StateMachine;
use crate::raft::types::{TypeConfig, entry_id};
use crate::replica::Replica;
use crate::storage::{EntryId, Log, SnapshotFile, Snapshots};
use crate::tree::{Draft, Lane, Tree};

#[cfg(test)]
pub(crate) use rpc::memberships_in;
pub use seed::{SeedError, replayed, seed};

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// Questions that may wait for the lane task.
const ASKS_MAX: usize = 1024;

/// Questions for one read index under way at once.
const QUESTIONS_MAX: usize = 5;

/// Who leads, as this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// Nobody, or nobody knows.
    Nobody,
    /// This server, in this term.
    Mine {
        /// The term.
        term: u64,
    },
    /// Another server, in this term.
    Of {
        /// The server.
        server: ServerId,
        /// The term.
        term: u64,
    },
    /// This server's Raft has stopped, for good or because its log failed.
    Stopped,
}

/// Who belongs to the ensemble, by the files of this server.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Servers that vote, with the address their peers reach them at.
    pub voters: BTreeMap<ServerId, String>,
    /// Servers that only listen.
    pub observers: BTreeMap<ServerId, String>,
    /// All of them as their `server.N` lines describe them; none for a server that is alone.
    pub lines: BTreeMap<ServerId, Member>,
}

impl Members {
    fn address(&self, server: ServerId) -> Option<&String> {
        self.voters
            .get(&server)
            .or_else(|| self.observers.get(&server))
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between a leader's heartbeats.
    pub heartbeat: Duration,
    /// Silence after which a follower asks whether to elect: between this …
    pub election_min: Duration,
    /// … and this, drawn anew each time.
    pub election_max: Duration,
    /// To open a connection to a peer.
    pub connect: Duration,
    /// To send a peer a small entry and have it on its disk; larger ones get more.
    pub append: Duration,
    /// Drafts that make no progress for this long are sent again.
    pub stall: Duration,
    /// To transfer and load a snapshot.
    pub snapshot: Duration,
}

impl Timing {
    /// For a `tickTime`: whoever runs servers far apart raises it, here as with ZooKeeper. A round
    /// trip must fit into a heartbeat, which is 75 ms at a tick of two seconds and never less.
    pub fn for_tick(tick: Duration) -> Timing {
        let scale = tick.max(Duration::from_secs(2)).div_f64(2.0).as_secs_f64();
        let scaled = |ms: u64| Duration::from_millis(ms).mul_f64(scale);
        Timing {
            heartbeat: scaled(75),
            election_min: scaled(250),
            election_max: scaled(450),
            connect: scaled(1000),
            append: scaled(1000),
            stall: scaled(1000),
            snapshot: Duration::from_secs(600),
        }
    }
}

/// What a server finds on its disk, ready to go on from.
pub struct Recovered {
    /// The tree of the newest snapshot, or a fresh one.
    pub tree: Tree,
    meta: Option<types::SnapshotMeta>,
}

impl std::fmt::Debug for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Recovered({:?})",
            self.meta.as_ref().map(|meta| meta.last_log_id)
        )
    }
}

impl Recovered {
    /// Nothing on disk: a fresh tree.
    pub fn fresh() -> Recovered {
        Recovered {
            tree: Tree::new(),
            meta: None,
        }
    }

    /// Whether there was a snapshot on disk.
    pub fn is_loaded(&self) -> bool {
        self.meta.is_some()
    }

    /// Loads a snapshot. Blocks; not for async threads.
    pub fn load(file: &SnapshotFile) -> io::Result<Recovered> {
        let restored = state_machine::load(file)?;
        Ok(Recovered {
            tree: restored.tree,
            meta: Some(restored.meta),
        })
    }
}

/// What consensus is built from.
pub struct Parts {
    /// This server.
    pub me: ServerId,
    /// Everybody, by the files of this server.
    pub members: Members,
    /// Whether a server that is not configured may follow, so that a reconfig can take it in.
    pub admits_guests: bool,
    /// The log.
    pub log: Arc<Log>,
    /// The snapshots.
    pub snapshots: Arc<Snapshots>,
    /// The replica, holding the recovered tree.
    pub replica: Arc<Replica>,
    /// What was recovered.
    pub recovered: Recovered,
    /// The network.
    pub net: Arc<dyn Net>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// How long things take.
    pub timing: Timing,
    /// Sessions heard of, by whichever server; the leader's expiry listens.
    pub touched: mpsc::UnboundedSender<Vec<SessionId>>,
}

/// What a server may be asked by its peers. One that has lost its log may have acknowledged what
/// it no longer has, so it must not vote before it has caught up; and one that does not know yet
/// whether it has lost anything must not take entries, or it would not know after a crash either.
///
/// Servers of a new ensemble start together, and one is through with its questions a moment before
/// the next: who knocks too early waits a little instead of being sent away.
#[derive(Debug)]
pub(crate) struct Gate {
    openness: watch::Sender<Openness>,
}

/// How long a peer waits at a closed [`Gate`]. Below any election timeout, so that its answer still
/// comes before it gives up.
const GATE_PATIENCE: Duration = Duration::from_millis(100);

/// How far a [`Gate`] is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Openness {
    Closed,
    Entries,
    Votes,
}

impl Gate {
    fn new() -> Gate {
        Gate {
            openness: watch::Sender::new(Openness::Closed),
        }
    }

    fn open(&self, openness: Openness) {
        self.openness.send_replace(openness);
    }

    async fn check(&self, needed: Openness) -> io::Result<()> {
        if *self.openness.borrow() >= needed {
            return Ok(());
        }
        let mut openness = self.openness.subscribe();
        let opened = openness.wait_for(|now| *now >= needed);
        match tokio::time::timeout(GATE_PATIENCE, opened).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(io::Error::other(
                "this server has not joined its ensemble yet",
            )),
        }
    }

    /// Whether entries may be appended here.
    pub(crate) async fn check_entries(&self) -> io::Result<()> {
        self.check(Openness::Entries).await
    }

    /// Whether this server may vote.
    pub(crate) async fn check_votes(&self) -> io::Result<()> {
        self.check(Openness::Votes).await
    }
}

/// One server's part in the ensemble.
pub struct Consensus {
    me: ServerId,
    files: Members,
    book: Arc<AddressBook>,
    admits_guests: bool,
    /// The operator knows that the leader does not take this server in.
    told_refusal: AtomicBool,
    /// Why peers were refused, as far as the operator knows.
    told_peers: Mutex<BTreeSet<String>>,
    replica: Arc<Replica>,
    raft: Raft,
    log: Arc<Log>,
    snapshots: Arc<Snapshots>,
    net: Arc<dyn Net>,
    clock: Arc<dyn Clock>,
    timing: Timing,
    proposer: Arc<Proposer>,
    gate: Gate,
    leadership: watch::Sender<Leadership>,
    applied: watch::Sender<u64>,
    asks: mpsc::Sender<Ask>,
    touched: mpsc::UnboundedSender<Vec<SessionId>>,
    /// When the leader last proved that it hears this server, milliseconds of the clock.
    contact_ms: AtomicU64,
    metrics: Arc<Metrics>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Consensus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consensus({})", self.me)
    }
}

fn raft_config(timing: &Timing) -> openraft::Config {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    openraft::Config {
        cluster_name: "zoowarden".into(),
        heartbeat_interval: ms(timing.heartbeat),
        election_timeout_min: ms(timing.election_min),
        election_timeout_max: ms(timing.election_max),
        install_snapshot_timeout: ms(timing.snapshot),
        // One entry holds up to a thousand requests.
        max_payload_entries: 64,
        replication_lag_threshold: u64::MAX,
        // Both by bytes, decided in `server::keeper`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // What a leader's followers have of its entries it may itself lose in a crash. In its old
        // term it would give their places to other entries.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        // Not before it is clear that this server may: see `bootstrap`.
        enable_elect: false,
        // A server that comes back with an empty disk starts from the beginning.
        allow_log_reversion: Some(true),
        ..openraft::Config::default()
    }
}

impl Consensus {
    /// Starts Raft and the tasks around it. The ensemble may not exist yet: see
    /// [`Consensus::join`].
    pub async fn start(parts: Parts) -> io::Result<Arc<Consensus>> {
        let config = raft_config(&parts.timing)
            .validate()
            .map_err(io::Error::other)?;
        let proposer = Arc::new(Proposer::new(parts.replica.lane()));
        let meta = parts.recovered.meta;
        let last_applied = meta.as_ref().and_then(|meta| meta.last_log_id);
        let applied = watch::Sender::new(last_applied.map_or(0, |id| id.index));
        let state_machine = StateMachine::new(
            Arc::clone(&parts.replica),
            Arc::clone(&parts.snapshots),
            Arc::clone(&proposer),
            Arc::clone(&parts.clock),
            meta,
            applied.clone(),
        );
        let configuration = Arc::clone(parts.replica.tree().configuration());
        let book = Arc::new(AddressBook::new(
            parts.me,
            parts.members.clone(),
            &configuration,
        ));
        let network = Network {
            me: parts.me,
            net: Arc::clone(&parts.net),
            addresses: Arc::clone(&book),
            metrics: Arc::clone(parts.replica.metrics()),
            silent: Arc::default(),
            connect: parts.timing.connect,
            append: parts.timing.append,
        };
        let log_store = LogStore::new(Arc::clone(&parts.log));
        let id = u64::from(parts.me.0);
        let raft = Raft::new(id, Arc::new(config), network, log_store, state_machine);
        let raft = raft.await.map_err(io::Error::other)?;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let metrics = Arc::clone(parts.replica.metrics());
        let consensus = Arc::new(Consensus {
            me: parts.me,
            files: parts.members,
            book,
            admits_guests: parts.admits_guests,
            told_refusal: AtomicBool::new(false),
            told_peers: Mutex::default(),
            replica: parts.replica,
            raft,
            log: parts.log,
            snapshots: parts.snapshots,
            net: parts.net,
            contact_ms: AtomicU64::new(parts.clock.monotonic_ms()),
            clock: parts.clock,
            timing: parts.timing,
            proposer,
            gate: Gate::new(),
            leadership: watch::Sender::new(Leadership::Nobody),
            applied,
            asks,
            touched: parts.touched,
            metrics,
            tasks: Mutex::new(Vec::new()),
        });
        consensus.spawn(follow_leadership(Arc::clone(&consensus)));
        consensus.spawn(lanes::run(Arc::clone(&consensus), asked));
        consensus.spawn(follow_configuration(Arc::clone(&consensus)));
        if !consensus.files.lines.is_empty() {
            consensus.spawn(Arc::clone(&consensus).stay_in_touch());
        }
        Ok(consensus)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().push(tokio::spawn(task));
    }

    /// Who leads now.
    pub fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }

    /// Tells when the leadership changes.
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    /// Puts drafts of this server into its lane: encoded, in order.
    pub fn propose(&self, drafts: Bytes, count: u32) {
        self.proposer.push(drafts, count);
    }

    /// Puts one draft of this server into its lane.
    pub fn propose_draft(&self, draft: &Draft<'_>) {
        self.proposer.push_draft(draft);
    }

    /// Reports sessions heard of to the leader, whoever it is. It is lost when nobody leads;
    /// [`Consensus::contact_ms`] reaches `sent_ms` when it was not.
    pub fn report_touched(&self, sessions: Vec<SessionId>, sent_ms: u64) {
        // A full queue means that nobody leads, or that the next report will do.
        let _ = self.asks.try_send(Ask::Touch { sessions, sent_ms });
    }

    fn touched(&self, sessions: Vec<SessionId>) {
        // Nobody listens while the server stops.
        let _ = self.touched.send(sessions);
    }

    /// When the leader last proved that it hears this server, milliseconds of the clock.
    pub fn contact_ms(&self) -> u64 {
        self.contact_ms.load(Ordering::Relaxed)
    }

    /// Waits until everything that was committed when this was called is applied here. `false`
    /// when nobody could tell where that is; asking again is safe.
    pub async fn catch_up(&self) -> bool {
        let Some(index) = self.ask_read_index().await else {
            return false;
        };
        let mut applied = self.applied.subscribe();
        applied.wait_for(|applied| *applied >= index).await.is_ok()
    }

    /// Asks again while the answer is late, and takes whichever comes first: each was asked for
    /// behind the call, and an answer that is always late would never be the right one otherwise.
    async fn ask_read_index(&self) -> Option<u64> {
        let mut answers = FuturesUnordered::new();
        for _ in 0..QUESTIONS_MAX {
            let (reached, index) = oneshot::channel();
            self.asks.send(Ask::ReadIndex(reached)).await.ok()?;
            answers.push(index);
            let first = async {
                // A question that nobody can answer is dropped, and its answer an error.
                while let Some(answer) = answers.next().await {
                    if let Ok(index) = answer {
                        return Some(index);
                    }
                }
                None
            };
            if let Ok(answer) = tokio::time::timeout(self.timing.connect, first).await {
                return answer;
            }
        }
        None
    }

    /// The leader's half of a read index: a quorum confirms that it still leads.
    async fn read_index(&self) -> Option<u64> {
        let linearizer: Linearizer<TypeConfig> = self
            .raft
            .get_read_linearizer(ReadPolicy::ReadIndex)
            .await
            .ok()?;
        Some(linearizer.read_log_id().index())
    }

    /// Whether a quorum has answered this leader lately: a deposed one must not expire anybody.
    pub fn quorum_is_fresh(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.membership_config.membership().voter_ids().count() == 1 {
            return true;
        }
        let acked = metrics.last_quorum_acked;
        acked.is_some_and(|acked| acked.elapsed() < self.timing.election_max)
    }

    fn address_of(&self, server: ServerId) -> Option<String> {
        let by_log = || {
            let membership = self.membership();
            let node = membership.get_node(&u64::from(server.0));
            node.map(|node| node.addr.clone())
        };
        self.book.address(server).or_else(by_log)
    }

    /// Whether the log is sent to a server.
    fn is_followed_by(&self, server: ServerId) -> bool {
        let metrics = self.raft.metrics();
        let membership = metrics.borrow_watched().membership_config.clone();
        let membership = membership.membership();
        membership.get_node(&u64::from(server.0)).is_some()
    }

    /// How far the log has come and how far it is applied: last index, applied index.
    pub fn indexes(&self) -> (u64, u64) {
        let last = self.log.state().last.map_or(0, |id| id.index);
        (last, *self.applied.borrow())
    }

    /// Followers and observers that this leader's log has reached.
    pub fn synced_followers(&self) -> Synced {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let committed = metrics.local_committed.map_or(0, |id| id.index);
        let voters = metrics
            .membership_config
            .membership()
            .voter_ids()
            .collect::<BTreeSet<_>>();
        let mut synced = Synced::default();
        for (server, matched) in metrics.replication.iter().flatten() {
            if *server == u64::from(self.me.0) {
                continue;
            }
            synced.learners += 1;
            if matched.is_none_or(|id| id.index < committed) {
                continue;
            }
            match voters.contains(server) {
                true => synced.followers += 1,
                false => synced.observers += 1,
            }
        }
        synced
    }

    /// Takes a snapshot of what is applied now. Comes back before it is written.
    pub async fn trigger_snapshot(&self) {
        if self.raft.trigger().snapshot().await.is_err() {
            tracing::debug!("no snapshot: raft has stopped");
        }
    }

    /// Lets go of the log up to `upto`, as far as a snapshot covers it.
    pub async fn purge(&self, upto: u64) {
        if self.raft.trigger().purge_log(upto).await.is_err() {
            tracing::debug!("no purge: raft has stopped");
        }
    }

    /// The last entry the newest snapshot covers.
    pub fn snapshot_covers(&self) -> Option<EntryId> {
        self.raft
            .metrics()
            .borrow_watched()
            .snapshot
            .as_ref()
            .map(entry_id)
    }

    /// Asks the core of Raft something, to learn that it goes round: `false` when no answer came
    /// within `limit`.
    pub async fn is_alive(&self, limit: Duration) -> bool {
        let asking = self.raft.with_raft_state(|state| *state.vote_ref());
        matches!(tokio::time::timeout(limit, asking).await, Ok(Ok(_)))
    }

    /// Tells the index of the last entry applied here, and when it changes.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Stops: leadership goes to another voter first, if this server has it.
    pub async fn stop(&self) {
        self.hand_over().await;
        self.halt().await;
    }

    /// Stops without telling the others, who elect when they miss this server.
    pub async fn halt(&self) {
        self.leadership.send_replace(Leadership::Stopped);
        if self.raft.shutdown().await.is_err() {
            tracing::debug!("raft had stopped already");
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.abort();
            // Aborted, or over.
            let _ = task.await;
        }
    }

    async fn hand_over(&self) {
        if !matches!(self.leadership(), Leadership::Mine { .. }) {
            return;
        }
        if let Some(to) = self.successor(|_| true) {
            self.hand_over_to(to).await;
        }
    }

    /// The voter with the longest log among those that will do.
    fn successor(&self, will_do: impl Fn(u64) -> bool) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let voters = membership.voter_ids().collect::<BTreeSet<_>>();
        let replication = metrics.replication.iter().flatten();
        replication
            .filter(|(id, _)| **id != u64::from(self.me.0))
            .filter(|(id, _)| voters.contains(*id) && will_do(**id))
            .max_by_key(|(_, matched)| **matched)
            .map(|(id, _)| *id)
    }

    async fn hand_over_to(&self, to: u64) {
        if self.raft.trigger().transfer_leader(to).await.is_err() {
            return;
        }
        let mut leadership = self.watch_leadership();
        let gone = leadership.wait_for(|now| matches!(now, Leadership::Of { .. }));
        if tokio::time::timeout(self.timing.election_max * 2, gone)
            .await
            .is_err()
        {
            tracing::warn!(to, "leadership was not taken over; the others will elect");
        }
    }
}

/// What a leader knows of its followers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Servers that the leader replicates to.
    pub learners: usize,
    /// Voters among them that have everything committed.
    pub followers: usize,
    /// Observers that have everything committed.
    pub observers: usize,
}

/// Keeps the addresses of the others as the log has them.
async fn follow_configuration(consensus: Arc<Consensus>) {
    let mut changes = consensus.replica.watch_configuration();
    loop {
        let configuration = Arc::clone(consensus.replica.tree().configuration());
        consensus.book.learn(&configuration);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Turns openraft's metrics into [`Leadership`].
async fn follow_leadership(consensus: Arc<Consensus>) {
    let mut metrics = consensus.raft.metrics();
    let me = u64::from(consensus.me.0);
    let mut search = Search::default();
    loop {
        let now = {
            let metrics = metrics.borrow_and_update();
            let term = metrics.current_term;
            match (&metrics.running_state, metrics.current_leader) {
                (Err(_), _) => Leadership::Stopped,
                (Ok(()), Some(leader)) if leader == me => match metrics.state {
                    ServerState::Leader => Leadership::Mine { term },
                    _ => Leadership::Nobody,
                },
                (Ok(()), Some(leader)) => match u8::try_from(leader) {
                    Ok(leader) => Leadership::Of {
                        server: ServerId(leader),
                        term,
                    },
                    Err(_) => Leadership::Nobody,
                },
                (Ok(()), None) => Leadership::Nobody,
            }
        };
        consensus.leadership.send_if_modified(|before| {
            let stopped = *before == Leadership::Stopped;
            let changed = *before != now && !stopped;
            if changed {
                *before = now;
            }
            changed
        });
        search.look(&consensus, now);
        if metrics.changed().await.is_err() {
            consensus.leadership.send_replace(Leadership::Stopped);
            return;
        }
    }
}

/// Measures how long this server is without a leader.
#[derive(Default)]
struct Search {
    since_us: Option<u64>,
}

impl Search {
    fn look(&mut self, consensus: &Consensus, now: Leadership) {
        let (metrics, clock) = (&consensus.metrics, &consensus.clock);
        match (now, self.since_us) {
            (Leadership::Nobody, None) => {
                metrics.count(Count::Looking);
                self.since_us = Some(clock.monotonic_us());
            }
            (Leadership::Mine { .. } | Leadership::Of { .. }, Some(since_us)) => {
                self.since_us = None;
                let us = clock.monotonic_us().saturating_sub(since_us);
                // Serving goes on with the leader: there is no phase between the two.
                metrics.basic(Basic::ElectionTime).observe(us);
                metrics.basic(Basic::UnavailableTime).observe(us);
                if let Leadership::Mine { .. } = now {
                    metrics.basic(Basic::LeaderUnavailableTime).observe(us);
                }
            }
            _ => {}
        }
    }
}

/// The lane of a new life of a server: behind every earlier one, known or not.
pub fn new_lane(server: ServerId, tree: &Tree, wall_ms: i64) -> Lane {
    let now = u64::try_from(wall_ms).unwrap_or(0);
    let known = tree.lane(server).map_or(0, |(boot, _)| boot + 1);
    Lane {
        server,
        boot: now.max(known),
    }
}
