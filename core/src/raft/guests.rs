//! Servers that follow without belonging to the configuration: those that a reconfig is to take
//! in, which must have the log before, and those that it took out, which go on serving their
//! clients as long as they run.
//!
//! ```text
//!  a server that hears of no leader ── join: my address ──▶ every server it knows
//!                                   ◀── admitted | this one does not lead | why not ──
//!  the leader drops a guest that has been silent for a while; it asks again when it comes back
//! ```
//!
//! Where servers show certificates, a guest's must be for the address that it gives.
//!
//! Only an ensemble with `reconfigEnabled` has guests: elsewhere, who is not configured is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{ChangeMembers, Instant as _};
use tokio::time::Instant;

use crate::proto::{Reader, ServerId};
use crate::raft::peer::{self, Hello, PeerReader, PeerWriter, Purpose, frame, invalid};
use crate::raft::{Consensus, Leadership};
use crate::tree::Configuration;

/// Silence after which a guest is dropped.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Time without word from a leader after which a server asks whether it is still a member.
const LONELY: Duration = Duration::from_secs(3);

/// Pause between two rounds of asking.
const ROUND: Duration = Duration::from_secs(1);

/// Servers beyond the configuration that the log is sent to.
const GUESTS_MAX: usize = 16;

const ADMITTED: u8 = 0;
const NOT_LEADING: u8 = 1;
const REFUSED: u8 = 2;

/// When the leader first saw its guests.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    since: BTreeMap<u64, Instant>,
}

impl Consensus {
    /// Asks to be taken in whenever no leader has been heard of for a while.
    pub(super) async fn stay_in_touch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(ROUND).await;
            let leads = matches!(self.leadership(), Leadership::Mine { .. });
            let silent_ms = self.clock.monotonic_ms().saturating_sub(self.contact_ms());
            if !leads && Duration::from_millis(silent_ms) > LONELY {
                self.ask_to_join().await;
            }
        }
    }

    /// Asks every server there is, once, to send this one the log.
    pub(super) async fn ask_to_join(&self) {
        let Some(mine) = self.book.address(self.me) else {
            return;
        };
        for server in self.book.servers() {
            if server == self.me {
                continue;
            }
            let asking = self.ask_one(server, &mine);
            match tokio::time::timeout(self.timing.connect, asking).await {
                Ok(Ok(Some(why))) => {
                    if !self.told_refusal.swap(true, Ordering::Relaxed) {
                        tracing::warn!(leader = server.0, %why, "this server was not taken in");
                    }
                    return;
                }
                Ok(Ok(None)) => {
                    self.told_refusal.store(false, Ordering::Relaxed);
                    return;
                }
                Ok(Err(error)) => {
                    tracing::debug!(server = server.0, %error, "no leader there");
                }
                Err(_) => {}
            }
        }
    }

    /// `None`: the leader sends the log; else why it does not.
    async fn ask_one(&self, server: ServerId, mine: &str) -> io::Result<Option<String>> {
        let address = self.book.address(server).ok_or(io::ErrorKind::NotFound)?;
        let hello = Hello {
            from: self.me,
            to: server,
            purpose: Purpose::Join,
        };
        let (mut reader, mut writer) = peer::connect(&*self.net, &address, hello).await?;
        writer.send(&frame(|w| w.text(mine))).await?;
        let answer = reader.next().await?;
        let r = &mut Reader::new(&answer);
        match r.u8().map_err(invalid)? {
            ADMITTED => Ok(None),
            REFUSED => Ok(Some(r.text().map_err(invalid)?.into_owned())),
            peer::REFUSED => Err(peer::refused(r.rest())),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Answers a server that asks to be taken in.
    pub(super) async fn answer_join(
        &self,
        from: ServerId,
        certificate: Option<&[u8]>,
        mut reader: PeerReader,
        mut writer: PeerWriter,
    ) -> io::Result<()> {
        let asked: Bytes = reader.next().await?;
        let address = Reader::new(&asked).text().map_err(invalid)?.into_owned();
        self.check_guest(from, &address, certificate)?;
        let answer = match self.leadership() {
            Leadership::Mine { .. } => self.take_in(from, address).await,
            _ => None,
        };
        let answer = frame(|w| match &answer {
            Some(Ok(())) => w.u8(ADMITTED),
            None => w.u8(NOT_LEADING),
            Some(Err(why)) => {
                w.u8(REFUSED);
                w.text(why);
            }
        });
        writer.send(&answer).await
    }

    /// `None`: not possible yet.
    async fn take_in(&self, from: ServerId, address: String) -> Option<Result<(), String>> {
        let membership = self.membership();
        let id = u64::from(from.0);
        let configuration = Arc::clone(self.replica.tree().configuration());
        let belongs = configuration.members.contains_key(&from);
        match membership.get_node(&id) {
            Some(node) if belongs || node.addr == address => return Some(Ok(())),
            Some(_) => {
                // A guest that has moved.
                let guest = BTreeSet::from([id]);
                let dropping = ChangeMembers::RemoveNodes(guest);
                self.raft.change_membership(dropping, true).await.ok()?;
            }
            None => {}
        }
        if belongs || self.files.observers.contains_key(&from) {
            return self.admit(from, address).await.then_some(Ok(()));
        }
        if !self.admits_guests {
            return Some(Err(
                "it is not in the configuration; add it with reconfig, for which the servers \
                 need reconfigEnabled=true"
                    .to_owned(),
            ));
        }
        if membership.nodes().count() >= configuration.members.len() + GUESTS_MAX {
            return Some(Err(format!(
                "{GUESTS_MAX} servers that are not in the configuration are there already"
            )));
        }
        tracing::warn!(server = from.0, %address,
            "a server that is not in the configuration follows from now on; \
             reconfig can add it");
        self.admit(from, address).await.then_some(Ok(()))
    }

    /// As leader: no longer sends the log to servers outside the configuration that are gone.
    pub(super) async fn drop_silent_guests(
        &self,
        guests: &mut Guests,
        configuration: &Configuration,
    ) {
        let silent = self.silent_guests(guests, configuration);
        if silent.is_empty() {
            return;
        }
        let dropping = ChangeMembers::RemoveNodes(silent.clone());
        match self.raft.change_membership(dropping, true).await {
            Ok(_) => tracing::warn!(servers = ?silent,
                "servers outside the configuration have been silent and are not followed any more"),
            Err(error) => tracing::debug!(%error, "silent guests are dropped later"),
        }
    }

    fn silent_guests(&self, guests: &mut Guests, configuration: &Configuration) -> BTreeSet<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let members = &configuration.members;
        let belongs =
            |id: &u64| u8::try_from(*id).is_ok_and(|id| members.contains_key(&ServerId(id)));
        let learners = metrics.membership_config.membership().learner_ids();
        let present = learners.filter(|id| !belongs(id)).collect::<BTreeSet<_>>();
        guests.since.retain(|id, _| present.contains(id));
        let heartbeats = metrics.heartbeat.as_ref();
        let silent = |id: &u64| {
            let since = guests.since.entry(*id).or_insert_with(Instant::now);
            let acked = heartbeats.and_then(|acks| acks.get(id)).copied().flatten();
            let silent = acked.map_or(since.elapsed(), |acked| acked.elapsed());
            silent.min(since.elapsed()) > SILENCE_MAX
        };
        present.into_iter().filter(silent).collect()
    }
}
