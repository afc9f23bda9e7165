//! Who belongs to the ensemble, as the log has it, and how that changes.
//!
//! ```text
//!  State    the leader says who the servers are: the first text of /zookeeper/config
//!  Request  reconfig, checked against the present members: becomes *pending*, without an answer
//!              │   the leader changes Raft's membership until it is the pending one
//!              ▼
//!  Settle   committed: the new text, its version, the answer, the event
//!           refused:   the answer; everything as before
//! ```
//!
//! The log decides, and it decides once: what is wanted stands in the replicated state before any
//! membership changes, and becomes the present configuration only after it has. A leader that dies
//! in between leaves its successor everything it needs: the pending members here, and a membership
//! in Raft that is the old one (begin), joint (go on) or the new one already (settle). A leader
//! that has begun never refuses; so what is refused has changed nothing.
//!
//! State and Settle name the term of the leader that decided on them. Drafts are sent again until
//! they are done, so one may arrive under a later leader, who may know better: it has no effect.
//!
//! Invariants: at most one reconfig is pending. `/zookeeper/config` shows the members of
//! [`Configuration`] unless a superuser wrote something else into it; what counts is kept apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::proto::{
    Code, ConnectionId, EventKind, Id, Malformed, Member, OpCode, Reader, Reply, Request, Role,
    ServerId, SessionId, Stat, Writer, Zxid, config_text, server_line,
};
use crate::session::Origin;
use crate::tree::apply::{Answering, Applied, Change};
use crate::tree::authorization::permit;
use crate::tree::{Rules, Tracing, Tree};

/// The znode that tells clients who the servers are.
pub const CONFIG_PATH: &str = "/zookeeper/config";

/// Servers of one ensemble: as many as there are ids.
const MEMBERS_MAX: usize = 256;

/// The members of the ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Every server; empty for a server that is alone.
    pub members: BTreeMap<ServerId, Member>,
    /// The zxid at which they came into force; 0 before that.
    pub version: Zxid,
    /// A reconfig made them what they are: configuration files count no longer.
    pub is_reconfigured: bool,
    /// What a reconfig wants them to be.
    pub pending: Option<Pending>,
}

/// A reconfig under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The zxid at which it was accepted: its name.
    pub id: Zxid,
    /// Every server afterwards.
    pub members: BTreeMap<ServerId, Member>,
    /// Who wants it, and hears of the outcome.
    pub asker: Asker,
}

/// Who has asked for a reconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Where the answer goes.
    pub origin: Origin,
    /// The session it came by.
    pub session: SessionId,
    /// Who its connection was.
    pub identities: Vec<Id>,
}

impl Asker {
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(self.origin.server.0);
        w.u64(self.origin.connection.0);
        w.i64(self.session.0);
        w.length(self.identities.len());
        for identity in &self.identities {
            identity.encode(w);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Asker, Malformed> {
        Ok(Asker {
            origin: Origin {
                server: ServerId(r.u8()?),
                connection: ConnectionId(r.u64()?),
            },
            session: SessionId(r.i64()?),
            identities: r.vector(8, Id::decode)?,
        })
    }
}

/// What the client of a reconfig asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// `server.N=…` lines to add or replace.
    pub joining: Option<&'a str>,
    /// Ids to remove.
    pub leaving: Option<&'a str>,
    /// All `server.N=…` lines, instead of the two above.
    pub members: Option<&'a str>,
    /// The version it is meant for; -1 is any.
    pub version: i64,
}

/// Why a reconfig is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub code: Code,
    /// What the operator is told.
    pub why: String,
    /// ZooKeeper would take it: whoever may not change anything is told that first.
    pub is_a_limit: bool,
}

fn refuse<T>(code: Code, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        code,
        why: why.into(),
        is_a_limit: false,
    })
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Refusal> {
    refuse(Code::BadArguments, why)
}

/// The members that vote.
pub fn voters(members: &BTreeMap<ServerId, Member>) -> impl Iterator<Item = ServerId> {
    members
        .iter()
        .filter(|(_, member)| member.role == Role::Participant)
        .map(|(id, _)| *id)
}

impl Configuration {
    /// The text of `/zookeeper/config`.
    pub fn text(&self) -> String {
        config_text(&self.members, self.version)
    }

    /// A name for what is in force and what is pending: it changes with either.
    pub fn stage(&self) -> (Zxid, Option<Zxid>) {
        let pending = self.pending.as_ref();
        (self.version, pending.map(|pending| pending.id))
    }

    pub(super) fn encode(&self, w: &mut Writer<'_>) {
        w.i64(self.version.0);
        w.bool(self.is_reconfigured);
        Member::encode_all(&self.members, w);
        w.bool(self.pending.is_some());
        if let Some(pending) = &self.pending {
            w.i64(pending.id.0);
            Member::encode_all(&pending.members, w);
            pending.asker.encode(w);
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Configuration, Malformed> {
        let mut read = Configuration {
            version: Zxid(r.i64()?),
            is_reconfigured: r.bool()?,
            members: Member::decode_all(r)?,
            pending: None,
        };
        if r.bool()? {
            read.pending = Some(Pending {
                id: Zxid(r.i64()?),
                members: Member::decode_all(r)?,
                asker: Asker::decode(r)?,
            });
        }
        Ok(read)
    }

    /// What the members would be, or why not; checked in ZooKeeper's order.
    pub fn plan(
        &self,
        wish: Wish<'_>,
        voters_min: usize,
    ) -> Result<BTreeMap<ServerId, Member>, Refusal> {
        if let Some(pending) = &self.pending {
            let why = format!("the one accepted at {} is not done yet", pending.id);
            return refuse(Code::ReconfigInProgress, why);
        }
        if wish.version != -1 && wish.version != self.version.0 {
            let (asked, now) = (Zxid(wish.version), self.version);
            let why = format!("it is meant for version {asked}, which is {now} by now");
            return refuse(Code::BadVersion, why);
        }
        let members = match wish.members {
            Some(list) => all_of(list)?,
            None => self.changed_by(wish)?,
        };
        if voters(&members).count() < voters_min {
            return wrong(format!("it leaves fewer than {voters_min} participants"));
        }
        if members.len() > MEMBERS_MAX {
            return wrong(format!("more than {MEMBERS_MAX} servers"));
        }
        Ok(members)
    }

    /// Leaving ones go first, so that a server can be replaced by one with its addresses.
    fn changed_by(&self, wish: Wish<'_>) -> Result<BTreeMap<ServerId, Member>, Refusal> {
        let mut members = self.members.clone();
        for id in items(wish.leaving.unwrap_or_default(), &[',']) {
            match id.parse() {
                Ok(id) => drop(members.remove(&id)),
                // Nor is there a server of any other number.
                Err(_) if is_number(id) => {}
                Err(what) => return wrong(format!("to be removed: {id:?}: {what}")),
            }
        }
        for line in items(wish.joining.unwrap_or_default(), &[',']) {
            let (id, member) = line_of(line)?;
            if member.client_address.is_none() && member.secure_client_address.is_none() {
                return wrong(format!("server.{id} has no client port behind a ';'"));
            }
            let mut others = members.iter().filter(|(other, _)| **other != id);
            if let Some((other, _)) = others.find(|(_, other)| other.clashes(&member)) {
                return wrong(format!("server.{id} has an address of server.{other}"));
            }
            members.insert(id, member);
        }
        Ok(members)
    }
}

/// The whole list, whose lines end with commas or line ends.
fn all_of(list: &str) -> Result<BTreeMap<ServerId, Member>, Refusal> {
    let mut members = BTreeMap::new();
    for line in items(list, &[',', '\n', '\r']) {
        let key = line.split('=').next().unwrap_or_default().trim();
        if key == "version" {
            continue;
        }
        if key.starts_with("group") || key.starts_with("weight") {
            return wrong(format!("{key}: groups and weights are not supported"));
        }
        if !key.starts_with("server.") {
            return wrong(format!("{key}: expected server.N"));
        }
        let (id, member) = line_of(line)?;
        members.insert(id, member);
    }
    Ok(members)
}

/// `server.N=spec` or `N=spec`.
fn line_of(line: &str) -> Result<(ServerId, Member), Refusal> {
    let Some((key, spec)) = line.split_once('=') else {
        return wrong(format!("{line}: expected server.N=host:port:port…"));
    };
    let id = key.rsplit('.').next().unwrap_or_default().trim();
    let id = match id.parse::<ServerId>() {
        Ok(id) => id,
        Err(what) => {
            let refusal = wrong(format!("{line}: {what}"));
            return refusal.map_err(|refusal| Refusal {
                is_a_limit: is_number(id) && server_line(spec).is_ok(),
                ..refusal
            });
        }
    };
    match server_line(spec) {
        Ok(line) if line.more_addresses > 0 => {
            wrong(format!("server.{id}: one address per server is supported"))
        }
        Ok(line) => Ok((id, line.member)),
        Err(what) => wrong(format!("{line}: {what}")),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Trimmed pieces that are not empty.
fn items<'a>(list: &'a str, separators: &'a [char]) -> impl Iterator<Item = &'a str> {
    list.split(separators)
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// What a request asks for, if it is a reconfig.
pub(super) fn wish<'a>(request: &'a Request<'_>) -> Option<Wish<'a>> {
    let Request::Reconfig {
        joining,
        leaving,
        members,
        config,
    } = request
    else {
        return None;
    };
    Some(Wish {
        joining: joining.as_deref(),
        leaving: leaving.as_deref(),
        members: members.as_deref(),
        version: *config,
    })
}

impl Tree {
    /// The members of the ensemble.
    pub fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// What would become of a reconfig, as far as its arguments decide it; nothing is found about
    /// one of somebody who may not reconfigure.
    pub fn plan_reconfig(
        &self,
        request: &Request<'_>,
        rules: Rules,
        identities: &[Id],
    ) -> Result<(), Refusal> {
        let Some(wish) = wish(request) else {
            return Ok(());
        };
        let znode = self.root.find(CONFIG_PATH);
        let list = znode.map(|znode| self.acls.get(znode.acl));
        let permit = |list| permit(OpCode::Reconfig, list, identities, rules.skip_acl);
        match list.map(|list| permit(list)) {
            Some(Ok(())) => self.configuration.plan(wish, rules.voters_min()).map(drop),
            _ => Ok(()),
        }
    }

    /// Takes a reconfig for the leader to carry out, or says why not.
    pub(super) fn accept_reconfig(
        &mut self,
        change: &Change<'_>,
        origin: Origin,
        wish: Wish<'_>,
    ) -> Result<(), Code> {
        let planned = self.configuration.plan(wish, change.rules.voters_min());
        if let Err(refusal) = &planned
            && !refusal.is_a_limit
        {
            return Err(refusal.code);
        }
        let znode = self.root.find(CONFIG_PATH).ok_or(Code::NoNode)?;
        self.allow(change, znode, OpCode::Reconfig)?;
        let members = planned.map_err(|refusal| refusal.code)?;
        Arc::make_mut(&mut self.configuration).pending = Some(Pending {
            id: change.zxid,
            members,
            asker: Asker {
                origin,
                session: change.session,
                identities: change.identities.to_vec(),
            },
        });
        Ok(())
    }

    /// The leader of this term says who the servers are. Addresses alone are no reason for a new
    /// text: by their files, servers may know each other by different ones.
    pub(super) fn state_members(
        &mut self,
        term: u64,
        stamp_ms: i64,
        wanted: Tracing,
        members: &BTreeMap<ServerId, Member>,
    ) -> Applied {
        let present = &self.configuration;
        let roles = |members: &BTreeMap<ServerId, Member>| {
            let roles = members.iter().map(|(id, member)| (*id, member.role));
            roles.collect::<Vec<_>>()
        };
        let is_news = roles(&present.members) != roles(members);
        if present.is_reconfigured || present.pending.is_some() || !is_news {
            return self.nothing(Ok(Reply::Empty));
        }
        let mut change = self.begin(term, stamp_ms, wanted);
        Arc::make_mut(&mut self.configuration).members = members.clone();
        self.publish(&mut change);
        change.end(Ok(Reply::Empty))
    }

    /// The leader of this term is done with a reconfig.
    pub(super) fn settle_reconfig(
        &mut self,
        term: u64,
        stamp_ms: i64,
        wanted: Tracing,
        id: Zxid,
        outcome: Result<(), Code>,
    ) -> Applied {
        let pending = self.configuration.pending.as_ref();
        if pending.is_none_or(|pending| pending.id != id) {
            return self.nothing(Ok(Reply::Empty));
        }
        let mut change = self.begin(term, stamp_ms, wanted);
        let configuration = Arc::make_mut(&mut self.configuration);
        let Some(pending) = configuration.pending.take() else {
            return change.end(Ok(Reply::Empty));
        };
        let result = match outcome {
            Err(code) => Err(code),
            Ok(()) => {
                configuration.members = pending.members;
                configuration.is_reconfigured = true;
                let stat = self.publish(&mut change);
                let text = self.configuration.text().into_bytes();
                stat.map(|stat| Reply::Configured(text, stat))
                    .ok_or(Code::NoNode)
            }
        };
        Applied {
            answering: Answering::Earlier(Box::new(pending.asker)),
            ..change.end(result)
        }
    }

    /// Puts the members into force and their text where clients read it.
    fn publish(&mut self, change: &mut Change<'_>) -> Option<Stat> {
        let configuration = Arc::make_mut(&mut self.configuration);
        configuration.version = change.zxid;
        let text = configuration.text();
        let znode = Arc::make_mut(&mut self.root).find_mut(CONFIG_PATH)?;
        let shape = change.traces.shape(znode, &self.acls);
        let before = znode.data_bytes();
        znode.set_data(Some(text.as_bytes()));
        znode.version = -1;
        znode.mzxid = change.zxid;
        znode.mtime_ms = change.stamp_ms;
        let stat = znode.stat();
        let became = change.traces.shape(znode, &self.acls);
        change.traces.add(CONFIG_PATH, shape, became);
        let acl = self.acls.get(znode.acl);
        change.note_data(
            EventKind::DataChanged,
            CONFIG_PATH,
            acl,
            text.len(),
            znode.kind(),
        );
        self.count_data(before, text.len());
        Some(stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Draft;
    use crate::tree::stage::{Act, S1, Stage, events, set_acl};

    fn member(line: &str) -> Member {
        server_line(line).unwrap().member
    }

    fn three() -> BTreeMap<ServerId, Member> {
        let line = |id: u8| (ServerId(id), member(&format!("h{id}:1:2;3")));
        [1, 2, 3].map(line).into()
    }

    /// Three servers, and the superuser asks.
    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.identities = vec![Id::new("super", "")];
        let stated = state(&mut stage, three());
        assert_eq!(events(&stated), [(EventKind::DataChanged, CONFIG_PATH)]);
        stage
    }

    fn state(stage: &mut Stage, members: BTreeMap<ServerId, Member>) -> Applied {
        let term = stage.term;
        stage.draft(&Draft::State { term, members })
    }

    fn asking(joining: &str, leaving: &str, members: &str, config: i64) -> Act {
        let mut body = bytes::BytesMut::new();
        let w = &mut Writer::new(&mut body);
        for text in [joining, leaving, members] {
            w.text_or_null((text != "-").then_some(text));
        }
        w.i64(config);
        (OpCode::Reconfig, body.into())
    }

    fn settle(stage: &mut Stage, reconfig: Zxid, outcome: Result<(), Code>) -> Applied {
        let term = stage.term;
        stage.draft(&Draft::Settle {
            term,
            reconfig,
            outcome,
        })
    }

    /// Who asks on the stage.
    fn asker() -> Asker {
        Asker {
            origin: Stage::origin(),
            session: S1,
            identities: vec![Id::new("super", "")],
        }
    }

    fn ids(stage: &Stage) -> Vec<u8> {
        let configuration = stage.tree.configuration();
        configuration.members.keys().map(|id| id.0).collect()
    }

    #[test]
    fn the_first_text_is_the_leaders_and_looks_as_zookeepers() {
        let mut stage = Stage::new();
        stage.term = 1;
        let fresh = stage.stat(CONFIG_PATH);
        assert_eq!(
            (fresh.data_length, fresh.version, fresh.aversion),
            (0, 0, -1)
        );
        stage.term = 2;
        let stated = state(&mut stage, three());
        assert_eq!(stated.zxid, Zxid(2 << 32));
        let stat = stage.stat(CONFIG_PATH);
        assert_eq!((stat.version, stat.aversion, stat.mzxid), (-1, -1, 2 << 32));
        assert_eq!((stat.mtime, stat.czxid), (stage.now_ms, 0));
        assert_eq!(
            stage.tree.configuration().text(),
            "server.1=h1:1:2:participant;0.0.0.0:3\nserver.2=h2:1:2:participant;0.0.0.0:3\n\
             server.3=h3:1:2:participant;0.0.0.0:3\nversion=200000000"
        );
    }

    #[test]
    fn a_statement_without_news_or_of_an_earlier_leader_changes_nothing() {
        let mut stage = stage();
        let mut elsewhere = three();
        elsewhere.insert(ServerId(1), member("other:7:8;9"));
        let again = state(&mut stage, elsewhere);
        assert_eq!(
            (again.zxid, again.events.len()),
            (stage.tree.last_zxid(), 0)
        );
        let mut more = three();
        more.insert(ServerId(4), member("h4:1:2:observer;3"));
        let late = stage.draft(&Draft::State {
            term: 7,
            members: more.clone(),
        });
        assert!(late.events.is_empty());
        assert_eq!(ids(&stage), [1, 2, 3]);
        state(&mut stage, more);
        assert_eq!(ids(&stage), [1, 2, 3, 4]);
    }

    #[test]
    fn a_reconfig_is_answered_when_it_is_settled() {
        let mut stage = stage();
        let version = stage.tree.configuration().version;
        let accepted = stage.ok(&asking("server.4=h4:1:2;3", "1", "-", version.0));
        assert_eq!(accepted.answering, Answering::Nobody);
        assert_eq!(ids(&stage), [1, 2, 3], "not before it is settled");
        let other = asking("server.5=h5:1:2;3", "-", "-", -1);
        assert_eq!(stage.err(&other), Code::ReconfigInProgress);

        let settled = settle(&mut stage, accepted.zxid, Ok(()));
        assert_eq!(settled.answering, Answering::Earlier(Box::new(asker())));
        assert_eq!(events(&settled), [(EventKind::DataChanged, CONFIG_PATH)]);
        let stat = stage.stat(CONFIG_PATH);
        let text = stage.tree.configuration().text();
        assert!(
            text.ends_with(&format!("version={:x}", settled.zxid.0)),
            "{text}"
        );
        assert_eq!(
            settled.result,
            Ok(Reply::Configured(text.into_bytes(), stat))
        );
        assert_eq!((stat.mzxid, stat.version), (settled.zxid.0, -1));
        assert_eq!(ids(&stage), [2, 3, 4]);
        assert!(stage.tree.configuration().is_reconfigured);
        let stated = state(&mut stage, three());
        assert!(stated.events.is_empty(), "files count no longer");
    }

    #[test]
    fn a_refused_reconfig_leaves_everything_as_it_was() {
        let mut stage = stage();
        let before = stage.tree.configuration().clone();
        let accepted = stage.ok(&asking("-", "3", "-", -1));
        let refused = settle(&mut stage, accepted.zxid, Err(Code::NewConfigNoQuorum));
        assert_eq!(refused.result, Err(Code::NewConfigNoQuorum));
        assert_eq!(refused.answering, Answering::Earlier(Box::new(asker())));
        assert!(refused.events.is_empty());
        assert_eq!(*stage.tree.configuration(), before);
    }

    #[test]
    fn only_the_leader_of_the_term_settles_and_only_what_is_pending() {
        let mut stage = stage();
        let accepted = stage.ok(&asking("-", "3", "-", -1)).zxid;
        for (term, reconfig) in [(9, accepted), (stage.term, Zxid(1))] {
            let before = stage.tree.last_zxid();
            let outcome = Err(Code::NewConfigNoQuorum);
            let late = stage.draft(&Draft::Settle {
                term,
                reconfig,
                outcome,
            });
            assert_eq!((late.zxid, late.answering), (before, Answering::Asker));
            assert!(stage.tree.configuration().pending.is_some());
        }
        settle(&mut stage, accepted, Ok(()));
        let twice = settle(&mut stage, accepted, Err(Code::NewConfigNoQuorum));
        assert!(twice.events.is_empty());
        assert_eq!(ids(&stage), [1, 2]);
    }

    #[test]
    fn reconfig_checks_in_zookeepers_order() {
        let code = |act: &Act| stage().err(act);
        let bad = Code::BadArguments;
        assert_eq!(code(&asking("nonsense", "-", "-", 7)), Code::BadVersion);
        for joining in [
            "nonsense",
            "server.4",
            "server.4=h4",
            "server.4=h4:1:2",
            "server.x=h4:1:2;3",
            "server.300=h4:1:2;3",
            "server.4=h4:1:1;3",
            "server.4=h4:1:2|i4:1:2;3",
            "server.4=h2:1:7;8",
            "server.4=h2:7:2;8",
        ] {
            assert_eq!(code(&asking(joining, "-", "-", -1)), bad, "{joining}");
        }
        assert_eq!(code(&asking("-", "x", "-", -1)), bad);
        assert_eq!(code(&asking("-", "1,2", "-", -1)), bad, "one voter is left");
        for list in [
            "server.1=h1:1:2;3",
            "server.1=h1:1:2:observer;3,server.2=h2:1:2;3",
            "server.1=h1:1:2;3,server.2=h2:1:2;3,group.1=1:2",
            "server.1=h1:1:2;3\nserver.2=h2:1:2;3\nweight.1=2",
            "server.1=h1:1:2;3\nserver.2=h2:1:2;3\ntickTime=5",
            "",
        ] {
            assert_eq!(code(&asking("-", "-", list, -1)), bad, "{list}");
        }
        let mut stranger = stage();
        stranger.identities = vec![Id::new("ip", "127.0.0.1")];
        assert_eq!(stranger.err(&asking("nonsense", "-", "-", -1)), bad);
        let beyond = asking("server.999=h9:1:2;3", "-", "-", -1);
        assert_eq!(code(&beyond), bad);
        assert_eq!(stranger.err(&beyond), Code::NoAuth);
        let sound = asking("-", "3", "-", -1);
        assert_eq!(stranger.err(&sound), Code::NoAuth);
        let all = [crate::proto::Acl::open()];
        let mut keeper = stage();
        keeper.ok(&set_acl(CONFIG_PATH, &all, -1));
        keeper.identities = Vec::new();
        keeper.ok(&sound);
    }

    #[test]
    fn what_zookeeper_takes_is_taken() {
        let becomes = |act: &Act| {
            let mut stage = stage();
            let accepted = stage.ok(act).zxid;
            settle(&mut stage, accepted, Ok(()));
            let text = stage.tree.configuration().text();
            text.replace(":1:2:participant;0.0.0.0:3", "")
                .lines()
                .filter(|line| line.starts_with("server."))
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (act, want) in [
            (
                asking("4=h4:1:2;3", "-", "-", -1),
                "server.1=h1 server.2=h2 server.3=h3 server.4=h4",
            ),
            (
                asking("server.3=h3:1:2:observer;3", "-", "-", -1),
                "server.1=h1 server.2=h2 server.3=h3:1:2:observer;0.0.0.0:3",
            ),
            (
                asking("server.9=h1:1:2;3", " 1 , 77,999,", "-", -1),
                "server.2=h2 server.3=h3 server.9=h1",
            ),
            (
                asking(
                    "server.4=localhost:1:2;3, server.5=localhost:1:2;3",
                    "1",
                    "-",
                    -1,
                ),
                "server.2=h2 server.3=h3 server.4=localhost server.5=localhost",
            ),
            (
                asking(
                    "-",
                    "-",
                    "server.5=h5:1:2;3\nserver.1=h1:1:2;3,version=5",
                    -1,
                ),
                "server.1=h1 server.5=h5",
            ),
            (
                asking("-", "-", "-", -1),
                "server.1=h1 server.2=h2 server.3=h3",
            ),
        ] {
            assert_eq!(becomes(&act), want);
        }
    }

    #[test]
    fn a_malformed_reconfig_takes_no_zxid() {
        let mut stage = stage();
        let before = stage.tree.last_zxid();
        let (op, body) = asking("-", "3", "-", -1);
        let cut = (op, body[..body.len() - 1].to_vec());
        let refused = stage.play_as(S1, &cut);
        assert_eq!(refused.result, Err(Code::MarshallingError));
        assert_eq!((refused.zxid, stage.tree.last_zxid()), (before, before));
        assert_eq!(
            stage.err(&asking("nonsense", "-", "-", -1)),
            Code::BadArguments
        );
        assert!(
            stage.tree.last_zxid() > before,
            "one that decodes takes one"
        );
    }

    #[test]
    fn a_single_voter_is_enough_where_that_is_allowed() {
        let mut stage = stage();
        stage.rules.single_voter = true;
        stage.ok(&asking("-", "1,2", "-", -1));
    }

    #[test]
    fn a_configuration_comes_back_from_its_image() {
        let mut stage = stage();
        stage.ok(&asking("server.4=[::1]:1:2:observer;h:3", "-", "-", -1));
        let mut loader = crate::tree::image::Loader::new();
        for chunk in crate::tree::image::chunks(stage.tree.clone()) {
            loader.push(&chunk).unwrap();
        }
        let back = loader.finish().unwrap();
        assert_eq!(back.configuration(), stage.tree.configuration());
        assert_eq!(back.digest(), stage.tree.digest());
    }
}
