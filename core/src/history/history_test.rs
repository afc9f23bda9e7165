//! The history of a replica that applies, over a real store.

use super::*;
use crate::environment::{Clock, SystemClock};
use crate::history::record::tests::change;
use crate::proto::{ConnectionId, Id, OpCode, PASSWORD_BYTES, ServerId, SessionId, Writer};
use crate::replica::{
    DigestAlgorithm, DigestSettings, Reconfig, Replica, RequestSettings, SaslSettings,
    SessionSettings, Settings,
};
use crate::session::{Origin, Scope};
use crate::tree::{Batch, Draft, Kind, Lane, Rules, Run, Tree};
use bytes::BytesMut;
use tempfile::TempDir;

const LIMITS: Limits = Limits {
    entries_per_second_max: 100_000,
    value_bytes_max: 1 << 10,
    bytes_max: 64 << 20,
    age_ms_max: 3_600_000,
};
const LANE: Lane = Lane {
    server: ServerId(1),
    boot: 1,
};
const SESSION: SessionId = SessionId(0x10_0000_0001);
const CONNECTION: ConnectionId = ConnectionId(1);

struct Stage {
    dir: TempDir,
    replica: Replica,
    history: History,
    number: u64,
    stamp_ms: i64,
}

fn settings() -> Settings {
    Settings {
        rules: Rules::default(),
        digest: DigestSettings {
            enabled: true,
            super_digest: None,
            algorithm: DigestAlgorithm::default(),
        },
        sasl: SaslSettings::default(),
        required_schemes: Vec::new(),
        sessions: SessionSettings::default(),
        requests: RequestSettings::default(),
        reconfig: Reconfig::default(),
        outbox_bytes_max: 1 << 20,
        space_is_low: Arc::default(),
    }
}

fn start(dir: &Path, limits: Limits, recovered: Zxid) -> History {
    let clock = Arc::new(SystemClock::new());
    let started = History::start(dir, limits, clock, recovered);
    started.expect("a thread can be started")
}

impl Stage {
    fn new(limits: Limits) -> Stage {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Stage::at(dir, limits)
    }

    fn at(dir: TempDir, limits: Limits) -> Stage {
        let history = start(dir.path(), limits, Zxid(0));
        let replica = Replica::new(settings(), Tree::new(), LANE).seen_by(history.witness());
        let mut stage = Stage {
            dir,
            replica,
            history,
            number: 0,
            stamp_ms: SystemClock::new().wall_ms(),
        };
        stage.propose(&Draft::Open {
            session: SESSION,
            password: [1; PASSWORD_BYTES],
            timeout_ms: 1000,
            connection: CONNECTION,
        });
        stage
    }

    fn propose(&mut self, draft: &Draft<'_>) -> Zxid {
        self.number += 1;
        self.stamp_ms += 1;
        let mut drafts = BytesMut::new();
        draft.encode(&mut drafts);
        let run = Run {
            lane: LANE,
            first: self.number,
            count: 1,
            drafts: drafts.freeze(),
        };
        let batch = Batch::new(self.stamp_ms, &[run]);
        let applied = self.replica.apply(1, &batch, self.number);
        applied.expect("the batch is sound");
        self.replica.last_zxid()
    }

    fn request(&mut self, op: OpCode, write: impl FnOnce(&mut Writer<'_>)) -> Zxid {
        let mut body = BytesMut::new();
        write(&mut Writer::new(&mut body));
        self.propose(&Draft::Request {
            session: SESSION,
            connection: CONNECTION,
            scope: Scope::Global,
            rules: Rules::default(),
            identities: vec![Id::new("ip", "10.0.0.1")],
            op,
            body: &body,
        })
    }

    fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Zxid {
        self.request(OpCode::Create, |w| {
            w.text(path);
            w.buffer(Some(data));
            crate::proto::Acl::encode_list(&[crate::proto::Acl::open()], w);
            w.i32(flags);
        })
    }

    fn set(&mut self, path: &str, data: &[u8]) -> Zxid {
        self.request(OpCode::SetData, |w| {
            w.text(path);
            w.buffer(Some(data));
            w.i32(-1);
        })
    }

    fn delete(&mut self, path: &str) -> Zxid {
        self.request(OpCode::Delete, |w| {
            w.text(path);
            w.i32(-1);
        })
    }

    async fn all(&self, path: &str) -> Page {
        let query = Query {
            is_recursive: true,
            limit: CHANGES_MAX,
            ..Query::of(path)
        };
        let asked = self.history.changes(query).await;
        asked.expect("the store is open")
    }
}

fn story(page: &Page) -> Vec<(&str, &str)> {
    let changes = page.changes.iter();
    changes
        .map(|change| (&*change.path, change.operation.name()))
        .collect()
}

fn kept(shape: Option<&crate::tree::Shape>) -> Option<&[u8]> {
    shape.and_then(|shape| shape.value.kept.as_deref())
}

#[tokio::test]
async fn a_question_sees_everything_that_was_applied_before_it() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"one", 0);
    stage.create("/a/b", b"", 0);
    stage.create("/ab", b"", 0);
    stage.set("/a", b"two");
    stage.delete("/a/b");
    let page = stage.all("/a").await;
    assert_eq!(
        story(&page),
        [
            ("/a", "create"),
            ("/a/b", "create"),
            ("/a", "setData"),
            ("/a/b", "delete")
        ]
    );
    assert_eq!((page.more, &page.gaps[..]), (false, &[][..]));
    let set = &page.changes[2];
    assert_eq!(kept(set.before.as_ref()), Some(&b"one"[..]));
    assert_eq!(kept(set.after.as_ref()), Some(&b"two"[..]));
    assert_eq!(page.begins.unwrap().zxid, page.changes[0].zxid);
    let newest = Query {
        limit: 1,
        ..Query::of("/a")
    };
    let page = stage.history.changes(newest).await.unwrap();
    assert_eq!((story(&page), page.more), (vec![("/a", "setData")], true));
    let late = Query {
        since_ms: page.changes[0].time_ms,
        ..Query::of("/a")
    };
    assert_eq!(stage.history.changes(late).await.unwrap().changes.len(), 1);
    assert_eq!(stage.all("/").await.changes.len(), 5);
    stage.history.close();
}

#[tokio::test]
async fn the_past_of_a_subtree_is_what_each_znode_was_before_its_first_change_since() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"one", 0);
    stage.create("/a/b", b"b", 0);
    stage.create("/a/e", b"", 1);
    let then = stage.set("/a", b"two");
    stage.set("/a", b"three");
    stage.create("/a/new", b"", 0);
    for path in ["/a/new", "/a/b", "/a/e", "/a"] {
        stage.delete(path);
    }
    stage.create("/a", b"another", 0);
    let past = stage.history.past("/a", then).await.unwrap();
    let found = past.znodes.iter().map(|former| {
        let shape = former.shape.as_ref();
        (&*former.path, kept(shape), shape.map(|shape| shape.kind))
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            ("/a", Some(&b"two"[..]), Some(Kind::Persistent)),
            ("/a/b", Some(b"b"), Some(Kind::Persistent)),
            ("/a/e", Some(b""), Some(Kind::Ephemeral(SESSION))),
            ("/a/new", None, None),
        ]
    );
    assert_eq!(past.znodes[0].until.0, then.0 + 1);
    let now = stage.replica.last_zxid();
    let past = stage.history.past("/a", now).await.unwrap();
    assert_eq!(past.znodes, [], "nothing has changed since");
    stage.history.close();
}

#[tokio::test]
async fn sessions_that_end_tell_why_their_znodes_went() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/e", b"", 1);
    stage.propose(&Draft::Expire {
        session: SESSION,
        origin: Some(Origin {
            server: LANE.server,
            connection: CONNECTION,
        }),
    });
    let page = stage.all("/e").await;
    let gone = &page.changes[1];
    assert_eq!(
        (gone.operation, gone.cause),
        (Operation::Delete, Cause::SessionExpired)
    );
    assert_eq!((gone.session, gone.address()), (Some(SESSION), None));
    stage.history.close();
}

#[tokio::test]
async fn a_restart_loses_nothing_and_keeps_nothing_twice() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"", 0);
    for _ in 0..20 {
        stage.set("/a", b"x");
    }
    stage.history.close();
    assert!(matches!(
        stage.history.changes(Query::of("/a")).await,
        Err(HistoryError::Unavailable(_))
    ));
    // The log is applied again from its beginning.
    let mut again = Stage::at(stage.dir, LIMITS);
    again.stamp_ms -= 60_000;
    again.create("/a", b"", 0);
    for _ in 0..21 {
        again.set("/a", b"x");
    }
    let page = again.all("/a").await;
    assert_eq!(page.changes.len(), 22);
    assert_eq!(again.history.stats().recorded, 1);
    assert_eq!(page.gaps, []);
    again.history.close();
}

#[tokio::test]
async fn under_load_nothing_waits_and_what_is_missing_is_told() {
    let limits = Limits {
        entries_per_second_max: 500,
        ..LIMITS
    };
    let mut stage = Stage::new(limits);
    stage.create("/a", b"", 0);
    // The numbers of the batches are the clock here: all within one second.
    for _ in 0..5_000 {
        stage.set("/a", b"x");
    }
    let page = stage.all("/a").await;
    let missing = page.gaps.iter().filter_map(|gap| gap.changes).sum::<u64>();
    assert_eq!(page.changes.len() as u64 + missing, 5_001);
    assert_eq!(page.changes.len(), 500);
    let stats = stage.history.stats();
    assert_eq!((stats.recorded, stats.missed, stats.gaps), (500, 4_501, 1));
    stage.history.close();
    // The gap is kept, too.
    let history = start(stage.dir.path(), limits, Zxid(0));
    let page = history.changes(Query::of("/a")).await.unwrap();
    assert_eq!(page.gaps[0].changes, Some(4_501));
    history.close();
}

#[tokio::test]
async fn what_a_crash_took_is_a_gap() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"", 0);
    let kept = stage.set("/a", b"x");
    stage.history.close();
    let recovered = Zxid(kept.0 + 10);
    let history = start(stage.dir.path(), LIMITS, recovered);
    let page = history.changes(Query::of("/a")).await.unwrap();
    let gap = page.gaps[0];
    assert_eq!((gap.first.0, gap.last), (kept.0 + 1, recovered));
    assert_eq!((gap.reason, gap.changes), (Reason::Lost, None));
    history.close();
}

#[tokio::test]
async fn a_store_that_is_none_is_moved_aside_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("history"), "a file").unwrap();
    let mut stage = Stage::at(dir, LIMITS);
    stage.create("/a", b"", 0);
    assert_eq!(stage.all("/a").await.changes.len(), 1);
    let aside = std::fs::read_to_string(stage.dir.path().join("history.damaged"));
    assert_eq!(aside.unwrap(), "a file");
    stage.history.close();
}

#[tokio::test]
async fn a_directory_removed_under_a_server_is_begun_anew() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"", 0);
    assert_eq!(stage.all("/a").await.changes.len(), 1);
    let dir = stage.dir.path().join("history");
    std::fs::remove_dir_all(&dir).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !dir.exists() {
        assert!(std::time::Instant::now() < deadline, "not begun anew");
        stage.set("/a", b"x");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let zxid = stage.set("/a", b"last");
    let page = stage.all("/a").await;
    assert_eq!(page.changes.last().unwrap().zxid, zxid);
    stage.history.close();
}

#[tokio::test]
async fn a_stopped_servers_history_is_read_from_a_copy() {
    let mut stage = Stage::new(LIMITS);
    stage.create("/a", b"one", 0);
    let then = stage.set("/a", b"two");
    stage.delete("/a");
    stage.history.close();
    let scratch = stage.dir.path().join("scratch");
    let archive = Archive::open(stage.dir.path(), &scratch).unwrap();
    assert_eq!(archive.changes(&Query::of("/a")).unwrap().changes.len(), 3);
    let past = archive.past("/a", then).unwrap();
    assert_eq!(kept(past.znodes[0].shape.as_ref()), Some(&b"two"[..]));
    drop(archive);
    assert!(!scratch.exists());
    let nothing = tempfile::tempdir().unwrap();
    assert!(Archive::open(nothing.path(), &scratch).is_err());
}

#[test]
fn an_answer_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        bytes_max: 1 << 30,
        age_ms_max: u64::MAX,
    };
    let store = store::Store::open(dir.path(), bounds).unwrap();
    let count = CHANGES_MAX as i64 + 1;
    let items = (1..=count).map(|zxid| {
        let one = change(&format!("/a/{zxid}"), zxid, Some(b"x"), None);
        generation::Item::Change(Box::new(one))
    });
    store.write(&items.collect::<Vec<_>>()).unwrap();
    let query = Query {
        is_recursive: true,
        limit: usize::MAX,
        ..Query::of("/a")
    };
    let page = query::changes(&store.view(), None, &query).unwrap();
    assert_eq!((page.changes.len(), page.more), (CHANGES_MAX, true));
    assert!(
        query::past(&store.view(), None, "/a", Zxid(0))
            .unwrap()
            .is_err()
    );
    let past = query::past(&store.view(), None, "/a", Zxid(1))
        .unwrap()
        .unwrap();
    assert_eq!(past.znodes.len(), CHANGES_MAX);
}
