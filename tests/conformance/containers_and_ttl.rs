//! Znodes that go by themselves: containers and those with a time to live.
//!
//! That something stays is shown beside something that goes: both are looked at by the same reaper.

use crate::support::kind::{CHILDREN_CHANGED, DELETED};
use crate::support::{Client, Ensemble, mode, on_one_and_three, op, request, until};

on_one_and_three!(
    a_container_goes_with_its_last_child,
    a_container_that_was_never_used_stays,
    a_container_made_by_a_plain_create_is_none,
    a_container_made_in_a_multi_is_one,
    a_ttl_znode_goes_when_its_time_is_over,
    a_ttl_znode_with_children_stays,
    set_data_gives_a_ttl_znode_its_time_again,
    a_reaped_znode_is_gone_everywhere_at_one_zxid,
    sequential_ttl_znodes_go_too,
    what_was_deleted_and_made_anew_is_not_reaped,
);

fn container(client: &mut Client, path: &str) {
    let body = request::create(path, None, mode::CONTAINER);
    client.call(op::CREATE_CONTAINER, &body).ok();
}

fn ttl(client: &mut Client, path: &str, ttl_ms: i64) {
    let body = request::create_ttl(path, mode::TTL, ttl_ms);
    client.call(op::CREATE_TTL, &body).ok();
}

/// Gives a znode a child and takes it away again.
fn use_up(client: &mut Client, path: &str) {
    let child = client.create(&format!("{path}/x"), b"");
    client.delete(&child);
}

/// Waits until the reaper has been by: it has taken two containers made one after the other.
fn reaper_came_by(client: &mut Client, room: &str) {
    for name in ["first-sentinel", "second-sentinel"] {
        let path = format!("{room}/{name}");
        container(client, &path);
        use_up(client, &path);
        client.until_exists(&path, false);
    }
}

fn a_container_goes_with_its_last_child(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_container_goes_with_its_last_child");
    let path = format!("{room}/c");
    container(&mut client, &path);
    client.create(&format!("{path}/a"), b"");
    client.create(&format!("{path}/b"), b"");
    client.delete(&format!("{path}/a"));
    reaper_came_by(&mut client, &room);
    assert!(client.stat(&path).is_some(), "it has a child");
    client.delete(&format!("{path}/b"));
    client.until_exists(&path, false);
}

fn a_container_that_was_never_used_stays(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_container_that_was_never_used_stays");
    container(&mut client, &format!("{room}/c"));
    reaper_came_by(&mut client, &room);
    assert!(client.stat(&format!("{room}/c")).is_some());
}

#[test]
fn a_container_that_was_never_used_goes_where_that_is_asked_for() {
    let ensemble = Ensemble::start(1, |config| {
        config.container.never_used_interval_ms_max = Some(1);
    });
    let mut client = ensemble.client(0);
    container(&mut client, "/c");
    client.until_exists("/c", false);
}

fn a_container_made_by_a_plain_create_is_none(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_container_made_by_a_plain_create_is_none");
    let paths = [op::CREATE, op::CREATE2].map(|operation| {
        let path = format!("{room}/{operation}");
        let body = request::create(&path, None, mode::CONTAINER);
        client.call(operation, &body).ok();
        use_up(&mut client, &path);
        path
    });
    // The operation alone makes one, whatever the flags.
    let real = format!("{room}/real");
    let body = request::create(&real, None, mode::PERSISTENT);
    client.call(op::CREATE_CONTAINER, &body).ok();
    use_up(&mut client, &real);
    client.until_exists(&real, false);
    reaper_came_by(&mut client, &room);
    assert!(paths.iter().all(|path| client.stat(path).is_some()));
}

fn a_container_made_in_a_multi_is_one(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_container_made_in_a_multi_is_one");
    for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
        let path = format!("{room}/{operation}");
        let create = (operation, request::create(&path, None, mode::CONTAINER));
        let reply = client.call(op::MULTI, &request::multi(&[create]));
        assert_eq!(reply.ok().multi_header(), (15, false, 0), "{operation}");
        use_up(&mut client, &path);
        client.until_exists(&path, false);
    }
}

fn a_ttl_znode_goes_when_its_time_is_over(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_ttl_znode_goes_when_its_time_is_over");
    ttl(&mut client, &format!("{room}/long"), 1 << 39);
    ttl(&mut client, &format!("{room}/short"), 1);
    client.until_exists(&format!("{room}/short"), false);
    assert!(client.stat(&format!("{room}/long")).is_some());
}

fn a_ttl_znode_with_children_stays(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_ttl_znode_with_children_stays");
    let path = format!("{room}/t");
    // In one change, or it might go before it has its child.
    let ops = [
        (op::CREATE_TTL, request::create_ttl(&path, mode::TTL, 1)),
        (op::CREATE, request::create(&format!("{path}/x"), None, 0)),
    ];
    client.call(op::MULTI, &request::multi(&ops)).ok();
    reaper_came_by(&mut client, &room);
    assert!(client.stat(&path).is_some());
    client.delete(&format!("{path}/x"));
    client.until_exists(&path, false);
}

fn set_data_gives_a_ttl_znode_its_time_again(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_data_gives_a_ttl_znode_its_time_again");
    let (kept, left) = (format!("{room}/kept"), format!("{room}/left"));
    ttl(&mut client, &kept, 2_000);
    ttl(&mut client, &left, 2_000);
    until("the one that nobody sets is gone", || {
        client.set(&kept, b"");
        client.stat(&left).is_none()
    });
    client.until_exists(&kept, false);
}

fn a_reaped_znode_is_gone_everywhere_at_one_zxid(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_reaped_znode_is_gone_everywhere_at_one_zxid");
    let path = format!("{room}/c");
    container(&mut client, &path);
    let child = client.create(&format!("{path}/x"), b"");
    let mut watchers: Vec<_> = (0..ensemble.len()).map(|n| ensemble.client(n)).collect();
    for watcher in &mut watchers {
        watcher.sync();
        watcher.watch(op::GET_DATA, &path).ok();
        watcher.watch(op::GET_CHILDREN, &room).ok();
    }
    client.delete(&child);
    let mut zxids = Vec::new();
    for watcher in &mut watchers {
        for (kind, path) in [(DELETED, &path), (CHILDREN_CHANGED, &room)] {
            let event = watcher.event();
            assert_eq!((event.kind, &event.path), (kind, path));
            zxids.push(event.zxid);
        }
        assert_eq!(watcher.stat(&room).unwrap().pzxid, zxids[0]);
    }
    zxids.dedup();
    assert_eq!(zxids.len(), 1);
}

fn sequential_ttl_znodes_go_too(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("sequential_ttl_znodes_go_too");
    for _ in 0..3 {
        let body = request::create_ttl(&format!("{room}/t"), mode::TTL_SEQUENTIAL, 1);
        client.call(op::CREATE_TTL, &body).ok();
    }
    until("all are gone", || client.children(&room).is_empty());
}

fn what_was_deleted_and_made_anew_is_not_reaped(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("what_was_deleted_and_made_anew_is_not_reaped");
    let path = format!("{room}/c");
    for _ in 0..20 {
        container(&mut client, &path);
        use_up(&mut client, &path);
        // It may have gone by itself already.
        client.call(op::DELETE, &request::versioned(&path, -1));
        client.create(&path, b"");
        use_up(&mut client, &path);
        client.delete(&path);
    }
    client.create(&path, b"");
    use_up(&mut client, &path);
    reaper_came_by(&mut client, &room);
    assert!(client.stat(&path).is_some());
}

/// The reaper may take only so many a minute; sessions do not wait for it.
#[test]
fn sessions_expire_while_the_reaper_takes_its_time() {
    let ensemble = Ensemble::start(1, |config| config.container.per_minute_max = 1);
    let mut client = ensemble.client(0);
    for path in ["/a", "/b", "/c"] {
        container(&mut client, path);
        use_up(&mut client, path);
    }
    until("the reaper has begun", || client.stat("/a").is_none());
    let hello = crate::support::Hello {
        timeout_ms: 400,
        ..Default::default()
    };
    let mut mortal = ensemble.client_with(0, &hello);
    mortal.create_mode("/e", b"", mode::EPHEMERAL);
    mortal.hang_up();
    client.until_exists("/e", false);
    assert!(client.stat("/c").is_some(), "the reaper still has to wait");
}
