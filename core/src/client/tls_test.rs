//! What the client demands of a server's certificate, shown against a TLS acceptor that echoes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::tls::{TlsConfig, TlsError, TlsIdentity, TlsOptions, TlsVerify};
use crate::certificate_v1::test::{Draft, Party};
use crate::environment::{Net, Tcp};

/// An authority of our own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What it gave to somebody: certificate and key, PEM.
struct Given {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn give(&self, names: &[&str]) -> Given {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Given {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Given {
    fn identity(&self) -> TlsIdentity {
        TlsIdentity {
            certificates_pem: self.certificate.clone().into_bytes(),
            key_pem: self.key.clone().into_bytes(),
        }
    }
}

/// Echoes one connection's bytes over TLS. With `clients`, only clients of that authority.
async fn acceptor(given: &Given, clients: Option<&Authority>) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(given.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(given.key.as_bytes()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut store = RootCertStore::empty();
            store.add(authority.0.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    echoing(builder.with_single_cert(chain, key).unwrap()).await
}

/// Echoes one connection's bytes over TLS.
async fn echoing(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust us goes away, as some tests want.
        let Ok(stream) = acceptor.accept(stream).await else {
            return;
        };
        let (mut reader, mut writer) = tokio::io::split(stream);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    address
}

/// Connects as `host` and has four bytes echoed.
async fn echo(options: TlsOptions, address: SocketAddr, host: &str) -> io::Result<()> {
    let config = TlsConfig::new(options).unwrap();
    let plain = Tcp::default().connect(&address.to_string()).await?;
    let mut stream = config.connect(plain, host).await?;
    stream.writer.write_all(b"ruok").await?;
    stream.writer.flush().await?;
    let mut answer = [0; 4];
    stream.reader.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ruok");
    assert_eq!(stream.peer, address);
    Ok(())
}

fn trusting(authority: &Authority, verify: TlsVerify) -> TlsOptions {
    TlsOptions {
        roots_pem: Some(authority.pem()),
        identity: None,
        verify,
    }
}

#[tokio::test]
async fn a_server_of_a_trusted_authority_is_met_by_name_and_by_address() {
    let authority = Authority::new();
    let given = authority.give(&["zoo.example", "127.0.0.1"]);
    for host in ["zoo.example", "127.0.0.1"] {
        let address = acceptor(&given, None).await;
        echo(trusting(&authority, TlsVerify::ChainAndName), address, host)
            .await
            .unwrap();
    }
}

/// CVE-2026-24281: an address that was not in the certificate was resolved back to a name, and that
/// was looked for. 127.0.0.1 resolves back to localhost.
#[tokio::test]
async fn cve_2026_24281_an_address_is_not_resolved_back_to_a_name() {
    let authority = Authority::new();
    let given = authority.give(&["localhost"]);
    for (host, expected) in [("127.0.0.1", false), ("localhost", true)] {
        let address = acceptor(&given, None).await;
        let strict = trusting(&authority, TlsVerify::ChainAndName);
        assert_eq!(
            echo(strict, address, host).await.is_ok(),
            expected,
            "{host}"
        );
    }
}

#[tokio::test]
async fn another_name_is_refused_unless_names_are_not_checked() {
    let authority = Authority::new();
    let given = authority.give(&["zoo.example"]);
    let address = acceptor(&given, None).await;
    let strict = trusting(&authority, TlsVerify::ChainAndName);
    let error = echo(strict, address, "bear.example").await.unwrap_err();
    assert!(error.to_string().contains("bear.example"), "{error}");
    for host in ["bear.example", "127.0.0.1", "[::1]"] {
        let address = acceptor(&given, None).await;
        echo(trusting(&authority, TlsVerify::ChainOnly), address, host)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_stranger_is_refused_unless_nothing_is_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let given = stranger.give(&["zoo.example"]);
    for verify in [TlsVerify::ChainAndName, TlsVerify::ChainOnly] {
        let address = acceptor(&given, None).await;
        let refused = echo(trusting(&authority, verify), address, "zoo.example").await;
        assert!(refused.is_err(), "{verify:?}");
    }
    let address = acceptor(&given, None).await;
    echo(
        trusting(&authority, TlsVerify::Nothing),
        address,
        "zoo.example",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_client_shows_who_it_is_when_it_is_asked() {
    let authority = Authority::new();
    let given = authority.give(&["zoo.example"]);
    let mut options = trusting(&authority, TlsVerify::ChainAndName);
    let address = acceptor(&given, Some(&authority)).await;
    assert!(echo(options.clone(), address, "zoo.example").await.is_err());
    options.identity = Some(authority.give(&["client"]).identity());
    let address = acceptor(&given, Some(&authority)).await;
    echo(options, address, "zoo.example").await.unwrap();
}

/// A server whose certificate is of version 1, signed by `root`, and whose key is `holder`'s.
async fn version_1(root: &Party, zoo: &Party, holder: &Party) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(holder.private_key());
    let chain = vec![root.sign(zoo, &Draft::default())];
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key.unwrap()));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    echoing(config).await
}

#[tokio::test]
async fn a_server_of_version_1_is_met_by_its_common_name_if_an_authority_has_signed_it() {
    let (root, zoo) = (Party::new("Root"), Party::new("zoo.example"));
    let params = root.params_v3(true);
    let trust = params.self_signed(&root.key).unwrap().pem().into_bytes();
    let trusting = |verify| TlsOptions {
        roots_pem: Some(trust.clone()),
        identity: None,
        verify,
    };
    let (named, any) = (TlsVerify::ChainAndName, TlsVerify::ChainOnly);
    let thief = Party::new("zoo.example");
    let stranger = Party::new("Stranger");
    for (issuer, holder, host, verify, refused) in [
        (&root, &zoo, "zoo.example", named, None),
        (&root, &zoo, "bear.example", any, None),
        (
            &root,
            &zoo,
            "bear.example",
            named,
            Some("not valid for name"),
        ),
        (&stranger, &zoo, "zoo.example", any, Some("UnknownIssuer")),
        (&root, &thief, "zoo.example", any, Some("BadSignature")),
        (&stranger, &zoo, "bear.example", TlsVerify::Nothing, None),
        (
            &root,
            &thief,
            "zoo.example",
            TlsVerify::Nothing,
            Some("BadSignature"),
        ),
    ] {
        let address = version_1(issuer, &zoo, holder).await;
        let outcome = echo(trusting(verify), address, host).await;
        match refused {
            None => outcome.unwrap(),
            Some(why) => {
                let error = outcome.unwrap_err().to_string();
                assert!(error.contains(why), "{why}: {error}");
            }
        }
    }
}

#[test]
fn a_client_may_show_what_openssl_makes_without_extensions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/testdata");
    let (own, trust) = (folder.join("v1.pem"), folder.join("v1-trust.pem"));
    let options = TlsOptions::from_files(Some(&trust), Some((&own, &own))).unwrap();
    TlsConfig::new(options.clone()).unwrap();
    let key_pem = Authority::new().give(&["other"]).key.into_bytes();
    let identity = options.identity.map(|own| TlsIdentity { key_pem, ..own });
    let error = TlsConfig::new(TlsOptions {
        identity,
        ..options
    })
    .unwrap_err();
    assert!(matches!(error, TlsError::Identity { .. }), "{error}");
}

#[test]
fn what_is_wrong_with_certificates_is_said_at_once() {
    let authority = Authority::new();
    let (one, other) = (authority.give(&["one"]), authority.give(&["other"]));
    let with = |roots: &[u8], identity| {
        TlsConfig::new(TlsOptions {
            roots_pem: Some(roots.to_vec()),
            identity,
            verify: TlsVerify::default(),
        })
    };
    assert!(with(&authority.pem(), Some(one.identity())).is_ok());
    let error = with(b"no certificate", None).unwrap_err();
    assert!(matches!(error, TlsError::Pem { .. }), "{error}");
    let mixed = TlsIdentity {
        key_pem: other.key.into_bytes(),
        ..one.identity()
    };
    let error = with(&authority.pem(), Some(mixed)).unwrap_err();
    assert!(matches!(error, TlsError::Identity { .. }), "{error}");
    let no_key = TlsIdentity {
        key_pem: b"secret".to_vec(),
        ..one.identity()
    };
    let error = with(&authority.pem(), Some(no_key)).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    let missing = TlsOptions::from_files(Some(Path::new("/nowhere/roots.pem")), None);
    assert!(matches!(missing, Err(TlsError::File { .. })));
}

#[test]
fn a_key_does_not_get_into_a_log() {
    let given = Authority::new().give(&["one"]);
    let options = TlsOptions {
        identity: Some(given.identity()),
        ..TlsOptions::default()
    };
    assert!(!format!("{options:?}").contains("PRIVATE"));
}
