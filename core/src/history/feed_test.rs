use super::*;
use crate::history::queue::{BYTES_MAX, ENTRIES_MAX};
use crate::history::record::tests::shape;
use crate::proto::{ConnectionId, Reply, ServerId};
use crate::session::Scope;
use crate::tree::{Answering, Applied, Lane, Rules, SessionChange, Traces};
use std::time::Duration;

const SECOND_US: u64 = 1_000_000;
const BEGIN_MS: i64 = 1_700_000_000_000;

fn feed(per_second: u64, mark: i64) -> Feed {
    let mark = Moment {
        zxid: Zxid(mark),
        time_ms: if mark == 0 { 0 } else { BEGIN_MS },
    };
    Feed::new(Meter::new(per_second, 1 << 40), 64, mark)
}

fn request() -> Draft<'static> {
    Draft::Request {
        session: SessionId(9),
        connection: ConnectionId(1),
        scope: Scope::Global,
        rules: Rules::default(),
        identities: vec![
            Id::new("ip", "10.1.1.1"),
            Id::new("digest", "joe:hash"),
            Id::new("own", "secret"),
        ],
        op: OpCode::SetData,
        body: b"",
    }
}

/// Plays one change of one znode, as apply would.
fn play(feed: &Feed, now_us: u64, zxid: i64, stamp_ms: i64, data: &[u8]) {
    play_draft(feed, now_us, zxid, stamp_ms, data, &request());
}

fn play_draft(feed: &Feed, now_us: u64, zxid: i64, stamp_ms: i64, data: &[u8], draft: &Draft<'_>) {
    let tracing = feed.tracing(now_us, Zxid(zxid - 1));
    let mut traces = Traces::default();
    match tracing.traces_max {
        0 => traces.missed = 1,
        _ => traces.kept.push(Trace {
            path: "/a".into(),
            before: Some(shape(b"", zxid - 1)),
            after: Some(shape(data, zxid)),
        }),
    }
    let mut applied = Applied {
        zxid: Zxid(zxid),
        result: Ok(Reply::Empty),
        events: Vec::new(),
        session: SessionChange::None,
        traces,
        answering: Answering::Asker,
    };
    let lane = Lane {
        server: ServerId(1),
        boot: 1,
    };
    feed.saw(&mut Seen {
        stamp_ms,
        server: ServerId(1),
        lane,
        client: None,
        draft,
        applied: &mut applied,
    });
}

fn drain(feed: &Feed) -> Vec<Item> {
    feed.queue.take(Duration::ZERO).0
}

fn zxids(items: &[Item]) -> Vec<i64> {
    let changes = items.iter().filter_map(|item| match item {
        Item::Change(change) => Some(change.zxid.0),
        _ => None,
    });
    changes.collect()
}

fn gaps(items: &[Item]) -> Vec<(i64, i64, Option<u64>, Reason)> {
    let gaps = items.iter().filter_map(|item| match item {
        Item::Gap(gap) => Some((gap.first.0, gap.last.0, gap.changes, gap.reason)),
        _ => None,
    });
    gaps.collect()
}

#[test]
fn a_configuration_was_changed_by_whoever_asked_for_the_reconfig() {
    let decided = Draft::Settle {
        term: 1,
        reconfig: Zxid(5),
        outcome: Ok(()),
    };
    let asker = crate::tree::Asker {
        origin: crate::session::Origin {
            server: ServerId(3),
            connection: ConnectionId(1),
        },
        session: SessionId(9),
        identities: vec![Id::new("digest", "joe:hash")],
    };
    let who = Who::of(&decided, &Answering::Earlier(Box::new(asker)));
    assert_eq!(who.session, Some(SessionId(9)));
    assert_eq!(who.identities, [Id::new("digest", "joe")]);
    assert_eq!(Who::of(&decided, &Answering::Asker).session, None);
}

#[test]
fn identities_are_kept_without_what_proves_them() {
    let feed = feed(10, 0);
    play(&feed, 0, 1, BEGIN_MS, b"x");
    let items = drain(&feed);
    let [Item::Change(change)] = &items[..] else {
        panic!("{items:?}");
    };
    let shown = change.identities.iter().map(|id| (&*id.scheme, &*id.id));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [("ip", "10.1.1.1"), ("digest", "joe"), ("own", "")]
    );
    assert_eq!(change.address(), Some("10.1.1.1"));
    assert_eq!(change.session, Some(SessionId(9)));
    assert_eq!(change.operation, Operation::SetData);
}

#[test]
fn who_wanted_it_is_told_by_the_draft() {
    let feed = feed(10, 0);
    let session = SessionId(5);
    let expire = Draft::Expire {
        session,
        origin: None,
    };
    play_draft(&feed, 0, 1, BEGIN_MS, b"x", &expire);
    play_draft(&feed, 0, 2, BEGIN_MS, b"x", &Draft::Reap { path: "/a" });
    let items = drain(&feed);
    let [Item::Change(expired), Item::Change(reaped)] = &items[..] else {
        panic!("{items:?}");
    };
    assert_eq!(
        (expired.cause, expired.session),
        (Cause::SessionExpired, Some(session))
    );
    assert_eq!((reaped.cause, reaped.session), (Cause::Reaped, None));
}

#[test]
fn above_the_rate_there_is_one_gap_and_it_is_counted() {
    let feed = feed(3, 0);
    for zxid in 1..=10 {
        play(&feed, SECOND_US, zxid, BEGIN_MS, b"x");
    }
    assert_eq!(zxids(&drain(&feed)), [1, 2, 3]);
    let pending = feed.pending_gap().unwrap();
    assert_eq!((pending.first, pending.last), (Zxid(4), Zxid(10)));
    for zxid in 11..=13 {
        play(&feed, 2 * SECOND_US, zxid, BEGIN_MS + 1_000, b"x");
    }
    assert_eq!(drain(&feed), [], "the second before was too much");
    play(&feed, 3 * SECOND_US, 14, BEGIN_MS + 2_000, b"x");
    let items = drain(&feed);
    assert_eq!(gaps(&items), [(4, 13, Some(10), Reason::Rate)]);
    assert_eq!(zxids(&items), [14], "and the gap stands before it");
    assert!(matches!(items[0], Item::Gap(_)));
    let stats = Stats {
        recorded: 4,
        missed: 10,
        gaps: 1,
    };
    assert_eq!((feed.stats(), feed.pending_gap()), (stats, None));
}

#[test]
fn a_queue_without_room_makes_a_gap_and_nobody_waits() {
    let feed = feed(u64::MAX, 0);
    let many = ENTRIES_MAX as i64 + 5;
    for zxid in 1..=many {
        play(&feed, 0, zxid, BEGIN_MS, b"x");
    }
    let items = drain(&feed);
    assert_eq!(zxids(&items).len(), ENTRIES_MAX);
    play(&feed, 0, many + 1, BEGIN_MS, b"x");
    let items = drain(&feed);
    let first = ENTRIES_MAX as i64 + 1;
    assert_eq!(gaps(&items), [(first, many, Some(5), Reason::Behind)]);
    assert_eq!(zxids(&items), [many + 1]);
}

#[test]
fn bytes_on_their_way_are_limited_too() {
    let mut feed = feed(u64::MAX, 0);
    feed.value_bytes_max = 1 << 20;
    let large = vec![0; 1 << 20];
    for zxid in 1..=40 {
        let tracing = feed.tracing(0, Zxid(0));
        let mut one = shape(b"", zxid);
        one.value = crate::tree::Value::cut(Some(&large), tracing.value_bytes_max);
        let mut inner = feed.inner.lock();
        let trace = Trace {
            path: "/a".into(),
            before: None,
            after: Some(one),
        };
        let at = Moment {
            zxid: Zxid(zxid),
            time_ms: BEGIN_MS,
        };
        let change = Who::of(&request(), &Answering::Asker).did(at, 0, trace);
        feed.push(&mut inner, change);
    }
    let kept = zxids(&drain(&feed)).len();
    assert!(kept < BYTES_MAX >> 20, "{kept}");
    assert!(feed.pending_gap().is_some());
}

#[test]
fn what_is_applied_again_after_a_restart_is_not_kept_twice() {
    let feed = feed(2, 10);
    for zxid in 1..=12 {
        play(&feed, 0, zxid, BEGIN_MS - 1_000 + zxid, b"x");
    }
    assert_eq!(zxids(&drain(&feed)), [11, 12]);
    assert_eq!(feed.pending_gap(), None, "and counts for no rate");
    let stats = Stats {
        recorded: 2,
        ..Stats::default()
    };
    assert_eq!(feed.stats(), stats);
}

#[test]
fn changes_of_other_data_are_told_from_a_restart_by_their_time() {
    let feed = feed(10, 10);
    play(&feed, 0, 1, BEGIN_MS + SKEW_MS + 1, b"x");
    play(&feed, 0, 2, BEGIN_MS + SKEW_MS + 1, b"x");
    let items = drain(&feed);
    assert_eq!(items.first(), Some(&Item::Foreign));
    assert_eq!(feed.mark(), Moment::default());
    assert_eq!(zxids(&items), [2], "the first only told");
}

#[test]
fn a_snapshot_leaves_a_gap_without_a_count() {
    let feed = feed(10, 5);
    feed.skipped(Zxid(1), Zxid(5));
    assert_eq!(feed.pending_gap(), None, "all of it is kept");
    feed.skipped(Zxid(3), Zxid(9));
    play(&feed, 0, 10, BEGIN_MS, b"x");
    let items = drain(&feed);
    assert_eq!(gaps(&items), [(6, 9, None, Reason::Snapshot)]);
}

#[test]
fn without_a_store_everything_is_a_gap_that_the_end_leaves_behind() {
    let feed = feed(10, 0);
    feed.set_open(false);
    play(&feed, 0, 1, BEGIN_MS, b"x");
    play(&feed, 0, 2, BEGIN_MS, b"x");
    feed.close();
    let items = drain(&feed);
    assert_eq!(gaps(&items), [(1, 2, Some(2), Reason::StoreFailed)]);
    play(&feed, 0, 3, BEGIN_MS, b"x");
    assert_eq!(drain(&feed), []);
}

#[test]
fn what_could_not_be_kept_is_a_gap_again() {
    let feed = feed(10, 0);
    play(&feed, 0, 1, BEGIN_MS, b"x");
    play(&feed, 0, 2, BEGIN_MS, b"x");
    feed.lose(&drain(&feed), Reason::StoreFailed);
    let gap = feed.pending_gap().unwrap();
    assert_eq!((gap.first, gap.last), (Zxid(1), Zxid(2)));
    assert_eq!(gap.changes, Some(2));
    let stats = Stats {
        recorded: 0,
        missed: 2,
        gaps: 1,
    };
    assert_eq!(feed.stats(), stats);
}
