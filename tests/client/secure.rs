//! The client over TLS, through an acceptor in front of a server.

#![allow(
    clippy::unwrap_used,
    reason = "what is not there fails the test, at the line that asked for it"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use zoowarden::client::{ClientConfig, Code, State, TlsConfig, TlsOptions};
use zoowarden::{Client, CreateMode};

use super::{ensemble, reach, soon};

/// Takes TLS and passes on what is inside. Gives its address and the certificate to trust.
async fn acceptor(server: SocketAddr) -> (SocketAddr, String) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Each fails when the other side goes away, which is the end of it.
                let Ok(mut inside) = acceptor.accept(stream).await else {
                    return;
                };
                if let Ok(mut plain) = TcpStream::connect(server).await {
                    let _ = tokio::io::copy_bidirectional(&mut inside, &mut plain).await;
                }
            });
        }
    });
    (address, cert.pem())
}

fn config(host: &str, port: u16, roots: &str) -> ClientConfig {
    let mut config = ClientConfig::new(format!("{host}:{port}").parse().unwrap());
    let options = TlsOptions {
        roots_pem: Some(roots.as_bytes().to_vec()),
        ..TlsOptions::default()
    };
    config.tls = Some(TlsConfig::new(options).unwrap());
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_tls_survives_the_loss_of_its_connection() {
    let ensemble = ensemble(1).await;
    let server = ensemble.client_address(1).unwrap();
    let (address, roots) = acceptor(server).await;
    let config = config("localhost", address.port(), &roots);
    let client = Client::connect_with(config).await.unwrap();
    let mode = CreateMode::Ephemeral;
    client.create("/e", &vec![7; 300_000], mode).await.unwrap();
    ensemble.cut_client(1).unwrap();
    reach(&client, State::Suspended).await;
    ensemble.heal_client(1).unwrap();
    soon("a connection", client.connected()).await.unwrap();
    let (data, stat) = client.get("/e").await.unwrap();
    assert_eq!(
        (data.len(), stat.ephemeral_owner),
        (300_000, client.session_id().0)
    );
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_name_is_told_in_the_error() {
    let ensemble = ensemble(1).await;
    let server = ensemble.client_address(1).unwrap();
    let (address, roots) = acceptor(server).await;
    let mut config = config("127.0.0.1", address.port(), &roots);
    config.session_timeout_ms = 2_000;
    let error = Client::connect_with(config).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLoss);
    assert!(error.to_string().contains("not valid for name"), "{error}");
}
