//! Sessions that only this server knows, as its connections have them: opened, attached and closed
//! without the log, and handed over to it when they first want to own a znode.
//!
//! The draft that hands a session over stands in the lane right ahead of the write that asked for
//! it. So when that write is applied every server knows the session, whoever leads by then.

use std::collections::BTreeMap;

use crate::proto::{Create, MultiOp, OpCode, PASSWORD_BYTES, Reply, Request, SessionId};
use crate::replica::connection::State;
use crate::replica::{Access, Connection, Effects, Ending, Replica};
use crate::session::local::{Kind, LocalAttach};
use crate::session::{Held, Origin, Scope, Session};
use crate::tree::{Draft, Tree};

/// Sessions that only this server knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSettings {
    /// New sessions are such (`localSessionsEnabled`).
    pub local: bool,
    /// One that wants to own a znode becomes known to all servers
    /// (`localSessionsUpgradingEnabled`).
    pub upgrade: bool,
    /// Between two looks at silent sessions, milliseconds.
    pub tick_ms: u64,
}

/// What a client shows to come back to a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) session: SessionId,
    pub(crate) password: &'a [u8],
    pub(crate) timeout_ms: i32,
}

impl Replica {
    /// Sessions that only this server knows.
    pub fn local_session_count(&self) -> usize {
        self.local.lock().len()
    }

    /// The sessions that only this server knows by their deadlines, milliseconds of the clock;
    /// `None` if new ones are not such.
    pub(crate) fn local_buckets(&self, now_ms: u64) -> Option<BTreeMap<u64, Vec<SessionId>>> {
        let settings = &self.settings.sessions;
        let buckets = || self.local.lock().buckets(settings.tick_ms, now_ms);
        settings.local.then(buckets)
    }

    /// Whether new sessions are such.
    pub(crate) fn opens_local_sessions(&self) -> bool {
        self.settings.sessions.local
    }

    /// Opens a session here and answers the handshake. `false` when there are too many, or when
    /// the id is taken.
    pub(crate) fn open_local(
        &self,
        connection: &Connection,
        session: SessionId,
        password: [u8; PASSWORD_BYTES],
        timeout_ms: i32,
        now_ms: u64,
    ) -> bool {
        let known = self.knows(session);
        let opened = Session::new(timeout_ms, password, Some(self.origin_of(connection)));
        let kind = kind(connection.access());
        if known || !self.local.lock().open(session, kind, opened) {
            return false;
        }
        connection.lock().scope = Scope::Local;
        connection.attached(session, password, timeout_ms, now_ms);
        true
    }

    /// Attaches a session of this server's own and answers the handshake; tells what came of it.
    /// When another connection holds the session, that one ends: ask again once it is gone.
    pub(crate) fn attach_local(
        &self,
        connection: &Connection,
        shown: Shown<'_>,
        now_ms: u64,
    ) -> LocalAttach {
        let kind = kind(connection.access());
        let at = (self.origin_of(connection), shown.timeout_ms);
        let attach = self
            .local
            .lock()
            .attach(shown.session, kind, shown.password, at, |held| {
                held != connection.id() && self.connection(held).is_some()
            });
        match attach {
            LocalAttach::Attached => {
                connection.lock().scope = Scope::Local;
                // Checked a moment ago, so it has the right length.
                let password = shown.password.try_into().unwrap_or([0; PASSWORD_BYTES]);
                connection.attached(shown.session, password, shown.timeout_ms, now_ms);
            }
            LocalAttach::Held(held) => {
                if let Some(held) = self.connection(held) {
                    held.end(Ending::Reconnected);
                }
            }
            LocalAttach::Refused => connection.refused(),
            LocalAttach::NotHere | LocalAttach::Upgrading => {}
        }
        attach
    }

    /// Whether all servers know a session, as far as this one has come.
    pub(crate) fn knows(&self, session: SessionId) -> bool {
        self.tree().sessions().get(&session).is_some()
    }

    /// Turns a client away whose session is over.
    pub(crate) fn refuse(&self, connection: &Connection) {
        connection.refused();
    }

    fn origin_of(&self, connection: &Connection) -> Origin {
        Origin {
            server: self.lane().server,
            connection: connection.id(),
        }
    }

    /// Takes those out of `touched` whose deadlines are kept here.
    pub fn touch_local(&self, touched: &mut Vec<SessionId>, now_ms: u64) {
        let tick_ms = self.settings.sessions.tick_ms;
        let mut local = self.local.lock();
        if !local.is_empty() {
            touched.retain(|session| !local.touch(*session, tick_ms, now_ms));
        }
    }

    /// Ends the sessions of this server that were silent for too long. Call it about once a tick.
    pub fn expire_local(&self, now_ms: u64) {
        let overdue = {
            let mut local = self.local.lock();
            if local.is_empty() {
                return;
            }
            local.tick(self.settings.sessions.tick_ms, now_ms)
        };
        for (session, origin) in overdue {
            tracing::info!(%session, "local session expired");
            let connection = origin.and_then(|origin| self.connection(origin.connection));
            if let Some(connection) = connection {
                connection.end(Ending::SessionExpired);
            }
        }
    }

    /// Forgets the sessions that were opened without a quorum, and ends the connections of the
    /// mode that is over.
    pub fn end_access(&self, access: Access, ending: Ending) {
        if access == Access::ReadOnly {
            self.local.lock().close_read_only();
        }
        for connection in self.connections() {
            if connection.access() == access {
                connection.end(ending);
            }
        }
    }

    /// Closes a session that only this server knows, in its turn. One that was handed over since
    /// the request came is closed through the lane.
    pub(super) fn close_here(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        held: &Held,
        now_us: u64,
        effects: &mut Effects,
    ) {
        if state.scope == Scope::Global {
            state.pipeline.turns_into_write(held);
            self.draft(tree, connection, state, held, effects);
            return;
        }
        self.local.lock().close(connection.session());
        self.reply(tree, connection, state, held, &Ok(Reply::Empty), now_us);
        state.end(Ending::SessionClosed);
    }

    /// Hands a session over to the log, if `request` is the first that needs it to be there.
    pub(super) fn upgrade_for(
        &self,
        connection: &Connection,
        state: &mut State,
        request: &Request<'_>,
        effects: &mut Effects,
    ) {
        let upgrades = self.settings.sessions.upgrade
            && state.scope == Scope::Local
            && wants_ephemeral(request);
        if !upgrades {
            return;
        }
        let session = connection.session();
        if let Some((password, timeout_ms)) = self.local.lock().upgrade(session) {
            let upgrade = Draft::Upgrade {
                session,
                password,
                timeout_ms,
                connection: connection.id(),
            };
            upgrade.encode(&mut effects.drafts);
            effects.count += 1;
        }
        // Also when the session is over: then the write finds that it is.
        state.scope = Scope::Global;
    }
}

fn kind(access: Access) -> Kind {
    match access {
        Access::ReadWrite => Kind::Local,
        Access::ReadOnly => Kind::ReadOnly,
    }
}

/// Whether a write creates an ephemeral in a way for which ZooKeeper hands the session over:
/// create and create2, alone or in a multi.
fn wants_ephemeral(request: &Request<'_>) -> bool {
    let ephemeral = |create: &Create<'_>| {
        matches!(create.op, OpCode::Create | OpCode::Create2) && matches!(create.flags, 1 | 3)
    };
    match request {
        Request::Create(create) => ephemeral(create),
        Request::Multi(ops) => ops
            .iter()
            .any(|op| matches!(op, MultiOp::Create(create) if ephemeral(create))),
        _ => false,
    }
}
