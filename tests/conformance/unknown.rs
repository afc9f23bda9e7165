//! Operations that a server does not carry out, and frames that are no requests.

use crate::support::{Body, Ensemble, code, on_one_and_three, op, request};

on_one_and_three!(
    an_unknown_operation_is_answered_and_the_connection_ends,
    requests_ahead_of_an_unknown_operation_are_answered_first,
    requests_behind_an_unknown_operation_are_not_carried_out,
    a_frame_without_a_header_ends_the_connection,
    reconfig_is_disabled,
    the_session_survives_its_clients_mistakes,
);

/// Also what servers say to themselves only.
const UNKNOWN: [i32; 12] = [
    0,
    -1,
    10,
    op::CREATE_SESSION,
    op::DELETE_CONTAINER,
    23,
    99,
    108,
    1000,
    i32::MAX,
    i32::MIN,
    op::CHECK,
];

fn an_unknown_operation_is_answered_and_the_connection_ends(ensemble: &Ensemble) {
    for operation in UNKNOWN {
        for body in [Body::new(), request::path("/")] {
            let mut client = ensemble.client(1);
            let reply = client.call(operation, &body);
            assert_eq!((reply.error(), reply.zxid), (code::UNIMPLEMENTED, -1));
            assert!(client.is_closed(), "{operation}");
        }
    }
}

fn requests_ahead_of_an_unknown_operation_are_answered_first(ensemble: &Ensemble) {
    let (_keeper, room) =
        ensemble.room("requests_ahead_of_an_unknown_operation_are_answered_first");
    for ahead in ["w", "r", "s", "wrwr", "srw", "wwwwwwwwwwsr"] {
        let mut client = ensemble.client(2);
        let mut requests: Vec<_> = ahead
            .chars()
            .map(|letter| match letter {
                'w' => (op::SET_DATA, request::set_data(&room, None, -1)),
                'r' => (op::GET_DATA, request::read(&room, false)),
                _ => (op::SYNC, request::path("/")),
            })
            .collect();
        requests.insert(0, (op::SYNC, request::path("/")));
        requests.push((1000, Body::new()));
        client.send_all(&requests);
        for _ in 1..requests.len() {
            client.reply().ok();
        }
        assert_eq!(client.reply().error(), code::UNIMPLEMENTED);
        assert!(client.is_closed());
    }
}

fn requests_behind_an_unknown_operation_are_not_carried_out(ensemble: &Ensemble) {
    let (mut witness, room) =
        ensemble.room("requests_behind_an_unknown_operation_are_not_carried_out");
    let create = |name: &str| {
        let path = format!("{room}/{name}");
        (op::CREATE, request::create(&path, None, 0))
    };
    for ahead in [create("a"), (op::SYNC, request::path("/"))] {
        let mut client = ensemble.client(1);
        client.send_all(&[ahead, (1000, Body::new()), create("b"), create("c")]);
        client.reply().ok();
        assert_eq!(client.reply().error(), code::UNIMPLEMENTED);
        assert!(client.is_closed());
        client.reattach(ensemble.address(1)).close();
    }
    witness.sync();
    assert_eq!(witness.children(&room), ["a"]);
}

fn a_frame_without_a_header_ends_the_connection(ensemble: &Ensemble) {
    for length in 0..8_u32 {
        let mut client = ensemble.client(1);
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend(vec![0; length as usize]);
        client.send_raw(&frame);
        assert!(client.is_closed(), "{length} bytes");
    }
}

fn reconfig_is_disabled(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    let body = Body::new().int(-1).int(-1).text("server.1=x:1:2").long(-1);
    assert_eq!(client.error(op::RECONFIG, &body), code::RECONFIG_DISABLED);
    assert_eq!(client.error(op::RECONFIG, &Body::new()), code::MARSHALLING);
    client.sync();
}

fn the_session_survives_its_clients_mistakes(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("the_session_survives_its_clients_mistakes");
    let mut client = ensemble.client(0);
    let path = client.create_mode(&format!("{room}/e"), b"", 1);
    for (server, operation) in [1000, op::CHECK, 0].into_iter().enumerate() {
        client.call(operation, &Body::new()).error();
        assert!(client.is_closed());
        client = client.reattach(ensemble.address(server));
        assert!(client.stat(&path).is_some());
    }
}
