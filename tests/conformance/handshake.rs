//! The first frame each way: new sessions, old sessions, and those who are turned away.

use std::io::Write;
use std::net::Shutdown;

use crate::support::{Body, Client, Ensemble, Fields, Hello, Refused, on_one_and_three};
use crate::support::{op, open, request};

on_one_and_three!(
    answer_has_the_read_only_byte_when_the_request_had_it,
    a_new_session_needs_no_password,
    timeout_is_clamped,
    every_session_has_its_own_id_and_password,
    a_session_is_attached_again_at_any_server,
    attaching_negotiates_the_timeout_anew,
    an_unknown_session_is_gone,
    a_wrong_password_is_told_that_the_session_is_gone,
    a_closed_session_is_gone,
    a_client_ahead_of_the_server_is_refused,
    requests_may_follow_the_handshake_at_once,
    attaching_ends_the_connection_before,
    a_wrong_password_ends_the_connection_too,
    a_malformed_handshake_is_closed,
    bytes_behind_the_handshake_record_are_ignored,
);

/// "Your session is gone", as bytes.
fn gone(read_only: bool) -> Refused {
    let body = Body::new().int(0).int(0).long(0).buffer(Some(&[0; 16]));
    let body = if read_only { body.bool(false) } else { body };
    Refused::SessionGone(body.0.to_vec())
}

fn refused(ensemble: &Ensemble, server: usize, hello: &Hello) -> Refused {
    Client::connect(ensemble.address(server), hello).unwrap_err()
}

fn answer_has_the_read_only_byte_when_the_request_had_it(ensemble: &Ensemble) {
    for (read_only, request_bytes, answer_bytes) in
        [(None, 44, 36), (Some(false), 45, 37), (Some(true), 45, 37)]
    {
        let hello = Hello {
            read_only,
            ..Hello::default()
        };
        assert_eq!(hello.body().0.len(), request_bytes);
        let client = ensemble.client_with(1, &hello);
        assert_eq!(client.greeting.len(), answer_bytes);
        // A server that takes writes never says that it is read-only.
        assert!(read_only.is_none() || client.greeting[36] == 0);
        client.close();
    }
}

fn a_new_session_needs_no_password(ensemble: &Ensemble) {
    for password in [None, Some(vec![]), Some(vec![0; 16]), Some(vec![7; 3])] {
        let hello = Hello {
            password,
            ..Hello::default()
        };
        let client = ensemble.client_with(0, &hello);
        assert_ne!(client.session, 0);
        assert_ne!(client.password, [0; 16]);
    }
}

fn timeout_is_clamped(ensemble: &Ensemble) {
    for (asked, given) in [
        (0, 400),
        (-1, 400),
        (i32::MIN, 400),
        (399, 400),
        (401, 401),
        (120_000, 120_000),
        (i32::MAX, 120_000),
    ] {
        let hello = Hello {
            timeout_ms: asked,
            ..Hello::default()
        };
        assert_eq!(ensemble.client_with(2, &hello).timeout_ms, given);
    }
}

fn every_session_has_its_own_id_and_password(ensemble: &Ensemble) {
    let clients: Vec<_> = (0..30).map(|i| ensemble.client(i)).collect();
    let mut ids: Vec<_> = clients.iter().map(|client| client.session).collect();
    let mut passwords: Vec<_> = clients.iter().map(|c| c.password.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    passwords.sort_unstable();
    passwords.dedup();
    assert_eq!((ids.len(), passwords.len()), (30, 30));
    assert!(ids.iter().all(|id| *id != 0 && *id != i64::MIN));
}

fn a_session_is_attached_again_at_any_server(ensemble: &Ensemble) {
    let mut client = ensemble.client(0);
    let path = client.create_mode(
        "/attached-",
        b"",
        crate::support::mode::EPHEMERAL_SEQUENTIAL,
    );
    for server in [1, 2, 0, 0] {
        client.hang_up();
        client = client.reattach(ensemble.address(server));
        let stat = client.stat(&path).expect("its ephemeral is there");
        assert_eq!(stat.ephemeral_owner, client.session);
    }
    client.close();
}

fn attaching_negotiates_the_timeout_anew(ensemble: &Ensemble) {
    let client = ensemble.client(0);
    let hello = Hello {
        timeout_ms: 5_000,
        ..client.hello()
    };
    let again = ensemble.client_with(1, &hello);
    assert_eq!((again.session, again.timeout_ms), (client.session, 5_000));
    assert_eq!(again.password, client.password);
    again.close();
}

fn an_unknown_session_is_gone(ensemble: &Ensemble) {
    for session in [1, -1, i64::MIN, i64::MAX, 0x100_0000_0000_0001] {
        let mut hello = Hello {
            session,
            ..Hello::default()
        };
        assert_eq!(refused(ensemble, 1, &hello), gone(true));
        hello.read_only = None;
        assert_eq!(refused(ensemble, 1, &hello), gone(false));
    }
}

fn a_wrong_password_is_told_that_the_session_is_gone(ensemble: &Ensemble) {
    let client = ensemble.client(0);
    let mut near = client.password.clone();
    near[15] ^= 1;
    let longer = [&client.password[..], &[0]].concat();
    for password in [
        None,
        Some(vec![]),
        Some(vec![0; 16]),
        Some(near),
        Some(longer),
        Some(client.password[..15].to_vec()),
    ] {
        let hello = Hello {
            password,
            ..client.hello()
        };
        assert_eq!(refused(ensemble, 1, &hello), gone(true));
    }
    // And the session lives on.
    client.reattach(ensemble.address(2)).close();
}

fn a_closed_session_is_gone(ensemble: &Ensemble) {
    let client = ensemble.client(0);
    let hello = client.hello();
    client.close();
    for server in 0..3 {
        let mut witness = ensemble.client(server);
        witness.sync();
        assert_eq!(refused(ensemble, server, &hello), gone(true));
    }
}

fn a_client_ahead_of_the_server_is_refused(ensemble: &Ensemble) {
    let client = ensemble.client(1);
    for session in [0, client.session] {
        let hello = Hello {
            session,
            last_zxid: i64::MAX,
            ..client.hello()
        };
        assert_eq!(refused(ensemble, 1, &hello), Refused::Closed);
    }
    // What this server has shown is not too new for it.
    let mut client = client.reattach(ensemble.address(1));
    client.sync();
    client.reattach(ensemble.address(1)).close();
}

fn requests_may_follow_the_handshake_at_once(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("requests_may_follow_the_handshake_at_once");
    for first_bytes in [0, 3, 10, 49, 60] {
        let mut stream = open(ensemble.address(2));
        let path = format!("{room}/{first_bytes}");
        let mut bytes = crate::support::framed(&Hello::default().body().0);
        let create = request::create(&path, Some(b"x"), 0);
        let read = request::read(&path, false);
        for (xid, op, body) in [(1, op::CREATE, create), (2, op::GET_DATA, read)] {
            let packet = Body::new().int(xid).int(op).raw(&body.0);
            bytes.extend(crate::support::framed(&packet.0));
        }
        // Also cut where it hurts: inside a length, inside a record.
        stream.write_all(&bytes[..first_bytes]).unwrap();
        stream.write_all(&bytes[first_bytes..]).unwrap();
        let mut client = Client::greeted(stream).unwrap();
        client.expect([1, 2]);
        assert_eq!(client.reply().ok().text(), path);
        assert_eq!(client.reply().ok().buffer(), Some(b"x".to_vec()));
    }
}

fn attaching_ends_the_connection_before(ensemble: &Ensemble) {
    for server in [0, 1] {
        let mut before = ensemble.client(0);
        let after = before.reattach(ensemble.address(server));
        assert!(before.is_closed());
        after.close();
    }
}

fn a_wrong_password_ends_the_connection_too(ensemble: &Ensemble) {
    let mut before = ensemble.client(0);
    let hello = Hello {
        password: Some(vec![1; 16]),
        ..before.hello()
    };
    assert_eq!(refused(ensemble, 0, &hello), gone(true));
    assert!(before.is_closed());
    before.reattach(ensemble.address(0)).close();
}

fn a_malformed_handshake_is_closed(ensemble: &Ensemble) {
    let whole = Hello::default().body().0;
    for cut in 0..44 {
        let refused = Client::shake_hands(open(ensemble.address(0)), &whole[..cut]);
        assert_eq!(refused.unwrap_err(), Refused::Closed, "{cut} bytes");
    }
    for length in [-1, i32::MIN, 0xf_ffff + 1, i32::MAX] {
        let mut stream = open(ensemble.address(0));
        stream.write_all(&length.to_be_bytes()).unwrap();
        assert_eq!(Client::greeted(stream).unwrap_err(), Refused::Closed);
    }
    // A password longer than its frame.
    let lying = Body::new().int(0).long(0).int(0).long(0).int(17);
    let lying = lying.raw(&[0; 16]).0;
    let refused = Client::shake_hands(open(ensemble.address(0)), &lying);
    assert_eq!(refused.unwrap_err(), Refused::Closed);
    // A client that goes away in the middle.
    let mut stream = open(ensemble.address(0));
    stream.write_all(&[0, 0, 0, 45, 0]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Client::greeted(stream).unwrap_err(), Refused::Closed);
}

fn bytes_behind_the_handshake_record_are_ignored(ensemble: &Ensemble) {
    let hello = Hello::default().body().raw(b"more").0;
    let client = Client::shake_hands(open(ensemble.address(1)), &hello).unwrap();
    let mut fields = Fields::new(&client.greeting);
    assert_eq!((fields.int(), fields.int()), (0, 30_000));
    assert_eq!(client.greeting.len(), 37);
    client.close();
}

#[test]
fn a_connection_without_a_handshake_is_closed_in_time() {
    let ensemble = Ensemble::start(1, |config| config.sessionless_cnxn_timeout_ms = 200);
    let silent = open(ensemble.address(0));
    let mut half = open(ensemble.address(0));
    half.write_all(&[0, 0, 0, 45, 0, 0]).unwrap();
    for stream in [silent, half] {
        assert_eq!(Client::greeted(stream).unwrap_err(), Refused::Closed);
    }
    // Whoever has shaken hands may be silent for longer.
    let mut client = ensemble.client(0);
    assert_eq!(
        client.error(op::GET_DATA, &request::read("/none", false)),
        -101
    );
}
