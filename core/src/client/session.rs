//! One session as its client knows it: what was asked and not answered, who watches what, and in
//! which state it all is. Silent: bytes in, bytes and deliveries out; the driver does the rest.
//!
//! Order of calls: `submit` at any time; per connection `handshake`, `attached` or `refused`, then
//! `receive` for every frame and `outgoing` for what must be sent, and `disconnected` at its end.
//!
//! Invariants: replies come in the order of requests, so `pending` is a queue; its last `unsent`
//! requests lie in `out`, the others may have been carried out by a server. What has been handed
//! out by `outgoing` counts as sent. Deliveries run in order, on one task, outside of any lock.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use crate::client::answer::Answer;
use crate::client::watches::{Kind, Removal, Watches};
use crate::client::{Error, OnExpiry, Root, State, WatchEvent, WatchSink, WatcherId, chroot};
use crate::proto::{
    AddWatchMode, Code, ConnectRequest, ConnectResponse, Malformed, Notification, OpCode,
    PASSWORD_BYTES, Reader, Request, SessionId, Xid, Zxid,
};

/// Requests that may wait for an answer.
pub const WAITING_MAX: usize = 65_536;

/// Bytes of requests that may wait to be sent.
pub const UNSENT_BYTES_MAX: usize = 64 << 20;

/// Bytes of paths in one setWatches, as ZooKeeper's own client divides them.
const SET_WATCHES_BYTES_MAX: usize = 128 << 10;

/// Credentials of one client.
const CREDENTIALS_MAX: usize = 256;

/// What a credential takes on the wire beside its scheme and itself.
const AUTH_FRAME_BYTES: usize = 24;

/// What becomes of a request when too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// It is refused.
    Refuse,
    /// Its caller has waited for room, or it must pass: it is taken.
    Pass,
}

/// Who is told how a request ended.
pub(crate) enum Completion {
    Future(oneshot::Sender<Result<Answer, Error>>),
    Call(Box<dyn FnOnce(Result<Answer, Error>) + Send>),
}

impl Completion {
    pub(crate) fn complete(self, result: Result<Answer, Error>) {
        match self {
            // The future may be gone: nobody is left to tell.
            Completion::Future(sender) => drop(sender.send(result)),
            Completion::Call(call) => call(result),
        }
    }
}

/// Something to run on the driver's task, outside of the lock.
pub(crate) enum Delivery {
    Reply(Completion, Result<Answer, Error>),
    Event(WatchSink, WatchEvent),
    /// Nothing more is heard; the sink is dropped.
    Gone(WatchSink),
    State(State),
}

/// A watch that a request sets.
struct Registration {
    id: WatcherId,
    kind: Kind,
    /// As the server knows it.
    path: Box<str>,
}

/// A request that has not been answered.
struct Pending {
    xid: Xid,
    op: OpCode,
    /// As the caller wrote it; empty for what this client asks on its own.
    path: Box<str>,
    watch: Option<Registration>,
    completion: Option<Completion>,
}

impl Pending {
    /// Of a request of this client's own, which nobody waits for.
    fn own(xid: Xid, op: OpCode) -> Pending {
        Pending {
            xid,
            op,
            path: "".into(),
            watch: None,
            completion: None,
        }
    }
}

/// A credential, and who waits to hear whether it was taken.
struct Credential {
    scheme: String,
    auth: Vec<u8>,
    waiting: Vec<Completion>,
}

/// What happens to the connection after a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    /// The session is over; nothing more is sent.
    End,
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) password: [u8; PASSWORD_BYTES],
    /// Asked for first, then as negotiated.
    pub(crate) timeout_ms: u32,
    pub(crate) last_zxid: Zxid,
    /// The newest change that a reply showed. One change can owe several events, so an event alone
    /// does not say that all of it was heard of: watches are set again from here.
    replied_zxid: Zxid,
    pub(crate) state: State,
    /// A server that can write has seen this session, so it is known to the whole ensemble.
    known: bool,
    read_only: bool,
    on_expiry: OnExpiry,
    asked_timeout_ms: u32,
    chroot: String,
    request_bytes_max: usize,
    closing: bool,
    next_xid: i32,
    out: BytesMut,
    pending: VecDeque<Pending>,
    unsent: usize,
    credentials: Vec<Credential>,
    /// Which credentials the replies to come are about.
    auth_sent: VecDeque<usize>,
    watches: Watches,
}

/// What a [`Session`] starts from.
pub(crate) struct Beginning {
    pub(crate) session: Option<(SessionId, [u8; PASSWORD_BYTES])>,
    pub(crate) timeout_ms: u32,
    pub(crate) read_only: bool,
    pub(crate) on_expiry: OnExpiry,
    pub(crate) chroot: String,
    pub(crate) auth: Vec<(String, Vec<u8>)>,
    pub(crate) request_bytes_max: usize,
}

impl Session {
    pub(crate) fn new(beginning: Beginning) -> Session {
        let (id, password) = beginning
            .session
            .unwrap_or((SessionId(0), [0; PASSWORD_BYTES]));
        let credentials = beginning.auth.into_iter().map(|(scheme, auth)| Credential {
            scheme,
            auth,
            waiting: Vec::new(),
        });
        Session {
            id,
            password,
            timeout_ms: beginning.timeout_ms,
            last_zxid: Zxid(0),
            replied_zxid: Zxid(0),
            state: State::Connecting,
            known: id != SessionId(0),
            read_only: beginning.read_only,
            on_expiry: beginning.on_expiry,
            asked_timeout_ms: beginning.timeout_ms,
            chroot: beginning.chroot,
            request_bytes_max: beginning.request_bytes_max,
            closing: false,
            next_xid: 1,
            out: BytesMut::new(),
            pending: VecDeque::new(),
            unsent: 0,
            credentials: credentials.collect(),
            auth_sent: VecDeque::new(),
            watches: Watches::default(),
        }
    }

    /// Whether another request must wait for earlier ones.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= WAITING_MAX || self.out.len() >= UNSENT_BYTES_MAX
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether `outgoing` has something.
    pub(crate) fn has_outgoing(&self) -> bool {
        !self.out.is_empty()
    }

    pub(crate) fn watchers(&self) -> usize {
        self.watches.count()
    }

    /// Takes a request whose paths are valid and begin at `root`. `Err` gives the completion back
    /// with the reason for which nothing was taken.
    pub(crate) fn submit(
        &mut self,
        request: Request<'_>,
        root: Root,
        limit: Limit,
        watch: Option<&WatchSink>,
        completion: Completion,
    ) -> Result<Option<WatcherId>, (Completion, Error)> {
        let path: Box<str> = chroot::first_path(&request).unwrap_or_default().into();
        if let Err(error) = self.admit(limit) {
            return Err((completion, error.of(request.op(), &path)));
        }
        if let Request::Auth { scheme, auth } = request {
            let auth = auth.unwrap_or_default();
            return self.authenticate(&scheme, auth, completion).map(|()| None);
        }
        let op = request.op();
        let request = if self.chroot.is_empty() || root == Root::Tree {
            request
        } else {
            chroot::put(&self.chroot, request)
        };
        let start = self.out.len();
        let xid = self.take_xid();
        request.frame(xid, &mut self.out);
        let bytes = self.out.len() - start;
        if bytes > self.request_bytes_max {
            self.out.truncate(start);
            let error = Error::new(Code::BadArguments)
                .of(op, &path)
                .because(format_args!(
                    "the request has {bytes} bytes, allowed are {} (request_bytes_max)",
                    self.request_bytes_max
                ));
            return Err((completion, error));
        }
        let watch = watch.and_then(|sink| {
            let (kind, path) = watched(&request)?;
            let id = self.watches.expect(path, kind, Arc::clone(sink));
            let path = path.into();
            Some(Registration { id, kind, path })
        });
        let id = watch.as_ref().map(|watch| watch.id);
        self.closing |= op == OpCode::CloseSession;
        self.push(Pending {
            xid,
            op,
            path,
            watch,
            completion: Some(completion),
        });
        Ok(id)
    }

    fn admit(&self, limit: Limit) -> Result<(), Error> {
        match self.state {
            State::Expired => Err(Error::new(Code::SessionExpired)),
            State::AuthFailed => Err(Error::new(Code::AuthFailed)),
            State::Closed => Err(Error::new(Code::Closing)),
            _ if self.closing => Err(Error::new(Code::Closing)),
            // A client must be able to close however full it is.
            _ if limit == Limit::Refuse && self.is_full() => Err(Error::new(Code::ThrottledOp).because(format_args!(
                "{} requests wait for an answer (allowed are {WAITING_MAX}, or {UNSENT_BYTES_MAX} \
                 bytes unsent); wait for some of them",
                self.pending.len()
            ))),
            _ => Ok(()),
        }
    }

    fn take_xid(&mut self) -> Xid {
        let xid = Xid(self.next_xid);
        // Negative numbers have meanings of their own.
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        xid
    }

    fn push(&mut self, pending: Pending) {
        self.pending.push_back(pending);
        self.unsent += 1;
    }

    /// A request of this client's own.
    fn ask(&mut self, request: &Request<'_>) {
        let xid = self.take_xid();
        request.frame(xid, &mut self.out);
        self.push(Pending::own(xid, request.op()));
    }

    fn authenticate(
        &mut self,
        scheme: &str,
        auth: &[u8],
        completion: Completion,
    ) -> Result<(), (Completion, Error)> {
        let bytes = scheme.len() + auth.len() + AUTH_FRAME_BYTES;
        let known = |known: &Credential| known.scheme == scheme && known.auth == auth;
        let at = self.credentials.iter().position(known);
        let full = at.is_none() && self.credentials.len() >= CREDENTIALS_MAX;
        if bytes > self.request_bytes_max || full {
            // Servers would close every connection on which it was shown.
            let error = Error::new(Code::BadArguments)
                .of(OpCode::Auth, "")
                .because(format_args!(
                    "{bytes} bytes; allowed are {} (request_bytes_max), and {CREDENTIALS_MAX} \
                     credentials",
                    self.request_bytes_max
                ));
            return Err((completion, error));
        }
        let at = at.unwrap_or_else(|| {
            self.credentials.push(Credential {
                scheme: scheme.to_owned(),
                auth: auth.to_owned(),
                waiting: Vec::new(),
            });
            self.credentials.len() - 1
        });
        self.credentials[at].waiting.push(completion);
        // Else it is sent with all others when a connection is there.
        if self.state.is_connected() {
            self.show(at);
        }
        Ok(())
    }

    fn show(&mut self, at: usize) {
        let credential = &self.credentials[at];
        let request = Request::Auth {
            scheme: credential.scheme.as_str().into(),
            auth: Some(&credential.auth),
        };
        request.frame(Xid::AUTH, &mut self.out);
        self.auth_sent.push_back(at);
    }

    /// A watcher here is wanted no longer. Its sink is to be dropped outside of the lock: whatever
    /// it holds may be a client.
    pub(crate) fn forget(&mut self, id: WatcherId) -> Option<WatchSink> {
        let (removal, sink) = self.watches.forget(id);
        self.remove(removal);
        sink
    }

    /// The same, for a watcher whose request failed.
    fn let_go(&mut self, id: WatcherId, deliveries: &mut Vec<Delivery>) -> Removal {
        let (removal, sink) = self.watches.forget(id);
        deliveries.extend(sink.map(Delivery::Gone));
        removal
    }

    /// Takes a watch back from the server. It may have fired meanwhile; the answer says so and
    /// nobody cares.
    fn remove(&mut self, removal: Removal) {
        if let Some((path, kind)) = removal
            && self.state.is_connected()
            && !self.closing
        {
            self.ask(&Request::RemoveWatches {
                path: path.as_str().into(),
                kind,
            });
        }
    }

    /// What a new connection opens with.
    pub(crate) fn handshake(&self) -> ConnectRequest {
        let (session, password) = if self.known {
            (self.id, self.password)
        } else {
            (SessionId(0), [0; PASSWORD_BYTES])
        };
        ConnectRequest {
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.asked_timeout_ms).unwrap_or(i32::MAX),
            session,
            password: password.to_vec(),
            read_only: Some(self.read_only),
        }
    }

    /// The server took the handshake: credentials and watches go first, then what waited.
    pub(crate) fn attached(&mut self, response: &ConnectResponse, deliveries: &mut Vec<Delivery>) {
        self.id = response.session;
        self.password = response.password;
        self.timeout_ms = u32::try_from(response.timeout_ms).unwrap_or_default();
        let read_only = response.read_only == Some(true);
        self.known |= !read_only;
        self.enter(
            if read_only {
                State::ConnectedReadOnly
            } else {
                State::Connected
            },
            deliveries,
        );
        let (waiting, unsent) = (self.out.split(), self.unsent);
        for at in 0..self.credentials.len() {
            self.show(at);
        }
        self.set_watches();
        let own = self.unsent - unsent;
        self.pending.rotate_right(own);
        self.out.unsplit(waiting);
    }

    fn set_watches(&mut self) {
        let mut after: Option<Arc<str>> = None;
        loop {
            let xid = self.take_xid();
            let set = self.watches.set_again(
                after.as_deref(),
                self.replied_zxid.0,
                SET_WATCHES_BYTES_MAX,
            );
            let Some((set, last)) = set else { return };
            let is_empty = set.data.is_empty()
                && set.exist.is_empty()
                && set.child.is_empty()
                && set.persistent.is_empty()
                && set.persistent_recursive.is_empty();
            if !is_empty {
                let request = Request::SetWatches(set);
                request.frame(xid, &mut self.out);
                let op = request.op();
                self.push(Pending::own(xid, op));
            }
            after = Some(last);
        }
    }

    /// The server says that the session is gone.
    pub(crate) fn refused(&mut self, deliveries: &mut Vec<Delivery>) {
        if self.closing {
            return self.close(deliveries);
        }
        self.enter(State::Expired, deliveries);
        self.fail_all(Code::SessionExpired, None, deliveries);
        self.watches.clear();
        if self.on_expiry == OnExpiry::Renew {
            self.id = SessionId(0);
            self.password = [0; PASSWORD_BYTES];
            self.known = false;
            (self.last_zxid, self.replied_zxid) = (Zxid(0), Zxid(0));
            self.enter(State::Connecting, deliveries);
        }
    }

    /// Everything to send, which counts as sent from now on.
    pub(crate) fn outgoing(&mut self) -> Bytes {
        self.unsent = 0;
        self.out.split().freeze()
    }

    /// Appends a ping.
    pub(crate) fn ping(&mut self) {
        Request::Ping.frame(Xid::PING, &mut self.out);
    }

    /// Takes one frame from the server.
    pub(crate) fn receive(
        &mut self,
        frame: &Bytes,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<Next, Malformed> {
        let mut r = Reader::new(frame);
        let (xid, zxid, err) = (Xid(r.i32()?), Zxid(r.i64()?), r.i32()?);
        if zxid.0 > 0 {
            self.last_zxid = self.last_zxid.max(zxid);
        }
        if err == Code::SessionClosedRequireSaslAuth.number() {
            // Whatever was asked: nothing is done on this connection, nor on any other.
            let why = "the server does nothing for clients that have not authenticated by one of \
                       its schemes (enforce.auth.schemes, sessionRequireClientSASLAuth)";
            self.not_authenticated(Code::SessionClosedRequireSaslAuth, why, deliveries);
            return Ok(Next::End);
        }
        match xid {
            Xid::NOTIFICATION => {
                let event = Notification::decode(zxid, &mut r)?;
                let mut heard = Vec::new();
                let removal = self.watches.fire(&self.chroot, &event, &mut heard);
                self.remove(removal);
                deliveries.extend(
                    heard
                        .into_iter()
                        .map(|(sink, event)| Delivery::Event(sink, event)),
                );
                Ok(Next::GoOn)
            }
            Xid::PING => Ok(Next::GoOn),
            Xid::AUTH => self.authenticated(err, deliveries),
            _ => {
                self.replied_zxid = self.replied_zxid.max(zxid);
                self.answered(xid, err, frame, r.rest(), deliveries)
            }
        }
    }

    fn authenticated(
        &mut self,
        err: i32,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<Next, Malformed> {
        let at = self
            .auth_sent
            .pop_front()
            .ok_or(Malformed("an answer to no credential"))?;
        if err == 0 {
            let waiting = std::mem::take(&mut self.credentials[at].waiting);
            deliveries.extend(
                waiting
                    .into_iter()
                    .map(|c| Delivery::Reply(c, Ok(Answer::Done))),
            );
            return Ok(Next::GoOn);
        }
        let detail = format!(
            "the server refused the credential of scheme {}",
            self.credentials[at].scheme
        );
        self.not_authenticated(Code::AuthFailed, &detail, deliveries);
        Ok(Next::End)
    }

    /// Nothing is done for this client: everything fails with `code`, for `why`.
    pub(crate) fn not_authenticated(
        &mut self,
        code: Code,
        why: &str,
        deliveries: &mut Vec<Delivery>,
    ) {
        self.enter(State::AuthFailed, deliveries);
        self.fail_all(code, Some(why), deliveries);
        self.watches.clear();
    }

    fn answered(
        &mut self,
        xid: Xid,
        err: i32,
        frame: &Bytes,
        record: &[u8],
        deliveries: &mut Vec<Delivery>,
    ) -> Result<Next, Malformed> {
        match self.pending.front() {
            Some(first) if first.xid == xid && self.pending.len() > self.unsent => {}
            _ => return Err(Malformed("an answer to no request, or out of order")),
        }
        let pending = self.pending.pop_front().expect("the first was looked at");
        let result = result_of(&pending, err, frame, record, &self.chroot);
        if let Some(watch) = &pending.watch {
            let absent = err == Code::NoNode.number() && pending.op == OpCode::Exists;
            let removal = if err == 0 || absent {
                self.watches.arm(&watch.path, watch.kind, watch.id, absent)
            } else {
                self.let_go(watch.id, deliveries)
            };
            self.remove(removal);
        }
        let malformed = result
            .as_ref()
            .err()
            .is_some_and(|e| e.code() == Code::DataInconsistency);
        let over = pending.op == OpCode::CloseSession && err == 0;
        if let Some(completion) = pending.completion {
            if over {
                self.close(deliveries);
            }
            deliveries.push(Delivery::Reply(completion, result));
        }
        match (malformed, over) {
            (true, _) => Err(Malformed("an answer that does not decode")),
            (_, true) => Ok(Next::End),
            _ => Ok(Next::GoOn),
        }
    }

    /// The connection has ended, by whoever's doing. What was sent has an unknown fate.
    pub(crate) fn disconnected(&mut self, why: &str, deliveries: &mut Vec<Delivery>) {
        if self.state.is_over() {
            return;
        }
        if self.closing {
            return self.close(deliveries);
        }
        let sent = self.pending.len() - self.unsent;
        let lost: Vec<_> = self.pending.drain(..sent).collect();
        self.watches.disconnected();
        if self.state.is_connected() {
            self.enter(State::Suspended, deliveries);
        }
        for pending in lost {
            self.fail(pending, Code::ConnectionLoss, Some(why), true, deliveries);
        }
        // Frames of auth and pings go; requests that were never sent stay.
        self.auth_sent.clear();
        self.keep_unsent_requests();
    }

    /// Encoded frames without a request behind them belonged to the old connection. They precede
    /// or lie between the requests, so what is kept is cut out by xid.
    fn keep_unsent_requests(&mut self) {
        let mut old = self.out.split();
        let frames = crate::proto::Frames::new(usize::MAX >> 1);
        // Own requests, removals say, make no sense on the next connection.
        let (own, kept): (Vec<_>, Vec<_>) = self
            .pending
            .drain(..)
            .partition(|pending| pending.completion.is_none());
        drop(own);
        let mut kept_xids = kept.iter().map(|pending| pending.xid).peekable();
        while let Ok(Some(frame)) = frames.next(&mut old) {
            let xid = Reader::new(&frame).i32().map(Xid);
            if kept_xids.peek().copied() == xid.ok() {
                kept_xids.next();
                bytes::BufMut::put_u32(
                    &mut self.out,
                    u32::try_from(frame.len()).unwrap_or(u32::MAX),
                );
                self.out.extend_from_slice(&frame);
            }
        }
        self.unsent = kept.len();
        self.pending = kept.into();
    }

    /// No server was found for too long: what waits to be sent fails, nothing was changed.
    pub(crate) fn give_up_waiting(&mut self, why: &str, deliveries: &mut Vec<Delivery>) {
        self.out.clear();
        self.unsent = 0;
        for pending in std::mem::take(&mut self.pending) {
            self.fail(pending, Code::ConnectionLoss, Some(why), false, deliveries);
        }
        for credential in &mut self.credentials {
            for completion in credential.waiting.drain(..) {
                let error = Error::new(Code::ConnectionLoss)
                    .of(OpCode::Auth, "")
                    .because(why);
                deliveries.push(Delivery::Reply(completion, Err(error)));
            }
        }
    }

    /// The client is closed: by its answer, by the end of its connection, or without one.
    pub(crate) fn close(&mut self, deliveries: &mut Vec<Delivery>) {
        if self.state.is_over() {
            return;
        }
        self.closing = true;
        self.enter(State::Closed, deliveries);
        self.fail_all(Code::Closing, None, deliveries);
        self.watches.clear();
    }

    fn enter(&mut self, state: State, deliveries: &mut Vec<Delivery>) {
        if self.state == state {
            return;
        }
        self.state = state;
        deliveries.push(Delivery::State(state));
        let mut heard = Vec::new();
        self.watches.tell_all(state, &mut heard);
        deliveries.extend(
            heard
                .into_iter()
                .map(|(sink, event)| Delivery::Event(sink, event)),
        );
    }

    /// Fails everything. A close succeeds: that the session is over is what it wanted.
    fn fail_all(&mut self, code: Code, detail: Option<&str>, deliveries: &mut Vec<Delivery>) {
        let sent = self.pending.len() - self.unsent;
        self.out.clear();
        self.unsent = 0;
        self.auth_sent.clear();
        for (at, pending) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            self.fail(pending, code, detail, at < sent, deliveries);
        }
        for credential in &mut self.credentials {
            for completion in credential.waiting.drain(..) {
                let mut error = Error::new(code).of(OpCode::Auth, "");
                if let Some(detail) = detail {
                    error = error.because(detail);
                }
                deliveries.push(Delivery::Reply(completion, Err(error)));
            }
        }
    }

    fn fail(
        &mut self,
        pending: Pending,
        code: Code,
        detail: Option<&str>,
        sent: bool,
        deliveries: &mut Vec<Delivery>,
    ) {
        if let Some(watch) = &pending.watch {
            let removal = self.let_go(watch.id, deliveries);
            debug_assert!(!self.state.is_connected() || removal.is_none());
        }
        let Some(completion) = pending.completion else {
            return;
        };
        if pending.op == OpCode::CloseSession {
            return deliveries.push(Delivery::Reply(completion, Ok(Answer::Done)));
        }
        let mut error = Error::new(code).of(pending.op, &pending.path);
        if let Some(detail) = detail {
            error = error.because(detail);
        }
        if sent {
            error = error.after_sending();
        }
        deliveries.push(Delivery::Reply(completion, Err(error)));
    }
}

fn result_of(
    pending: &Pending,
    err: i32,
    frame: &Bytes,
    record: &[u8],
    chroot: &str,
) -> Result<Answer, Error> {
    let fail = |code| {
        Error::new(code)
            .of(pending.op, &pending.path)
            .after_sending()
    };
    // A failed multi has its failure in the record as well, and some servers put it into both.
    if err == 0 || (pending.op == OpCode::Multi && !record.is_empty()) {
        return match Answer::decode(pending.op, frame, record) {
            Ok(answer) => Ok(answer.below(chroot)),
            Err(malformed) => Err(fail(Code::DataInconsistency).because(malformed)),
        };
    }
    Err(match Code::from_number(err) {
        Some(code) => fail(code),
        None => fail(Code::SystemError).because(format_args!("the server's code is {err}")),
    })
}

/// The watch a request sets, if it asks for one, and on which path of the server.
fn watched<'r>(request: &'r Request<'_>) -> Option<(Kind, &'r str)> {
    match request {
        Request::Exists { path, watch: true } | Request::GetData { path, watch: true } => {
            Some((Kind::Data, path))
        }
        Request::GetChildren { path, watch: true }
        | Request::GetChildren2 { path, watch: true } => Some((Kind::Children, path)),
        Request::AddWatch { path, mode } => match mode {
            AddWatchMode::Persistent => Some((Kind::Persistent, path)),
            AddWatchMode::PersistentRecursive => Some((Kind::Recursive, path)),
        },
        _ => None,
    }
}
