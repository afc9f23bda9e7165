//! SASL with real processes, their files and their logs.

use std::path::PathBuf;

use tempfile::TempDir;
use zoowarden::client::{ClientConfig, Code, SaslLogin};
use zoowarden::{Client, CreateMode, Error};
use zoowarden_tests::ensemble::{Ensemble, Plan};

/// Servers with the users `bob` and `super`. The folder holds the file that names them.
async fn secured(voters: u8) -> (Ensemble, TempDir) {
    let folder = tempfile::tempdir().expect("tests may write to the temporary directory");
    let jaas = folder.path().join("jaas.conf");
    let text = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
                user_bob=\"canary-one\"\n  user_super=\"canary-two\";\n};\n";
    std::fs::write(&jaas, text).expect("the test's own folder can be written");
    let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
    let plan = Plan::of(voters)
        .set(format!(
            "java.security.auth.login.config={}",
            jaas.display()
        ))
        .set(format!("authProvider.1={provider}"))
        .set("sessionRequireClientSASLAuth=true")
        .set("SASLAuthenticationProvider.superPassword=canary-three")
        .set("DigestAuthenticationProvider.superDigest=super:canary-four");
    (Ensemble::start(plan).await, folder)
}

async fn login(ensemble: &Ensemble, id: u8, user: &str, password: &str) -> Result<Client, Error> {
    let hosts = ensemble.address(id).to_string();
    let mut config = ClientConfig::new(hosts.parse().expect("an address is a connect string"));
    config.sasl = Some(SaslLogin::new(user, password));
    config.session_timeout_ms = 30_000;
    Client::connect_with(config).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_takes_the_users_of_the_jaas_file() {
    let (ensemble, _folder) = secured(3).await;
    for id in ensemble.ids() {
        let bob = login(&ensemble, id, "bob", "canary-one").await.unwrap();
        let path = format!("/of-{id}");
        bob.create(&path, b"", CreateMode::Persistent)
            .await
            .unwrap();
        bob.close().await;
        // The setting above the file.
        login(&ensemble, id, "super", "canary-three")
            .await
            .unwrap()
            .close()
            .await;
        let error = login(&ensemble, id, "super", "canary-two")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::AuthFailed);
    }
}

/// CVE-2026-24308, and the audit of etcd in 2020: secrets stood in logs and in the data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2026_24308_no_secret_is_in_a_log_or_in_the_data() {
    let (mut ensemble, _folder) = secured(1).await;
    let bob = login(&ensemble, 1, "bob", "canary-one").await.unwrap();
    bob.add_auth("digest", b"ann:canary-five").await.unwrap();
    bob.create("/seen-value", b"", CreateMode::Persistent)
        .await
        .unwrap();
    login(&ensemble, 1, "bob", "canary-six").await.unwrap_err();
    login(&ensemble, 1, "canary-user-is-told", "x")
        .await
        .unwrap_err();
    for word in ["conf", "envi", "cons", "mntr", "srvr", "stat"] {
        let answer = ensemble.word(1, word).await.unwrap_or_default();
        assert!(!answer.contains("canary"), "{word}: {answer}");
    }
    bob.close().await;
    assert!(ensemble.terminate(1).await.success());
    let log = ensemble.log(1);
    assert!(log.contains("authenticated by SASL"), "{log}");
    assert!(!log.contains("canary"), "{log}");
    let mut files: Vec<PathBuf> = vec![ensemble.data_dir(1)];
    let mut seen = false;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            files.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(!has(b"canary"), "{}", path.display());
        seen |= has(b"seen-value");
    }
    assert!(seen, "the log was not among the files");
}
