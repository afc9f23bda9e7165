//! Clients over TLS: who gets in, who they are then, and what strangers can do to the port.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use zoowarden::client::{ClientConfig, Code, TlsConfig};
use zoowarden::proto::{Acl, Id, perms};
use zoowarden::{Client, CreateMode, CreateOptions, Error, Version};
use zoowarden_tests::certificates::{Authority, Subject, stranger};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::process::free_port;
use zoowarden_tests::wait::{SOON, until};

const ONLY: u8 = 1;

/// Long enough for a server that runs to refuse.
const SHORT_MS: u32 = 3_000;

/// One server with a port of TLS alone.
struct Room {
    authority: Authority,
    ensemble: Ensemble,
    secure: SocketAddr,
}

async fn room(settings: &[&str]) -> Room {
    let authority = Authority::new();
    let port = free_port();
    let mut plan = Plan::of(1)
        .set(format!("secureClientPort={port}"))
        .set("secureClientPortAddress=127.0.0.1");
    for line in authority.settings("ssl.") {
        plan = plan.set(line);
    }
    for line in settings {
        plan = plan.set(*line);
    }
    Room {
        authority,
        ensemble: Ensemble::start(plan).await,
        secure: SocketAddr::from(([127, 0, 0, 1], port)),
    }
}

impl Room {
    /// A client with a certificate of this name.
    async fn known(&self, name: &str) -> Client {
        let tls = self.authority.client(Some(&Subject::local(name)));
        connect(self.secure, Some(tls)).await.unwrap()
    }
}

async fn connect(address: SocketAddr, tls: Option<TlsConfig>) -> Result<Client, Error> {
    let mut config = ClientConfig::new(address.to_string().parse().unwrap());
    config.session_timeout_ms = 30_000;
    config.tls = tls;
    Client::connect_with(config).await
}

async fn is_refused(address: SocketAddr, tls: Option<TlsConfig>) -> String {
    let mut config = ClientConfig::new(address.to_string().parse().unwrap());
    config.session_timeout_ms = SHORT_MS;
    config.tls = tls;
    let error = Client::connect_with(config).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLoss, "{error}");
    error.to_string()
}

async fn open_tls(address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::from(address.ip());
    TlsConnector::from(stranger()).connect(name, stream).await
}

async fn word_over_tls(address: SocketAddr, word: &str) -> String {
    let mut stream = open_tls(address).await.unwrap();
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Until the other side has closed.
async fn closes(stream: &mut TcpStream) {
    let closing = async {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(SOON, closing)
        .await
        .expect("the server closes");
}

fn owned_by(scheme: &str, id: &str) -> CreateOptions {
    CreateOptions {
        acl: vec![Acl {
            perms: perms::ALL,
            id: Id::new(scheme, id),
        }],
        ..CreateOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tree_is_behind_the_secure_port_and_the_plain_one() {
    let room = room(&[]).await;
    let secure = room.known("alice").await;
    let plain = connect(room.ensemble.address(ONLY), None).await.unwrap();
    // More than one record of TLS, in both directions.
    let large = vec![7; 600_000];
    secure
        .create("/large", &large, CreateMode::Persistent)
        .await
        .unwrap();
    let (data, _, mut watcher) = plain.get_and_watch("/large").await.unwrap();
    assert_eq!(data, large);
    assert_eq!(secure.get("/large").await.unwrap().0, large);
    secure.set("/large", b"small", Version::Any).await.unwrap();
    assert!(watcher.next().await.is_some());
    let conf = room.ensemble.word(ONLY, "conf").await.unwrap();
    let line = format!("secureClientPort={}", room.secure.port());
    assert!(conf.lines().any(|said| said == line), "{conf}");
    secure.close().await;
    plain.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_port_takes_both_and_words_over_either() {
    let authority = Authority::new();
    let [key, trust] = authority.settings("ssl.");
    let plan = Plan::of(1)
        .set("client.portUnification=true")
        .set(key)
        .set(trust);
    let ensemble = Ensemble::start(plan.set("ssl.clientAuth=want")).await;
    let address = ensemble.address(ONLY);
    assert_eq!(ensemble.word(ONLY, "ruok").await.as_deref(), Some("imok"));
    assert_eq!(word_over_tls(address, "ruok").await, "imok");
    let plain = connect(address, None).await.unwrap();
    let named = authority.client(Some(&Subject::local("alice")));
    let named = connect(address, Some(named)).await.unwrap();
    let unnamed = connect(address, Some(authority.client(None)))
        .await
        .unwrap();
    for (client, schemes) in [
        (&plain, &["ip"][..]),
        (&unnamed, &["ip"]),
        (&named, &["ip", "x509"]),
    ] {
        client
            .create("/s-", b"", CreateMode::EphemeralSequential)
            .await
            .unwrap();
        let who = client.who_am_i().await.unwrap();
        let who: Vec<&str> = who.iter().map(|id| &*id.scheme).collect();
        assert_eq!(who, schemes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_an_identity_that_acls_know() {
    let superuser = "X509AuthenticationProvider.superUser=CN=admin";
    let room = room(&[superuser]).await;
    let (alice, bob) = (room.known("alice").await, room.known("Bob, B.").await);
    let plain = connect(room.ensemble.address(ONLY), None).await.unwrap();
    alice
        .create_with("/a", b"", &owned_by("x509", "CN=alice"))
        .await
        .unwrap();
    bob.create_with("/b", b"", &owned_by("auth", ""))
        .await
        .unwrap();
    let (acl, _) = bob.get_acl("/b").await.unwrap();
    assert_eq!(acl[0].id, Id::new("x509", "CN=Bob\\, B."));
    for (client, own, other) in [(&alice, "/a", "/b"), (&bob, "/b", "/a")] {
        client.get(own).await.unwrap();
        assert_eq!(client.get(other).await.unwrap_err().code(), Code::NoAuth);
        assert_eq!(plain.get(other).await.unwrap_err().code(), Code::NoAuth);
    }
    let admin = room.known("admin").await;
    for path in ["/a", "/b"] {
        admin.set(path, b"mine", Version::Any).await.unwrap();
    }
    // The scheme is proved by the handshake alone, never by words.
    let error = plain.add_auth("x509", b"CN=admin").await.unwrap_err();
    assert_eq!(error.code(), Code::AuthFailed);
    let wrong = alice
        .create_with("/c", b"", &owned_by("x509", "alice"))
        .await;
    assert_eq!(wrong.unwrap_err().code(), Code::InvalidAcl);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_trusted_stays_outside() {
    let room = room(&[]).await;
    let (ours, theirs) = (&room.authority, Authority::new());
    let expired = Subject {
        expired: true,
        ..Subject::local("alice")
    };
    is_refused(room.secure, Some(ours.client(None))).await;
    is_refused(room.secure, Some(ours.client(Some(&expired)))).await;
    let error = is_refused(room.secure, Some(theirs.client(None))).await;
    assert!(error.contains("invalid peer certificate"), "{error}");
    // Trusts our server, but is not trusted by it.
    let (certificate, key) = theirs.sign(&Subject::local("alice"));
    let options = zoowarden::client::TlsOptions {
        roots_pem: Some(std::fs::read(ours.trust()).unwrap()),
        identity: Some(zoowarden::client::TlsIdentity {
            certificates_pem: certificate.into_bytes(),
            key_pem: key.into_bytes(),
        }),
        ..Default::default()
    };
    is_refused(room.secure, Some(TlsConfig::new(options).unwrap())).await;
    // Without TLS, to the port of TLS alone; and the other way round.
    is_refused(room.secure, None).await;
    let named = ours.client(Some(&Subject::local("alice")));
    is_refused(room.ensemble.address(ONLY), Some(named)).await;
    room.known("alice").await;
}

/// CVE-2026-24281: where an address was not in the certificate, the name that it resolves back to
/// was looked for, and whoever answers for that name could pose as its host. 127.0.0.1 resolves
/// back to localhost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2026_24281_a_client_must_come_from_an_address_of_its_certificate_if_told_so() {
    let room = room(&["ssl.clientHostnameVerification=true"]).await;
    let elsewhere = Subject {
        hosts: vec!["10.1.2.3".to_owned(), "localhost".to_owned()],
        ..Subject::local("alice")
    };
    is_refused(room.secure, Some(room.authority.client(Some(&elsewhere)))).await;
    let log = room.ensemble.log(ONLY);
    let why = "of CN=alice, is not for 127.0.0.1 (ssl.clientHostnameVerification)";
    assert!(log.contains(why), "{log}");
    room.known("alice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_half_handshakes_give_their_places_back() {
    let limits = [
        "ssl.handshakeDetectionTimeoutMillis=2000",
        "maxClientCnxns=0",
        "netty.server.outstandingHandshake.limit=3",
    ];
    let room = room(&limits).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 64],
        &[0xff; 64],
        b"\x16\x03\x01\xff\xff\x01",
        b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00",
        b"ruok",
    ] {
        let mut stream = TcpStream::connect(room.secure).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        closes(&mut stream).await;
    }
    // Three that begin and never end hold every place there is, for as long as a handshake may
    // take and no longer.
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(room.secure).await.unwrap();
        stream.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        open.push(stream);
    }
    let refused = "3 handshakes are in progress already";
    until("a fourth is refused", SOON, async || {
        let mut stream = TcpStream::connect(room.secure).await.unwrap();
        closes(&mut stream).await;
        room.ensemble.log(ONLY).contains(refused).then_some(())
    })
    .await;
    for stream in &mut open {
        closes(stream).await;
    }
    let client = room.known("alice").await;
    client
        .create("/still-here", b"", CreateMode::Persistent)
        .await
        .unwrap();
}

/// The name that the server shows.
async fn shown(address: SocketAddr) -> Option<Vec<u8>> {
    let stream = open_tls(address).await.ok()?;
    let (_, session) = stream.get_ref();
    session.peer_certificates().map(|chain| chain[0].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_without_a_restart_and_bad_ones_change_nothing() {
    let room = room(&["client.certReload=true"]).await;
    let client = room.known("alice").await;
    let first = shown(room.secure).await.unwrap();
    let store = room.authority.folder().join("server.pem");
    std::fs::write(&store, "half a certifi").unwrap();
    until("the bad file is told", SOON, async || {
        let log = room.ensemble.log(ONLY);
        log.contains("cannot be used; the old ones stay")
            .then_some(())
    })
    .await;
    assert_eq!(shown(room.secure).await.as_ref(), Some(&first));
    room.authority
        .store("server.pem", &Subject::local("renewed"));
    until("the new certificate is shown", SOON, async || {
        shown(room.secure).await.filter(|now| *now != first)
    })
    .await;
    // Trust is renewed as well: from now on nobody of the old authority gets in.
    let other = Authority::new();
    std::fs::copy(other.trust(), room.authority.folder().join("trust.pem")).unwrap();
    let tls = room.authority.client(Some(&Subject::local("alice")));
    until("the old authority is forgotten", SOON, async || {
        connect_soon(room.secure, tls.clone()).await.err()
    })
    .await;
    // Who was in already stays in.
    client.exists("/").await.unwrap();
}

async fn connect_soon(address: SocketAddr, tls: TlsConfig) -> Result<(), Error> {
    let mut config = ClientConfig::new(address.to_string().parse().unwrap());
    config.session_timeout_ms = SHORT_MS;
    config.tls = Some(tls);
    let client = Client::connect_with(config).await?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_used_stops_the_start_and_names_its_line() {
    let authority = Authority::new();
    let trust = authority.trust();
    let plan = Plan::of(1)
        .set(format!("secureClientPort={}", free_port()))
        .set(format!("ssl.keyStore.location={}", trust.display()))
        .set(format!("ssl.trustStore.location={}", trust.display()));
    let mut ensemble = Ensemble::prepare(plan).await;
    ensemble.start_server(ONLY);
    let status = ensemble.wait_until_ended(ONLY).await;
    assert!(!status.success());
    let log = ensemble.log(ONLY);
    let what = format!(
        "no TLS: zoo.cfg:11: ssl.keyStore.location={}: it holds no private key",
        trust.display()
    );
    assert!(log.contains(&what), "{log}\n{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2026_24308_passwords_reach_neither_log_nor_words() {
    let canary = "canary-7f3a9b";
    let room = room(&[
        &format!("ssl.keyStore.password={canary}"),
        &format!("ssl.trustStore.password={canary}"),
        "client.certReload=true",
    ])
    .await;
    room.known("alice").await;
    let store = room.authority.folder().join("server.pem");
    std::fs::write(&store, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n").unwrap();
    until("the bad file is told", SOON, async || {
        let log = room.ensemble.log(ONLY);
        log.contains("the old ones stay").then_some(())
    })
    .await;
    for word in ["conf", "envi", "srvr", "mntr", "cons"] {
        let said = room.ensemble.word(ONLY, word).await.unwrap();
        assert!(!said.contains(canary), "{word}: {said}");
    }
    let stdout = std::fs::read_to_string(room.ensemble.folder(ONLY).join("stdout")).unwrap();
    assert!(!room.ensemble.log(ONLY).contains(canary) && !stdout.contains(canary));
}
