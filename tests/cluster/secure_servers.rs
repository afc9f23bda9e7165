//! TLS between servers: nobody joins who cannot prove to be the server that he says he is.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use zoowarden_tests::certificates::{Authority, Subject, stranger};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, throughout, until};

const PREFIX: &str = "ssl.quorum.";
const TIMEOUT: Duration = Duration::from_secs(10);

/// The first frame of a connection between servers: from 3, to 1, for Raft's messages.
const HELLO: &[u8] = b"\0\0\0\x0bZWPEER02\x03\x01\x00";

fn plan(authority: &Authority) -> Plan {
    let [key, trust] = authority.settings(PREFIX);
    Plan::of(3).set(key).set(trust)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_agree_over_tls_and_outlive_their_leader() {
    let authority = Authority::new();
    let mut ensemble = Ensemble::start(plan(&authority).set("sslQuorum=true")).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, 2).await;
    load.wait_for_progress(100).await;
    let leader = ensemble.wait_for_leader(&all).await;
    load.expect_down(leader);
    ensemble.kill(leader);
    load.wait_for_progress(100).await;
    ensemble.start_server(leader);
    ensemble.wait_until_serving(leader).await;
    load.expect_up(leader);
    load.wait_until_home(2).await;
    load.wait_for_progress(100).await;
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
    }
}

/// Reads until the other side has closed; gives what it said.
async fn said(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let reading = async {
        let mut said = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut said).await;
        said
    };
    tokio::time::timeout(SOON, reading)
        .await
        .expect("the server closes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2018_8012_nobody_joins_without_a_trusted_certificate() {
    let authority = Authority::new();
    let plan = plan(&authority).set("sslQuorum=true");
    let mut ensemble = Ensemble::prepare(plan.set("ssl.quorum.clientAuth=need")).await;
    for id in [1, 2] {
        ensemble.start_server(id);
    }
    for id in [1, 2] {
        ensemble.wait_until_serving(id).await;
    }
    let address = ensemble.peer_address(1);
    // Without TLS: no word in answer but an alert, and the end.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(HELLO).await.unwrap();
    let answer = said(&mut plain).await;
    assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    // With TLS, and without a certificate: TLS 1.3 lets the client believe for a moment that it is
    // inside; nothing it says is heard.
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(stranger());
    let name = ServerName::from(address.ip());
    if let Ok(mut inside) = connector.connect(name, stream).await {
        // Fails if the server was faster.
        let _ = inside.write_all(HELLO).await;
        assert_eq!(said(&mut inside).await, b"");
    }
    // With a certificate of somebody else's.
    let others = Authority::new();
    let store = others.store("stranger.pem", &Subject::local("server"));
    ensemble.set(3, &format!("{PREFIX}keyStore.location={}", store.display()));
    assert_never_joins(&mut ensemble, "invalid peer certificate").await;
}

/// Server 3 begins, the others refuse it for this reason, and go on alone.
async fn assert_never_joins(ensemble: &mut Ensemble, why: &str) {
    ensemble.start_server(3);
    until("the impostor is refused", SOON, async || {
        let logs = ensemble.log(1) + &ensemble.log(2);
        logs.contains(why).then_some(())
    })
    .await;
    let client = Client::open(ensemble.address(1), TIMEOUT).await.unwrap();
    let writing = throughout(Duration::from_secs(2), async || {
        client
            .create("/a-", b"", mode::SEQUENTIAL)
            .await
            .map_err(|e| format!("{e:?}"))?;
        match ensemble.srvr(3, "Mode").await {
            None => Ok(()),
            Some(mode) => Err(format!("the impostor serves as {mode}")),
        }
    });
    writing.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impostor_with_a_trusted_certificate_of_another_host_is_refused() {
    let authority = Authority::new();
    let mut ensemble = Ensemble::prepare(plan(&authority).set("sslQuorum=true")).await;
    for id in [1, 2] {
        ensemble.start_server(id);
    }
    for id in [1, 2] {
        ensemble.wait_until_serving(id).await;
    }
    let impostor = Subject {
        // The name of its owner is nobody's host.
        name: "127.0.0.1".to_owned(),
        hosts: vec!["other.example".to_owned()],
        expired: false,
    };
    let store = authority.store("impostor.pem", &impostor);
    ensemble.set(3, &format!("{PREFIX}keyStore.location={}", store.display()));
    let why = "it says that it is server 3, but its certificate is not for 127.0.0.1";
    assert_never_joins(&mut ensemble, why).await;
    // Nor is it believed when it is the one that is connected to.
    let logs = ensemble.log(1) + &ensemble.log(2);
    assert!(logs.contains("not valid for name"), "{logs}");
    // With a certificate of its own host it is welcome.
    ensemble.kill(3);
    let store = authority.store("rightful.pem", &Subject::local("server"));
    ensemble.set(3, &format!("{PREFIX}keyStore.location={}", store.display()));
    ensemble.start_server(3);
    ensemble.wait_until_serving(3).await;
}

/// CVE-2026-24281: an address that was not in the certificate was resolved back to a name, and that
/// was looked for. 127.0.0.1 resolves back to localhost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2026_24281_no_server_is_known_by_what_its_address_resolves_back_to() {
    let authority = Authority::new();
    let mut ensemble = Ensemble::prepare(plan(&authority).set("sslQuorum=true")).await;
    for id in [1, 2] {
        ensemble.start_server(id);
    }
    for id in [1, 2] {
        ensemble.wait_until_serving(id).await;
    }
    let by_name = Subject {
        hosts: vec!["localhost".to_owned()],
        ..Subject::local("server")
    };
    let store = authority.store("by-name.pem", &by_name);
    ensemble.set(3, &format!("{PREFIX}keyStore.location={}", store.display()));
    let why = "it says that it is server 3, but its certificate is not for 127.0.0.1";
    assert_never_joins(&mut ensemble, why).await;
    let logs = ensemble.log(1) + &ensemble.log(2);
    assert!(logs.contains("not valid for name"), "{logs}");
}

/// Nobody knows a guest yet: what it is let in by is a certificate for the address that it gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_joins_with_a_certificate_of_the_address_that_it_gives_and_with_no_other() {
    let authority = Authority::new();
    let changeable = Plan {
        waiting: 1,
        ..plan(&authority)
    };
    let changeable = changeable.set("sslQuorum=true").set("reconfigEnabled=true");
    let mut ensemble = Ensemble::start(changeable.set("skipACL=yes")).await;
    let elsewhere = Subject {
        hosts: vec!["other.example".to_owned()],
        ..Subject::local("127.0.0.1")
    };
    let stranger = Authority::new();
    for (store, why) in [
        (
            authority.store("elsewhere.pem", &elsewhere),
            "it says that it is server 4, but its certificate is not for 127.0.0.1",
        ),
        (
            stranger.store("stranger.pem", &Subject::local("server")),
            "invalid peer certificate",
        ),
    ] {
        ensemble.set(4, &format!("{PREFIX}keyStore.location={}", store.display()));
        ensemble.start_server(4);
        until("the guest is refused", SOON, async || {
            let logs = [1, 2, 3].map(|id| ensemble.log(id)).concat();
            logs.contains(why).then_some(())
        })
        .await;
        assert_eq!(ensemble.srvr(4, "Mode").await, None, "{why}");
        ensemble.kill(4);
    }
    let store = authority.store("rightful.pem", &Subject::local("server"));
    ensemble.set(4, &format!("{PREFIX}keyStore.location={}", store.display()));
    ensemble.start_server(4);
    ensemble.wait_until_serving(4).await;
    let admin = Client::open(ensemble.address(1), SOON).await.unwrap();
    let line = ensemble.line(4, "participant");
    let text = admin.reconfig(Some(&line), None).await.unwrap();
    assert!(text.contains(&line), "{text}");
    until("it is a follower", SOON, async || {
        let mode = ensemble.srvr(4, "Mode").await;
        (mode.as_deref() == Some("follower")).then_some(())
    })
    .await;
}

/// The three steps of ZooKeeper's guide, each a restart of one server after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ensemble_changes_over_to_tls_without_losing_its_quorum() {
    let authority = Authority::new();
    let mut ensemble = Ensemble::start(plan(&authority)).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, 1).await;
    for step in [
        "portUnification=true",
        "sslQuorum=true",
        "portUnification=false",
    ] {
        for id in &all {
            load.expect_down(*id);
            ensemble.terminate(*id).await;
            ensemble.set(*id, step);
            ensemble.start_server(*id);
            ensemble.wait_until_serving(*id).await;
            load.expect_up(*id);
            load.wait_until_home(1).await;
            load.wait_for_progress(20).await;
        }
    }
    let mut plain = TcpStream::connect(ensemble.peer_address(1)).await.unwrap();
    plain.write_all(HELLO).await.unwrap();
    said(&mut plain).await;
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_servers_are_renewed_without_a_restart() {
    let authority = Authority::new();
    let plan = plan(&authority)
        .set("sslQuorum=true")
        .set("sslQuorumReloadCertFiles=true");
    let mut ensemble = Ensemble::start(plan).await;
    // From a certificate that nobody would take any more to one that all take: what counts is the
    // file as it is when a server is connected to.
    let expired = Subject {
        expired: true,
        ..Subject::local("server")
    };
    authority.store("server.pem", &expired);
    let renewed = |ensemble: &Ensemble, times: usize| {
        let all = ensemble.ids().into_iter();
        let told = |id| ensemble.log(id).matches("TLS with servers renewed").count();
        all.map(told).all(|told| told >= times)
    };
    until("the expired one is read", SOON, async || {
        renewed(&ensemble, 1).then_some(())
    })
    .await;
    ensemble.kill(3);
    ensemble.start_server(3);
    until("the expired one is refused", SOON, async || {
        ensemble
            .log(3)
            .contains("certificate expired")
            .then_some(())
    })
    .await;
    authority.store("server.pem", &Subject::local("server"));
    ensemble.wait_until_serving(3).await;
}
