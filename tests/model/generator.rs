//! What happens next: each step is made from a seed of its own and the model's present state.
//!
//! Paths, data and ACLs come from the step's seed alone; versions, lane numbers and origins are
//! looked up in the model, so that they are right (or wrong) on purpose. Steps may therefore be
//! left out of a sequence and the rest still makes sense, which is how failures shrink.

use bytes::BytesMut;
use fastrand::Rng;
use zoowarden::proto::{Code, ConnectionId, OpCode, Request, ServerId, SessionId, Writer};
use zoowarden::session::Origin;
use zoowarden::tree::{Draft, Lane, Rules};

use crate::pieces;
use crate::znodes::{Kind, Model, ReaderOf};

/// One step of a sequence.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A draft arrives from the log; it is applied when its number is the next of its lane.
    Draft {
        term: u64,
        stamp_ms: i64,
        lane: Lane,
        number: u64,
        draft: BytesMut,
    },
    /// A client reads.
    Read {
        who: ReaderOf,
        op: OpCode,
        body: BytesMut,
    },
}

impl Step {
    /// The step in a line, for whoever has to find out what went wrong.
    pub(crate) fn describe(&self) -> String {
        match self {
            Step::Read { who, op, body } => format!("{:?} by {who:?}", Request::decode(*op, body)),
            Step::Draft {
                term,
                stamp_ms,
                lane,
                number,
                draft,
            } => {
                let Lane { server, boot } = lane;
                let place = format!("{server}.{boot}.{number} term {term} at {stamp_ms}");
                match Draft::decode(draft) {
                    Ok(Draft::Request {
                        session,
                        connection,
                        rules,
                        identities,
                        op,
                        body,
                    }) => {
                        let request = Request::decode(op, body);
                        let who = format!("{session} on {connection} as {identities:?} {rules:?}");
                        format!("{place}: {op:?} {request:?} by {who}")
                    }
                    other => format!("{place}: {other:?}"),
                }
            }
        }
    }
}

const SERVERS: u8 = 3;
const FIRST_STAMP_MS: i64 = 1_700_000_000_000;
/// Sessions come and go under these ids; ids are signed, and one looks it.
const SESSIONS: [i64; 6] = [
    1,
    2,
    0x0100_0000_0000_0001,
    0x0200_0000_0000_0002,
    i64::MAX,
    -0x0200_0000_0000_0000 + 5,
];
/// Above this many znodes, more is deleted than created.
const ZNODES_MAX: usize = 250;
/// In a wide sequence this many changes add znodes, then as many take them away.
const TIDE: i64 = 1_500;

/// How the znodes of a sequence spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A few names on every level, so that requests meet each other.
    Bushy,
    /// Two parents with hundreds of children, which come and go in tides.
    Wide,
}

pub(crate) fn step(seed: u64, shape: Shape, model: &Model) -> Step {
    let g = &mut Generator {
        rng: Rng::with_seed(seed),
        shape,
        model,
    };
    match g.rng.u32(..100) {
        0..12 => g.read(),
        12..16 => g.out_of_turn(),
        16..20 => g.reap(),
        _ => g.session_draft(),
    }
}

struct Generator<'m> {
    rng: Rng,
    shape: Shape,
    model: &'m Model,
}

/// The shortest way to say that something happens now and then.
fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

impl Generator<'_> {
    fn read(&mut self) -> Step {
        let ops = [
            OpCode::Exists,
            OpCode::GetData,
            OpCode::GetAcl,
            OpCode::GetChildren,
            OpCode::GetChildren2,
            OpCode::GetAllChildrenNumber,
            OpCode::GetEphemerals,
            OpCode::MultiRead,
        ];
        let op = ops[self.rng.usize(..ops.len())];
        let mut body = BytesMut::new();
        self.read_body(op, &mut Writer::new(&mut body));
        Step::Read {
            who: ReaderOf {
                session: self.session(),
                identities: pieces::identities(&mut self.rng),
                skip_acl: chance(&mut self.rng, 5),
            },
            op,
            body,
        }
    }

    fn read_body(&mut self, op: OpCode, w: &mut Writer<'_>) {
        match op {
            OpCode::GetEphemerals => match self.rng.u32(..6) {
                0 => w.buffer(None),
                1 => w.text(""),
                2 => w.text("  "),
                3 => w.text("/"),
                _ => w.text(&self.path()),
            },
            OpCode::GetAllChildrenNumber => {
                // The empty path counts differently in every ZooKeeper.
                let path = self.path();
                w.text(if path.is_empty() { "/" } else { &path });
            }
            OpCode::MultiRead => {
                for _ in 0..self.rng.usize(..4) {
                    let ops = [OpCode::GetData, OpCode::GetChildren];
                    pieces::multi_header(ops[self.rng.usize(..2)].number(), w);
                    w.text(&self.path());
                    w.bool(false);
                }
                pieces::multi_end(w);
            }
            _ => {
                w.text(&self.path());
                w.bool(false);
            }
        }
    }

    /// A draft whose number is not the next of its lane.
    fn out_of_turn(&mut self) -> Step {
        let server = ServerId(self.rng.u8(1..=SERVERS));
        let (boot, last) = self.lane_of(server);
        let (boot, number) = match self.rng.u32(..4) {
            0 if last > 0 => (boot, self.rng.u64(1..=last)),
            1 if last > 0 => (boot - 1, self.rng.u64(1..last + 3)),
            2 => (boot + 1, self.rng.u64(2..5)),
            _ => (boot, last + self.rng.u64(2..5)),
        };
        self.draft_in(Lane { server, boot }, number, &Draft::Reap { path: "/a" })
    }

    fn lane_of(&self, server: ServerId) -> (u64, u64) {
        self.model.lanes.get(&server).copied().unwrap_or((10, 0))
    }

    /// A draft whose turn it is, from `server`; now and then the server was started anew.
    fn draft_from(&mut self, server: ServerId, draft: &Draft<'_>) -> Step {
        let (boot, last) = self.lane_of(server);
        let (boot, number) = if chance(&mut self.rng, 1) {
            (boot + self.rng.u64(1..3), 1)
        } else {
            (boot, last + 1)
        };
        self.draft_in(Lane { server, boot }, number, draft)
    }

    fn draft_in(&mut self, lane: Lane, number: u64, draft: &Draft<'_>) -> Step {
        let term = (self.model.last_zxid >> 32).max(1) as u64;
        let mut bytes = BytesMut::new();
        draft.encode(&mut bytes);
        Step::Draft {
            term: match self.rng.u32(..1000) {
                0 => term + 1,
                1 => term - 1,
                _ => term,
            },
            stamp_ms: FIRST_STAMP_MS + self.rng.i64(0..100_000),
            lane,
            number,
            // Without its length, as `Draft::decode` wants it.
            draft: bytes.split_off(4),
        }
    }

    fn reap(&mut self) -> Step {
        let due = self.model.reapable(FIRST_STAMP_MS + 50_000, 1_000);
        let path = match due.len() {
            1.. if chance(&mut self.rng, 80) => due[self.rng.usize(..due.len())].clone(),
            _ => self.path(),
        };
        let server = ServerId(self.rng.u8(1..=SERVERS));
        self.draft_from(server, &Draft::Reap { path: &path })
    }

    fn session(&mut self) -> SessionId {
        SessionId(SESSIONS[self.rng.usize(..SESSIONS.len())])
    }

    fn any_origin(&mut self) -> Origin {
        Origin {
            server: ServerId(self.rng.u8(1..=SERVERS)),
            connection: ConnectionId(self.rng.u64(1..20)),
        }
    }

    fn session_draft(&mut self) -> Step {
        let session = self.session();
        let current = self
            .model
            .sessions
            .get(&session)
            .and_then(|known| known.origin);
        let origin = match current {
            Some(origin) if chance(&mut self.rng, 96) => origin,
            _ => self.any_origin(),
        };
        let roll = self.rng.u32(..1000);
        match roll {
            0..600 if current.is_none() => self.open(session),
            0..5 => self.open(session),
            5..30 => self.attach(session),
            30..36 => self.expire(session, origin),
            36..42 => self.refuse(session, origin),
            _ => self.request(session, origin),
        }
    }

    fn open(&mut self, session: SessionId) -> Step {
        let origin = self.any_origin();
        let draft = Draft::Open {
            session,
            password: [self.rng.u8(..3); 16],
            timeout_ms: self.rng.i32(1..40_000),
            connection: origin.connection,
        };
        self.draft_from(origin.server, &draft)
    }

    fn attach(&mut self, session: SessionId) -> Step {
        let origin = self.any_origin();
        let known = self.model.sessions.get(&session);
        let password = match (known, self.rng.u32(..10)) {
            (Some(known), 0..7) => known.password.to_vec(),
            (Some(known), 7) => known.password[..15].to_vec(),
            (_, 8) => Vec::new(),
            _ => vec![self.rng.u8(..4); 16],
        };
        let draft = Draft::Attach {
            session,
            password: &password,
            timeout_ms: self.rng.i32(1..40_000),
            connection: origin.connection,
        };
        self.draft_from(origin.server, &draft)
    }

    fn expire(&mut self, session: SessionId, origin: Origin) -> Step {
        let origin = Some(origin).filter(|_| chance(&mut self.rng, 90));
        let leader = ServerId(self.rng.u8(1..=SERVERS));
        self.draft_from(leader, &Draft::Expire { session, origin })
    }

    fn refuse(&mut self, session: SessionId, origin: Origin) -> Step {
        let codes = [
            Code::MarshallingError,
            Code::Unimplemented,
            Code::ReconfigDisabled,
        ];
        let draft = Draft::Refused {
            session,
            connection: origin.connection,
            code: codes[self.rng.usize(..codes.len())],
        };
        self.draft_from(origin.server, &draft)
    }

    fn request(&mut self, session: SessionId, origin: Origin) -> Step {
        let is_full = match self.shape {
            Shape::Bushy => self.model.znodes.len() > ZNODES_MAX,
            Shape::Wide => (self.model.last_zxid & 0xffff_ffff) / TIDE % 2 == 1,
        };
        let deletes = if is_full { 45 } else { 15 };
        let (op, body) = match self.rng.u32(..1000) {
            0..7 => (OpCode::CloseSession, BytesMut::new()),
            7..80 => self.one(OpCode::SetAcl),
            80..200 => self.one(OpCode::SetData),
            200..350 => self.multi(),
            350..400 => self.quota(),
            roll if roll - 400 < deletes * 10 => self.one(OpCode::Delete),
            _ => {
                let op = pieces::create_op(&mut self.rng);
                self.one(op)
            }
        };
        let skip_acl = if self.shape == Shape::Wide { 70 } else { 5 };
        let cut = if chance(&mut self.rng, 1) {
            self.rng.usize(..=body.len())
        } else {
            body.len()
        };
        let draft = Draft::Request {
            session,
            connection: origin.connection,
            rules: Rules {
                extended_types: chance(&mut self.rng, 85),
                enforce_quota: chance(&mut self.rng, 70),
                skip_acl: chance(&mut self.rng, skip_acl),
                single_voter: false,
            },
            identities: pieces::identities(&mut self.rng),
            op,
            body: &body[..cut],
        };
        self.draft_from(origin.server, &draft)
    }

    fn one(&mut self, op: OpCode) -> (OpCode, BytesMut) {
        let mut body = BytesMut::new();
        self.body(op, false, &mut Writer::new(&mut body));
        (op, body)
    }

    fn body(&mut self, op: OpCode, in_multi: bool, w: &mut Writer<'_>) {
        match op {
            OpCode::Delete | OpCode::Check => {
                let path = self.existing_path(70);
                w.text(&path);
                let version = self.model.znode(&path).map_or(0, |znode| znode.version);
                w.i32(self.version(version));
            }
            OpCode::SetData => {
                let path = self.existing_path(70);
                w.text(&path);
                w.buffer(self.data_for(&path).as_deref());
                let version = self.model.znode(&path).map_or(0, |znode| znode.version);
                w.i32(self.version(version));
            }
            OpCode::SetAcl => {
                let path = self.existing_path(70);
                w.text(&path);
                pieces::acl(&mut self.rng, w);
                let version = self.model.znode(&path).map_or(0, |znode| znode.aversion);
                w.i32(self.version(version));
            }
            _ => {
                w.text(&self.path());
                w.buffer(pieces::data(&mut self.rng).as_deref());
                pieces::acl(&mut self.rng, w);
                pieces::flags_and_ttl(&mut self.rng, op, in_multi, w);
            }
        }
    }

    fn multi(&mut self) -> (OpCode, BytesMut) {
        let mut body = BytesMut::new();
        let w = &mut Writer::new(&mut body);
        if chance(&mut self.rng, 30) {
            self.family(w);
        }
        for _ in 0..self.rng.usize(..5) {
            let ops = [OpCode::Delete, OpCode::SetData, OpCode::Check];
            let op = match self.rng.usize(..6) {
                at @ 0..3 => ops[at],
                _ => pieces::create_op(&mut self.rng),
            };
            pieces::multi_header(op.number(), w);
            self.body(op, true, w);
        }
        if chance(&mut self.rng, 1) {
            pieces::multi_header(OpCode::GetData.number(), w);
        }
        pieces::multi_end(w);
        (OpCode::Multi, body)
    }

    /// A parent, its children and what becomes of them, in one multi.
    fn family(&mut self, w: &mut Writer<'_>) {
        let path = self.path();
        let child = format!("{path}/c");
        for (path, flags) in [(&path, 0), (&child, 2), (&child, self.rng.i32(0..5))] {
            pieces::multi_header(OpCode::Create.number(), w);
            w.text(path);
            w.buffer(Some(b"new"));
            pieces::open_acl(w);
            w.i32(flags);
        }
        let versions = [-1, 0, self.rng.i32(0..2)];
        for (op, version) in [OpCode::SetData, OpCode::Check, OpCode::Delete]
            .iter()
            .zip(versions)
        {
            if chance(&mut self.rng, 50) {
                pieces::multi_header(op.number(), w);
                w.text(&child);
                if *op == OpCode::SetData {
                    w.buffer(pieces::data(&mut self.rng).as_deref());
                }
                w.i32(version);
            }
        }
    }

    /// Creates, changes or deletes the znodes that make a quota.
    fn quota(&mut self) -> (OpCode, BytesMut) {
        let roots = ["/a", "/b", "/a/b", "/missing"];
        let root = format!("/zookeeper/quota{}", roots[self.rng.usize(..roots.len())]);
        let names = [
            "",
            "/zookeeper_limits",
            "/zookeeper_limits",
            "/zookeeper_stats",
        ];
        let path = root + names[self.rng.usize(..names.len())];
        let mut body = BytesMut::new();
        let w = &mut Writer::new(&mut body);
        w.text(&path);
        let op = match self.rng.u32(..10) {
            0..7 => OpCode::Create2,
            7..9 => OpCode::SetData,
            _ => OpCode::Delete,
        };
        if op != OpCode::Delete {
            w.buffer(self.data_for(&path).as_deref());
        }
        if op == OpCode::Create2 {
            pieces::open_acl(w);
            w.i32(0);
        } else {
            w.i32(-1);
        }
        (op, body)
    }

    fn version(&mut self, right: i32) -> i32 {
        match self.rng.u32(..10) {
            0..4 => -1,
            4..8 => right,
            _ => self.rng.i32(-3..5),
        }
    }

    /// Limits and usage are always readable: what garbage in them means is nobody's promise.
    fn data_for(&mut self, path: &str) -> Option<Vec<u8>> {
        if path.ends_with("/zookeeper_limits") {
            Some(pieces::limits(&mut self.rng))
        } else if path.ends_with("/zookeeper_stats") {
            let (count, bytes) = (self.rng.i32(0..9), self.rng.i32(0..99));
            Some(format!("count={count},bytes={bytes}").into_bytes())
        } else {
            pieces::data(&mut self.rng)
        }
    }

    /// A path that exists, in so many of a hundred cases.
    fn existing_path(&mut self, percent: u32) -> String {
        if chance(&mut self.rng, percent) {
            let at = self.rng.usize(..self.model.znodes.len());
            self.model
                .znodes
                .keys()
                .nth(at)
                .expect("at is below the length")
                .clone()
        } else {
            self.path()
        }
    }

    fn path(&mut self) -> String {
        match self.rng.u32(..20) {
            0 => pieces::odd_path(&mut self.rng).to_owned(),
            1 => {
                // Below something special: these are rare otherwise.
                let special = |kind: &Kind| !matches!(kind, Kind::Persistent);
                let all = self.model.znodes.iter();
                let all = all
                    .filter(|(_, znode)| special(&znode.kind))
                    .map(|(path, _)| path);
                let all = all.collect::<Vec<_>>();
                match all.len() {
                    0 => "/a".to_owned(),
                    count => format!("{}/a", all[self.rng.usize(..count)]),
                }
            }
            2..18 if self.shape == Shape::Wide => pieces::wide_path(&mut self.rng),
            _ => pieces::usual_path(&mut self.rng),
        }
    }
}
