//! What went wrong elsewhere, in ZooKeeper and its kin, and must not here: one test per class of
//! published vulnerability, named after it. Those of parsers, of TLS, of the HTTP endpoint and of
//! the C interface stand with what they test.

use zoowarden::server::four_letter::WordList;

use crate::support::kind::{CHILDREN_CHANGED, CREATED};
use crate::support::{Body, Client, Ensemble, code, on_one_and_three, op, request};

on_one_and_three!(
    cve_2019_0201_acls_are_told_to_who_may_read_and_hashes_to_who_may_set_them,
    cve_2024_23944_a_watch_tells_nothing_of_what_may_not_be_read,
    cve_2023_32082_ephemerals_of_others_are_nobodys_business,
    cve_2026_73499_no_other_spelling_of_a_path_gets_past_its_list,
    cve_2026_33413_no_operation_is_without_a_check,
    cve_2026_44283_a_multi_tells_nothing_of_what_may_not_be_read,
);

const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

/// A znode of Alice's with a child, which others may neither read nor change.
fn secret(client: &mut Client, room: &str) -> String {
    let path = format!("{room}/secret");
    client.create(&path, b"canary");
    client.create(&format!("{path}/child"), b"canary");
    for path in [format!("{path}/child"), path.clone()] {
        let list = [(31, "digest", ALICE)];
        client
            .call(op::SET_ACL, &request::set_acl(&path, &list, -1))
            .ok();
    }
    path
}

fn cve_2019_0201_acls_are_told_to_who_may_read_and_hashes_to_who_may_set_them(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("cve_2019_0201");
    let entry = |perms, scheme: &str, id: &str| (perms, scheme.to_owned(), id.to_owned());
    for (perms, told) in [
        (0, None),
        (2 | 4 | 8, None),
        (1, Some("alice:x")),
        (16, Some(ALICE)),
        (1 | 16, Some(ALICE)),
    ] {
        let path = format!("{room}/{perms}");
        let list = [(31, "digest", ALICE), (perms, "world", "anyone")];
        let body = request::create_with(&path, None, &list, 0);
        client.call(op::CREATE, &body).ok();
        let reply = client.call(op::GET_ACL, &request::path(&path));
        match told {
            None => assert_eq!(reply.error(), code::NO_AUTH, "{perms}"),
            Some(id) => {
                let shown = [entry(31, "digest", id), entry(perms, "world", "anyone")];
                assert_eq!(reply.ok().acl(), shown, "{perms}");
            }
        }
    }
}

/// Every kind of watch, set before and behind the znode, and set again after a reconnect.
fn cve_2024_23944_a_watch_tells_nothing_of_what_may_not_be_read(ensemble: &Ensemble) {
    let (mut alice, room) = ensemble.room("cve_2024_23944");
    alice.send_as(-4, op::AUTH, &request::auth("digest", b"alice:secret"));
    alice.reply().ok();
    let mut eve = ensemble.client(1);
    eve.until_exists(&room, true);
    let path = format!("{room}/secret");
    for mode in [0, 1] {
        for watched in [room.as_str(), path.as_str()] {
            eve.add_watch(watched, mode);
        }
    }
    eve.watch(op::EXISTS, &path);
    eve.watch(op::GET_CHILDREN, &room);
    let hidden = [(31, "digest", ALICE)];
    let body = request::create_with(&path, Some(b"canary"), &hidden, 0);
    alice.call(op::CREATE, &body).ok();
    let body = request::create_with(&format!("{path}/child"), None, &hidden, 0);
    alice.call(op::CREATE, &body).ok();
    alice.set(&path, b"canary2");
    alice.delete(&format!("{path}/child"));
    alice.delete(&path);
    // Of the room, which everybody may read, she hears that its children changed: by the one-shot
    // watch and by the persistent one together the first time, by the latter the second.
    let told = eve.settled();
    let of_room = (CHILDREN_CHANGED, room.clone());
    assert!(told.iter().all(|event| *event == of_room), "{told:?}");
    assert!(!told.is_empty());
    alice.create(&format!("{room}/open"), b"");
    let told = eve.settled();
    assert!(
        told.contains(&(CREATED, format!("{room}/open"))),
        "{told:?}"
    );
}

fn cve_2023_32082_ephemerals_of_others_are_nobodys_business(ensemble: &Ensemble) {
    let (mut alice, room) = ensemble.room("cve_2023_32082");
    alice.create_mode(&format!("{room}/mine"), b"", 1);
    let mut eve = ensemble.client(1);
    eve.sync();
    for prefix in ["/", "", &room, &format!("{room}/mine")] {
        let reply = eve.call(op::GET_EPHEMERALS, &request::path(prefix));
        assert_eq!(reply.ok().texts(), [""; 0], "{prefix}");
        let reply = alice.call(op::GET_EPHEMERALS, &request::path(prefix));
        let mine = reply.ok().texts();
        assert_eq!(mine, [format!("{room}/mine")], "{prefix}");
    }
}

fn cve_2026_73499_no_other_spelling_of_a_path_gets_past_its_list(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("cve_2026_73499");
    let path = secret(&mut client, &room);
    let name = path.rsplit_once('/').unwrap().1;
    for spelled in [
        path.clone(),
        format!("{path}/"),
        format!("{room}//{name}"),
        format!("{room}/./{name}"),
        format!("{room}/x/../{name}"),
        format!("/{path}"),
        format!("{path}\0"),
        format!("{path}/child"),
        format!("{path}//child"),
    ] {
        for (op, body) in [
            (op::GET_DATA, request::read(&spelled, false)),
            (op::EXISTS, request::read(&spelled, false)),
            (op::GET_CHILDREN, request::read(&spelled, false)),
            (op::GET_ACL, request::path(&spelled)),
            (op::GET_ALL_CHILDREN_NUMBER, request::path(&spelled)),
            (op::SET_DATA, request::set_data(&spelled, Some(b"x"), -1)),
            (
                op::SET_ACL,
                request::set_acl(&spelled, &[(31, "world", "anyone")], -1),
            ),
        ] {
            let reply = client.call(op, &body);
            assert!(
                reply.err < 0 && reply.body.is_empty(),
                "{spelled:?} {op}: {reply:?}"
            );
        }
    }
    assert_eq!(
        client
            .call(op::GET_DATA, &request::read(&path, false))
            .error(),
        code::NO_AUTH
    );
}

/// Every operation that names a znode, on one that the client may do nothing with.
fn cve_2026_33413_no_operation_is_without_a_check(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("cve_2026_33413");
    let path = secret(&mut client, &room);
    let child = format!("{path}/child");
    let new = format!("{path}/new");
    let refused = [
        (op::CREATE, request::create(&new, None, 0)),
        (op::CREATE2, request::create(&new, None, 0)),
        (op::CREATE_CONTAINER, request::create(&new, None, 4)),
        (op::CREATE_TTL, request::create_ttl(&new, 5, 1_000)),
        (op::DELETE, request::versioned(&child, -1)),
        (op::EXISTS, request::read(&path, false)),
        (op::GET_DATA, request::read(&path, false)),
        (op::SET_DATA, request::set_data(&path, None, -1)),
        (op::GET_ACL, request::path(&path)),
        (
            op::SET_ACL,
            request::set_acl(&path, &[(31, "world", "anyone")], -1),
        ),
        (op::GET_CHILDREN, request::read(&path, false)),
        (op::GET_CHILDREN2, request::read(&path, false)),
        (op::GET_ALL_CHILDREN_NUMBER, request::path(&path)),
    ];
    for (op, body) in refused {
        assert_eq!(client.error(op, &body), code::NO_AUTH, "{op}");
    }
    // Reads through the reads of several, which answer each for itself.
    let reads = [
        (op::GET_DATA, request::read(&path, false)),
        (op::GET_CHILDREN, request::read(&path, false)),
    ];
    let reply = client.call(op::MULTI_READ, &request::multi(&reads));
    reply.ok();
    let canary = reply.body.windows(6).any(|bytes| bytes == b"canary");
    let child = reply.body.windows(5).any(|bytes| bytes == b"child");
    assert!(!canary && !child, "{reply:?}");
    // Znodes of the system's own are guarded too.
    let config = request::set_data("/zookeeper/config", Some(b"x"), -1);
    assert_eq!(client.error(op::SET_DATA, &config), code::NO_AUTH);
}

fn cve_2026_44283_a_multi_tells_nothing_of_what_may_not_be_read(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("cve_2026_44283");
    let path = secret(&mut client, &room);
    for (op, body) in [
        (op::CHECK, request::versioned(&path, 0)),
        (op::CHECK, request::versioned(&path, 7)),
        (op::SET_DATA, request::set_data(&path, None, 7)),
        (op::DELETE, request::versioned(&format!("{path}/child"), 7)),
    ] {
        let first = (op::CREATE, request::create(&format!("{room}/new"), None, 0));
        let reply = client.call(op::MULTI, &request::multi(&[first, (op, body)]));
        // The version is not told, neither by another error.
        let no_auth = code::NO_AUTH.to_be_bytes();
        assert!(
            reply.body.windows(4).any(|bytes| bytes == no_auth),
            "{reply:?}"
        );
        assert_eq!(client.stat(&format!("{room}/new")), None);
    }
}

/// What costs as much as there are watches is not answered unless it is asked for in the
/// configuration.
#[test]
fn cve_2017_5637_words_that_list_watches_are_off_by_default() {
    let ensemble = Ensemble::start(1, |config| config.four_letter_words = WordList::default());
    for word in [
        "wchp", "wchc", "wchs", "dump", "cons", "mntr", "envi", "conf",
    ] {
        let answer = ensemble.word(0, word);
        let expected = format!("{word} is not executed because it is not in the whitelist.");
        assert_eq!(answer.trim_end(), expected);
    }
    assert!(ensemble.word(0, "srvr").contains("Mode: standalone"));
}

/// The audit of etcd in 2020, and CVE-2026-24308: what only a client and its server should know
/// stands in no file.
#[test]
fn etcd_2020_passwords_are_in_no_file_of_the_server() {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().to_owned();
    let ensemble = Ensemble::start(1, |config| {
        config.data_dir.clone_from(&dir);
        config.log_dir.clone_from(&dir);
    });
    let mut client = ensemble.client(0);
    client.send_as(
        -4,
        op::AUTH,
        &request::auth("digest", b"alice:canary-password"),
    );
    client.reply().ok();
    let body = request::create_with("/x", Some(b"canary-data"), &[(31, "auth", "")], 0);
    client.call(op::CREATE, &body).ok();
    client.send(op::SASL, &Body::new().buffer(Some(b"canary-password")));
    client.reply();
    ensemble.stop_server(0);
    let (mut bytes, mut seen) = (0, false);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            let has = |canary: &[u8]| content.windows(canary.len()).any(|part| part == canary);
            assert!(!has(b"canary-password"), "{}", path.display());
            seen |= has(b"canary-data");
            bytes += content.len();
        }
    }
    assert!(seen, "the log was not among {bytes} bytes");
}
