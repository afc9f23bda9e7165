//! The client's SASL against a server that takes it, ours or Apache ZooKeeper.
//!
//! usage: `sasl ADDRESS`. The server knows `bob` with `bobsecret`, and requires nothing.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what does not work fails its check")]

use std::process::ExitCode;

use zoowarden::client::{
    Acl, ClientConfig, Code, CreateOptions, Id, SaslLogin, State, Version, perms,
};
use zoowarden::{Client, Error};

const TIMEOUT_MS: u32 = 30_000;

async fn login(address: &str, login: Option<SaslLogin>) -> Result<Client, Error> {
    let mut config = ClientConfig::new(address.parse().unwrap());
    config.sasl = login;
    config.session_timeout_ms = TIMEOUT_MS;
    Client::connect_with(config).await
}

async fn bob(address: &str) -> Client {
    login(address, Some(SaslLogin::new("bob", "bobsecret")))
        .await
        .unwrap()
}

fn of(scheme: &str, id: &str) -> CreateOptions {
    let acl = Acl {
        perms: perms::ALL,
        id: Id::new(scheme, id),
    };
    CreateOptions {
        acl: vec![acl],
        ..CreateOptions::default()
    }
}

async fn a_user_owns_what_it_makes(address: &str) {
    let bob = bob(address).await;
    bob.create_with("/rust", b"", &of("auth", ""))
        .await
        .unwrap();
    let (acl, _) = bob.get_acl("/rust").await.unwrap();
    assert_eq!(acl, of("sasl", "bob").acl);
    let nobody = login(address, None).await.unwrap();
    let error = nobody.get("/rust").await.unwrap_err();
    assert_eq!(error.code(), Code::NoAuth);
    bob.delete("/rust", Version::Any).await.unwrap();
    bob.close().await;
    nobody.close().await;
}

async fn it_is_the_same_user_after_a_reconnect(address: &str) {
    let bob = bob(address).await;
    bob.create_with("/rust", b"", &of("sasl", "bob"))
        .await
        .unwrap();
    let mut states = bob.states();
    states.mark_unchanged();
    bob.move_on();
    states.changed().await.unwrap();
    states
        .wait_for(|state| *state == State::Connected)
        .await
        .unwrap();
    bob.get("/rust").await.unwrap();
    bob.delete("/rust", Version::Any).await.unwrap();
    bob.close().await;
}

async fn a_wrong_password_ends_the_client(address: &str) {
    let error = login(address, Some(SaslLogin::new("bob", "wrong")))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::AuthFailed);
    assert!(
        error.to_string().contains("refused the SASL user bob"),
        "{error}"
    );
}

async fn names_and_passwords_need_not_be_ascii(address: &str) {
    for (user, password) in [
        ("j\u{fc}rgen", "p\u{e4}ss"),
        ("\u{142}uk", "za\u{17c}\u{f3}"),
    ] {
        let client = login(address, Some(SaslLogin::new(user, password)))
            .await
            .unwrap();
        client
            .create_with("/rust", b"", &of("auth", ""))
            .await
            .unwrap();
        let (acl, _) = client.get_acl("/rust").await.unwrap();
        assert_eq!(acl, of("sasl", user).acl);
        client.delete("/rust", Version::Any).await.unwrap();
        client.close().await;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1).expect("usage: sasl ADDRESS");
    let mut tally = (0, 0);
    macro_rules! check {
        ($($name:ident)*) => {$({
            let address = address.clone();
            let passed = tokio::spawn(async move { $name(&address).await }).await.is_ok();
            println!("{} {}", if passed { "ok    " } else { "FAILED" }, stringify!($name));
            if passed { tally.0 += 1 } else { tally.1 += 1 }
        })*};
    }
    check! {
        a_user_owns_what_it_makes
        it_is_the_same_user_after_a_reconnect
        a_wrong_password_ends_the_client
        names_and_passwords_need_not_be_ascii
    }
    println!("{} passed, {} failed", tally.0, tally.1);
    ExitCode::from(u8::from(tally.1 > 0))
}
