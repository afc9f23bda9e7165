//! reconfig and `/zookeeper/config`: checks and codes in ZooKeeper's order, and the order of
//! everything around a reconfig.

use crate::support::{Body, Client, Ensemble, Frame, code, framed, kind, op, open, request};

const CONFIG: &str = "/zookeeper/config";

/// What the superuser shows.
const SUPER: &[u8] = b"super:test";

fn changeable() -> Ensemble {
    Ensemble::start(3, |config| config.reconfig.enabled = true)
}

/// Text of a reconfig's three fields; `-` is null.
fn body(joining: &str, leaving: &str, members: &str, version: i64) -> Body {
    let field = |body: Body, text: &str| match text {
        "-" => body.int(-1),
        text => body.text(text),
    };
    [joining, leaving, members]
        .into_iter()
        .fold(Body::new(), field)
        .long(version)
}

fn reconfig(client: &mut Client, joining: &str, leaving: &str, version: i64) -> Frame {
    client.call(op::RECONFIG, &body(joining, leaving, "-", version))
}

fn superuser(ensemble: &Ensemble, server: usize) -> Client {
    let mut client = ensemble.client(server);
    client.send_as(-4, op::AUTH, &request::auth("digest", SUPER));
    client.reply().ok().end();
    client
}

fn text(client: &mut Client) -> String {
    let (data, stat) = client.get(CONFIG);
    let text = String::from_utf8(data.unwrap()).unwrap();
    assert!(
        text.ends_with(&format!("\nversion={:x}", stat.mzxid)),
        "{text}"
    );
    assert_eq!((stat.version, stat.aversion, stat.czxid), (-1, -1, 0));
    assert_eq!(stat.data_length as usize, text.len());
    text
}

#[test]
fn a_single_server_has_an_empty_configuration_and_no_reconfig() {
    let alone = Ensemble::start(1, |config| config.reconfig.enabled = true);
    let mut client = superuser(&alone, 0);
    let (data, stat) = client.get(CONFIG);
    assert_eq!(data.as_deref(), Some(&b""[..]));
    assert_eq!((stat.version, stat.aversion), (0, -1));
    let answer = reconfig(&mut client, "-", "3", -1);
    assert_eq!(answer.error(), code::UNIMPLEMENTED);
    client.sync();
}

#[test]
fn every_server_shows_the_same_text_from_the_start_and_it_may_be_read_only() {
    let ensemble = Ensemble::start(3, |_| {});
    let mut texts = (0..3).map(|server| text(&mut ensemble.client(server)));
    let first = texts.next().unwrap();
    assert!(texts.all(|text| text == first));
    let lines = first.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 4, "{first}");
    for (line, id) in lines.iter().zip(1..=3) {
        assert!(
            line.starts_with(&format!("server.{id}=127.0.0.1:")),
            "{line}"
        );
        assert!(line.ends_with(":participant"), "{line}");
    }
    let mut client = ensemble.client(0);
    let set = request::set_data(CONFIG, None, -1);
    assert_eq!(client.error(op::SET_DATA, &set), code::NO_AUTH);
}

#[test]
fn reconfig_is_refused_in_zookeepers_order() {
    let ensemble = changeable();
    let mut admin = superuser(&ensemble, 1);
    let mut stranger = ensemble.client(2);
    let before = text(&mut admin);
    let line = "server.4=10.0.0.4:1:2;3";
    for (joining, leaving, version, as_admin, as_stranger) in [
        ("nonsense", "-", 7, code::BAD_VERSION, code::BAD_VERSION),
        (
            "nonsense",
            "-",
            -1,
            code::BAD_ARGUMENTS,
            code::BAD_ARGUMENTS,
        ),
        (
            "server.4=h:1:2",
            "-",
            -1,
            code::BAD_ARGUMENTS,
            code::BAD_ARGUMENTS,
        ),
        ("-", "1,2", -1, code::BAD_ARGUMENTS, code::BAD_ARGUMENTS),
        (
            "server.999=h:1:2;3",
            "-",
            -1,
            code::BAD_ARGUMENTS,
            code::NO_AUTH,
        ),
        // Nobody of a new majority is there. ZooKeeper says so to everybody; here, who may not
        // change anything holds nothing up.
        (line, "1,2", -1, code::NEW_CONFIG_NO_QUORUM, code::NO_AUTH),
    ] {
        let answer = reconfig(&mut admin, joining, leaving, version);
        assert_eq!(answer.error(), as_admin, "{joining} {leaving}");
        let answer = reconfig(&mut stranger, joining, leaving, version);
        assert_eq!(answer.error(), as_stranger, "{joining} {leaving}");
    }
    let weighted = "server.1=h:1:2;3,server.2=i:1:2;3,group.1=1:2";
    let weighted = body("-", "-", weighted, -1);
    assert_eq!(admin.error(op::RECONFIG, &weighted), code::BAD_ARGUMENTS);
    assert_eq!(text(&mut admin), before);
}

#[test]
fn reconfig_answers_in_its_turn_and_watchers_hear_of_it() {
    let ensemble = changeable();
    let mut watcher = ensemble.client(0);
    watcher.watch(op::GET_DATA, CONFIG).ok();
    let mut admin = superuser(&ensemble, 2);
    admin.create("/a", b"");
    let line = "server.9=10.255.255.1:7:8:observer;10.255.255.1:9";
    admin.send_all(&[
        (op::SET_DATA, request::set_data("/a", Some(b"before"), -1)),
        (op::RECONFIG, body(line, "-", "-", -1)),
        (op::GET_DATA, request::read(CONFIG, false)),
        (op::SET_DATA, request::set_data("/a", Some(b"after"), 1)),
        (op::SYNC, request::path("/a")),
        (op::GET_DATA, request::read("/a", false)),
    ]);
    let replies = admin.replies(6);
    let mut changed = replies[1].ok();
    let shown = String::from_utf8(changed.buffer().unwrap()).unwrap();
    let stat = changed.stat();
    changed.end();
    assert!(shown.contains(&format!("{line}\n")), "{shown}");
    assert_eq!(stat.mzxid, replies[1].zxid);
    assert_eq!(replies[2].ok().buffer(), Some(shown.clone().into_bytes()));
    assert!(replies[3].zxid > replies[1].zxid);
    assert_eq!(replies[5].ok().buffer(), Some(b"after".to_vec()));
    let event = watcher.event();
    assert_eq!((event.kind, &*event.path), (kind::DATA_CHANGED, CONFIG));
    assert_eq!(text(&mut watcher), shown);

    let stale = reconfig(&mut admin, "-", "9", stat.mzxid - 1);
    assert_eq!(stale.error(), code::BAD_VERSION);
    reconfig(&mut admin, "-", "9", stat.mzxid).ok();
    assert!(!text(&mut admin).contains("server.9="));
}

/// A reconfig that waits for servers that are not there holds another one up, whatever that asks.
#[test]
fn another_reconfig_is_refused_while_one_is_under_way() {
    let ensemble = changeable();
    let mut patient = superuser(&ensemble, 0);
    let mut other = superuser(&ensemble, 1);
    let strangers = "server.7=10.255.255.1:7:8;9,server.8=10.255.255.2:7:8;9";
    let mut met = false;
    while !met {
        patient.send(op::RECONFIG, &body(strangers, "1", "-", -1));
        // A few, in case that it has not arrived; stale, so that each is refused anyhow.
        for _ in 0..100 {
            let refused = reconfig(&mut other, "-", "1", 1).error();
            met |= refused == code::RECONFIG_IN_PROGRESS;
            assert!(met || refused == code::BAD_VERSION, "{refused}");
        }
        assert_eq!(patient.reply().error(), code::NEW_CONFIG_NO_QUORUM);
    }
}

/// A server of another version hears why it is refused, and so does its operator.
#[test]
fn server_of_another_version_is_told_so() {
    use std::io::{Read, Write};
    let ensemble = Ensemble::start(3, |_| {});
    for (version, tag) in [("01", 1), ("03", 9)] {
        let mut stream = open(ensemble.peer_address(0));
        let hello = [format!("ZWPEER{version}").as_bytes(), &[2, 1, 0]].concat();
        stream.write_all(&framed(&hello)).unwrap();
        let mut told = vec![0; 5];
        stream.read_exact(&mut told).unwrap();
        assert_eq!(told[4], tag);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut why = String::new();
        stream.read_to_string(&mut why).unwrap();
        assert!(
            why.contains("run the same version of zoowarden on all"),
            "{why}"
        );
    }
}

#[test]
fn a_configuration_outlives_its_servers() {
    let ensemble = changeable();
    let mut admin = superuser(&ensemble, 0);
    reconfig(&mut admin, "server.9=10.255.255.1:7:8:observer;9", "-", -1).ok();
    let before = text(&mut admin);
    for server in 0..3 {
        ensemble.stop_server(server);
    }
    for server in 0..3 {
        ensemble.start_server(server);
    }
    for server in 0..3 {
        ensemble.ready(server);
        assert_eq!(text(&mut ensemble.client(server)), before);
    }
}
