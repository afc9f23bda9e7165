//! Quotas: limits that an administrator sets, usage that the servers keep.

use crate::support::{Client, Ensemble, code, mode, on_one_and_three, op, request};

on_one_and_three!(
    usage_counts_znodes_and_bytes,
    stats_made_late_measure_the_subtree,
    usage_changes_no_counter_of_the_stats,
    a_hard_count_refuses_creates,
    hard_bytes_refuse_growth,
    hard_bytes_refuse_shrinking_too_while_exceeded,
    a_soft_limit_refuses_nothing,
    the_deepest_quota_counts,
    a_quota_ends_with_its_limits,
    a_quota_comes_before_the_version,
    ephemerals_give_their_place_back,
    unreadable_limits_limit_nothing,
);

/// Puts a quota on a new znode `name` of the room; gives its path.
fn quota(client: &mut Client, path: &str, limits: &str) {
    let mut at = "/zookeeper/quota".to_owned();
    for name in path.split('/').skip(1) {
        at = format!("{at}/{name}");
        if client.stat(&at).is_none() {
            client.create(&at, b"");
        }
    }
    client.create(&format!("{at}/zookeeper_limits"), limits.as_bytes());
    client.create(&format!("{at}/zookeeper_stats"), b"count=0,bytes=0");
}

fn stats(client: &mut Client, path: &str) -> String {
    let path = format!("/zookeeper/quota{path}/zookeeper_stats");
    String::from_utf8(client.get(&path).0.unwrap()).unwrap()
}

fn hard(count: i64, bytes: i64) -> String {
    format!("count=-1,bytes=-1=;byteHardLimit={bytes};countHardLimit={count}")
}

fn create_error(client: &mut Client, path: &str, data: &[u8]) -> i32 {
    client
        .call(op::CREATE, &request::create(path, Some(data), 0))
        .err
}

fn set_error(client: &mut Client, path: &str, data: &[u8]) -> i32 {
    client
        .call(op::SET_DATA, &request::set_data(path, Some(data), -1))
        .err
}

fn usage_counts_znodes_and_bytes(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("usage_counts_znodes_and_bytes");
    quota(&mut client, &room, "count=100,bytes=100");
    let mut witness = ensemble.client(1);
    let mut expect = |usage: &str| {
        witness.sync();
        assert_eq!(stats(&mut witness, &room), usage);
    };
    expect("count=1,bytes=0");
    client.create(&format!("{room}/a"), b"1234");
    client.create(&format!("{room}/a/b"), b"12");
    expect("count=3,bytes=6");
    client.set(&format!("{room}/a"), b"1");
    client.set(&room, b"12345");
    expect("count=3,bytes=8");
    client.delete(&format!("{room}/a/b"));
    expect("count=2,bytes=6");
    let ops = [
        (
            op::CREATE,
            request::create(&format!("{room}/c"), Some(b"123"), 0),
        ),
        (op::DELETE, request::versioned(&format!("{room}/a"), -1)),
    ];
    client.call(op::MULTI, &request::multi(&ops)).ok();
    expect("count=2,bytes=8");
}

fn stats_made_late_measure_the_subtree(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("stats_made_late_measure_the_subtree");
    client.create(&format!("{room}/a"), b"1234");
    client.create(&format!("{room}/a/b"), b"12");
    quota(&mut client, &room, "count=-1,bytes=-1");
    assert_eq!(stats(&mut client, &room), "count=3,bytes=6");
}

fn usage_changes_no_counter_of_the_stats(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("usage_changes_no_counter_of_the_stats");
    quota(&mut client, &room, "count=9,bytes=9");
    let path = format!("/zookeeper/quota{room}/zookeeper_stats");
    let before = client.stat(&path).unwrap();
    client.watch(op::GET_DATA, &path).ok();
    client.create(&format!("{room}/a"), b"1234567890");
    let after = client.stat(&path).unwrap();
    assert_eq!((after.version, after.mzxid), (before.version, before.mzxid));
    assert_eq!(stats(&mut client, &room), "count=2,bytes=10");
    assert_eq!(client.settled(), []);
}

fn a_hard_count_refuses_creates(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_hard_count_refuses_creates");
    quota(&mut client, &room, &hard(3, -1));
    client.create(&format!("{room}/a"), b"");
    client.create(&format!("{room}/b"), b"");
    let mut other = ensemble.client(1);
    let path = format!("{room}/c");
    assert_eq!(create_error(&mut other, &path, b""), code::QUOTA_EXCEEDED);
    assert_eq!(
        create_error(&mut other, &format!("{room}/a"), b""),
        code::NODE_EXISTS
    );
    assert_eq!(set_error(&mut other, &room, b"as long as you like"), 0);
    client.delete(&format!("{room}/a"));
    assert_eq!(create_error(&mut client, &path, b""), 0);
}

fn hard_bytes_refuse_growth(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("hard_bytes_refuse_growth");
    quota(&mut client, &room, &hard(-1, 10));
    client.create(&format!("{room}/a"), b"123456");
    let path = format!("{room}/b");
    assert_eq!(
        create_error(&mut client, &path, b"12345"),
        code::QUOTA_EXCEEDED
    );
    assert_eq!(create_error(&mut client, &path, b"1234"), 0);
    assert_eq!(
        set_error(&mut client, &path, b"12345"),
        code::QUOTA_EXCEEDED
    );
    assert_eq!(set_error(&mut client, &path, b"4321"), 0);
    assert_eq!(set_error(&mut client, &path, b""), 0);
    assert_eq!(stats(&mut client, &room), "count=3,bytes=6");
}

fn hard_bytes_refuse_shrinking_too_while_exceeded(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("hard_bytes_refuse_shrinking_too_while_exceeded");
    let path = client.create(&format!("{room}/a"), b"1234567890");
    quota(&mut client, &room, &hard(-1, 5));
    assert_eq!(
        set_error(&mut client, &path, b"123456789"),
        code::QUOTA_EXCEEDED
    );
    // What makes no difference, or enough of one, is fine.
    assert_eq!(set_error(&mut client, &path, b"0987654321"), 0);
    assert_eq!(set_error(&mut client, &path, b"12345"), 0);
}

fn a_soft_limit_refuses_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_soft_limit_refuses_nothing");
    quota(&mut client, &room, "count=1,bytes=1");
    client.create(&format!("{room}/a"), b"1234");
    client.set(&format!("{room}/a"), b"12345678");
    assert_eq!(stats(&mut client, &room), "count=2,bytes=8");
}

fn the_deepest_quota_counts(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("the_deepest_quota_counts");
    let inner = client.create(&format!("{room}/inner"), b"");
    quota(&mut client, &room, &hard(3, -1));
    quota(&mut client, &inner, &hard(2, -1));
    assert_eq!(stats(&mut client, &room), "count=2,bytes=0");
    client.create(&format!("{inner}/a"), b"1");
    assert_eq!(
        create_error(&mut client, &format!("{inner}/b"), b""),
        code::QUOTA_EXCEEDED
    );
    assert_eq!(
        stats(&mut client, &room),
        "count=2,bytes=0",
        "the outer one is not told"
    );
    assert_eq!(stats(&mut client, &inner), "count=2,bytes=1");
    client.create(&format!("{room}/a"), b"");
    assert_eq!(
        create_error(&mut client, &format!("{room}/b"), b""),
        code::QUOTA_EXCEEDED
    );
}

fn a_quota_ends_with_its_limits(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_quota_ends_with_its_limits");
    quota(&mut client, &room, &hard(1, -1));
    let path = format!("{room}/a");
    assert_eq!(create_error(&mut client, &path, b""), code::QUOTA_EXCEEDED);
    client.delete(&format!("/zookeeper/quota{room}/zookeeper_limits"));
    assert_eq!(create_error(&mut client, &path, b""), 0);
    assert_eq!(
        stats(&mut client, &room),
        "count=1,bytes=0",
        "nobody counts any more"
    );
}

fn a_quota_comes_before_the_version(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_quota_comes_before_the_version");
    quota(&mut client, &room, &hard(-1, 1));
    let body = request::set_data(&room, Some(b"12"), 9);
    assert_eq!(client.error(op::SET_DATA, &body), code::QUOTA_EXCEEDED);
    let body = request::set_data(&room, Some(b"1"), 9);
    assert_eq!(client.error(op::SET_DATA, &body), code::BAD_VERSION);
}

fn ephemerals_give_their_place_back(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("ephemerals_give_their_place_back");
    quota(&mut client, &room, &hard(2, -1));
    let mut owner = ensemble.client(1);
    owner.create_mode(&format!("{room}/e"), b"12", mode::EPHEMERAL);
    let path = format!("{room}/a");
    assert_eq!(create_error(&mut client, &path, b""), code::QUOTA_EXCEEDED);
    owner.close();
    assert_eq!(create_error(&mut client, &path, b""), 0);
    assert_eq!(stats(&mut client, &room), "count=2,bytes=0");
}

fn unreadable_limits_limit_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("unreadable_limits_limit_nothing");
    let texts = [
        "",
        "nonsense",
        "=",
        ",,;;",
        "countHardLimit=",
        "countHardLimit=x",
        "\u{fffd}==",
    ];
    for (i, limits) in texts.iter().enumerate() {
        let path = client.create(&format!("{room}/{i}"), b"");
        quota(&mut client, &path, limits);
        client.create(&format!("{path}/a"), b"12");
        assert_eq!(stats(&mut client, &path), "count=2,bytes=2");
    }
}

#[test]
fn hard_limits_are_soft_unless_enforced() {
    let ensemble = Ensemble::start(1, |config| config.enforce_quota = false);
    let (mut client, room) = ensemble.room("room");
    quota(&mut client, &room, &hard(1, 1));
    client.create(&format!("{room}/a"), b"12345");
    assert_eq!(stats(&mut client, &room), "count=2,bytes=5");
}
