//! What a running server tells whoever operates it, as values: the HTTP endpoint of the binary and
//! the bindings print them.
//!
//! What lives here: [`Observer`] and what has no other form than a value. What does not: text, JSON,
//! HTTP. The types that four-letter words print too are theirs: [`four_letter`](super::four_letter).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::proto::{Acl, Id, ServerId, Zxid, perms};
use crate::raft::Leadership;
use crate::replica::{Ending, NotProven};
use crate::server::config::{Config, Member, Role};
use crate::server::four_letter::listing::{Dump, Watched};
use crate::server::four_letter::metrics::{Monitor, Phase};
use crate::server::four_letter::report::{
    ConnectionStatus, Environment, Mode, RunningFacts, ServerStatus, Serving,
};
use crate::server::{Shared, status};
use crate::tree::{Tree, acl};
use crate::zookeeper_files::{Format, write_snapshot};

use crate::metrics::{Basic, Count};

/// How long the core of Raft and the tree's lock may let a question wait before the server counts as
/// stuck.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long one flush of the log may take before the server counts as stuck.
const FLUSH_LIMIT: Duration = Duration::from_secs(30);

/// The shortest silence of a leader after which this server cannot say that it has one.
const CONTACT_MS_MIN: u64 = 2000;

/// Tells about one server. Cheap to clone; keeps the server's memory alive, not the server.
#[derive(Clone)]
pub struct Observer {
    shared: Arc<Shared>,
}

#[cfg(test)]
impl Observer {
    /// Who votes by Raft's membership: two sets while it is joint.
    pub(crate) fn voter_sets(&self) -> Vec<std::collections::BTreeSet<u64>> {
        self.shared.consensus.voter_sets()
    }

    /// The members as the log has them.
    pub(crate) fn configuration(&self) -> Arc<crate::tree::Configuration> {
        Arc::clone(self.shared.replica.tree().configuration())
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observer({})", self.shared.client_port())
    }
}

/// The newest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// The last change in it.
    pub zxid: Zxid,
    /// When it was written, in seconds since 1970; `None` for one of an earlier life of the server.
    pub written_s: Option<i64>,
}

/// One server's part in its ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// This server.
    pub id: ServerId,
    /// Whether it leads.
    pub is_leader: bool,
    /// Who leads, as far as this server knows.
    pub leader: Option<ServerId>,
    /// What it is doing.
    pub phase: Phase,
}

/// One check of [`Observer::live`] or [`Observer::ready`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What is wrong; `None` if nothing is.
    pub trouble: Option<String>,
}

impl Check {
    fn new(name: &'static str, trouble: Option<String>) -> Check {
        Check { name, trouble }
    }
}

/// Why somebody may not use a command that changes the server or shows all its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credential proves nothing, or its scheme is not served here.
    #[error("the credential proves nothing, or its scheme is not served here")]
    NotProven,
    /// Who it is may not do everything with the root.
    #[error(
        "an entry of the ACL of / must name who asks and give all five permissions (world:anyone \
         names nobody), or it is the super user"
    )]
    NotAllowed,
}

/// The state of one moment, as a snapshot in the format of Apache ZooKeeper 3.9. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Export {
    tree: Tree,
}

impl Export {
    /// The last change in it.
    pub fn last_zxid(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// How many bytes it has. Takes as long as writing them: not for async threads.
    ///
    /// # Errors
    /// None that a sink could have; whatever the format cannot express.
    pub fn measure(&self) -> io::Result<u64> {
        self.write(io::sink())
    }

    /// Writes it; tells how many bytes. Blocks.
    ///
    /// # Errors
    /// What `to` says.
    pub fn write(&self, to: impl io::Write) -> io::Result<u64> {
        let to = io::BufWriter::new(to);
        let dumped = write_snapshot(self.tree.clone(), Format::V3_9, to)?;
        Ok(dumped.bytes)
    }
}

impl Observer {
    pub(crate) fn new(shared: Arc<Shared>) -> Observer {
        Observer { shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Whether clients are served now.
    pub fn is_serving(&self) -> bool {
        self.shared.is_serving()
    }

    /// Whether writes are served, reads only, or nothing.
    pub fn serving(&self) -> Serving {
        status::serving(&self.shared)
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What the server is, and its most used counters.
    pub fn status(&self) -> ServerStatus {
        status::status(&self.shared, 0)
    }

    /// Everything measured and counted, under ZooKeeper's names.
    pub fn monitor(&self) -> Monitor {
        status::monitor(&self.shared, 0)
    }

    /// Milliseconds since it was started.
    pub fn uptime_ms(&self) -> u64 {
        status::uptime_ms(&self.shared)
    }

    /// Sizes of what was sent to clients: last, smallest, largest, in bytes; `None` before the
    /// first.
    pub fn response_sizes(&self) -> Option<(u64, u64, u64)> {
        self.shared.replica.metrics().response_sizes.last_min_max()
    }

    /// Flushes of the log that took longer than `fsync.warningthresholdms`.
    pub fn slow_flushes(&self) -> u64 {
        self.shared.log.stats().fsync_slow
    }

    /// What is counted under a name that `monitor` does not show alone.
    pub fn counted(&self, what: Count) -> u64 {
        self.shared.replica.metrics().counted(what)
    }

    /// Counts something that happened outside of the server: at its HTTP endpoint.
    pub fn count(&self, what: Count) {
        self.shared.replica.metrics().count(what);
    }

    /// Measures something that happened outside of the server, in microseconds.
    pub fn measure(&self, what: Basic, us: u64) {
        self.shared.replica.metrics().basic(what).observe(us);
    }

    /// The clients' connections, oldest first.
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        status::connections(&self.shared)
    }

    /// Directories and their sizes. Reads the disk: not for async threads.
    pub fn facts(&self) -> RunningFacts {
        let _turn = self.shared.console.long_answer();
        status::facts(&self.shared)
    }

    /// The process and its machine.
    pub fn environment(&self) -> Environment {
        status::environment()
    }

    /// Who watches what. As long as there are watches, and made for one asker at a time: not for
    /// async threads.
    pub fn watched(&self) -> Watched {
        let _turn = self.shared.console.long_answer();
        status::watched(&self.shared)
    }

    /// Sessions, when they end, and their ephemerals. As long as there are sessions, and made for
    /// one asker at a time: not for async threads.
    pub fn dump(&self) -> Dump {
        let _turn = self.shared.console.long_answer();
        status::dump(&self.shared, None)
    }

    /// ZooKeeper's digests of recent states, at every 128th zxid, oldest first.
    pub fn digests(&self) -> Vec<(Zxid, u64)> {
        self.shared.replica.digests()
    }

    /// The newest snapshot.
    pub fn last_snapshot(&self) -> Option<SnapshotStatus> {
        let known = self.shared.replica.last_snapshot.get();
        known.map(|(zxid, written_s)| SnapshotStatus { zxid, written_s })
    }

    /// Its part in its ensemble; `None` for a server alone.
    pub fn peer(&self) -> Option<PeerStatus> {
        let ensemble = self.shared.config.ensemble.as_ref()?;
        let leadership = self.shared.consensus.leadership();
        Some(PeerStatus {
            id: ensemble.my_id,
            is_leader: status::mode(&self.shared) == Mode::Leader,
            leader: match leadership {
                Leadership::Mine { .. } => Some(ensemble.my_id),
                Leadership::Of { server, .. } => Some(server),
                Leadership::Nobody | Leadership::Stopped => None,
            },
            phase: status::phase(&self.shared),
        })
    }

    /// The members that vote, in the order of their numbers; none for a server alone.
    pub fn voters(&self) -> Vec<(ServerId, Member)> {
        let configuration = Arc::clone(self.shared.replica.tree().configuration());
        let members = configuration.members.iter();
        let voters = members.filter(|(_, member)| member.role == Role::Participant);
        voters.map(|(id, member)| (*id, member.clone())).collect()
    }

    /// Observers that have everything committed, as far as a leader knows.
    pub fn synced_observers(&self) -> usize {
        self.shared.consensus.synced_followers().observers
    }

    /// The state of now, to be written as a snapshot that Apache ZooKeeper reads.
    pub fn export(&self) -> Export {
        Export {
            tree: self.shared.replica.view(),
        }
    }

    /// Who changed which znode when; `None` if that is not kept. It asks for no permission: whoever
    /// shows it must.
    pub fn history(&self) -> Option<History> {
        self.shared.records.history()
    }

    /// Counters of connections begin anew.
    pub fn reset_connections(&self) {
        status::reset_connections(&self.shared);
    }

    /// Counters and measurements of the server begin anew.
    pub fn reset_server(&self) {
        self.shared.replica.reset_counters();
    }

    /// The trace mask, which is kept for tools that set it and changes nothing.
    pub fn trace_mask(&self) -> i64 {
        self.shared.console.trace_mask()
    }

    /// Keeps another trace mask.
    pub fn set_trace_mask(&self, mask: i64) {
        self.shared.console.set_trace_mask(mask);
    }

    /// Closes a share of the clients' connections, evenly spread over all of them; their clients
    /// connect elsewhere. Tells how many.
    pub fn shed_connections(&self, percentage: u8) -> usize {
        let percentage = usize::from(percentage.min(100));
        let mut shed = 0;
        for (i, connection) in self.shared.replica.connections().iter().enumerate() {
            // The first n of them hold n * percentage / 100 that go.
            if (i + 1) * percentage / 100 > shed {
                connection.end(Ending::Shed);
                shed += 1;
            }
        }
        shed
    }

    /// Who a credential, as it would stand in an `auth` packet, proves to ask, if that is somebody with
    /// every permission on the root, each of them (CVE-2025-58457), by entries that name who asks: what everybody may do to
    /// the root is no right to all data. Only who asks from `address` is believed to be there, and
    /// only by `shown`, from its certificate, who it is by the scheme `x509`.
    ///
    /// # Errors
    /// It proves nothing, or what it proves is not enough.
    pub fn authorize(
        &self,
        scheme: &str,
        auth: &[u8],
        address: IpAddr,
        shown: &[Id],
    ) -> Result<Vec<Id>, Denied> {
        let replica = &self.shared.replica;
        let mut identities = vec![Id::new("ip", &address.to_canonical().to_string())];
        match scheme {
            "x509" if shown.is_empty() => return Err(Denied::NotProven),
            "x509" => identities.extend_from_slice(shown),
            _ => {
                let proven = replica.prove(scheme, Some(auth));
                identities.extend(proven.map_err(|NotProven| Denied::NotProven)?);
            }
        }
        let is_super = identities.iter().any(|id| &*id.scheme == "super");
        if is_super || self.shared.config.skip_acl {
            return Ok(identities);
        }
        let list = replica.tree().acl("/").unwrap_or_else(|| [].into());
        let named = list.iter().filter(|acl| !acl::is_anyone(&acl.id));
        let named = named.cloned().collect::<Vec<_>>();
        let all = [
            perms::READ,
            perms::WRITE,
            perms::CREATE,
            perms::DELETE,
            perms::ADMIN,
        ];
        let allowed = all
            .into_iter()
            .all(|perm| acl::allows(&named, &identities, perm));
        // A list without entries allows everything.
        match allowed && !named.is_empty() {
            true => Ok(identities),
            false => Err(Denied::NotAllowed),
        }
    }

    /// Whether somebody may read what a znode held when its access control list was `list`: that one
    /// must allow it, and today's, if the znode is still there.
    pub fn may_read(&self, identities: &[Id], path: &str, list: &[Acl]) -> bool {
        let allows = |list: &[Acl]| acl::allows(list, identities, perms::READ);
        let today = self.shared.replica.tree().acl(path);
        self.shared.config.skip_acl || (allows(list) && today.is_none_or(|today| allows(&today)))
    }

    /// Whether the process makes progress: if not, only its end helps.
    pub async fn live(&self) -> Vec<Check> {
        let shared = &self.shared;
        let log = match (shared.log.failure(), shared.log.stats().running_micros) {
            (Some(error), _) => Some(format!("the log has failed: {error}")),
            (None, Some(us)) if u128::from(us) > FLUSH_LIMIT.as_micros() => {
                Some(format!("flushing the log has taken {} s", us / 1_000_000))
            }
            _ => None,
        };
        let stuck = |what: &str| format!("{what} has not answered for {ANSWER_LIMIT:?}");
        let raft = match shared.consensus.leadership() {
            Leadership::Stopped => Some("Raft has stopped".to_owned()),
            _ if shared.consensus.is_alive(ANSWER_LIMIT).await => None,
            _ => Some(stuck("the core of Raft")),
        };
        let asking = Arc::clone(shared);
        let looking =
            tokio::task::spawn_blocking(move || asking.replica.is_readable(ANSWER_LIMIT)).await;
        let tree = (!looking.unwrap_or(false)).then(|| stuck("the tree"));
        vec![
            Check::new("log", log),
            Check::new("raft", raft),
            Check::new("tree", tree),
        ]
    }

    /// Whether clients are served, under a leader that is known and heard of.
    pub fn ready(&self) -> Vec<Check> {
        let shared = &self.shared;
        let serving = (!self.is_serving())
            .then(|| {
            "this server has not caught up with its ensemble, is stopping, or leads with leaderServes=no"
                .to_owned()
        });
        let contact_max_ms = (2 * u64::from(shared.config.tick_ms)).max(CONTACT_MS_MIN);
        let silence_ms = shared
            .clock
            .monotonic_ms()
            .saturating_sub(shared.consensus.contact_ms());
        let leader = match shared.consensus.leadership() {
            Leadership::Nobody => Some("no leader is known".to_owned()),
            Leadership::Stopped => Some("this server has stopped".to_owned()),
            Leadership::Mine { .. } if !shared.consensus.quorum_is_fresh() => {
                Some("this leader has lost its quorum".to_owned())
            }
            Leadership::Of { server, .. } if silence_ms > contact_max_ms => Some(format!(
                "server {server}, the leader, has not been heard of for {silence_ms} ms"
            )),
            Leadership::Mine { .. } | Leadership::Of { .. } => None,
        };
        vec![Check::new("serving", serving), Check::new("leader", leader)]
    }
}
