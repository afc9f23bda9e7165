//! What a leader does about the members of the ensemble: says who they are, and carries out
//! reconfigs.
//!
//! ```text
//!  pending in the tree ─▶ a quorum of the new voters in step? ── no ─▶ settle: refused
//!                               │ yes, or begun already
//!                               ▼
//!                  this server's own place changes? ── yes ─▶ hand over; the successor goes on
//!                               │ no
//!                               ▼
//!        Raft: nodes and joint voters ─▶ new voters alone ─▶ settle: committed
//! ```
//!
//! What is wanted comes from the log, and so does the end; see `tree::reconfig` for why a leader
//! that dies anywhere in between leaves nothing undecided. Nothing here is remembered from one
//! leadership to the next.
//!
//! Invariants: a leader first applies everything that was committed before it, so it never takes
//! up what has been settled. It refuses only while Raft's membership is untouched.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{BasicNode, ChangeMembers, Instant as _};
use tokio::time::Instant;

use crate::proto::{Code, Member, Role, ServerId};
use crate::raft::guests::Guests;
use crate::raft::types::Membership;
use crate::raft::{Consensus, Leadership};
use crate::tree::{Configuration, Draft, Pending, voters};

/// Pause before something that was not possible yet is tried again.
const ROUND: Duration = Duration::from_millis(100);

/// Between two looks at servers that came or fell silent.
const LOOK: Duration = Duration::from_secs(1);

/// Pause between two lines about a change that waits for servers.
const WAITING: Duration = Duration::from_secs(5);

/// Attempts to hand over before a leader whose own place changes goes on itself.
const HANDOVERS_MAX: u32 = 3;

/// A Raft membership that configuration asks for.
struct Target {
    voters: BTreeSet<u64>,
    nodes: BTreeMap<u64, BasicNode>,
}

impl Target {
    fn of(members: &BTreeMap<ServerId, Member>) -> Target {
        let node = |(id, member): (&ServerId, &Member)| {
            let addr = member.quorum_address().to_string();
            (u64::from(id.0), BasicNode { addr })
        };
        Target {
            voters: voters(members).map(|id| u64::from(id.0)).collect(),
            nodes: members.iter().map(node).collect(),
        }
    }

    fn is_reached_by(&self, membership: &Membership) -> bool {
        let nodes = || self.nodes.iter();
        matches!(&membership.get_joint_config()[..], [only] if *only == self.voters)
            && nodes().all(|(id, node)| membership.get_node(id) == Some(node))
    }

    /// The one change that leads from a uniform membership to this: Raft takes it in two steps if
    /// voters change, and what has no vote any more stays as a guest.
    fn change(&self) -> ChangeMembers<u64, BasicNode> {
        ChangeMembers::Batch(vec![
            ChangeMembers::SetNodes(self.nodes.clone()),
            ChangeMembers::ReplaceAllVoters(self.voters.clone()),
        ])
    }
}

/// How an attempt to carry out a reconfig ended.
enum Attempt {
    /// Raft's membership is what was asked for.
    Done,
    /// Nothing was changed.
    Refused,
    /// It is up to another leader, or to another attempt.
    Unsettled,
}

impl Consensus {
    /// As leader of `term`: sees to the members of the ensemble until it is dropped.
    pub async fn lead_configuration(&self, term: u64) -> Infallible {
        if self.files.lines.is_empty() {
            // Alone: nobody to have in a configuration.
            return std::future::pending().await;
        }
        let mut changes = self.replica.watch_configuration();
        while !self.catch_up().await {
            tokio::time::sleep(ROUND).await;
        }
        let mut guests = Guests::default();
        loop {
            changes.mark_unchanged();
            let configuration = Arc::clone(self.replica.tree().configuration());
            if let Some(pending) = &configuration.pending {
                self.settle(term, &configuration, pending).await;
                continue;
            }
            self.state_members(term, &configuration);
            let pause = match self.admit_observers(&configuration).await {
                true => LOOK,
                false => ROUND,
            };
            self.drop_silent_guests(&mut guests, &configuration).await;
            // An error means that the replica is gone, and this task with it.
            let _ = tokio::time::timeout(pause, changes.changed()).await;
        }
    }

    /// Says who the members are, unless the log says so already.
    fn state_members(&self, term: u64, configuration: &Configuration) {
        let members = self.members_by_files();
        let roles = |members: &BTreeMap<ServerId, Member>| {
            let roles = members.iter().map(|(id, member)| (*id, member.role));
            roles.collect::<Vec<_>>()
        };
        if configuration.is_reconfigured || roles(&members) == roles(&configuration.members) {
            return;
        }
        self.propose_draft(&Draft::State { term, members });
    }

    /// Voters as Raft has them, observers as the files of this server have them.
    fn members_by_files(&self) -> BTreeMap<ServerId, Member> {
        let membership = self.membership();
        let mut members = self.files.lines.clone();
        let voters = membership.voter_ids().collect::<BTreeSet<_>>();
        members.retain(|id, line| voters.contains(&u64::from(id.0)) || line.role == Role::Observer);
        for voter in voters {
            let Ok(id) = u8::try_from(voter).map(ServerId) else {
                continue;
            };
            if let Some(line) = members.get_mut(&id) {
                line.role = Role::Participant;
            } else if let Some(node) = membership.get_node(&voter) {
                members.extend(voter_at(&node.addr).map(|line| (id, line)));
            }
        }
        members
    }

    /// Carries out what is pending and tells everybody how it ended.
    async fn settle(&self, term: u64, configuration: &Configuration, pending: &Pending) {
        tracing::warn!(reconfig = %pending.id,
            from = %describe(&configuration.members), to = %describe(&pending.members),
            "reconfig: begun");
        let outcome = match self.carry_out(configuration, pending).await {
            Attempt::Done => Ok(()),
            Attempt::Refused => Err(Code::NewConfigNoQuorum),
            Attempt::Unsettled => {
                tokio::time::sleep(ROUND).await;
                return;
            }
        };
        let reconfig = pending.id;
        self.propose_draft(&Draft::Settle {
            term,
            reconfig,
            outcome,
        });
        let mut changes = self.replica.watch_configuration();
        loop {
            changes.mark_unchanged();
            let (version, pending) = self.replica.tree().configuration().stage();
            if pending != Some(reconfig) {
                tracing::warn!(%reconfig, ?outcome, %version, "reconfig: settled");
                return;
            }
            // An error means that the replica is gone, and this task with it.
            let _ = changes.changed().await;
        }
    }

    async fn carry_out(&self, configuration: &Configuration, pending: &Pending) -> Attempt {
        let target = Target::of(&pending.members);
        let membership = self.membership();
        if target.is_reached_by(&membership) {
            return Attempt::Done;
        }
        let voters = membership.voter_ids().collect::<BTreeSet<_>>();
        let is_untouched = voters != target.voters && membership.get_joint_config().len() == 1;
        if is_untouched && let Err(lagging) = self.quorum_in_step(&target).await {
            tracing::warn!(reconfig = %pending.id, servers = %lagging,
                "reconfig: refused: no quorum of the new voters is connected and has everything \
                 that is committed; these are not");
            return Attempt::Refused;
        }
        if self.own_place_changes(configuration, pending)
            && self.hand_over_among(&target.voters).await
        {
            return Attempt::Unsettled;
        }
        self.change_membership(pending, &target, membership).await
    }

    /// Whether this leader has no vote afterwards, or is found elsewhere.
    fn own_place_changes(&self, configuration: &Configuration, pending: &Pending) -> bool {
        let place = |members: &BTreeMap<ServerId, Member>| {
            let me = members.get(&self.me);
            let voter = me.filter(|member| member.role == Role::Participant);
            voter.map(Member::quorum_address)
        };
        place(&configuration.members) != place(&pending.members)
    }

    /// Gives the leadership to a server that votes now and afterwards. `false` if there is none or
    /// none takes it: then this leader goes on, and Raft elects when it is out.
    async fn hand_over_among(&self, afterwards: &BTreeSet<u64>) -> bool {
        for _ in 0..HANDOVERS_MAX {
            let Some(to) = self.successor(|id| afterwards.contains(&id)) else {
                break;
            };
            tracing::warn!(
                to,
                "reconfig: this leader's own place changes, so it hands over"
            );
            self.hand_over_to(to).await;
            if !matches!(self.leadership(), Leadership::Mine { .. }) {
                return true;
            }
        }
        tracing::warn!("reconfig: nobody to hand over to; this leader goes on until it is out");
        false
    }

    async fn change_membership(
        &self,
        pending: &Pending,
        target: &Target,
        membership: Membership,
    ) -> Attempt {
        // A joint membership is that of this reconfig: there is one at a time.
        let change = match membership.get_joint_config().len() {
            1 => target.change(),
            _ => ChangeMembers::AddVoterIds(BTreeSet::new()),
        };
        tracing::info!(reconfig = %pending.id, ?change, "reconfig: changing the membership");
        let changing = self.raft.change_membership(change, true);
        tokio::pin!(changing);
        let changed = loop {
            match tokio::time::timeout(WAITING, &mut changing).await {
                Ok(changed) => break changed,
                Err(_) => tracing::warn!(reconfig = %pending.id,
                    servers = %self.lagging(&target.voters, self.committed()).join(", "),
                    "reconfig: waits for a quorum; these servers are not caught up"),
            }
        };
        match changed {
            Ok(changed) => match &changed.membership {
                Some(now) if target.is_reached_by(now) => Attempt::Done,
                _ => Attempt::Unsettled,
            },
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Attempt::Unsettled,
            Err(error) => {
                tracing::info!(reconfig = %pending.id, %error, "reconfig: tried again");
                Attempt::Unsettled
            }
        }
    }

    /// Who votes by Raft's membership: two sets while it is joint.
    #[cfg(test)]
    pub(crate) fn voter_sets(&self) -> Vec<BTreeSet<u64>> {
        self.membership().get_joint_config().clone()
    }

    pub(super) fn membership(&self) -> Membership {
        let metrics = self.raft.metrics();
        let membership = metrics.borrow_watched().membership_config.clone();
        membership.membership().clone()
    }

    fn committed(&self) -> u64 {
        let metrics = self.raft.metrics();
        let committed = metrics.borrow_watched().local_committed;
        committed.map_or(0, |id| id.index)
    }

    /// Waits a little until a majority of the target's voters has what is committed now; names
    /// those that have not.
    async fn quorum_in_step(&self, target: &Target) -> Result<(), String> {
        let committed = self.committed();
        let patience_ends = Instant::now() + self.timing.stall;
        loop {
            let lagging = self.lagging(&target.voters, committed);
            if (target.voters.len() - lagging.len()) * 2 > target.voters.len() {
                return Ok(());
            }
            if Instant::now() > patience_ends {
                return Err(lagging.join(", "));
            }
            tokio::time::sleep(ROUND / 5).await;
        }
    }

    /// The servers among `voters` that do not answer now, or have not got as far as `committed`.
    fn lagging(&self, voters: &BTreeSet<u64>, committed: u64) -> Vec<String> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let heartbeats = metrics.heartbeat.as_ref();
        let replication = metrics.replication.as_ref();
        let others = voters.iter().filter(|id| **id != u64::from(self.me.0));
        others
            .filter_map(|id| {
                let acked = heartbeats.and_then(|acks| acks.get(id)).copied().flatten();
                let matched = replication.and_then(|all| all.get(id)).copied().flatten();
                let index = matched.map_or(0, |matched| matched.index);
                match acked.map(|acked| acked.elapsed()) {
                    None => Some(format!("server {id} (has not answered this leader)")),
                    Some(silent) if silent > self.timing.stall => {
                        Some(format!("server {id} (silent for {silent:?})"))
                    }
                    Some(_) if index < committed => {
                        Some(format!("server {id} (at {index} of {committed} entries)"))
                    }
                    Some(_) => None,
                }
            })
            .collect()
    }

    /// Takes in the observers of the configuration; `false` if some must wait, as right after an
    /// election, when the membership before is not committed yet.
    async fn admit_observers(&self, configuration: &Configuration) -> bool {
        let membership = self.membership();
        let mut all = true;
        for (id, member) in &configuration.members {
            if membership.get_node(&u64::from(id.0)).is_some() {
                continue;
            }
            all &= self.admit(*id, member.quorum_address().to_string()).await;
        }
        all
    }

    /// Sends the log to a server that does not vote. `false` when that is not possible yet.
    pub(super) async fn admit(&self, server: ServerId, addr: String) -> bool {
        let node = BasicNode { addr };
        match self
            .raft
            .add_learner(u64::from(server.0), node, false)
            .await
        {
            Ok(_) => {
                tracing::info!(server = server.0, "the log is sent to another server now");
                true
            }
            Err(error) => {
                tracing::debug!(server = server.0, %error, "server not admitted yet");
                false
            }
        }
    }

    /// Tells the operator when the files of this server and the ensemble do not name the same
    /// servers: a `server.N` line that comes or goes changes nothing by itself.
    pub fn compare_members(&self) {
        let configuration = Arc::clone(self.replica.tree().configuration());
        let (ensemble, files) = (&configuration.members, &self.files.lines);
        let differ = match configuration.is_reconfigured {
            true => ensemble != files,
            false => !voters(ensemble).eq(voters(files)),
        };
        if !differ {
            return;
        }
        tracing::warn!(
            ensemble = %describe(ensemble), files = %describe(files),
            version = %configuration.version,
            "the server.N lines of this server are not what the log of the ensemble says; the log \
             counts, and only reconfig changes who votes (see reconfigEnabled)"
        );
    }
}

/// The line of a voter that no file knows any more: what Raft needs of it is known.
fn voter_at(address: &str) -> Option<Member> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    Some(Member {
        host: host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned(),
        quorum_port: port,
        election_port: port,
        role: Role::Participant,
        client_address: None,
        secure_client_address: None,
    })
}

/// Ids, observers in brackets.
fn describe(members: &BTreeMap<ServerId, Member>) -> String {
    let one = |(id, member): (&ServerId, &Member)| match member.role {
        Role::Participant => id.to_string(),
        Role::Observer => format!("({id})"),
    };
    members.iter().map(one).collect::<Vec<_>>().join(" ")
}
