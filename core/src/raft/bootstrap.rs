//! How a server comes to belong: it founds the ensemble together with the others, finds that it
//! belongs already, or comes back with an empty disk.
//!
//! ```text
//!  log not empty ─────────────────────────────────────────▶ member
//!  log empty, alone ──────────────────────────────────────▶ found, member
//!  log empty, voter: ask the others
//!      all are as new as this one; or, after a while,
//!      a majority is and nobody has seen a leader ────────▶ found, member
//!      somebody has seen a leader ────────────────────────▶ catch up without a vote, then member
//!  imported, alone ───────────────────────────────────────▶ member
//!  imported, voter: ask the others
//!      a majority holds the same import ──────────────────▶ member
//!      somebody belongs to another ensemble ──────────────▶ stop, and say so
//!  no vote by files and log ──────────────────────────────▶ wait for the leader
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::proto::{Reader, ServerId};
use crate::raft::peer::{self, Hello, Purpose};
use crate::raft::seed::lineage;
use crate::raft::types::first_membership;
use crate::raft::{Consensus, Leadership, Openness, rpc};
use crate::storage::Standing;

/// How long a server without a log waits for voters that do not answer before it founds an
/// ensemble without them.
const FOUNDING_PATIENCE: Duration = Duration::from_secs(3);

/// Between two times that a server without a leader asks to be sent the log.
const ASKING: Duration = Duration::from_secs(1);

/// Pause between two rounds of asking the others.
const ROUND: Duration = Duration::from_millis(100);

/// Rounds between two reminders that a server with imported data still waits for others.
const IMPORT_REMINDER_ROUNDS: u32 = 100;

/// What a server says of its ensemble.
struct Probed {
    /// What it began with; `None` when it has had no leader and holds no import.
    lineage: Option<u64>,
}

impl Consensus {
    /// Sees to it that this server belongs to the ensemble, and tells `stand` whenever its
    /// standing changes, before anything depends on it. Comes back when it is a member.
    pub async fn join(
        self: &Arc<Self>,
        standing: Standing,
        mut stand: impl FnMut(Standing) -> io::Result<()>,
    ) -> io::Result<()> {
        let has_log = self.raft.is_initialized().await.map_err(io::Error::other)?;
        let id = u64::from(self.me.0);
        let votes_by_log = self.membership().voter_ids().any(|voter| voter == id);
        if !self.files.voters.contains_key(&self.me) && !votes_by_log {
            // A reconfig may give it a vote while it runs, or gave it one that it has forgotten.
            self.gate.open(Openness::Entries);
            let observer = Arc::clone(self);
            self.spawn(async move { observer.catch_up_without_a_vote().await });
            return Ok(());
        }
        match (standing, has_log) {
            (Standing::Returning, _) => self.catch_up_without_a_vote().await,
            (Standing::Imported, _) => {
                self.meet_same_import().await?;
                self.begin_to_vote();
                self.elect_if_alone().await?;
            }
            (_, true) => {
                self.begin_to_vote();
                self.elect_if_alone().await?;
            }
            (_, false) if self.must_return().await => {
                stand(Standing::Returning)?;
                tracing::info!(
                    "the ensemble has a log, this server none: it catches up before it votes"
                );
                self.catch_up_without_a_vote().await;
            }
            (_, false) => {
                self.begin_to_vote();
                self.found().await?;
                self.elect_if_first().await?;
            }
        }
        stand(Standing::Member)
    }

    /// Nobody else can elect, so there is nothing to wait for.
    async fn elect_if_alone(&self) -> io::Result<()> {
        let id = u64::from(self.me.0);
        if self.membership().voter_ids().eq([id]) {
            self.raft
                .trigger()
                .elect(false)
                .await
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The founders start without a leader. One of them, always the same, asks for votes at once
    /// instead of waiting for an election timeout; if it is not there, the others' timeouts end.
    async fn elect_if_first(&self) -> io::Result<()> {
        if self.files.voters.keys().next() == Some(&self.me) {
            let asked = self.raft.trigger().elect(true).await;
            asked.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Every founder proposes the same first membership.
    async fn found(&self) -> io::Result<()> {
        let voters = self.files.voters.iter();
        let voters = voters
            .map(|(id, address)| (u64::from(id.0), address.clone()))
            .collect();
        match self.raft.initialize(first_membership(&voters)).await {
            Ok(()) => Ok(()),
            // A leader was faster: this server is a follower already.
            Err(_) if self.raft.is_initialized().await.map_err(io::Error::other)? => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Asks the other voters until it is clear: `true` when one of them has seen a leader, `false`
    /// when all are new, or a majority is and the rest has not answered for a while.
    ///
    /// One that does not answer may know of an ensemble that the others have forgotten; it gets
    /// its time, since a new ensemble usually starts whole.
    async fn must_return(&self) -> bool {
        let voters = self.files.voters.len();
        let patience_ends = Instant::now() + FOUNDING_PATIENCE;
        loop {
            let mut new = 1;
            let others = self.files.voters.keys();
            for server in others.filter(|server| **server != self.me) {
                match self.probe(*server).await {
                    Ok(probed) if probed.lineage.is_some() => {
                        return self.leadership() != Leadership::Stopped;
                    }
                    Ok(_) => new += 1,
                    Err(_) => {}
                }
            }
            let needed = match Instant::now() < patience_ends {
                true => voters,
                false => voters / 2 + 1,
            };
            if new >= needed || self.leadership() == Leadership::Stopped {
                return false;
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    /// Comes back when a majority of the voters is known to hold the import that this server holds.
    /// Then no leader can be elected without it: those without a log do not vote beside an
    /// ensemble that has one.
    async fn meet_same_import(&self) -> io::Result<()> {
        let own = lineage(self.last_index());
        let mut round = 0_u32;
        loop {
            let mut same = 1;
            let others = self.files.voters.keys();
            for server in others.filter(|server| **server != self.me) {
                match self.probe(*server).await.map(|probed| probed.lineage) {
                    Ok(Some(theirs)) if theirs != own => {
                        return Err(io::Error::other(format!(
                            "this server holds imported data, and server {server} belongs to an \
                             ensemble that did not begin with it. To join that one, start with an \
                             empty data directory. To begin with the import, stop all servers and \
                             import the same directory for each, with the same server.N lines"
                        )));
                    }
                    Ok(Some(_)) => same += 1,
                    Ok(None) | Err(_) => {}
                }
            }
            if same > self.files.voters.len() / 2 || self.leadership() == Leadership::Stopped {
                return Ok(());
            }
            if round % IMPORT_REMINDER_ROUNDS == IMPORT_REMINDER_ROUNDS - 1 {
                tracing::warn!(
                    same,
                    voters = self.files.voters.len(),
                    "this server waits: the ensemble begins once a majority of the voters runs \
                     with the same import"
                );
            }
            round += 1;
            tokio::time::sleep(ROUND).await;
        }
    }

    fn last_index(&self) -> u64 {
        self.log.state().last.map_or(0, |last| last.index)
    }

    /// Whether the ensemble has had a leader, as far as this server's log tells. A log with nothing
    /// but the founding entry does not count: its server is as new as one without, and waits for
    /// the votes of the others.
    pub(crate) fn is_established(&self) -> bool {
        self.last_index() > 0
    }

    /// What the ensemble of this server began with; `None` when it is not established.
    pub(crate) fn lineage(&self) -> Option<u64> {
        self.is_established().then(|| lineage(self.last_index()))
    }

    /// What another server's log tells of the ensemble.
    async fn probe(&self, server: ServerId) -> io::Result<Probed> {
        let address = self.book.address(server).ok_or(io::ErrorKind::NotFound)?;
        let hello = Hello {
            from: self.me,
            to: server,
            purpose: Purpose::Probe,
        };
        let asking = async {
            let (mut reader, _writer) = peer::connect(&*self.net, &address, hello).await?;
            reader.next().await
        };
        let answer = tokio::time::timeout(self.timing.connect, asking).await??;
        let answer = rpc::answer(&answer)?;
        let r = &mut Reader::new(&answer);
        let established = r.bool().map_err(io::Error::other)?;
        let lineage = r.u64().map_err(io::Error::other)?;
        Ok(Probed {
            lineage: established.then_some(lineage),
        })
    }

    /// Votes for others and campaigns from now on. Not before: its log may lack what this server
    /// once acknowledged, so neither its vote nor its own campaign may make a leader.
    fn begin_to_vote(&self) {
        self.gate.open(Openness::Votes);
        self.raft.runtime_config().elect(true);
    }

    async fn catch_up_without_a_vote(&self) {
        self.gate.open(Openness::Entries);
        let mut asked = None::<Instant>;
        while !self.catch_up().await {
            if self.leadership() == Leadership::Stopped {
                return;
            }
            if asked.is_none_or(|asked| asked.elapsed() > ASKING) {
                self.ask_to_join().await;
                asked = Some(Instant::now());
            }
            tokio::time::sleep(ROUND).await;
        }
        self.begin_to_vote();
        tracing::info!("caught up; this server votes again");
    }
}
