//! sync: what was acknowledged anywhere before it is shown by the reads behind it.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::support::{AtEnd, Body, Client, Ensemble, on_one_and_three, op, request};

on_one_and_three!(
    a_read_behind_a_sync_shows_what_was_acknowledged_before_it,
    a_sync_keeps_its_place_among_requests,
    many_syncs_at_once_are_all_answered,
    a_sync_waits_for_the_writes_ahead_of_it,
);

/// What a writer has been told in one thread, no reader may miss in another, on any server.
fn a_read_behind_a_sync_shows_what_was_acknowledged_before_it(ensemble: &Ensemble) {
    let name = "a_read_behind_a_sync_shows_what_was_acknowledged_before_it";
    let (mut writer, room) = ensemble.room(name);
    let (room, acknowledged, done) = (&room, &AtomicI32::new(0), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _over = AtEnd(done);
            for _ in 0..300 {
                let version = writer.set(room, b"").version;
                acknowledged.store(version, Ordering::SeqCst);
            }
        });
        for number in 0..6 {
            scope.spawn(move || {
                let mut reader = ensemble.client(number);
                while !done.load(Ordering::Relaxed) {
                    let known = acknowledged.load(Ordering::SeqCst);
                    reader.send(op::SYNC, &request::path("/"));
                    reader.send(op::EXISTS, &request::read(room, false));
                    reader.reply().ok();
                    let shown = reader.reply().ok().stat().version;
                    assert!(shown >= known, "shows {shown}, {known} was acknowledged");
                }
            });
        }
    });
}

fn a_sync_keeps_its_place_among_requests(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_sync_keeps_its_place_among_requests");
    let mut client = ensemble.client(1);
    client.sync();
    let set = || (op::SET_DATA, request::set_data(&room, None, -1));
    let sync = || (op::SYNC, request::path("/"));
    let read = || (op::EXISTS, request::read(&room, false));
    client.send_all(&[
        set(),
        sync(),
        read(),
        set(),
        read(),
        sync(),
        sync(),
        read(),
        set(),
        (op::PING, Body::new()),
        sync(),
        read(),
    ]);
    let versions: Vec<_> = client
        .replies(12)
        .iter()
        .filter(|reply| reply.ok().is_stat())
        .map(|reply| reply.ok().stat().version)
        .collect();
    assert_eq!(versions, [1, 1, 2, 2, 2, 3, 3]);
}

fn many_syncs_at_once_are_all_answered(ensemble: &Ensemble) {
    let mut clients: Vec<Client> = (0..20).map(|number| ensemble.client(number)).collect();
    for client in &mut clients {
        client.send_all(&vec![(op::SYNC, request::path("/")); 50]);
    }
    for client in &mut clients {
        for reply in client.replies(50) {
            assert_eq!(reply.ok().text(), "/");
        }
    }
}

fn a_sync_waits_for_the_writes_ahead_of_it(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_sync_waits_for_the_writes_ahead_of_it");
    let mut client = ensemble.client(2);
    client.sync();
    for _ in 0..50 {
        client.send(op::SET_DATA, &request::set_data(&room, None, -1));
        client.send(op::SYNC, &request::path("/"));
        let written = client.reply();
        let synced = client.reply();
        assert!(synced.zxid >= written.ok().stat().mzxid);
    }
}
