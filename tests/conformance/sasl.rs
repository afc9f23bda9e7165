//! SASL: the exchange on bytes, what comes of it, and who must have authenticated. The mechanism is
//! computed here a second time. What is expected was asked of Apache ZooKeeper 3.8.0.

use std::sync::Arc;

use md5::{Digest, Md5};
use zoowarden::server::config::{Config, Password, SecuritySettings};

use crate::support::{Body, Client, Ensemble, Frame, code, op, request};

const REALM: &str = "zk-sasl-md5";

/// `bob` and `super`, the scheme `sasl` in ACLs, and whatever `change` does.
fn secured(change: impl Fn(&mut SecuritySettings)) -> impl Fn(&mut Config) {
    move |config| {
        let users = [
            ("bob", "bobsecret"),
            ("eve", "evesecret"),
            ("super", "admin"),
        ];
        let users = users.map(|(user, password)| (user.to_owned(), Password::new(password)));
        config.security.sasl_users = Some(Arc::new(users.into()));
        config.security.sasl_provider = true;
        change(&mut config.security);
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn sasl(client: &mut Client, token: &[u8]) -> Frame {
    client.call(op::SASL, &Body::new().buffer(Some(token)))
}

/// The nonce of a challenge, which must look as it should.
fn nonce(client: &mut Client) -> String {
    let reply = sasl(client, b"");
    assert_eq!(reply.zxid, 0);
    let challenge = String::from_utf8(reply.ok().buffer().unwrap()).unwrap();
    let nonce = challenge
        .strip_prefix("realm=\"zk-sasl-md5\",nonce=\"")
        .and_then(|rest| rest.strip_suffix("\",charset=utf-8,algorithm=md5-sess"))
        .unwrap_or_else(|| panic!("{challenge}"));
    assert!(nonce.len() >= 32);
    nonce.to_owned()
}

/// The answer to a challenge, and the proof that must come back.
fn answer(nonce: &str, user: &str, password: &str) -> (String, String) {
    let uri = format!("zookeeper/{REALM}");
    let mut a1 = Md5::digest(format!("{user}:{REALM}:{password}")).to_vec();
    a1.extend_from_slice(format!(":{nonce}:c").as_bytes());
    let a1 = hex(Md5::digest(a1));
    let hash = |a2: String| {
        let a2 = hex(Md5::digest(a2));
        hex(Md5::digest(format!("{a1}:{nonce}:00000001:c:auth:{a2}")))
    };
    let response = hash(format!("AUTHENTICATE:{uri}"));
    let token = format!(
        "qop=auth,realm=\"{REALM}\",username=\"{user}\",nonce=\"{nonce}\",cnonce=\"c\",\
         nc=00000001,digest-uri=\"{uri}\",response={response}"
    );
    (token, format!("rspauth={}", hash(format!(":{uri}"))))
}

fn login(client: &mut Client, user: &str, password: &str) -> Frame {
    let nonce = nonce(client);
    sasl(client, answer(&nonce, user, password).0.as_bytes())
}

fn logged_in(ensemble: &Ensemble, user: &str, password: &str) -> Client {
    let mut client = ensemble.client(1);
    login(&mut client, user, password).ok();
    client
}

/// A failure whose record is there: a null token.
fn refused(client: &mut Client, reply: &Frame, code: i32) {
    let expected = Frame {
        xid: reply.xid,
        zxid: 0,
        err: code,
        body: vec![0xff; 4],
    };
    assert_eq!(*reply, expected);
    assert!(client.is_closed());
}

fn who_am_i(client: &mut Client) -> Vec<(String, String)> {
    let reply = client.call(op::WHO_AM_I, &Body::new());
    let mut fields = reply.ok();
    let count = fields.int();
    let mut infos: Vec<_> = (0..count).map(|_| (fields.text(), fields.text())).collect();
    infos.sort();
    infos
}

fn create(client: &mut Client, path: &str, scheme: &str, id: &str) -> i32 {
    let body = request::create_with(path, None, &[(31, scheme, id)], 0);
    client.call(op::CREATE, &body).err
}

fn read(client: &mut Client, path: &str) -> i32 {
    client.call(op::GET_DATA, &request::read(path, false)).err
}

#[test]
fn both_sides_prove_that_they_know_the_password() {
    let ensemble = Ensemble::start(3, secured(|_| {}));
    for server in 0..3 {
        let mut client = ensemble.client(server);
        let nonce = nonce(&mut client);
        let (token, proof) = answer(&nonce, "bob", "bobsecret");
        let reply = sasl(&mut client, token.as_bytes());
        assert_eq!(reply.zxid, 0);
        assert_eq!(reply.ok().buffer(), Some(proof.into_bytes()));
        let info = |scheme: &str, user: &str| (scheme.to_owned(), user.to_owned());
        let expected = [info("ip", "127.0.0.1"), info("sasl", "bob")];
        assert_eq!(who_am_i(&mut client), expected);
        client.close();
    }
    let (mut a, mut b) = (ensemble.client(0), ensemble.client(0));
    assert_ne!(nonce(&mut a), nonce(&mut b), "a nonce came twice");
}

#[test]
fn who_fails_is_told_and_closed() {
    let ensemble = Ensemble::start(1, secured(|_| {}));
    for (user, password) in [
        ("bob", "x"),
        ("bob", ""),
        ("nobody", "bobsecret"),
        ("nobody", ""),
        ("", ""),
        ("super", "bobsecret"),
    ] {
        let mut client = ensemble.client(0);
        let reply = login(&mut client, user, password);
        refused(&mut client, &reply, code::AUTH_FAILED);
    }
    for token in [&b""[..], b"x", b"\xff", &[b'y'; 5000]] {
        let mut client = ensemble.client(0);
        nonce(&mut client);
        let reply = sasl(&mut client, token);
        refused(&mut client, &reply, code::AUTH_FAILED);
    }
}

#[test]
fn a_connection_has_one_exchange() {
    let ensemble = Ensemble::start(1, secured(|_| {}));
    let mut client = logged_in(&ensemble, "bob", "bobsecret");
    let reply = sasl(&mut client, b"");
    refused(&mut client, &reply, code::AUTH_FAILED);
    // A recorded answer is worth nothing on another connection.
    let mut client = ensemble.client(0);
    let nonce_of_one = nonce(&mut client);
    let (token, _) = answer(&nonce_of_one, "bob", "bobsecret");
    let mut other = ensemble.client(0);
    nonce(&mut other);
    let reply = sasl(&mut other, token.as_bytes());
    refused(&mut other, &reply, code::AUTH_FAILED);
    sasl(&mut client, token.as_bytes()).ok();
}

#[test]
fn a_token_that_is_null_or_cut_ends_the_connection() {
    for ensemble in [
        Ensemble::start(1, secured(|_| {})),
        Ensemble::start(1, |_| {}),
    ] {
        for body in [
            Body::new().buffer(None),
            Body::new(),
            Body::new().raw(&[0, 0]),
            Body::new().int(-2),
            Body::new().int(50).raw(b"x"),
        ] {
            let mut client = ensemble.client(0);
            client.send(op::SASL, &body);
            assert!(client.is_closed(), "{body:?}");
        }
    }
}

#[test]
fn the_first_token_may_hold_anything_and_bytes_behind_it_do_not_count() {
    let ensemble = Ensemble::start(1, secured(|_| {}));
    for body in [
        Body::new().buffer(Some(b"username=\"bob\"")),
        Body::new().buffer(Some(b"")).raw(b"xx"),
    ] {
        let mut client = ensemble.client(0);
        let token = client.call(op::SASL, &body).ok().buffer().unwrap();
        assert!(token.starts_with(b"realm="));
    }
}

#[test]
fn a_sasl_user_is_an_identity_like_others() {
    let ensemble = Ensemble::start(3, secured(|_| {}));
    let mut bob = logged_in(&ensemble, "bob", "bobsecret");
    assert_eq!(create(&mut bob, "/auth", "auth", ""), 0);
    let list = bob.call(op::GET_ACL, &request::path("/auth")).ok().acl();
    assert_eq!(list, [(31, "sasl".to_owned(), "bob".to_owned())]);
    let mut nobody = ensemble.client(1);
    assert_eq!(read(&mut nobody, "/auth"), code::NO_AUTH);
    assert_eq!(create(&mut nobody, "/x", "auth", ""), code::INVALID_ACL);
    assert_eq!(create(&mut nobody, "/eves", "sasl", "eve"), 0);
    assert_eq!(read(&mut bob, "/eves"), code::NO_AUTH);
    assert_eq!(read(&mut bob, "/auth"), 0);
    let mut eve = logged_in(&ensemble, "eve", "evesecret");
    assert_eq!(read(&mut eve, "/eves"), 0);
    assert_eq!(read(&mut eve, "/auth"), code::NO_AUTH);
    // The user `super` matches every entry of the scheme, and no other.
    let mut root = logged_in(&ensemble, "super", "admin");
    assert_eq!(read(&mut root, "/auth"), 0);
    assert_eq!(create(&mut root, "/digest", "digest", "a:b"), 0);
    assert_eq!(read(&mut root, "/digest"), code::NO_AUTH);
    // The identity is the connection's, not the session's.
    let mut again = bob.reattach(ensemble.address(1));
    assert_eq!(read(&mut again, "/auth"), code::NO_AUTH);
}

#[test]
fn ids_of_acls_have_the_form_of_principals() {
    let ensemble = Ensemble::start(1, secured(|_| {}));
    let mut client = ensemble.client(0);
    for (i, (id, err)) in [
        ("bob", 0),
        ("", 0),
        ("a b", 0),
        ("a/b", 0),
        ("a@R", 0),
        ("a/b@R", 0),
        ("@", 0),
        ("a@", 0),
        ("/@x", 0),
        ("a/b/c@R", code::INVALID_ACL),
        ("a@b@c", code::INVALID_ACL),
        ("x@y/z", code::INVALID_ACL),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            create(&mut client, &format!("/{i}"), "sasl", id),
            err,
            "{id}"
        );
    }
}

#[test]
fn without_the_provider_a_sasl_user_is_nobody_in_acls() {
    let change = |security: &mut SecuritySettings| {
        security.sasl_provider = false;
        security.super_users = vec!["super".to_owned()];
    };
    let ensemble = Ensemble::start(1, secured(change));
    let mut bob = logged_in(&ensemble, "bob", "bobsecret");
    assert_eq!(create(&mut bob, "/x", "auth", ""), code::INVALID_ACL);
    assert_eq!(create(&mut bob, "/x", "sasl", "bob"), code::INVALID_ACL);
    assert_eq!(create(&mut bob, "/x", "digest", "a:b"), 0);
    assert_eq!(read(&mut bob, "/x"), code::NO_AUTH);
    let mut root = logged_in(&ensemble, "super", "admin");
    assert_eq!(read(&mut root, "/x"), 0);
}

#[test]
fn super_users_may_do_everything() {
    let change = |security: &mut SecuritySettings| security.super_users = vec!["bob".to_owned()];
    let ensemble = Ensemble::start(1, secured(change));
    let mut bob = logged_in(&ensemble, "bob", "bobsecret");
    assert_eq!(create(&mut bob, "/x", "digest", "a:b"), 0);
    assert_eq!(read(&mut bob, "/x"), 0);
    assert!(who_am_i(&mut bob).contains(&("super".to_owned(), String::new())));
    let mut root = logged_in(&ensemble, "super", "admin");
    assert_eq!(read(&mut root, "/x"), code::NO_AUTH);
}

#[test]
fn one_id_may_stand_for_every_sasl_user() {
    let change =
        |security: &mut SecuritySettings| security.any_sasl_user = Some("everyone".to_owned());
    let ensemble = Ensemble::start(3, secured(change));
    let mut bob = logged_in(&ensemble, "bob", "bobsecret");
    assert_eq!(create(&mut bob, "/x", "sasl", "everyone"), 0);
    assert_eq!(read(&mut bob, "/x"), 0);
    assert_eq!(create(&mut bob, "/x/y", "auth", ""), 0);
    let list = bob.call(op::GET_ACL, &request::path("/x/y")).ok().acl();
    assert_eq!(list, [(31, "sasl".to_owned(), "bob".to_owned())]);
    assert_eq!(who_am_i(&mut bob).len(), 2);
    let mut nobody = ensemble.client(1);
    let auth = request::auth("digest", b"everyone:x");
    nobody.send_as(-4, op::AUTH, &auth);
    nobody.reply().ok();
    nobody.sync();
    assert_eq!(read(&mut nobody, "/x"), code::NO_AUTH);
}

#[test]
fn who_fails_may_go_on_as_nobody_where_that_is_allowed() {
    let change = |security: &mut SecuritySettings| security.allow_sasl_failed_clients = true;
    let ensemble = Ensemble::start(1, secured(change));
    let mut client = ensemble.client(0);
    for reply in [login(&mut client, "bob", "x"), sasl(&mut client, b"")] {
        assert_eq!(reply.ok().buffer(), None);
    }
    assert_eq!(read(&mut client, "/"), 0);
    assert_eq!(who_am_i(&mut client).len(), 1);
}

/// Every kind of request, a ping, a close and one that nobody knows.
fn requests() -> Vec<(i32, i32, Body)> {
    vec![
        (3, op::GET_DATA, request::read("/", false)),
        (3, op::CREATE, request::create("/x", None, 0)),
        (-2, op::PING, Body::new()),
        (7, op::CLOSE_SESSION, Body::new()),
        (7, 999, Body::new()),
        (-8, op::SET_WATCHES, request::set_watches(0, &[], &[], &[])),
        (7, op::GET_DATA, Body::new()),
        (7, op::WHO_AM_I, Body::new()),
        (7, op::SYNC, request::path("/")),
    ]
}

#[test]
fn nothing_is_done_for_who_has_not_authenticated_where_that_is_required() {
    for allow_failed in [false, true] {
        let change = |security: &mut SecuritySettings| {
            security.required_schemes = vec!["sasl".to_owned()];
            security.allow_sasl_failed_clients = allow_failed;
        };
        let ensemble = Ensemble::start(1, secured(change));
        let closed = |client: &mut Client| {
            let reply = client.reply();
            assert_eq!(
                (reply.zxid, reply.err),
                (0, code::SESSION_CLOSED_REQUIRE_SASL_AUTH)
            );
            assert_eq!(reply.body, b"");
            assert!(client.is_closed());
        };
        for (xid, op, body) in requests() {
            let mut client = ensemble.client(0);
            client.send_as(xid, op, &body);
            closed(&mut client);
        }
        // Half an exchange, or another scheme, is not enough.
        let mut client = ensemble.client(0);
        nonce(&mut client);
        client.send(op::GET_DATA, &request::read("/", false));
        closed(&mut client);
        let mut client = ensemble.client(0);
        client.send_as(-4, op::AUTH, &request::auth("digest", b"a:b"));
        client.reply().ok();
        client.send(op::GET_DATA, &request::read("/", false));
        closed(&mut client);
        let mut client = ensemble.client(0);
        let reply = login(&mut client, "bob", "x");
        refused(&mut client, &reply, code::SESSION_CLOSED_REQUIRE_SASL_AUTH);
        let mut client = logged_in(&ensemble, "bob", "bobsecret");
        assert_eq!(read(&mut client, "/x"), code::NO_NODE);
        client.close();
    }
}

#[test]
fn any_of_the_required_schemes_will_do() {
    let change = |security: &mut SecuritySettings| {
        security.required_schemes = vec!["digest".to_owned(), "sasl".to_owned()];
    };
    let ensemble = Ensemble::start(1, secured(change));
    let mut client = ensemble.client(0);
    client.send_as(-4, op::AUTH, &request::auth("digest", b"a:b"));
    client.reply().ok();
    assert_eq!(read(&mut client, "/"), 0);
    let mut client = logged_in(&ensemble, "bob", "bobsecret");
    assert_eq!(read(&mut client, "/"), 0);
    let mut client = ensemble.client(0);
    assert_eq!(
        client.error(op::GET_DATA, &request::read("/", false)),
        code::SESSION_CLOSED_REQUIRE_SASL_AUTH
    );
    let everybody = |security: &mut SecuritySettings| {
        security.required_schemes = vec!["ip".to_owned()];
    };
    let ensemble = Ensemble::start(1, secured(everybody));
    assert_eq!(read(&mut ensemble.client(0), "/"), 0);
}

/// Whatever order they come in, each request has one answer.
#[test]
fn tokens_may_overtake_replies_and_count_for_what_stands_behind_them() {
    let ensemble = Ensemble::start(3, secured(|_| {}));
    let mut writer = ensemble.client(0);
    assert_eq!(create(&mut writer, "/bobs", "sasl", "bob"), 0);
    writer.create("/open", b"");
    let mut client = ensemble.client(1);
    client.sync();
    let nonce = nonce(&mut client);
    let (token, _) = answer(&nonce, "bob", "bobsecret");
    client.forget_order();
    let mut bytes = client.packet(1, op::SET_DATA, &request::set_data("/open", None, -1));
    bytes.extend(client.packet(2, op::GET_DATA, &request::read("/bobs", false)));
    bytes.extend(client.packet(3, op::SASL, &Body::new().buffer(Some(token.as_bytes()))));
    bytes.extend(client.packet(4, op::GET_DATA, &request::read("/bobs", false)));
    client.send_raw(&bytes);
    let mut replies = client.replies(4);
    replies.sort_by_key(|reply| reply.xid);
    let errors: Vec<i32> = replies.iter().map(|reply| reply.err).collect();
    assert_eq!(errors, [0, code::NO_AUTH, 0, 0]);
}
