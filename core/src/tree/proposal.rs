//! What goes through the log: drafts as servers send them, and batches as the leader stamps them.
//!
//! A *draft* is one change that a server wants. Drafts of one server form its *lane*: they are
//! numbered from 1 without a gap, and every server executes each number of a lane exactly once, in
//! order. So a server may send drafts again, to whoever leads now, without asking what became of
//! them. A *batch* is what the leader makes of the drafts it has: one log entry with one time
//! stamp. A draft in a stamped batch is a *proposal*.
//!
//! ```text
//! batch:  stamp_ms i64 { run }*
//! run:    server u8 · boot u64 · first u64 · count u32 · bytes u32 { draft }*
//! draft:  bytes u32 · kind u8 · fields of the kind
//! ```

use std::collections::BTreeMap;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::proto::ConnectionId;
use crate::proto::{
    Code, Id, Malformed, Member, OpCode, PASSWORD_BYTES, Reader, ServerId, SessionId, Writer, Zxid,
    close_frame,
};
use crate::session::{Origin, Scope};
use crate::tree::acl::Schemes;

/// One life of one server as a source of drafts. A restarted server opens a new lane with a
/// greater `boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The server.
    pub server: ServerId,
    /// Greater than that of every earlier life of the server.
    pub boot: u64,
}

/// Settings of the server that took the request, which decide how it is carried out. They travel
/// with the request because every server must decide alike, whatever its own settings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `extendedTypesEnabled`: TTL znodes may be created.
    pub extended_types: bool,
    /// `enforceQuota`: hard quotas refuse.
    pub enforce_quota: bool,
    /// `skipACL`: every check of an ACL passes.
    pub skip_acl: bool,
    /// What an ACL that is set may name.
    pub schemes: Schemes,
    /// `standaloneEnabled=false`: a reconfig may leave a single voter.
    pub single_voter: bool,
}

impl Rules {
    fn bits(self) -> u8 {
        u8::from(self.extended_types)
            | u8::from(self.enforce_quota) << 1
            | u8::from(self.skip_acl) << 2
            | u8::from(!self.schemes.digest) << 3
            | u8::from(self.schemes.sasl) << 4
            | u8::from(self.schemes.x509) << 5
            | u8::from(self.single_voter) << 6
    }

    fn from_bits(bits: u8) -> Rules {
        Rules {
            extended_types: bits & 1 != 0,
            enforce_quota: bits & 2 != 0,
            skip_acl: bits & 4 != 0,
            schemes: Schemes {
                digest: bits & 8 == 0,
                sasl: bits & 16 != 0,
                x509: bits & 32 != 0,
            },
            single_voter: bits & 64 != 0,
        }
    }

    /// Voters that a reconfig must leave.
    pub(super) fn voters_min(self) -> usize {
        if self.single_voter { 1 } else { 2 }
    }
}

/// A change that a server wants, before the leader has stamped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft<'a> {
    /// A new session. Id and password come from the server's CSPRNG.
    Open {
        /// The id; taken ones are refused.
        session: SessionId,
        /// What the client must show to attach again.
        password: [u8; PASSWORD_BYTES],
        /// Negotiated timeout, milliseconds.
        timeout_ms: i32,
        /// Where it is attached.
        connection: ConnectionId,
    },
    /// An existing session comes back on a new connection.
    Attach {
        /// The session.
        session: SessionId,
        /// What the client showed; compared in constant time.
        password: &'a [u8],
        /// Timeout negotiated anew, milliseconds.
        timeout_ms: i32,
        /// Where it is attached from now on.
        connection: ConnectionId,
    },
    /// A client's write.
    Request {
        /// The session.
        session: SessionId,
        /// The connection it came on; refused when the session has moved since.
        connection: ConnectionId,
        /// Who vouches for the session.
        scope: Scope,
        /// Settings of the server that took it.
        rules: Rules,
        /// Who the connection was when it came.
        identities: Vec<Id>,
        /// What it asks for.
        op: OpCode,
        /// The record as the client sent it.
        body: &'a [u8],
    },
    /// A client's write that did not decode, or that this server refuses: it takes its place in
    /// the order, and a zxid, and fails.
    Refused {
        /// The session.
        session: SessionId,
        /// The connection it came on.
        connection: ConnectionId,
        /// Who vouches for the session.
        scope: Scope,
        /// The answer.
        code: Code,
    },
    /// A session that only its server knew becomes one of the ensemble, because it wants to own a
    /// znode. It keeps id, password, timeout and connection; nobody waits for an answer.
    Upgrade {
        /// The id; taken ones are refused.
        session: SessionId,
        /// What the client must show to attach again.
        password: [u8; PASSWORD_BYTES],
        /// Negotiated timeout, milliseconds.
        timeout_ms: i32,
        /// Where it is attached.
        connection: ConnectionId,
    },
    /// The leader found the session silent for too long.
    Expire {
        /// The session.
        session: SessionId,
        /// Where it was attached when the leader looked. One that has attached since lives on.
        origin: Option<Origin>,
    },
    /// The leader found an empty container or an overdue TTL znode.
    Reap {
        /// The znode; checked again, since it may have changed.
        path: &'a str,
    },
    /// The leader says who the servers of the ensemble are, unless a reconfig has said so.
    State {
        /// In which it leads; later it means nothing.
        term: u64,
        /// Every server.
        members: BTreeMap<ServerId, Member>,
    },
    /// The leader is done with a reconfig that was accepted.
    Settle {
        /// In which it leads; later it means nothing.
        term: u64,
        /// The zxid at which the reconfig was accepted.
        reconfig: Zxid,
        /// Whether the members are the new ones; an error says that nothing was changed.
        outcome: Result<(), Code>,
    },
    /// A part of the image of a tree that is to take the place of this one.
    Piece {
        /// Which restore it is of, a random number.
        restore: u64,
        /// Bytes of the image before this; 0 begins anew.
        offset: u64,
        /// The part.
        bytes: &'a [u8],
    },
    /// All pieces were sent: the tree they are the image of takes the place of this one.
    Replace {
        /// Which restore.
        restore: u64,
        /// Bytes of the image.
        bytes: u64,
    },
}

const OPEN: u8 = 1;
const ATTACH: u8 = 2;
const REQUEST: u8 = 3;
const REFUSED: u8 = 4;
const EXPIRE: u8 = 5;
const REAP: u8 = 6;
const UPGRADE: u8 = 7;
const REFUSED_LOCAL: u8 = 8;
const STATE: u8 = 20;
const SETTLE: u8 = 21;
const PIECE: u8 = 22;
const REPLACE: u8 = 23;

/// The bit of the rules' byte that says [`Scope::Local`].
const LOCAL_BIT: u8 = 1 << 7;

impl<'a> Draft<'a> {
    /// Appends the draft with its length.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(0);
        self.encode_fields(&mut Writer::new(out));
        close_frame(out, start);
    }

    fn kind(&self) -> u8 {
        match self {
            Draft::Open { .. } => OPEN,
            Draft::Attach { .. } => ATTACH,
            Draft::Request { .. } => REQUEST,
            Draft::Refused { scope, .. } => match scope {
                Scope::Global => REFUSED,
                Scope::Local => REFUSED_LOCAL,
            },
            Draft::Upgrade { .. } => UPGRADE,
            Draft::Expire { .. } => EXPIRE,
            Draft::Reap { .. } => REAP,
            Draft::State { .. } => STATE,
            Draft::Settle { .. } => SETTLE,
            Draft::Piece { .. } => PIECE,
            Draft::Replace { .. } => REPLACE,
        }
    }

    fn encode_fields(&self, w: &mut Writer<'_>) {
        w.u8(self.kind());
        match self {
            Draft::Open {
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
            } => {
                w.i64(session.0);
                w.raw(password);
                w.i32(*timeout_ms);
                w.u64(connection.0);
            }
            Draft::Attach {
                session,
                password,
                timeout_ms,
                connection,
            } => {
                w.i64(session.0);
                w.buffer(Some(password));
                w.i32(*timeout_ms);
                w.u64(connection.0);
            }
            Draft::Request {
                session,
                connection,
                scope,
                rules,
                identities,
                op,
                body,
            } => {
                w.i64(session.0);
                w.u64(connection.0);
                w.u8(rules.bits() | scope_bit(*scope));
                w.length(identities.len());
                for identity in identities {
                    identity.encode(w);
                }
                w.i32(op.number());
                w.raw(body);
            }
            Draft::Refused {
                session,
                connection,
                code,
                scope: _,
            } => {
                w.i64(session.0);
                w.u64(connection.0);
                w.i32(code.number());
            }
            Draft::Expire { .. }
            | Draft::Reap { .. }
            | Draft::State { .. }
            | Draft::Settle { .. }
            | Draft::Piece { .. }
            | Draft::Replace { .. } => self.encode_leaders_fields(w),
        }
    }

    /// What no client asks for.
    fn encode_leaders_fields(&self, w: &mut Writer<'_>) {
        match self {
            Draft::Expire { session, origin } => {
                w.i64(session.0);
                put_origin(*origin, w);
            }
            Draft::Reap { path } => {
                w.text(path);
            }
            Draft::State { term, members } => {
                w.u64(*term);
                Member::encode_all(members, w);
            }
            Draft::Settle {
                term,
                reconfig,
                outcome,
            } => {
                w.u64(*term);
                w.i64(reconfig.0);
                w.i32(outcome.err().map_or(0, Code::number));
            }
            Draft::Piece {
                restore,
                offset,
                bytes,
            } => {
                w.u64(*restore);
                w.u64(*offset);
                w.raw(bytes);
            }
            Draft::Replace { restore, bytes } => {
                w.u64(*restore);
                w.u64(*bytes);
            }
            Draft::Open { .. }
            | Draft::Upgrade { .. }
            | Draft::Attach { .. }
            | Draft::Request { .. }
            | Draft::Refused { .. } => {}
        }
    }

    /// Reads a draft's bytes, without the length.
    pub fn decode(bytes: &'a [u8]) -> Result<Draft<'a>, Malformed> {
        let r = &mut Reader::new(bytes);
        Ok(match r.u8()? {
            OPEN => Draft::Open {
                session: SessionId(r.i64()?),
                password: password(r)?,
                timeout_ms: r.i32()?,
                connection: ConnectionId(r.u64()?),
            },
            ATTACH => Draft::Attach {
                session: SessionId(r.i64()?),
                password: r.buffer()?.unwrap_or_default(),
                timeout_ms: r.i32()?,
                connection: ConnectionId(r.u64()?),
            },
            UPGRADE => Draft::Upgrade {
                session: SessionId(r.i64()?),
                password: password(r)?,
                timeout_ms: r.i32()?,
                connection: ConnectionId(r.u64()?),
            },
            REQUEST => {
                let (session, connection) = (SessionId(r.i64()?), ConnectionId(r.u64()?));
                let bits = r.u8()?;
                Draft::Request {
                    session,
                    connection,
                    scope: scope_of(bits),
                    rules: Rules::from_bits(bits),
                    identities: r.vector(8, Id::decode)?,
                    op: OpCode::from_number(r.i32()?).ok_or(Malformed("unknown operation"))?,
                    body: r.rest(),
                }
            }
            kind @ (REFUSED | REFUSED_LOCAL) => Draft::Refused {
                session: SessionId(r.i64()?),
                connection: ConnectionId(r.u64()?),
                scope: match kind {
                    REFUSED => Scope::Global,
                    _ => Scope::Local,
                },
                code: refusal(r.i32()?)?,
            },
            kind => Draft::decode_leaders(kind, r)?,
        })
    }

    /// What no client asks for.
    fn decode_leaders(kind: u8, r: &mut Reader<'a>) -> Result<Draft<'a>, Malformed> {
        Ok(match kind {
            EXPIRE => Draft::Expire {
                session: SessionId(r.i64()?),
                origin: origin(r)?,
            },
            REAP => match r.buffer()?.map(std::str::from_utf8) {
                Some(Ok(path)) => Draft::Reap { path },
                _ => return Err(Malformed("path is not UTF-8")),
            },
            STATE => Draft::State {
                term: r.u64()?,
                members: Member::decode_all(r)?,
            },
            SETTLE => Draft::Settle {
                term: r.u64()?,
                reconfig: Zxid(r.i64()?),
                outcome: match r.i32()? {
                    0 => Ok(()),
                    number => Err(refusal(number)?),
                },
            },
            PIECE => Draft::Piece {
                restore: r.u64()?,
                offset: r.u64()?,
                bytes: r.rest(),
            },
            REPLACE => Draft::Replace {
                restore: r.u64()?,
                bytes: r.u64()?,
            },
            _ => return Err(Malformed("unknown kind of draft")),
        })
    }
}

fn put_origin(origin: Option<Origin>, w: &mut Writer<'_>) {
    w.bool(origin.is_some());
    if let Some(origin) = origin {
        w.u8(origin.server.0);
        w.u64(origin.connection.0);
    }
}

fn scope_bit(scope: Scope) -> u8 {
    match scope {
        Scope::Global => 0,
        Scope::Local => LOCAL_BIT,
    }
}

fn scope_of(bits: u8) -> Scope {
    match bits & LOCAL_BIT {
        0 => Scope::Global,
        _ => Scope::Local,
    }
}

fn password(r: &mut Reader<'_>) -> Result<[u8; PASSWORD_BYTES], Malformed> {
    let mut password = [0; PASSWORD_BYTES];
    for byte in &mut password {
        *byte = r.u8()?;
    }
    Ok(password)
}

fn origin(r: &mut Reader<'_>) -> Result<Option<Origin>, Malformed> {
    if !r.bool()? {
        return Ok(None);
    }
    Ok(Some(Origin {
        server: ServerId(r.u8()?),
        connection: ConnectionId(r.u64()?),
    }))
}

/// The codes a server refuses a write with before the log has it.
fn refusal(number: i32) -> Result<Code, Malformed> {
    [
        Code::SystemError,
        Code::MarshallingError,
        Code::Unimplemented,
        Code::BadArguments,
        Code::NewConfigNoQuorum,
        Code::ReconfigDisabled,
        Code::ThrottledOp,
    ]
    .into_iter()
    .find(|code| code.number() == number)
    .ok_or(Malformed("unknown refusal"))
}

/// Consecutive drafts of one lane, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose they are.
    pub lane: Lane,
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// The drafts, each with its length.
    pub drafts: Bytes,
}

/// Bytes of a run before its drafts.
const RUN_HEADER_BYTES: usize = 25;

/// One log entry: the drafts the leader had at one moment, under one stamp.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
}

/// Short: consensus traces every entry it touches.
impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.bytes.len())
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Batch {
    /// Stamps `runs` with the leader's time, milliseconds since 1970.
    pub fn new(stamp_ms: i64, runs: &[Run]) -> Batch {
        let size = runs
            .iter()
            .map(|run| RUN_HEADER_BYTES + run.drafts.len())
            .sum::<usize>();
        let mut out = BytesMut::with_capacity(8 + size);
        let mut w = Writer::new(&mut out);
        w.i64(stamp_ms);
        for run in runs {
            w.u8(run.lane.server.0);
            w.u64(run.lane.boot);
            w.u64(run.first);
            w.u32(run.count);
            w.length(run.drafts.len());
            w.raw(&run.drafts);
        }
        Batch {
            bytes: out.freeze(),
        }
    }

    /// A batch as the log or a peer gave it.
    pub fn from_bytes(bytes: Bytes) -> Batch {
        Batch { bytes }
    }

    /// The encoding; shared, not copied.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The leader's time, milliseconds since 1970.
    pub fn stamp_ms(&self) -> Result<i64, Malformed> {
        Reader::new(&self.bytes).i64()
    }

    /// Every proposal in order: its lane, its number in the lane, its draft.
    pub fn proposals(&self) -> Proposals<'_> {
        Proposals {
            runs: Reader::new(self.bytes.get(8..).unwrap_or_default()),
            run: None,
        }
    }
}

/// Walks the proposals of a batch.
#[derive(Clone, Debug)]
pub struct Proposals<'a> {
    runs: Reader<'a>,
    run: Option<(Lane, u64, u32, Reader<'a>)>,
}

impl<'a> Proposals<'a> {
    fn step(&mut self) -> Result<Option<(Lane, u64, Draft<'a>)>, Malformed> {
        loop {
            match &mut self.run {
                Some((lane, next, left @ 1.., drafts)) => {
                    let bytes = drafts.buffer()?.ok_or(Malformed("null draft"))?;
                    let number = *next;
                    *next += 1;
                    *left -= 1;
                    return Ok(Some((*lane, number, Draft::decode(bytes)?)));
                }
                _ if self.runs.rest().is_empty() => return Ok(None),
                _ => self.run = Some(self.next_run()?),
            }
        }
    }

    fn next_run(&mut self) -> Result<(Lane, u64, u32, Reader<'a>), Malformed> {
        let r = &mut self.runs;
        let lane = Lane {
            server: ServerId(r.u8()?),
            boot: r.u64()?,
        };
        let (first, count) = (r.u64()?, r.u32()?);
        let drafts = r.buffer()?.unwrap_or_default();
        Ok((lane, first, count, Reader::new(drafts)))
    }
}

impl<'a> Iterator for Proposals<'a> {
    type Item = Result<(Lane, u64, Draft<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each_kind() -> Vec<Draft<'static>> {
        vec![
            Draft::Open {
                session: SessionId(7),
                password: [3; PASSWORD_BYTES],
                timeout_ms: 4000,
                connection: ConnectionId(9),
            },
            Draft::Request {
                session: SessionId(7),
                connection: ConnectionId(9),
                scope: Scope::Local,
                rules: Rules {
                    enforce_quota: true,
                    ..Rules::default()
                },
                identities: vec![Id::new("ip", "127.0.0.1")],
                op: OpCode::Delete,
                body: b"\0\0\0\x02/a\xff\xff\xff\xff",
            },
            Draft::Upgrade {
                session: SessionId(7),
                password: [4; PASSWORD_BYTES],
                timeout_ms: 4000,
                connection: ConnectionId(9),
            },
            Draft::Refused {
                session: SessionId(7),
                connection: ConnectionId(9),
                scope: Scope::Local,
                code: Code::MarshallingError,
            },
            Draft::Attach {
                session: SessionId(7),
                password: b"wrong",
                timeout_ms: 1,
                connection: ConnectionId(10),
            },
            Draft::Expire {
                session: SessionId(7),
                origin: Some(Origin {
                    server: ServerId(2),
                    connection: ConnectionId(9),
                }),
            },
            Draft::Reap { path: "/c" },
        ]
    }

    #[test]
    fn a_batch_gives_back_its_proposals_in_order() {
        let drafts = one_of_each_kind();
        let runs = drafts.chunks(5).enumerate().map(|(i, chunk)| {
            let mut out = BytesMut::new();
            chunk.iter().for_each(|draft| draft.encode(&mut out));
            Run {
                lane: Lane {
                    server: ServerId(i as u8),
                    boot: 5,
                },
                first: 11,
                count: chunk.len() as u32,
                drafts: out.freeze(),
            }
        });
        let batch = Batch::new(1234, &runs.collect::<Vec<_>>());
        assert_eq!(batch.stamp_ms(), Ok(1234));
        let back = batch.proposals().collect::<Result<Vec<_>, _>>().unwrap();
        let numbers = back
            .iter()
            .map(|(lane, n, _)| (lane.server.0, *n))
            .collect::<Vec<_>>();
        assert_eq!(
            numbers,
            [
                (0, 11),
                (0, 12),
                (0, 13),
                (0, 14),
                (0, 15),
                (1, 11),
                (1, 12)
            ]
        );
        assert!(back.iter().map(|(_, _, draft)| draft).eq(&drafts));
    }

    #[test]
    fn what_no_client_asks_for_comes_back() {
        let line = crate::proto::server_line("[::1]:1:2:observer;3;4");
        let member = line.expect("it is a line").member;
        for draft in [
            Draft::State {
                term: 3,
                members: [(ServerId(4), member)].into(),
            },
            Draft::Settle {
                term: 3,
                reconfig: Zxid(9),
                outcome: Err(Code::NewConfigNoQuorum),
            },
            Draft::Settle {
                term: 3,
                reconfig: Zxid(9),
                outcome: Ok(()),
            },
            Draft::Piece {
                restore: 5,
                offset: 6,
                bytes: b"piece",
            },
            Draft::Replace {
                restore: 5,
                bytes: 11,
            },
        ] {
            let mut out = BytesMut::new();
            draft.encode(&mut out);
            assert_eq!(Draft::decode(&out[4..]), Ok(draft));
            for cut in 4..out.len() {
                // Whatever is left, it is a draft or it is malformed.
                let _ = Draft::decode(&out[4..cut]);
            }
        }
    }

    #[test]
    fn a_batch_cut_anywhere_is_an_error_or_ends() {
        let mut out = BytesMut::new();
        Draft::Reap { path: "/c" }.encode(&mut out);
        let lane = Lane {
            server: ServerId(1),
            boot: 1,
        };
        let whole = Batch::new(
            1,
            &[Run {
                lane,
                first: 1,
                count: 1,
                drafts: out.freeze(),
            }],
        );
        for cut in 9..whole.bytes().len() {
            let part = Batch::from_bytes(whole.bytes().slice(..cut));
            assert!(
                part.proposals().any(|proposal| proposal.is_err()),
                "cut at {cut}"
            );
        }
    }
}
