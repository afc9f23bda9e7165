//! The counters of a znode: what moves them, and what does not.

use zoowarden::proto::Stat;

use crate::support::{Client, Ensemble, OPEN_LIST, mode, on_one_and_three, op, request};

on_one_and_three!(
    set_data_moves_version_mzxid_and_mtime,
    set_acl_moves_aversion_only,
    children_move_cversion_and_pzxid,
    a_child_deleted_by_its_session_counts_too,
    times_are_the_same_everywhere,
    a_write_is_answered_with_its_own_zxid,
);

/// What the last request changed: both stats, and the zxid it was answered with.
fn around(client: &mut Client, path: &str, act: impl FnOnce(&mut Client)) -> (Stat, Stat, i64) {
    let before = client.stat(path).unwrap();
    act(client);
    let zxid = client.zxid;
    (before, client.stat(path).unwrap(), zxid)
}

fn set_data_moves_version_mzxid_and_mtime(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_data_moves_version_mzxid_and_mtime");
    let path = client.create(&format!("{room}/a"), b"x");
    let parent = client.stat(&room);
    for version in 1..4 {
        // The same bytes again are a change all the same.
        let (before, after, zxid) = around(&mut client, &path, |c| {
            c.set(&path, b"same");
        });
        let expected = Stat {
            version,
            mzxid: zxid,
            mtime: after.mtime,
            data_length: 4,
            ..before
        };
        assert_eq!(after, expected);
    }
    assert_eq!(client.stat(&room), parent, "the parent hears nothing");
}

fn set_acl_moves_aversion_only(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_acl_moves_aversion_only");
    for aversion in 1..4 {
        let (before, after, _) = around(&mut client, &room, |client| {
            let reply = client.call(
                op::SET_ACL,
                &request::set_acl(&room, OPEN_LIST, aversion - 1),
            );
            let mut fields = reply.ok();
            assert_eq!(fields.stat().aversion, aversion);
            fields.end();
        });
        assert_eq!(after, Stat { aversion, ..before });
    }
    let reply = client.call(op::GET_ACL, &request::path(&room));
    let mut fields = reply.ok();
    assert_eq!(fields.acl(), [(31, "world".into(), "anyone".into())]);
    assert_eq!(fields.stat().aversion, 3);
}

fn children_move_cversion_and_pzxid(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("children_move_cversion_and_pzxid");
    let path = format!("{room}/a");
    let moves = |cversion, num_children, (before, after, zxid): (Stat, Stat, i64)| {
        let expected = Stat {
            cversion,
            num_children,
            pzxid: zxid,
            ..before
        };
        assert_eq!(after, expected);
    };
    moves(
        1,
        1,
        around(&mut client, &room, |c| drop(c.create(&path, b""))),
    );
    let second = format!("{room}/b");
    moves(
        2,
        2,
        around(&mut client, &room, |c| drop(c.create(&second, b""))),
    );
    moves(3, 1, around(&mut client, &room, |c| c.delete(&path)));
    moves(
        4,
        2,
        around(&mut client, &room, |c| drop(c.create(&path, b""))),
    );
    moves(5, 1, around(&mut client, &room, |c| c.delete(&path)));
    // A child of a child is nothing to it.
    let below = format!("{second}/x");
    let (before, after, _) = around(&mut client, &room, |c| drop(c.create(&below, b"")));
    assert_eq!(before, after);
}

fn a_child_deleted_by_its_session_counts_too(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_child_deleted_by_its_session_counts_too");
    let mut owner = ensemble.client(1);
    for name in ["a", "b"] {
        owner.create_mode(&format!("{room}/{name}"), b"", mode::EPHEMERAL);
    }
    owner
        .call(op::CLOSE_SESSION, &crate::support::Body::new())
        .ok();
    client.sync();
    let stat = client.stat(&room).unwrap();
    assert_eq!((stat.cversion, stat.num_children), (4, 0));
    assert_eq!(stat.pzxid, owner.zxid, "both went with one change");
}

fn times_are_the_same_everywhere(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("times_are_the_same_everywhere");
    let stats: Vec<Stat> = (0..20).map(|_| client.set(&room, b"x")).collect();
    let last = stats[19];
    assert!(stats.windows(2).all(|pair| pair[0].mtime <= pair[1].mtime));
    for server in 0..ensemble.len() {
        let mut witness = ensemble.client(server);
        witness.sync();
        assert_eq!(witness.stat(&room), Some(last));
    }
}

fn a_write_is_answered_with_its_own_zxid(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_write_is_answered_with_its_own_zxid");
    for _ in 0..50 {
        client.send(op::SET_DATA, &request::set_data(&room, Some(b"x"), -1));
    }
    for reply in client.replies(50) {
        assert_eq!(reply.ok().stat().mzxid, reply.zxid);
    }
}
