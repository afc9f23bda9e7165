//! auth, sasl and whoAmI: who a connection is.

use crate::support::{Body, Client, Ensemble, Frame, code, on_one_and_three, op, request};

on_one_and_three!(
    a_good_auth_is_answered_with_zxid_zero,
    a_failed_auth_is_answered_and_the_connection_ends,
    requests_behind_a_failed_auth_are_not_carried_out,
    a_null_auth_is_answered_and_proves_nothing,
    a_malformed_auth_ends_the_connection,
    identities_add_up_and_who_am_i_tells_the_users,
    auth_counts_for_requests_behind_it_only,
    identities_belong_to_the_connection,
    auth_may_overtake_replies,
    without_sasl_its_token_is_null,
    passwords_may_be_any_bytes,
);

const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

fn auth(client: &mut Client, scheme: &str, data: &[u8]) -> Frame {
    client.send_as(-4, op::AUTH, &request::auth(scheme, data));
    client.reply()
}

fn who_am_i(client: &mut Client) -> Vec<(String, String)> {
    let reply = client.call(op::WHO_AM_I, &Body::new());
    let mut fields = reply.ok();
    let info = |fields: &mut crate::support::Fields<'_>| (fields.text(), fields.text());
    let mut infos: Vec<_> = (0..fields.int()).map(|_| info(&mut fields)).collect();
    fields.end();
    infos.sort();
    infos
}

/// A znode that only Alice may read.
fn alices(client: &mut Client, room: &str) -> String {
    let path = format!("{room}/alices");
    let body = request::create_with(&path, None, &[(31, "digest", ALICE)], 0);
    client.call(op::CREATE, &body).ok().text()
}

fn a_good_auth_is_answered_with_zxid_zero(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for (xid, scheme, data) in [
        (-4, "digest", "alice:secret"),
        (-4, "ip", ""),
        (7, "digest", "b:c"),
    ] {
        client.send_as(xid, op::AUTH, &request::auth(scheme, data.as_bytes()));
        let expected = Frame {
            xid,
            zxid: 0,
            err: 0,
            body: vec![],
        };
        assert_eq!(client.reply(), expected);
    }
}

fn a_failed_auth_is_answered_and_the_connection_ends(ensemble: &Ensemble) {
    for scheme in ["none", "", "world", "super", "Digest", "auth", "x509"] {
        let mut client = ensemble.client(1);
        let expected = Frame {
            xid: -4,
            zxid: 0,
            err: code::AUTH_FAILED,
            body: vec![],
        };
        assert_eq!(
            auth(&mut client, scheme, b"alice:secret"),
            expected,
            "{scheme}"
        );
        assert!(client.is_closed());
    }
}

#[test]
fn digest_is_refused_where_it_is_switched_off() {
    let ensemble = Ensemble::start(1, |config| config.digest.enabled = false);
    let mut client = ensemble.client(0);
    let reply = auth(&mut client, "digest", b"super:test");
    assert_eq!(reply.error(), code::AUTH_FAILED);
    assert!(client.is_closed());
}

fn requests_behind_a_failed_auth_are_not_carried_out(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("requests_behind_a_failed_auth_are_not_carried_out");
    let mut client = ensemble.client(1);
    let mut bytes = client.packet(-4, op::AUTH, &request::auth("none", b""));
    let create = request::create(&format!("{room}/x"), None, 0);
    bytes.extend(client.packet(1, op::CREATE, &create));
    client.send_raw(&bytes);
    assert_eq!(client.reply().error(), code::AUTH_FAILED);
    assert!(client.is_closed());
    // Its session can only come back behind everything it has sent.
    client.reattach(ensemble.address(1)).close();
    witness.sync();
    assert_eq!(witness.children(&room), [""; 0]);
}

fn a_null_auth_is_answered_and_proves_nothing(ensemble: &Ensemble) {
    let no_scheme = Body::new().int(0).int(-1).buffer(Some(b"alice:secret"));
    let no_proof = Body::new().int(0).text("digest").buffer(None);
    for body in [no_scheme, no_proof] {
        let mut client = ensemble.client(1);
        client.send_as(-4, op::AUTH, &body);
        assert_eq!(client.reply().error(), code::AUTH_FAILED);
        assert!(client.is_closed());
    }
    // Whoever says it is an address proves nothing either way.
    let mut client = ensemble.client(1);
    client.send_as(-4, op::AUTH, &Body::new().int(0).text("ip").buffer(None));
    client.reply().ok();
}

fn a_malformed_auth_ends_the_connection(ensemble: &Ensemble) {
    let whole = request::auth("digest", b"alice:secret").0;
    for cut in [0, 3, 4, 9, whole.len() - 1] {
        let mut client = ensemble.client(2);
        client.send_as(-4, op::AUTH, &Body::new().raw(&whole[..cut]));
        assert!(client.is_closed(), "{cut} bytes");
    }
}

fn identities_add_up_and_who_am_i_tells_the_users(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    let info = |scheme: &str, user: &str| (scheme.to_owned(), user.to_owned());
    let mut expected = vec![info("ip", "127.0.0.1")];
    assert_eq!(who_am_i(&mut client), expected);
    for (data, user) in [("alice:secret", "alice"), ("bob:x", "bob")] {
        auth(&mut client, "digest", data.as_bytes()).ok();
        auth(&mut client, "digest", data.as_bytes()).ok();
        expected.push(info("digest", user));
        expected.sort();
        assert_eq!(who_am_i(&mut client), expected);
    }
    auth(&mut client, "digest", b"super:test").ok();
    let told = who_am_i(&mut client);
    assert!(told.contains(&info("super", "")) && told.contains(&info("digest", "super")));
}

fn auth_counts_for_requests_behind_it_only(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("auth_counts_for_requests_behind_it_only");
    let path = alices(&mut client, &room);
    let mut client = ensemble.client(1);
    client.sync();
    let read = request::read(&path, false);
    client.send(op::GET_DATA, &read);
    client.send_as(-4, op::AUTH, &request::auth("digest", b"alice:secret"));
    client.send(op::GET_DATA, &read);
    let errors: Vec<i32> = client.replies(3).iter().map(|reply| reply.err).collect();
    assert_eq!(errors, [code::NO_AUTH, 0, 0]);
}

fn identities_belong_to_the_connection(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("identities_belong_to_the_connection");
    auth(&mut client, "digest", b"alice:secret").ok();
    let path = alices(&mut client, &room);
    client.get(&path);
    let mut again = client.reattach(ensemble.address(1));
    let read = request::read(&path, false);
    assert_eq!(again.error(op::GET_DATA, &read), code::NO_AUTH);
    auth(&mut again, "digest", b"alice:secret").ok();
    again.get(&path);
}

/// Whatever order they come in, each request has one answer.
fn auth_may_overtake_replies(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("auth_may_overtake_replies");
    client.forget_order();
    for round in 0..20 {
        let mut bytes = client.packet(1, op::SET_DATA, &request::set_data(&room, None, -1));
        bytes.extend(client.packet(-4, op::AUTH, &request::auth("digest", b"a:b")));
        client.send_raw(&bytes);
        let mut xids = [client.reply().xid, client.reply().xid];
        xids.sort_unstable();
        assert_eq!(xids, [-4, 1], "round {round}");
    }
}

fn without_sasl_its_token_is_null(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for token in [
        Body::new().buffer(Some(b"")),
        Body::new().buffer(Some(b"token")),
    ] {
        let reply = client.call(op::SASL, &token);
        assert_eq!(reply.zxid, 0);
        let mut fields = reply.ok();
        assert_eq!(fields.buffer(), None);
        fields.end();
    }
}

fn passwords_may_be_any_bytes(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("passwords_may_be_any_bytes");
    let all: &[&[u8]] = &[
        b"",
        b":",
        b"user",
        b"user:",
        b"a:b:c:d",
        b"\xff\xfe:\0\x80",
        b":only",
    ];
    for (i, data) in all.iter().enumerate() {
        let mut one = ensemble.client(i);
        auth(&mut one, "digest", data).ok();
        let body = request::create_with(&format!("{room}/{i}"), None, &[(31, "auth", "")], 0);
        one.call(op::CREATE, &body).ok();
        one.get(&format!("{room}/{i}"));
        client.sync();
        let read = request::read(&format!("{room}/{i}"), false);
        assert_eq!(client.error(op::GET_DATA, &read), code::NO_AUTH);
    }
}
