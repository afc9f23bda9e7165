//! The session without a socket: frames made by hand, deliveries looked at one by one.

use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;

use super::session::{Beginning, Completion, Delivery, Limit, Next, Session};
use super::{Answer, Code, Error, OnExpiry, Root, State, WatchEvent, WatchSink};
use crate::proto::{
    ConnectResponse, EventKind, Frames, Notification, OpCode, PASSWORD_BYTES, Reader, Request,
    SessionId, Stat, Writer, Xid, Zxid,
};

fn session() -> Session {
    Session::new(Beginning {
        session: None,
        timeout_ms: 10_000,
        read_only: false,
        on_expiry: OnExpiry::End,
        chroot: String::new(),
        auth: vec![("digest".to_owned(), b"a:b".to_vec())],
        request_bytes_max: 1_000,
    })
}

fn attach(session: &mut Session) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let response = ConnectResponse {
        timeout_ms: 8_000,
        session: SessionId(7),
        password: [1; PASSWORD_BYTES],
        read_only: Some(false),
    };
    session.attached(&response, &mut deliveries);
    deliveries
}

/// Completions that the test does not look at.
fn nobody() -> Completion {
    Completion::Call(Box::new(drop))
}

fn submit(session: &mut Session, request: Request<'_>) {
    assert!(
        session
            .submit(request, Root::Chroot, Limit::Refuse, None, nobody())
            .is_ok()
    );
}

fn get(path: &str) -> Request<'_> {
    Request::GetData {
        path: path.into(),
        watch: false,
    }
}

fn watching(session: &mut Session, path: &str) {
    let request = Request::Exists {
        path: path.into(),
        watch: true,
    };
    let sink: WatchSink = Arc::new(|_| {});
    assert!(
        session
            .submit(request, Root::Chroot, Limit::Refuse, Some(&sink), nobody())
            .is_ok()
    );
}

/// Xid and operation of every frame handed out.
fn sent(session: &mut Session) -> Vec<(i32, i32)> {
    let mut bytes = BytesMut::from(&session.outgoing()[..]);
    let frames = Frames::new(1 << 20);
    let mut heads = Vec::new();
    while let Some(frame) = frames.next(&mut bytes).unwrap() {
        let mut r = Reader::new(&frame);
        heads.push((r.i32().unwrap(), r.i32().unwrap()));
    }
    assert!(bytes.is_empty());
    heads
}

fn reply(xid: i32, err: i32, record: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i32(xid);
    out.put_i64(5);
    out.put_i32(err);
    record(&mut Writer::new(&mut out));
    out.freeze()
}

fn errors(deliveries: Vec<Delivery>) -> Vec<Error> {
    let replies = deliveries
        .into_iter()
        .filter_map(|delivery| match delivery {
            Delivery::Reply(_, result) => Some(result.unwrap_err()),
            Delivery::Event(..) | Delivery::Gone(_) | Delivery::State(_) => None,
        });
    replies.collect()
}

#[test]
fn credentials_and_watches_go_before_requests_that_waited() {
    let mut session = session();
    submit(&mut session, get("/early"));
    attach(&mut session);
    assert_eq!(session.timeout_ms, 8_000);
    let get_data = OpCode::GetData.number();
    let auth = (Xid::AUTH.0, OpCode::Auth.number());
    assert_eq!(sent(&mut session), [auth, (1, get_data)]);
    watching(&mut session, "/w");
    let heads = sent(&mut session);
    let exists = heads[0].0;
    let mut deliveries = Vec::new();
    let frames = [
        reply(Xid::AUTH.0, 0, |_| {}),
        reply(1, 0, |w| {
            w.buffer(None);
            Stat::default().encode(w);
        }),
        reply(exists, Code::NoNode.number(), |_| {}),
    ];
    for frame in frames {
        assert_eq!(session.receive(&frame, &mut deliveries), Ok(Next::GoOn));
    }
    session.disconnected("a test", &mut deliveries);
    submit(&mut session, get("/late"));
    attach(&mut session);
    let ops: Vec<_> = sent(&mut session).into_iter().map(|(_, op)| op).collect();
    let set_watches = OpCode::SetWatches.number();
    assert_eq!(ops, [OpCode::Auth.number(), set_watches, get_data]);
}

#[test]
fn what_was_sent_fails_with_an_unknown_fate_and_what_was_not_stays() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, get("/sent"));
    sent(&mut session);
    submit(&mut session, get("/kept"));
    session.ping();
    let mut deliveries = Vec::new();
    session.disconnected("a test", &mut deliveries);
    assert_eq!(session.state, State::Suspended);
    let errors = errors(deliveries);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].path(), Some("/sent"));
    assert_eq!(errors[0].code(), Code::ConnectionLoss);
    assert!(!errors[0].nothing_changed());
    attach(&mut session);
    let heads = sent(&mut session);
    assert_eq!(
        heads.len(),
        2,
        "the ping of the old connection is gone: {heads:?}"
    );
    assert_eq!(heads[1].1, OpCode::GetData.number());
}

#[test]
fn answer_out_of_order_or_to_nothing_or_undecodable_is_refused() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, get("/a"));
    submit(&mut session, get("/b"));
    let heads = sent(&mut session);
    let (first, second) = (heads[1].0, heads[2].0);
    let mut deliveries = Vec::new();
    let mut receive = |frame: Bytes| session.receive(&frame, &mut deliveries).is_err();
    assert!(receive(reply(second, Code::NoNode.number(), |_| {})));
    assert!(receive(reply(99, 0, |_| {})));
    assert!(receive(Bytes::from_static(b"short")));
    assert!(receive(reply(Xid::NOTIFICATION.0, 0, |w| w.i32(77))));
    assert!(receive(reply(first, 0, |w| w.i32(1_000_000))));
    assert_eq!(deliveries.len(), 1);
    assert_eq!(errors(deliveries)[0].code(), Code::DataInconsistency);
}

#[test]
fn answer_to_a_request_that_was_not_sent_is_refused() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, get("/a"));
    let mut deliveries = Vec::new();
    let frame = reply(1, Code::NoNode.number(), |_| {});
    assert!(session.receive(&frame, &mut deliveries).is_err());
}

#[test]
fn code_that_zookeeper_does_not_have_is_named() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, get("/a"));
    let xid = sent(&mut session)[1].0;
    let mut deliveries = Vec::new();
    session
        .receive(&reply(xid, -9_999, |_| {}), &mut deliveries)
        .unwrap();
    let error = &errors(deliveries)[0];
    assert_eq!(error.code(), Code::SystemError);
    assert!(error.to_string().contains("-9999"), "{error}");
}

#[test]
fn event_is_delivered_to_armed_watchers_only() {
    let mut session = session();
    attach(&mut session);
    watching(&mut session, "/w");
    let xid = sent(&mut session)[1].0;
    let mut event = BytesMut::new();
    Notification::encode(Zxid(9), EventKind::Created, "/w", &mut event);
    let event = event.freeze().slice(4..);
    let mut deliveries = Vec::new();
    session.receive(&event, &mut deliveries).unwrap();
    assert!(deliveries.is_empty(), "the watch was not set yet");
    session
        .receive(&reply(xid, Code::NoNode.number(), |_| {}), &mut deliveries)
        .unwrap();
    deliveries.clear();
    session.receive(&event, &mut deliveries).unwrap();
    session.receive(&event, &mut deliveries).unwrap();
    let changed = |delivery: &Delivery| match delivery {
        Delivery::Event(_, WatchEvent::Changed { zxid, .. }) => *zxid == Zxid(9),
        _ => false,
    };
    assert_eq!((deliveries.len(), changed(&deliveries[0])), (1, true));
}

#[test]
fn refused_credential_fails_everything() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, get("/a"));
    sent(&mut session);
    let mut deliveries = Vec::new();
    let frame = reply(Xid::AUTH.0, Code::AuthFailed.number(), |_| {});
    assert_eq!(session.receive(&frame, &mut deliveries), Ok(Next::End));
    assert_eq!(session.state, State::AuthFailed);
    assert_eq!(errors(deliveries)[0].code(), Code::AuthFailed);
    let refused = session.submit(get("/b"), Root::Chroot, Limit::Refuse, None, nobody());
    assert_eq!(refused.err().unwrap().1.code(), Code::AuthFailed);
}

#[test]
fn close_succeeds_even_if_its_answer_is_lost() {
    let mut session = session();
    attach(&mut session);
    submit(&mut session, Request::CloseSession);
    sent(&mut session);
    let mut deliveries = Vec::new();
    session.disconnected("a test", &mut deliveries);
    assert_eq!(session.state, State::Closed);
    let closed = deliveries
        .iter()
        .any(|delivery| matches!(delivery, Delivery::Reply(_, Ok(Answer::Done))));
    assert!(closed);
}

/// The relative zxid of the setWatches among what is handed out.
fn relative_zxid(session: &mut Session) -> Option<i64> {
    let mut bytes = BytesMut::from(&session.outgoing()[..]);
    let frames = Frames::new(1 << 20);
    while let Some(frame) = frames.next(&mut bytes).unwrap() {
        let mut r = Reader::new(&frame);
        r.i32().unwrap();
        if r.i32() == Ok(OpCode::SetWatches.number()) {
            return r.i64().ok();
        }
    }
    None
}

/// One change can owe several events; the connection may break between them.
#[test]
fn watches_are_set_again_from_the_last_reply_not_from_an_event() {
    let mut session = session();
    attach(&mut session);
    watching(&mut session, "/w");
    watching(&mut session, "/other");
    let heads = sent(&mut session);
    let mut deliveries = Vec::new();
    for (xid, _) in &heads[1..] {
        let there_is_none = reply(*xid, Code::NoNode.number(), |_| {});
        session.receive(&there_is_none, &mut deliveries).unwrap();
    }
    let mut event = BytesMut::new();
    Notification::encode(Zxid(9), EventKind::Created, "/w", &mut event);
    session
        .receive(&event.freeze().slice(4..), &mut deliveries)
        .unwrap();
    assert_eq!(session.last_zxid, Zxid(9));
    session.disconnected("a test", &mut deliveries);
    attach(&mut session);
    // 5 is what the replies said.
    assert_eq!(relative_zxid(&mut session), Some(5));
}

#[test]
fn credential_that_no_server_would_take_is_refused() {
    let mut session = session();
    attach(&mut session);
    let large = vec![b'x'; 1_000];
    let auth = Request::Auth {
        scheme: "digest".into(),
        auth: Some(&large),
    };
    let refused = session.submit(auth, Root::Chroot, Limit::Refuse, None, nobody());
    assert_eq!(refused.err().unwrap().1.code(), Code::BadArguments);
}

#[test]
fn closing_client_that_renews_does_not_begin_another_session() {
    let mut session = Session::new(Beginning {
        session: None,
        timeout_ms: 10_000,
        read_only: false,
        on_expiry: OnExpiry::Renew,
        chroot: String::new(),
        auth: Vec::new(),
        request_bytes_max: 1_000,
    });
    attach(&mut session);
    submit(&mut session, Request::CloseSession);
    session.refused(&mut Vec::new());
    assert_eq!(session.state, State::Closed);
}

#[test]
fn a_credential_shown_already_is_no_further_one() {
    let mut session = session();
    attach(&mut session);
    let show = |session: &mut Session, auth: &[u8]| {
        let scheme = "digest".into();
        let auth = Some(auth);
        let auth = Request::Auth { scheme, auth };
        session.submit(auth, Root::Chroot, Limit::Refuse, None, nobody())
    };
    let taken = (0..1_000)
        .take_while(|n| show(&mut session, format!("u{n}:p").as_bytes()).is_ok())
        .count();
    assert!(taken < 1_000, "there is a limit");
    assert!(show(&mut session, b"u0:p").is_ok());
}
