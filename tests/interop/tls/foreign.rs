//! Foreign clients over TLS, at our port: kazoo with PEM files, zkCli with JKS and with PKCS12
//! stores that keytool made; our server reads a store of keytool's as well.
//!
//! usage: `foreign FOLDER PYTHON CLASSPATH`. Starts one server for each kind of store in FOLDER, and
//! ends it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what does not work fails its check")]

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use zoowarden_tests::certificates::{Authority, Subject};
use zoowarden_tests::process::{Process, free_port};

const PASSWORD: &str = "changeit";

/// Long enough for a server to start on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn keytool(folder: &Path, arguments: &[&str]) {
    let said = Command::new("keytool")
        .current_dir(folder)
        .args(arguments)
        .args(["-storepass", PASSWORD, "-noprompt"])
        .output()
        .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stdout)
    );
}

/// A key store and a trust store of Java's, from PEM.
fn java_stores(authority: &Authority, kind: &str, name: &str) -> [PathBuf; 2] {
    let folder = authority.folder();
    let at = |file: String| folder.join(file);
    let (key, trust) = (at(format!("{name}.{kind}")), at(format!("trust.{kind}")));
    let pem = authority.store(&format!("{name}.pem"), &Subject::local(name));
    let packed = at(format!("{name}-packed.p12"));
    let made = Command::new("openssl")
        .args(["pkcs12", "-export", "-name", "me", "-passout"])
        .arg(format!("pass:{PASSWORD}"))
        .args([Path::new("-in"), &pem, Path::new("-out"), &packed])
        .status();
    assert!(made.unwrap().success());
    let path = |path: &Path| path.display().to_string();
    let store_type = if kind == "p12" { "pkcs12" } else { kind };
    let (key_path, trust_path) = (path(&key), path(&trust));
    keytool(
        folder,
        &[
            "-importkeystore",
            "-srckeystore",
            &path(&packed),
            "-srcstorepass",
            PASSWORD,
            "-destkeystore",
            &key_path,
            "-deststoretype",
            store_type,
        ],
    );
    if !trust.exists() {
        keytool(
            folder,
            &[
                "-importcert",
                "-alias",
                "ca",
                "-file",
                &path(&authority.trust()),
                "-keystore",
                &trust_path,
                "-storetype",
                store_type,
            ],
        );
    }
    [key, trust]
}

fn start(folder: &Path, stores: &[PathBuf; 2], port: u16) -> Process {
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let password = format!("ssl.keyStore.password={PASSWORD}\nssl.trustStore.password={PASSWORD}");
    let config = format!(
        "dataDir={}\nsecureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n\
         ssl.keyStore.location={}\nssl.trustStore.location={}\n{password}\n",
        folder.join("data").display(),
        stores[0].display(),
        stores[1].display()
    );
    std::fs::write(folder.join("zoo.cfg"), config).unwrap();
    let server = Process::start(folder, &["server", "--config", "zoo.cfg"]);
    let began = Instant::now();
    while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
        assert!(began.elapsed() < SOON, "the server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

fn zkcli(classpath: &str, port: u16, stores: &[PathBuf; 2]) -> String {
    let flags = format!(
        "-Dzookeeper.client.secure=true \
         -Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty \
         -Dzookeeper.ssl.keyStore.location={} -Dzookeeper.ssl.keyStore.password={PASSWORD} \
         -Dzookeeper.ssl.trustStore.location={} -Dzookeeper.ssl.trustStore.password={PASSWORD}",
        stores[0].display(),
        stores[1].display()
    );
    let typed = "create /zk hello\nget /zk\nwhoami\nsetAcl /zk x509:CN=zkcli:cdrwa\ngetAcl /zk\n\
                 get /theirs\ndelete /zk\nquit\n";
    let mut child = Command::new("java")
        .args(["-cp", classpath])
        .args(flags.split(' '))
        .arg("org.apache.zookeeper.ZooKeeperMain")
        .args(["-server", &format!("localhost:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    let said = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr)
}

fn check(name: &str, tally: &mut (u32, u32), works: bool, said: &str) {
    if works {
        println!("ok {name}");
        tally.0 += 1;
    } else {
        println!("FAILED {name}: {said}");
        tally.1 += 1;
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, python, classpath] = &words[..] else {
        eprintln!("usage: foreign FOLDER PYTHON CLASSPATH");
        return ExitCode::from(2);
    };
    let mut tally = (0, 0);
    for kind in ["jks", "p12"] {
        let folder = Path::new(folder).join(kind);
        // Nothing is left of an earlier run.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (authority, port) = (Authority::new(), free_port());
        let server_stores = java_stores(&authority, kind, "server");
        let client_stores = java_stores(&authority, kind, "zkcli");
        let server = start(&folder, &server_stores, port);
        let (certificate, key) = authority.sign(&Subject::local("client"));
        for (file, text) in [("client.pem", &certificate), ("client-key.pem", &key)] {
            let mut file = File::create(authority.folder().join(file)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        std::fs::copy(authority.trust(), authority.folder().join("roots.pem")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/tls/kazoo_client.py");
        let said = Command::new(python)
            .arg(script)
            .arg(format!("127.0.0.1:{port}"))
            .arg(authority.folder())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned()
            + &String::from_utf8_lossy(&said.stderr);
        let name = format!("kazoo with a certificate, our stores {kind}");
        check(&name, &mut tally, said.status.success(), &text);
        let text = zkcli(classpath, port, &client_stores);
        let has = |what: &str| text.contains(what);
        let works = has("hello") && has("'x509,'CN=zkcli") && !has("Insufficient permission");
        let name = format!("zkCli with a certificate, both stores {kind}");
        check(&name, &mut tally, works, &text);
        drop(server);
    }
    let (passed, failed) = tally;
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
