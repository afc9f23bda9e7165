//! HTTPS of the endpoints: the same port or TLS alone, who somebody is by a certificate, and the
//! metrics' own port; and which connections of clients are told as secure.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use zoowarden::proto::{Acl, Id, OpCode};
use zoowarden_tests::certificates::{Authority, Subject, stranger};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::http::{get, over};
use zoowarden_tests::process::free_port;

const PATIENCE: Duration = Duration::from_secs(10);

fn plan(authority: &Authority, lines: &[&str]) -> Plan {
    let mut plan = Plan {
        http: true,
        ..Plan::of(1)
    };
    for line in authority.settings("ssl.quorum.") {
        plan = plan.set(line);
    }
    for line in lines {
        plan = plan.set(*line);
    }
    plan
}

/// The status of an answer over TLS.
async fn secure(
    server: SocketAddr,
    config: &Arc<ClientConfig>,
    path: &str,
    headers: &[&str],
) -> io::Result<u16> {
    let stream = TcpStream::connect(server).await?;
    let name = ServerName::from(server.ip());
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    let answer = over(stream.await?, "GET", path, headers, b"").await?;
    Ok(answer.status)
}

const RUOK: &str = "/commands/ruok";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_port_speaks_both_and_counts_who_does_without() {
    let authority = Authority::new();
    let ensemble = Ensemble::start(plan(&authority, &["admin.portUnification=true"])).await;
    let http = ensemble.http(1);
    let insecure = async || ensemble.mntr(1, "zk_insecure_admin_count").await.unwrap();
    let before = insecure().await;
    assert_eq!(secure(http, &stranger(), RUOK, &[]).await.unwrap(), 200);
    assert_eq!(secure(http, &stranger(), "/livez", &[]).await.unwrap(), 200);
    assert_eq!(insecure().await, before);
    assert_eq!(get(http, RUOK).await.unwrap().status, 200);
    assert_ne!(insecure().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_alone_refuses_whatever_is_not_tls() {
    let authority = Authority::new();
    let lines = [
        "admin.forceHttps=true",
        "ssl.quorum.handshakeDetectionTimeoutMillis=1000",
    ];
    let ensemble = Ensemble::start(plan(&authority, &lines)).await;
    let http = ensemble.http(1);
    assert_eq!(secure(http, &stranger(), RUOK, &[]).await.unwrap(), 200);
    assert!(get(http, RUOK).await.is_err());
    for garbage in [
        &b"\x16\x03\x01\xff\xff\x01"[..],
        &[0; 64],
        &[0xff; 64],
        // Silent: closed when the handshake has taken too long.
        b"",
    ] {
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        // Reset or closed, as long as it ends.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"));
    }
    assert_eq!(secure(http, &stranger(), RUOK, &[]).await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_says_who_asks() {
    let authority = Authority::new();
    let lines = [
        "admin.forceHttps=true",
        "admin.needClientAuth=true",
        "admin.rateLimiterIntervalInMS=0",
        "authProvider.1=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
        "X509AuthenticationProvider.superUser=CN=root",
    ];
    let ensemble = Ensemble::start(plan(&authority, &lines)).await;
    let http = ensemble.http(1);
    assert!(secure(http, &stranger(), RUOK, &[]).await.is_err());
    let other = Authority::new().rustls(&Subject::local("root"));
    assert!(secure(http, &other, RUOK, &[]).await.is_err());
    let named = |name| authority.rustls(&Subject::local(name));
    let (alice, bob, root) = (named("alice"), named("bob"), named("root"));
    let client = Client::open(ensemble.address(1), PATIENCE).await.unwrap();
    let acl = Acl {
        perms: 31,
        id: Id::new("x509", "CN=alice"),
    };
    let set = client.send(OpCode::SetAcl, |w| {
        w.text("/");
        Acl::encode_list(&[acl], w);
        w.i32(-1);
    });
    assert_eq!(set.answer().await.unwrap().err, 0);
    let header = "Authorization: x509";
    for (who, header, status) in [
        (&alice, header, 200),
        (&bob, header, 403),
        (&root, header, 200),
        (&alice, "Nothing: here", 401),
        (&bob, "Authorization: x509 CN=alice", 403),
    ] {
        let answered = secure(http, who, "/commands/snapshot", &[header]).await;
        assert_eq!(answered.unwrap(), status, "{header}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_have_a_port_of_https() {
    let authority = Authority::new();
    let port = free_port();
    let class = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
    let mut plan = Plan::of(1)
        .set(format!("metricsProvider.className={class}"))
        .set("metricsProvider.httpHost=127.0.0.1")
        .set(format!("metricsProvider.httpsPort={port}"));
    for line in authority.settings("metricsProvider.ssl.") {
        plan = plan.set(line);
    }
    let _ensemble = Ensemble::start(plan).await;
    let metrics = SocketAddr::from(([127, 0, 0, 1], port));
    let known = authority.rustls(&Subject::local("prometheus"));
    assert_eq!(secure(metrics, &known, "/metrics", &[]).await.unwrap(), 200);
    assert_eq!(secure(metrics, &known, RUOK, &[]).await.unwrap(), 404);
    assert!(secure(metrics, &stranger(), "/metrics", &[]).await.is_err());
    assert!(get(metrics, "/metrics").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secure_connections_are_those_of_the_secure_port() {
    let authority = Authority::new();
    let port = free_port();
    let mut plan = plan(&authority, &[])
        .set(format!("secureClientPort={port}"))
        .set("secureClientPortAddress=127.0.0.1");
    for line in authority.settings("ssl.") {
        plan = plan.set(line);
    }
    let ensemble = Ensemble::start(plan).await;
    let plain = Client::open(ensemble.address(1), PATIENCE).await.unwrap();
    let address = format!("127.0.0.1:{port}");
    let mut config = zoowarden::client::ClientConfig::new(address.parse().unwrap());
    config.tls = Some(authority.client(Some(&Subject::local("alice"))));
    let secure = zoowarden::Client::connect_with(config).await.unwrap();
    secure.exists("/").await.unwrap();
    for command in ["cons", "stat"] {
        let path = format!("/commands/{command}");
        let told = get(ensemble.http(1), &path).await.unwrap().json();
        for key in ["connections", "secure_connections"] {
            assert_eq!(told[key].as_array().unwrap().len(), 1, "{command} {told}");
        }
        if command == "cons" {
            let session = plain.session().id.0;
            assert_eq!(told["connections"][0]["session_id"], session);
        }
    }
}
