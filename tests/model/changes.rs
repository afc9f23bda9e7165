//! What a draft does to the model, and what it answers.

use zoowarden::proto::{
    Acl, Code, ConnectionId, Create, EventKind, Id, MultiOp, MultiOutcome, OpCode, Reply, Request,
    ServerId, SessionId, Stat, path as paths, perms,
};
use zoowarden::session::{Origin, Scope};
use zoowarden::tree::{Draft, Lane, Rules};

use crate::acl;
use crate::quota::Quotas;
use crate::znodes::{Kind, Model, ModelSession, ModelZnode, SYSTEM};

const TTL_MS_MAX: i64 = (1 << 40) - 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelEvent {
    pub(crate) kind: EventKind,
    pub(crate) path: String,
    pub(crate) acl: Vec<Acl>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelSessionChange {
    None,
    Opened,
    Attached {
        previous: Option<Origin>,
    },
    Closed {
        session: SessionId,
        origin: Option<Origin>,
    },
}

/// Everything an apply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) zxid: i64,
    pub(crate) result: Result<Reply<'static>, Code>,
    pub(crate) events: Vec<ModelEvent>,
    pub(crate) session: ModelSessionChange,
}

impl Outcome {
    /// Nothing has happened yet.
    fn nothing(zxid: i64) -> Outcome {
        Outcome {
            zxid,
            result: Ok(Reply::Empty),
            events: Vec::new(),
            session: ModelSessionChange::None,
        }
    }
}

/// Under which circumstances a request is carried out.
#[derive(Debug)]
struct Circumstances<'a> {
    zxid: i64,
    stamp_ms: i64,
    session: SessionId,
    scope: Scope,
    rules: Rules,
    identities: &'a [Id],
    quotas: Quotas,
}

type Events = Vec<ModelEvent>;

fn origin(server: ServerId, connection: ConnectionId) -> Option<Origin> {
    Some(Origin { server, connection })
}

impl Model {
    /// Executes a draft whose turn it is.
    pub(crate) fn apply(
        &mut self,
        term: u64,
        stamp_ms: i64,
        lane: Lane,
        number: u64,
        draft: &Draft<'_>,
    ) -> Outcome {
        self.lanes.insert(lane.server, (lane.boot, number));
        let next_zxid = (self.last_zxid + 1).max((term << 32) as i64);
        let mut outcome = Outcome::nothing(self.last_zxid);
        match draft {
            Draft::Open { .. } | Draft::Upgrade { .. } => {
                outcome.zxid = next_zxid;
                self.open(&mut outcome, lane.server, draft);
            }
            Draft::Attach { .. } => self.attach(&mut outcome, lane.server, draft),
            Draft::Request {
                scope: Scope::Local,
                ..
            }
            | Draft::Refused {
                scope: Scope::Local,
                ..
            } => {
                outcome.zxid = next_zxid;
                self.write(&mut outcome, stamp_ms, draft);
            }
            Draft::Request {
                session,
                connection,
                ..
            }
            | Draft::Refused {
                session,
                connection,
                ..
            } => match self.sessions.get(session) {
                None => outcome.result = Err(Code::SessionExpired),
                Some(known) if known.origin != origin(lane.server, *connection) => {
                    outcome.result = Err(Code::SessionMoved);
                }
                Some(_) => {
                    outcome.zxid = next_zxid;
                    self.write(&mut outcome, stamp_ms, draft);
                }
            },
            Draft::Expire { session, origin } => {
                let known = self.sessions.get(session);
                if known.is_some_and(|known| known.origin == *origin) {
                    outcome.zxid = next_zxid;
                    self.close(*session, &mut outcome);
                }
            }
            Draft::Reap { path } => {
                if self.reaps(path) {
                    outcome.zxid = next_zxid;
                    self.remove(path, next_zxid, &mut outcome.events);
                }
            }
            Draft::State { .. }
            | Draft::Settle { .. }
            | Draft::Piece { .. }
            | Draft::Replace { .. } => {
                unreachable!("members do not change, and nobody restores")
            }
        }
        self.last_zxid = outcome.zxid;
        outcome
    }

    fn open(&mut self, outcome: &mut Outcome, server: ServerId, draft: &Draft<'_>) {
        let (Draft::Open {
            session,
            password,
            timeout_ms,
            connection,
        }
        | Draft::Upgrade {
            session,
            password,
            timeout_ms,
            connection,
        }) = draft
        else {
            unreachable!("not an Open: {draft:?}");
        };
        if self.sessions.contains_key(session) {
            outcome.result = Err(Code::NodeExists);
            return;
        }
        let opened = ModelSession {
            timeout_ms: *timeout_ms,
            password: *password,
            origin: origin(server, *connection),
        };
        self.sessions.insert(*session, opened);
        outcome.session = ModelSessionChange::Opened;
    }

    fn attach(&mut self, outcome: &mut Outcome, server: ServerId, draft: &Draft<'_>) {
        let Draft::Attach {
            session,
            password,
            timeout_ms,
            connection,
        } = draft
        else {
            unreachable!("not an Attach: {draft:?}");
        };
        match self.sessions.get_mut(session) {
            None => outcome.result = Err(Code::SessionExpired),
            Some(known) if known.password != *password => outcome.result = Err(Code::AuthFailed),
            Some(known) => {
                let previous = std::mem::replace(&mut known.origin, origin(server, *connection));
                known.timeout_ms = *timeout_ms;
                outcome.session = ModelSessionChange::Attached { previous };
            }
        }
    }

    /// A request of a session that is attached where it says.
    fn write(&mut self, outcome: &mut Outcome, stamp_ms: i64, draft: &Draft<'_>) {
        let (session, scope, rules, identities, op, body) = match draft {
            Draft::Request {
                session,
                scope,
                rules,
                identities,
                op,
                body,
                ..
            } => (session, scope, rules, identities, op, body),
            Draft::Refused { code, .. } => {
                outcome.result = Err(*code);
                return;
            }
            _ => unreachable!("not a client's: {draft:?}"),
        };
        let at = Circumstances {
            zxid: outcome.zxid,
            stamp_ms,
            session: *session,
            scope: *scope,
            rules: *rules,
            identities,
            quotas: Quotas::of(self),
        };
        let events = &mut outcome.events;
        outcome.result = match Request::decode(*op, body) {
            Err(_) => Err(Code::MarshallingError),
            Ok(Request::Create(create)) => self.create_alone(&at, &create, events),
            Ok(Request::Delete { path, version }) => self
                .delete(&at, &path, version, events)
                .map(|()| Reply::Empty),
            Ok(Request::SetData {
                path,
                data,
                version,
            }) => self
                .set_data(&at, &path, data, version, events)
                .map(Reply::Stat),
            Ok(Request::SetAcl { path, acl, version }) => self
                .set_acl(&at, &path, acl.as_deref(), version)
                .map(Reply::Stat),
            Ok(Request::Multi(ops)) => self.multi(&at, &ops, events).map(Reply::Multi),
            Ok(Request::CloseSession) => {
                self.close(*session, outcome);
                Ok(Reply::Empty)
            }
            Ok(other) => unreachable!("not generated: {other:?}"),
        };
    }

    fn close(&mut self, session: SessionId, outcome: &mut Outcome) {
        let ephemerals = self.ephemerals(session).into_iter().map(str::to_owned);
        for path in ephemerals.collect::<Vec<_>>() {
            self.remove(&path, outcome.zxid, &mut outcome.events);
        }
        let origin = self
            .sessions
            .remove(&session)
            .and_then(|known| known.origin);
        outcome.session = ModelSessionChange::Closed { session, origin };
    }

    fn reaps(&self, path: &str) -> bool {
        let is_perishable = |znode: &ModelZnode| match znode.kind {
            Kind::Container | Kind::Ttl(_) => true,
            Kind::Persistent | Kind::Ephemeral(_) => false,
        };
        self.znodes.get(path).is_some_and(is_perishable) && self.children(path).is_empty()
    }

    fn multi(
        &mut self,
        at: &Circumstances<'_>,
        ops: &[MultiOp<'_>],
        events: &mut Events,
    ) -> Result<Vec<MultiOutcome>, Code> {
        // Such a request does not even decode in ZooKeeper.
        let is_undecodable = |op: &MultiOp<'_>| match op {
            MultiOp::Create(create) => {
                create.op != OpCode::CreateTtl && !matches!(create.flags, 0..=4)
            }
            _ => false,
        };
        if ops.iter().any(is_undecodable) {
            return Err(Code::MarshallingError);
        }
        let mut copy = self.clone();
        let mut outcomes = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            match copy.multi_one(at, op, events) {
                Ok(outcome) => outcomes.push(outcome),
                Err(code) => {
                    events.clear();
                    let failed = (0..ops.len()).map(|i| match i.cmp(&index) {
                        std::cmp::Ordering::Less => None,
                        std::cmp::Ordering::Equal => Some(code),
                        std::cmp::Ordering::Greater => Some(Code::RuntimeInconsistency),
                    });
                    return Ok(failed.map(MultiOutcome::Failed).collect());
                }
            }
        }
        *self = copy;
        Ok(outcomes)
    }

    fn multi_one(
        &mut self,
        at: &Circumstances<'_>,
        op: &MultiOp<'_>,
        events: &mut Events,
    ) -> Result<MultiOutcome, Code> {
        Ok(match op {
            MultiOp::Create(create) => self.create_in_multi(at, create, events)?,
            MultiOp::Delete { path, version } => {
                self.delete(at, path, *version, events)?;
                MultiOutcome::Deleted
            }
            MultiOp::SetData {
                path,
                data,
                version,
            } => MultiOutcome::Set(self.set_data(at, path, *data, *version, events)?),
            MultiOp::Check { path, version } => {
                paths::validate(path).map_err(|_| Code::BadArguments)?;
                let znode = self.znode(path)?;
                at.check_acl(&znode.acl, perms::READ)?;
                check_version(*version, znode.version)?;
                MultiOutcome::Checked
            }
        })
    }
}

impl Circumstances<'_> {
    fn check_acl(&self, list: &[Acl], perm: i32) -> Result<(), Code> {
        acl::check(list, self.identities, perm, self.rules.skip_acl)
    }

    fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), Code> {
        if self.rules.enforce_quota {
            self.quotas.check(path, count, bytes)
        } else {
            Ok(())
        }
    }

    /// The kind of znode that flags and ttl ask for.
    fn kind(&self, flags: i32, ttl: Option<i64>) -> Result<Kind, Code> {
        match (flags, ttl) {
            (5 | 6, _) if !self.rules.extended_types => Err(Code::Unimplemented),
            (5 | 6, Some(ttl @ 1..=TTL_MS_MAX)) => Ok(Kind::Ttl(ttl)),
            (0..=4, Some(0..)) | (5 | 6, _) => Err(Code::BadArguments),
            (0 | 2, _) => Ok(Kind::Persistent),
            (1 | 3, _) => Ok(Kind::Ephemeral(self.session)),
            (4, _) => Ok(Kind::Container),
            _ => Err(Code::BadArguments),
        }
    }
}

fn check_version(expected: i32, actual: i32) -> Result<(), Code> {
    if expected == -1 || expected == actual {
        Ok(())
    } else {
        Err(Code::BadVersion)
    }
}

/// What the parent of a path is called, for the paths that may have one at all.
fn parent_of(path: &str) -> Result<&str, Code> {
    match path.rfind('/') {
        Some(slash) if !path.contains('\0') => Ok(&path[..slash]),
        _ => Err(Code::BadArguments),
    }
}

/// The empty path is a name of the root in requests, but never in events.
fn named(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

impl Model {
    fn create_alone(
        &mut self,
        at: &Circumstances<'_>,
        create: &Create<'_>,
        events: &mut Events,
    ) -> Result<Reply<'static>, Code> {
        let kind = match (at.kind(create.flags, create.ttl)?, create.op) {
            (_, OpCode::CreateContainer) => Kind::Container,
            // ZooKeeper 3.8 takes it with a negative ttl, and then ends its process.
            (Kind::Persistent | Kind::Ephemeral(_) | Kind::Container, OpCode::CreateTtl) => {
                return Err(Code::BadArguments);
            }
            // Outside a multi the mode alone does not make a container.
            (Kind::Container, OpCode::Create | OpCode::Create2) => Kind::Persistent,
            (kind, _) => kind,
        };
        let (path, stat) = self.create(at, create, kind, events)?;
        Ok(match create.op {
            OpCode::Create => Reply::Created(path.into()),
            _ => Reply::CreatedWithStat(path.into(), stat),
        })
    }

    fn create_in_multi(
        &mut self,
        at: &Circumstances<'_>,
        create: &Create<'_>,
        events: &mut Events,
    ) -> Result<MultiOutcome, Code> {
        // With a mode that has no ttl, createTTL is create. The mode alone makes a container, not
        // the operation (asked of Apache ZooKeeper 3.8.0).
        let ttl = create.ttl.filter(|_| matches!(create.flags, 5 | 6));
        let kind = at.kind(create.flags, ttl)?;
        let (path, stat) = self.create(at, create, kind, events)?;
        let is_plain = matches!(create.op, OpCode::Create | OpCode::CreateTtl)
            && matches!(kind, Kind::Persistent | Kind::Ephemeral(_));
        Ok(if is_plain {
            MultiOutcome::Created(path)
        } else {
            MultiOutcome::CreatedWithStat(path, stat)
        })
    }

    fn create(
        &mut self,
        at: &Circumstances<'_>,
        create: &Create<'_>,
        kind: Kind,
        events: &mut Events,
    ) -> Result<(String, Stat), Code> {
        if at.scope == Scope::Local && matches!(create.flags, 1 | 3) {
            return Err(Code::EphemeralOnLocalSession);
        }
        let parent_path = named(parent_of(&create.path)?).to_owned();
        let list = acl::fixup(create.acl.as_deref(), at.identities)?;
        let parent = self.znode(&parent_path)?;
        at.check_acl(&parent.acl, perms::CREATE)?;
        let mut path = create.path.to_string();
        if matches!(create.flags, 2 | 3 | 6) {
            path += &format!("{:010}", parent.created);
        }
        paths::validate(&path).map_err(|_| Code::BadArguments)?;
        if self.znodes.contains_key(&path) {
            return Err(Code::NodeExists);
        }
        if matches!(parent.kind, Kind::Ephemeral(_)) {
            return Err(Code::NoChildrenForEphemerals);
        }
        let bytes = create.data.map_or(0, <[u8]>::len) as i64;
        at.check_quota(&path, 1, bytes)?;

        let parent_acl = parent.acl.clone();
        let parent = self.znodes.get_mut(&parent_path).expect("was found above");
        parent.created += 1;
        parent.pzxid = at.zxid;
        let znode = ModelZnode::new(create.data, list.clone(), kind, at.zxid, at.stamp_ms);
        self.znodes.insert(path.clone(), znode);
        let stat = self.stat(&path)?;
        self.recount_usage(&path);
        self.book_usage(&path, 1, bytes);
        push(events, EventKind::Created, &path, &list);
        push(
            events,
            EventKind::ChildrenChanged,
            &parent_path,
            &parent_acl,
        );
        Ok((path, stat))
    }

    fn delete(
        &mut self,
        at: &Circumstances<'_>,
        path: &str,
        version: i32,
        events: &mut Events,
    ) -> Result<(), Code> {
        let parent_path = parent_of(path)?;
        if SYSTEM.contains(&path) {
            return Err(Code::BadArguments);
        }
        at.check_acl(&self.znode(parent_path)?.acl, perms::DELETE)?;
        check_version(version, self.znode(path)?.version)?;
        if !self.children(path).is_empty() {
            return Err(Code::NotEmpty);
        }
        self.remove(path, at.zxid, events);
        Ok(())
    }

    /// Takes out a znode that exists and has no children.
    fn remove(&mut self, path: &str, zxid: i64, events: &mut Events) {
        let parent_path = named(&path[..path.rfind('/').expect("a znode has a parent")]);
        let znode = self.znodes.remove(path).expect("the caller saw it");
        let parent = self
            .znodes
            .get_mut(parent_path)
            .expect("a znode has a parent");
        parent.pzxid = zxid;
        let parent_acl = parent.acl.clone();
        self.book_usage(path, -1, -(znode.bytes() as i64));
        push(events, EventKind::Deleted, path, &znode.acl);
        push(events, EventKind::ChildrenChanged, parent_path, &parent_acl);
    }

    fn set_data(
        &mut self,
        at: &Circumstances<'_>,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        events: &mut Events,
    ) -> Result<Stat, Code> {
        paths::validate(path).map_err(|_| Code::BadArguments)?;
        let znode = self.znode(path)?;
        at.check_acl(&znode.acl, perms::WRITE)?;
        let more = data.map_or(0, <[u8]>::len) as i64 - znode.bytes() as i64;
        at.check_quota(path, 0, more)?;
        check_version(version, znode.version)?;

        let znode = self.znodes.get_mut(path).expect("was found above");
        znode.data = data.map(<[u8]>::to_vec);
        znode.version += 1;
        znode.mzxid = at.zxid;
        znode.mtime = at.stamp_ms;
        push(events, EventKind::DataChanged, path, &znode.acl);
        let stat = self.stat(path)?;
        self.book_usage(path, 0, more);
        Ok(stat)
    }

    fn set_acl(
        &mut self,
        at: &Circumstances<'_>,
        path: &str,
        list: Option<&[Acl]>,
        version: i32,
    ) -> Result<Stat, Code> {
        paths::validate(path).map_err(|_| Code::BadArguments)?;
        let list = acl::fixup(list, at.identities)?;
        let znode = self.znode(path)?;
        at.check_acl(&znode.acl, perms::ADMIN)?;
        check_version(version, znode.aversion)?;
        let znode = self.znodes.get_mut(path).expect("was found above");
        znode.acl = list;
        znode.aversion += 1;
        self.stat(path)
    }
}

fn push(events: &mut Events, kind: EventKind, path: &str, acl: &[Acl]) {
    events.push(ModelEvent {
        kind,
        path: path.to_owned(),
        acl: acl.to_vec(),
    });
}
