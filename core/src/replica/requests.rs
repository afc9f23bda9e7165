//! What a connection's frames do here: reads run, writes become drafts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};

use crate::metrics::Count;
use crate::proto::{ClientInfo, Code, Id, OpCode, Reader, Reply, Request, WatcherType, Xid, Zxid};
use crate::replica::connection::{LastAnswer, State};
use crate::replica::{Access, Connection, Ending, HOLD_BYTES_MAX, Reconfig, Replica};
use crate::session::{Course, Held, Scope, Step, Written};
use crate::tree::acl::ANY_SASL_USER;
use crate::tree::{Draft, Tree};

/// What the caller must do for a connection after its requests were looked at.
#[derive(Debug, Default)]
pub struct Effects {
    /// Drafts to put into the lane, encoded, in order.
    pub drafts: BytesMut,
    /// How many.
    pub count: u32,
    /// A sync asks for a read index.
    pub sync: bool,
    /// Not everything was looked at: call again once what is owed has been sent, and `advance`
    /// before `arrive`.
    pub more: bool,
}

/// When frames come to be looked at, by this server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Now, microseconds.
    pub now_us: u64,
    /// How long they have waited for their turn, microseconds.
    pub waited_us: u64,
}

/// What is asked of requests before they are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestSettings {
    /// One that had to wait longer, in microseconds, is answered ThrottledOp instead
    /// (`throttled_op_wait_time`).
    pub throttled_us: Option<u64>,
    /// One with more bytes is a large one (`largeRequestThreshold`).
    pub large_bytes: Option<usize>,
    /// Bytes of large ones that may be in work at once (`largeRequestMaxBytes`).
    pub large_bytes_max: usize,
}

/// What the frame of a request says before its record is looked at.
enum Header {
    Known(Xid, OpCode, Bytes),
    Unknown(Xid),
    Malformed,
}

fn header(frame: &Bytes) -> Header {
    let mut r = Reader::new(frame);
    let (Ok(xid), Ok(number)) = (r.i32(), r.i32()) else {
        return Header::Malformed;
    };
    match OpCode::from_number(number) {
        // A lone check is unknown since 3.8.5.
        Some(op) if op != OpCode::Check => Header::Known(Xid(xid), op, frame.slice(8..)),
        _ => Header::Unknown(Xid(xid)),
    }
}

impl Replica {
    /// Takes the frames of one connection in the order of the socket, until `frames` has none, the
    /// connection ends, or what came of them fills one hold of the lock. A frame it does not get
    /// to is not taken from `frames`.
    pub fn arrive(
        &self,
        connection: &Connection,
        frames: impl Iterator<Item = Bytes>,
        at: Arrival,
    ) -> Effects {
        let mut effects = Effects::default();
        let tree = self.tree.read();
        let mut state = connection.lock();
        let (mut received, mut bytes) = (0, 0);
        for frame in frames {
            if state.is_ending() {
                // Dropped, lest it fill the input.
                continue;
            }
            received += 1;
            bytes += 4 + frame.len() as u64;
            self.arrive_one(&tree, connection, &mut state, &frame, at, &mut effects);
            if is_full(&state, &effects) {
                effects.more = true;
                break;
            }
        }
        self.count_received(connection, received, bytes);
        effects
    }

    fn arrive_one(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        frame: &Bytes,
        at: Arrival,
        effects: &mut Effects,
    ) {
        let now_us = at.now_us;
        match header(frame) {
            Header::Malformed => state.end(Ending::Malformed),
            Header::Known(xid, OpCode::Auth, body) => self.authenticate(state, xid, &body),
            Header::Known(xid, OpCode::Sasl, body) => self.sasl(state, xid, &body),
            Header::Unknown(xid) | Header::Known(xid, ..) if !self.may_ask(state, xid) => {}
            Header::Unknown(xid) => {
                self.outstanding.fetch_add(1, Ordering::Relaxed);
                if let Some(step) = state.pipeline.arrive_unknown(xid) {
                    self.take(tree, connection, state, step, now_us, effects);
                }
            }
            Header::Known(xid, op, body) => {
                connection.touch(now_us / 1000);
                let Some(large_bytes) = self.find_room(frame.len()) else {
                    state.end(Ending::LargeRequest);
                    return;
                };
                let held = Held {
                    xid,
                    op,
                    body,
                    identities: Arc::clone(&state.identities),
                    course: self.course(state, op, at.waited_us),
                    large_bytes,
                    arrived_us: now_us.saturating_sub(at.waited_us),
                };
                self.outstanding.fetch_add(1, Ordering::Relaxed);
                if let Some(step) = state.pipeline.arrive(held) {
                    self.take(tree, connection, state, step, now_us, effects);
                }
            }
        }
    }

    /// What becomes of a request when its turn comes.
    fn course(&self, state: &State, op: OpCode, waited_us: u64) -> Course {
        if state.access == Access::ReadOnly && (op.is_write() || op == OpCode::Sync) {
            return match op {
                OpCode::CloseSession => Course::CloseHere,
                _ => Course::Refused(Code::NotReadOnly),
            };
        }
        let closes = op == OpCode::CloseSession;
        let throttled_us = self.settings.requests.throttled_us;
        let spared = closes || op == OpCode::Ping;
        if !spared && throttled_us.is_some_and(|most_us| waited_us > most_us) {
            self.metrics.count(Count::ThrottledOps);
            return Course::Refused(Code::ThrottledOp);
        }
        match state.scope {
            Scope::Local if closes => Course::CloseHere,
            Scope::Local | Scope::Global => Course::Ordinary,
        }
    }

    /// Counts a large request among those in work; gives the bytes that were counted, or `None`
    /// when there is no room for it.
    fn find_room(&self, bytes: usize) -> Option<usize> {
        let settings = &self.settings.requests;
        if settings.large_bytes.is_none_or(|most| bytes <= most) {
            return Some(0);
        }
        let in_work = self.large_bytes.fetch_add(bytes, Ordering::Relaxed);
        if in_work + bytes <= settings.large_bytes_max {
            return Some(bytes);
        }
        self.large_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.count(Count::LargeRequestsRejected);
        None
    }

    /// Lets go on what can: call it when the connection is woken.
    pub fn advance(&self, connection: &Connection, now_us: u64) -> Effects {
        let mut effects = Effects::default();
        if connection.lock().pipeline.is_empty() {
            return effects;
        }
        let tree = self.tree.read();
        let mut state = connection.lock();
        while let Some(step) = state.pipeline.next_step() {
            self.take(&tree, connection, &mut state, step, now_us, &mut effects);
            if is_full(&state, &effects) {
                effects.more = true;
                break;
            }
        }
        effects
    }

    /// The read index of the connection's oldest sync has been applied here.
    pub fn synced(&self, connection: &Connection) {
        connection.lock().pipeline.synced();
        connection.wake.notify_one();
    }

    fn take(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        step: Step,
        now_us: u64,
        effects: &mut Effects,
    ) {
        match step {
            Step::Run(held) if held.course == Course::CloseHere => {
                self.close_here(tree, connection, state, &held, now_us, effects);
            }
            Step::Run(held) => self.run(tree, connection, state, &held, now_us),
            Step::Propose(held) => self.draft(tree, connection, state, &held, effects),
            Step::Sync => effects.sync = true,
            Step::Synced(held) => {
                let result = match Request::decode(held.op, &held.body) {
                    Ok(Request::Sync { path }) => Ok(Reply::Synced(path)),
                    _ => Err(Code::MarshallingError),
                };
                self.reply(tree, connection, state, &held, &result, now_us);
            }
            Step::Unknown(xid) => {
                self.answered(0);
                state.push_reply(xid, Zxid(-1), &Err(Code::Unimplemented));
                state.end(Ending::UnknownOperation);
            }
        }
    }

    /// Turns a write into a draft. One that does not decode, or that finds no room on the disk,
    /// takes its place in the order all the same.
    pub(super) fn draft(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        held: &Held,
        effects: &mut Effects,
    ) {
        let session = connection.session();
        let refusal = match Request::decode(held.op, &held.body) {
            // Apply refuses it, and gives it no zxid.
            Err(_) if held.op == OpCode::Reconfig => None,
            Err(_) => Some(Code::MarshallingError),
            Ok(request @ Request::Reconfig { .. }) => {
                self.refuse_reconfig(tree, &request, &held.identities)
            }
            Ok(request) if self.space_is_low() && needs_room(&request) => Some(Code::SystemError),
            Ok(request) => {
                self.upgrade_for(connection, state, &request, effects);
                None
            }
        };
        let scope = state.scope;
        let draft = match refusal {
            Some(code) => Draft::Refused {
                session,
                connection: connection.id(),
                scope,
                code,
            },
            None => Draft::Request {
                session,
                connection: connection.id(),
                scope,
                rules: self.settings.rules,
                identities: held.identities.to_vec(),
                op: held.op,
                body: &held.body,
            },
        };
        draft.encode(&mut effects.drafts);
        effects.count += 1;
    }

    /// Whether a reconfig is refused before the log has it. Apply decides the rest, with a code for
    /// the client; the operator is told here what the code does not say, if the client may
    /// reconfigure: nobody else fills the log.
    fn refuse_reconfig(
        &self,
        tree: &Tree,
        request: &Request<'_>,
        identities: &[Id],
    ) -> Option<Code> {
        match self.settings.reconfig {
            Reconfig::Disabled => return Some(Code::ReconfigDisabled),
            Reconfig::Alone => return Some(Code::Unimplemented),
            Reconfig::Enabled => {}
        }
        if let Err(refusal) = tree.plan_reconfig(request, self.settings.rules, identities) {
            tracing::warn!(code = ?refusal.code, why = %refusal.why, "reconfig: refused");
        }
        None
    }

    /// Runs the reads that must not see the write that is about to be applied.
    pub(super) fn run_reads_before_write(&self, tree: &Tree, connection: &Connection, now_us: u64) {
        let mut state = connection.lock();
        while let Some(held) = state.pipeline.before_write() {
            self.run(tree, connection, &mut state, &held, now_us);
        }
    }

    /// Carries out a read and owes its reply.
    pub(super) fn run(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        held: &Held,
        now_us: u64,
    ) {
        let result = match (held.course, Request::decode(held.op, &held.body)) {
            (Course::Refused(code), _) => Err(code),
            (_, Err(_)) if WatcherType::of_no_path(held.op, &held.body) => Err(Code::NoWatcher),
            (_, Err(_)) => Err(Code::MarshallingError),
            (_, Ok(request)) => {
                let result = self.read(tree, connection, state, held, &request);
                self.count_read(state, &request, &result);
                result
            }
        };
        self.reply(tree, connection, state, held, &result, now_us);
    }

    fn read<'t>(
        &self,
        tree: &'t Tree,
        connection: &Connection,
        state: &mut State,
        held: &'t Held,
        request: &Request<'_>,
    ) -> Result<Reply<'t>, Code> {
        let skip_acl = self.settings.rules.skip_acl;
        match request {
            Request::Ping => Ok(Reply::Empty),
            Request::WhoAmI => Ok(Reply::WhoAmI(who_am_i(&held.identities))),
            Request::SetWatches(watches) => {
                self.set_watches(tree, connection, state, watches);
                Ok(Reply::Empty)
            }
            Request::AddWatch { path, mode } => {
                self.add_watch(connection, path, *mode);
                Ok(Reply::WatchAdded)
            }
            Request::CheckWatches { path, kind } => {
                let found = self.watches.lock().contains(connection.id(), path, *kind);
                if found {
                    Ok(Reply::Empty)
                } else {
                    Err(Code::NoWatcher)
                }
            }
            Request::RemoveWatches { path, kind } => {
                let found = self.watches.lock().remove(connection.id(), path, *kind);
                if found {
                    Ok(Reply::Empty)
                } else {
                    Err(Code::NoWatcher)
                }
            }
            request => {
                let session = connection.session();
                let result = tree.read(session, request, &held.identities, skip_acl);
                self.watch_by_read(connection, request, &result);
                result
            }
        }
    }

    pub(super) fn reply(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        held: &Held,
        result: &Result<Reply<'_>, Code>,
        now_us: u64,
    ) {
        self.answered(held.large_bytes);
        let xid = if held.op == OpCode::Ping {
            Xid::PING
        } else {
            held.xid
        };
        let zxid = tree.last_zxid();
        // Reads between two writes cannot wait for the client to read their replies. A single reply
        // may be of any size.
        self.limit_outbox(state);
        state.push_reply(xid, zxid, result);
        let answered = Written {
            xid,
            op: held.op,
            large_bytes: held.large_bytes,
            arrived_us: held.arrived_us,
        };
        self.count_answer(connection, state, answered, zxid, now_us);
    }

    pub(super) fn count_answer(
        &self,
        connection: &Connection,
        state: &mut State,
        answered: Written,
        zxid: Zxid,
        now_us: u64,
    ) {
        let us = now_us.saturating_sub(answered.arrived_us);
        self.count_latency(answered.op, us);
        connection.traffic.latency.add(us);
        state.last = Some(LastAnswer {
            op: answered.op,
            xid: answered.xid,
            zxid,
            at_us: now_us,
            took_us: us,
        });
    }
}

/// Whether one hold of the lock has done enough for a connection: what it is owed must be sent, and
/// what it proposes must go, before more is made of its requests.
fn is_full(state: &State, effects: &Effects) -> bool {
    state.owed() + effects.drafts.len() >= HOLD_BYTES_MAX
}

/// Writes that make the state grow. Deletes and session closing go on with a full disk: they are
/// what makes room.
fn needs_room(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::Create(_) | Request::SetData { .. } | Request::SetAcl { .. } | Request::Multi(_)
    )
}

/// The identities of a connection as it may know them, by scheme: of a digest only the user.
fn who_am_i(identities: &[Id]) -> Vec<ClientInfo<'_>> {
    let mut infos = identities
        .iter()
        .filter(|identity| &*identity.scheme != ANY_SASL_USER)
        .map(|identity| {
            let user = match &*identity.scheme {
                "digest" => identity.id.split(':').next().unwrap_or_default(),
                "ip" | "sasl" | "x509" => &identity.id,
                _ => "",
            };
            ClientInfo {
                scheme: &identity.scheme,
                user,
            }
        })
        .collect::<Vec<_>>();
    infos.sort_by_key(|info| info.scheme);
    infos
}
