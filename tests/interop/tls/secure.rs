//! The client's TLS against Apache ZooKeeper with Netty on its `secureClientPort`.
//!
//! usage: `secure FOLDER CLASSPATH`. Makes an authority and certificates in FOLDER, starts the
//! server there with `java`, and ends it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what does not work fails its check")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::process::{Child, Command};
use zoowarden::client::{ClientConfig, TlsConfig, TlsOptions, TlsVerify};
use zoowarden::{Client, CreateMode, Error, Version};

/// Long enough for Java to start.
const PATIENT_MS: u32 = 60_000;

/// Long enough for a server that runs to refuse.
const SHORT_MS: u32 = 4_000;

struct Files {
    roots: PathBuf,
    strangers: PathBuf,
    client: PathBuf,
    client_key: PathBuf,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn give(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn make(folder: &Path, port: u16) -> Files {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = authority();
    let (certificate, key) = give(&ours, "localhost");
    let server = write("server.pem", &(key + &certificate));
    let (certificate, key) = give(&ours, "client");
    let files = Files {
        roots: write("roots.pem", &ours.pem()),
        strangers: write("strangers.pem", &authority().pem()),
        client: write("client.pem", &certificate),
        client_key: write("client-key.pem", &key),
    };
    let config = format!(
        "tickTime=500\ndataDir={}\nadmin.enableServer=false\n\
         secureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n\
         serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
         ssl.keyStore.location={}\nssl.trustStore.location={}\nssl.clientAuth=need\n",
        folder.join("data").display(),
        server.display(),
        files.roots.display(),
    );
    write("zoo.cfg", &config);
    files
}

fn start(folder: &Path, classpath: &str) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Command::new("java")
        .args(["-cp", classpath])
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(folder.join("zoo.cfg"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn connect(host: &str, options: TlsOptions, timeout_ms: u32) -> Result<Client, Error> {
    let mut config = ClientConfig::new(host.parse().unwrap());
    config.session_timeout_ms = timeout_ms;
    config.tls = Some(TlsConfig::new(options).unwrap());
    Client::connect_with(config).await
}

async fn speaks(host: String, options: TlsOptions) {
    let client = connect(&host, options, PATIENT_MS).await.unwrap();
    let path = client
        .create("/tls-", b"secret", CreateMode::EphemeralSequential)
        .await
        .unwrap();
    let (data, _, mut watcher) = client.get_and_watch(&path).await.unwrap();
    assert_eq!(data, "secret");
    // More than one record of TLS.
    let large = vec![7; 500_000];
    client.set(&path, &large, Version::Any).await.unwrap();
    assert!(watcher.next().await.is_some());
    assert_eq!(client.get(&path).await.unwrap().0, large);
    client.close().await;
}

async fn is_refused(host: String, options: TlsOptions, why: &'static str) {
    let error = connect(&host, options, SHORT_MS).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(why), "{text}");
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, classpath] = &words[..] else {
        eprintln!("usage: secure FOLDER CLASSPATH");
        return ExitCode::from(2);
    };
    let folder = PathBuf::from(folder);
    // Nothing is left of an earlier run.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let files = make(&folder, port);
    let mut server = start(&folder, classpath);
    let (named, numbered) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let known = Some((files.client.as_path(), files.client_key.as_path()));
    let good = TlsOptions::from_files(Some(&files.roots), known).unwrap();
    let unknown = TlsOptions::from_files(Some(&files.roots), None).unwrap();
    let strangers = TlsOptions::from_files(Some(&files.strangers), known).unwrap();
    let verify = TlsVerify::ChainOnly;
    let any_name = TlsOptions {
        verify,
        ..good.clone()
    };
    let mut tally = (0, 0);
    let mut check = async |name: &str, task: tokio::task::JoinHandle<()>| match task.await {
        Ok(()) => {
            println!("ok {name}");
            tally.0 += 1;
        }
        Err(error) => {
            println!("FAILED {name}: {error}");
            tally.1 += 1;
        }
    };
    let task = tokio::spawn(speaks(named.clone(), good.clone()));
    check("both show certificates", task).await;
    let task = tokio::spawn(speaks(numbered.clone(), any_name));
    check("the name is not checked when told so", task).await;
    let task = tokio::spawn(is_refused(numbered, good, "not valid for name"));
    check("another name is refused", task).await;
    let task = tokio::spawn(is_refused(
        named.clone(),
        strangers,
        "invalid peer certificate",
    ));
    check("another authority is refused", task).await;
    let task = tokio::spawn(is_refused(named, unknown, "localhost"));
    check("a client without a certificate is refused", task).await;
    server.kill().await.unwrap();
    let (passed, failed) = tally;
    if failed > 0 {
        println!("{}", std::fs::read_to_string(folder.join("log")).unwrap());
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
