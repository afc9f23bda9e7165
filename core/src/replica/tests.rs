//! What connections may do to the replica, and what they may not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::proto::{
    ConnectionId, OpCode, PASSWORD_BYTES, Reader, ServerId, SessionId, Writer, Xid,
};
use crate::replica::{
    Arrival, Connection, DigestSettings, HOLD_BYTES_MAX, Reconfig, Replica, RequestSettings,
    SessionSettings, Settings,
};
use crate::tree::{Batch, Draft, Lane, Rules, Run, Tree};

const LANE: Lane = Lane {
    server: ServerId(1),
    boot: 1,
};
const SESSION: SessionId = SessionId(1);
const OUTBOX_BYTES_MAX: usize = 4 << 20;
const NOW: Arrival = Arrival {
    now_us: 0,
    waited_us: 0,
};

/// A replica, one connection with a session, and how far each lane has come.
struct Stage {
    replica: Replica,
    connection: Arc<Connection>,
    next: u64,
}

impl Stage {
    fn new() -> Stage {
        let settings = Settings {
            rules: Rules::default(),
            digest: DigestSettings {
                enabled: true,
                super_digest: None,
                algorithm: Default::default(),
            },
            sasl: Default::default(),
            required_schemes: Vec::new(),
            sessions: SessionSettings::default(),
            requests: RequestSettings::default(),
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            space_is_low: Arc::default(),
            reconfig: Reconfig::default(),
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut stage = Stage {
            replica: Replica::new(settings, Tree::new(), LANE),
            connection: Arc::new(Connection::new(ConnectionId(7), peer, 0)),
            next: 1,
        };
        stage.replica.connect(Arc::clone(&stage.connection));
        let mut open = BytesMut::new();
        Draft::Open {
            session: SESSION,
            password: [1; PASSWORD_BYTES],
            timeout_ms: 1000,
            connection: ConnectionId(7),
        }
        .encode(&mut open);
        stage.apply(LANE, 1, open.freeze(), 1);
        stage.next = 2;
        stage.connection.take_outbox();
        stage
    }

    fn apply(&self, lane: Lane, first: u64, drafts: Bytes, count: u32) {
        let run = Run {
            lane,
            first,
            count,
            drafts,
        };
        self.replica.apply(1, &Batch::new(1, &[run]), 0).unwrap();
    }

    /// Lets frames arrive and applies what they propose; tells how many were taken.
    fn arrive(&mut self, frames: &[Bytes]) -> (usize, bool) {
        let mut left = frames.iter().cloned();
        let effects = self.replica.arrive(&self.connection, left.by_ref(), NOW);
        let (drafts, count) = (effects.drafts.freeze(), effects.count);
        self.apply(LANE, self.next, drafts, count);
        self.next += u64::from(count);
        (frames.len() - left.len(), effects.more)
    }

    /// Xids of what is owed, and whether the connection ends.
    fn owed(&self) -> (Vec<i32>, bool) {
        let (owed, ending) = self.connection.take_outbox();
        let r = &mut Reader::new(&owed);
        let mut xids = Vec::new();
        while let Ok(Some(reply)) = r.buffer() {
            xids.push(Reader::new(reply).i32().unwrap());
        }
        (xids, ending.is_some())
    }
}

fn frame(xid: i32, op: OpCode, fill: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    w.i32(xid);
    w.i32(op.number());
    fill(&mut w);
    out.freeze()
}

fn create(xid: i32, path: &str, data_bytes: usize) -> Bytes {
    frame(xid, OpCode::Create, |w| {
        w.text(path);
        w.buffer(Some(&vec![0; data_bytes]));
        w.i32(1);
        w.i32(31);
        w.text("world");
        w.text("anyone");
        w.i32(0);
    })
}

fn get(xid: i32, path: &str) -> Bytes {
    frame(xid, OpCode::GetData, |w| {
        w.text(path);
        w.bool(false);
    })
}

fn authenticate(scheme: &str, auth: &[u8]) -> Bytes {
    frame(Xid::AUTH.0, OpCode::Auth, |w| {
        w.i32(0);
        w.text(scheme);
        w.buffer(Some(auth));
    })
}

#[test]
fn nothing_behind_a_failed_authentication_is_carried_out() {
    let mut stage = Stage::new();
    stage.arrive(&[authenticate("nonsense", b""), create(1, "/a", 0)]);
    assert_eq!(stage.owed(), (vec![Xid::AUTH.0], true));
    assert_eq!(stage.replica.tree().stat("/a"), None);
}

#[test]
fn one_hold_proposes_no_more_than_its_limit_and_one_draft() {
    let mut stage = Stage::new();
    let frames = (1..=9).map(|n| create(n, &format!("/{n}"), HOLD_BYTES_MAX / 4));
    let frames = frames.collect::<Vec<_>>();
    assert_eq!(stage.arrive(&frames), (4, true));
    assert_eq!(stage.owed().0, [1, 2, 3, 4]);
    assert_eq!(stage.arrive(&frames[4..]), (4, true));
    assert_eq!(stage.arrive(&frames[8..]), (1, false));
    assert_eq!(stage.owed().0, [5, 6, 7, 8, 9]);
}

#[test]
fn one_hold_owes_no_more_than_its_limit_and_one_reply() {
    let mut stage = Stage::new();
    stage.arrive(&[create(1, "/a", HOLD_BYTES_MAX / 2)]);
    stage.owed();
    let frames = (2..=9).map(|n| get(n, "/a")).collect::<Vec<_>>();
    assert_eq!(stage.arrive(&frames), (2, true));
    assert_eq!(stage.owed(), (vec![2, 3], false));
    assert_eq!(stage.arrive(&frames[2..]), (2, true));
}

#[test]
fn reads_that_wait_are_answered_in_order_and_a_hold_at_a_time() {
    let mut stage = Stage::new();
    stage.arrive(&[create(1, "/a", HOLD_BYTES_MAX / 2)]);
    stage.owed();
    let mut frames = vec![create(2, "/b", 0)];
    frames.extend((3..=7).map(|n| get(n, "/a")));
    assert_eq!(stage.arrive(&frames), (6, false));
    let mut answered = stage.owed().0;
    while stage.replica.advance(&stage.connection, 0).more {
        let now = stage.owed().0;
        assert!(now.len() <= 2, "{now:?}");
        answered.extend(now);
    }
    answered.extend(stage.owed().0);
    assert_eq!(answered, [2, 3, 4, 5, 6, 7]);
}

#[test]
fn reads_between_two_writes_end_a_connection_that_leaves_too_much_unread() {
    let mut stage = Stage::new();
    stage.arrive(&[create(1, "/a", OUTBOX_BYTES_MAX / 4)]);
    stage.owed();
    let mut frames = vec![create(2, "/b", 0)];
    frames.extend((3..=100).map(|n| get(n, "/a")));
    frames.push(create(101, "/c", 0));
    stage.arrive(&frames);
    let (owed, ending) = stage.connection.take_outbox();
    assert!(ending.is_some());
    assert!(owed.len() < OUTBOX_BYTES_MAX * 3 / 2, "{}", owed.len());
    assert_eq!(stage.replica.outstanding(), 0);
}

#[test]
fn identities_of_a_connection_are_limited() {
    // Beside that of its address.
    for (user, most) in [("u".repeat(1_000), 7), ("u".to_owned(), 31)] {
        let mut stage = Stage::new();
        for n in 1..=most {
            stage.arrive(&[authenticate("digest", format!("{user}{n}:p").as_bytes())]);
            assert!(!stage.owed().1, "{n}");
        }
        // One that it has already is none more.
        stage.arrive(&[authenticate("digest", format!("{user}1:p").as_bytes())]);
        assert!(!stage.owed().1);
        stage.arrive(&[authenticate("digest", format!("{user}0:p").as_bytes())]);
        assert!(stage.owed().1);
    }
}

#[test]
fn a_session_that_moves_to_a_connection_of_the_same_number_elsewhere_leaves_this_one() {
    let stage = Stage::new();
    let mut attach = BytesMut::new();
    Draft::Attach {
        session: SESSION,
        password: &[1; PASSWORD_BYTES],
        timeout_ms: 1000,
        connection: ConnectionId(7),
    }
    .encode(&mut attach);
    let elsewhere = Lane {
        server: ServerId(2),
        boot: 1,
    };
    stage.apply(elsewhere, 1, attach.freeze(), 1);
    assert!(stage.connection.is_ending());
}
