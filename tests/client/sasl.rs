//! The client's SASL: it proves who it is on every connection before it says anything else, and
//! goes on only with servers that know its password too.

#![allow(
    clippy::unwrap_used,
    reason = "what is not there fails the test, at the line that asked for it"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zoowarden::Client;
use zoowarden::client::{
    Acl, ClientConfig, Code, CreateOptions, Id, Password, SaslLogin, State, Version, perms,
};
use zoowarden::server::Server;
use zoowarden::server::config::{Config, HostPort, SecuritySettings};

use super::{moves, reach, soon};

/// One server with the users `bob` and `eve`, and whatever `change` does.
async fn server(change: impl FnOnce(&mut SecuritySettings)) -> (Server, TempDir) {
    let room = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: room.path().to_owned(),
        log_dir: room.path().to_owned(),
        client_address: HostPort::new("127.0.0.1", 0),
        tick_ms: 200,
        pre_alloc_size_kb: 1024,
        ..Config::default()
    };
    let users = [("bob", "bobsecret"), ("eve", "evesecret")];
    let users = users.map(|(user, password)| (user.to_owned(), Password::new(password)));
    config.security.sasl_users = Some(Arc::new(users.into()));
    config.security.sasl_provider = true;
    change(&mut config.security);
    let server = Server::start(config).await.unwrap();
    soon("a server", server.ready()).await.unwrap();
    (server, room)
}

fn config(address: SocketAddr, login: Option<(&str, &str)>) -> ClientConfig {
    let mut config = ClientConfig::new(address.to_string().parse().unwrap());
    config.sasl = login.map(|(user, password)| SaslLogin::new(user, password));
    config
}

async fn connect(server: &Server, user: &str, password: &str) -> Result<Client, zoowarden::Error> {
    Client::connect_with(config(server.client_address(), Some((user, password)))).await
}

fn only(user: &str) -> CreateOptions {
    let acl = Acl {
        perms: perms::ALL,
        id: Id::new("sasl", user),
    };
    CreateOptions {
        acl: vec![acl],
        ..CreateOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_it_is_is_proven_on_every_connection() {
    let (server, _room) = server(|_| {}).await;
    let bob = connect(&server, "bob", "bobsecret").await.unwrap();
    bob.create_with("/bobs", b"", &only("bob")).await.unwrap();
    let moved = moves(&bob);
    bob.move_on();
    moved.await;
    bob.set("/bobs", b"again", Version::Any).await.unwrap();
    let eve = connect(&server, "eve", "evesecret").await.unwrap();
    let error = eve.get("/bobs").await.unwrap_err();
    assert_eq!(error.code(), Code::NoAuth);
    bob.close().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_before_there_is_a_connection_waits_for_the_proof() {
    let change = |security: &mut SecuritySettings| {
        security.required_schemes = vec!["sasl".to_owned()];
    };
    let (server, _room) = server(change).await;
    let client = Client::open(config(server.client_address(), Some(("bob", "bobsecret"))));
    soon("an answer", client.create_with("/x", b"", &only("bob")))
        .await
        .unwrap();
    client.close().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_ends_the_client_and_says_why() {
    let (server, _room) = server(|_| {}).await;
    for (user, password) in [("bob", "wrong"), ("nobody", "bobsecret"), ("", "")] {
        let error = connect(&server, user, password).await.unwrap_err();
        assert_eq!(error.code(), Code::AuthFailed);
        let text = error.to_string();
        assert!(
            text.contains("refused the SASL user") && text.contains("AuthFailed"),
            "{text}"
        );
        assert!(
            !text.contains("wrong") && !text.contains("bobsecret"),
            "{text}"
        );
    }
    let client = Client::open(config(server.client_address(), Some(("bob", "wrong"))));
    let error = soon("an answer", client.get("/")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.nothing_changed()),
        (Code::AuthFailed, true)
    );
    reach(&client, State::AuthFailed).await;
    server.stop().await;
}

/// It would go on as nobody, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_login_is_not_talked_to() {
    for (users, allow_failed, password) in [(false, false, "bobsecret"), (true, true, "wrong")] {
        let change = |security: &mut SecuritySettings| {
            if !users {
                security.sasl_users = None;
            }
            security.allow_sasl_failed_clients = allow_failed;
        };
        let (server, _room) = server(change).await;
        let error = connect(&server, "bob", password).await.unwrap_err();
        assert_eq!(error.code(), Code::AuthFailed);
        assert!(
            error.to_string().contains("took no SASL login of bob"),
            "{error}"
        );
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_login_is_told_that_one_is_required() {
    let change = |security: &mut SecuritySettings| {
        security.required_schemes = vec!["sasl".to_owned()];
    };
    let (server, _room) = server(change).await;
    let client = Client::open(config(server.client_address(), None));
    let error = soon("an answer", client.get("/")).await.unwrap_err();
    assert_eq!(error.code(), Code::SessionClosedRequireSaslAuth);
    assert!(error.nothing_changed());
    assert!(
        error.to_string().contains("sessionRequireClientSASLAuth"),
        "{error}"
    );
    reach(&client, State::AuthFailed).await;
    server.stop().await;
}

/// Takes one connection and answers as a server would that does not know the password. Gives what
/// the client sent behind the handshake.
async fn impostor(listener: TcpListener) -> Vec<Vec<u8>> {
    let (mut stream, _) = listener.accept().await.unwrap();
    next(&mut stream).await.unwrap();
    let mut greeting = Vec::new();
    greeting.extend(0_i32.to_be_bytes());
    greeting.extend(10_000_i32.to_be_bytes());
    greeting.extend(7_i64.to_be_bytes());
    greeting.extend(16_i32.to_be_bytes());
    greeting.extend([1; 16]);
    greeting.push(0);
    send(&mut stream, &greeting).await;
    let mut heard = Vec::new();
    for token in [
        "realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess",
        "rspauth=00000000000000000000000000000000",
    ] {
        heard.push(next(&mut stream).await.unwrap());
        let mut reply = heard[heard.len() - 1][..4].to_vec();
        reply.extend([0; 12]);
        reply.extend((token.len() as u32).to_be_bytes());
        reply.extend(token.as_bytes());
        send(&mut stream, &reply).await;
    }
    while let Some(frame) = next(&mut stream).await {
        heard.push(frame);
    }
    heard
}

async fn send(stream: &mut TcpStream, body: &[u8]) {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    stream.write_all(&frame).await.unwrap();
}

async fn next(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u32().await.ok()?;
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impostor_learns_neither_password_nor_requests() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let impostor = tokio::spawn(impostor(listener));
    let client = Client::open(config(address, Some(("bob", "canary-password"))));
    let asked = client.create("/canary-path", b"", zoowarden::CreateMode::Persistent);
    let error = soon("an answer", asked).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthFailed);
    assert!(error.to_string().contains("did not prove"), "{error}");
    let heard = soon("the end", impostor).await.unwrap();
    assert_eq!(heard.len(), 2);
    let all = heard.concat();
    assert!(!all.windows(6).any(|bytes| bytes == b"canary"));
}
