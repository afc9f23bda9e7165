//! Authorities and certificates made on the spot, as PEM files that zoo.cfg can name.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme,
};
use zoowarden::client::{TlsConfig, TlsOptions};

/// Somebody whose certificates are trusted, and a folder for what it hands out.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its owner's name, `CN=...`.
    pub name: String,
    /// The hosts it is for, names or addresses.
    pub hosts: Vec<String>,
    /// Whether its time is over.
    pub expired: bool,
}

impl Subject {
    /// A certificate for this machine.
    pub fn local(name: &str) -> Subject {
        Subject {
            name: name.to_owned(),
            hosts: vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()],
            expired: false,
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Authority::new()
    }
}

impl Authority {
    /// An authority that nobody has heard of.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("ring makes keys");
        Authority {
            issuer: CertifiedIssuer::self_signed(params, key).expect("ring signs"),
            folder: tempfile::tempdir().expect("tests may write to the temporary directory"),
        }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A trust store that holds this authority alone.
    pub fn trust(&self) -> PathBuf {
        self.write("trust.pem", &self.issuer.pem())
    }

    /// A certificate, and its key; PEM.
    pub fn sign(&self, subject: &Subject) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        for host in &subject.hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into().expect("names are ASCII")),
            });
        }
        params
            .distinguished_name
            .push(DnType::CommonName, &*subject.name);
        params.not_before = date_time_ymd(2020, 1, 1);
        let last_year = if subject.expired { 2021 } else { 2999 };
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params.signed_by(&key, &self.issuer).expect("ring signs");
        (certificate.pem(), key.serialize_pem())
    }

    /// A key store in a file of this name: a certificate with its key.
    pub fn store(&self, file: &str, subject: &Subject) -> PathBuf {
        let (certificate, key) = self.sign(subject);
        self.write(file, &(certificate + &key))
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder().join(file);
        std::fs::write(&path, text).expect("the folder is the test's");
        path
    }

    /// How a client trusts this authority, and with `name` who it is.
    pub fn client(&self, name: Option<&Subject>) -> TlsConfig {
        let mut options = TlsOptions {
            roots_pem: Some(self.issuer.pem().into_bytes()),
            ..TlsOptions::default()
        };
        if let Some(subject) = name {
            let (certificate, key) = self.sign(subject);
            options.identity = Some(zoowarden::client::TlsIdentity {
                certificates_pem: certificate.into_bytes(),
                key_pem: key.into_bytes(),
            });
        }
        TlsConfig::new(options).expect("what rcgen makes can be used")
    }

    /// A connection's TLS that takes any server and shows a certificate of this authority.
    pub fn rustls(&self, subject: &Subject) -> Arc<ClientConfig> {
        let (certificate, key) = self.sign(subject);
        let chain = CertificateDer::from_pem_slice(certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
        let config = anybody()
            .with_client_auth_cert(
                vec![chain.expect("rcgen writes PEM")],
                key.expect("rcgen writes PEM"),
            )
            .expect("key and certificate fit");
        Arc::new(config)
    }

    /// Lines of zoo.cfg that name a key store for this machine and this authority's trust, under
    /// `ssl.` or `ssl.quorum.`.
    pub fn settings(&self, prefix: &str) -> [String; 2] {
        let key = self.store("server.pem", &Subject::local("server"));
        [
            format!("{prefix}keyStore.location={}", key.display()),
            format!("{prefix}trustStore.location={}", self.trust().display()),
        ]
    }
}

/// A connection's TLS that takes any server and shows nothing: what a stranger has.
pub fn stranger() -> Arc<ClientConfig> {
    Arc::new(anybody().with_no_client_auth())
}

/// TLS that takes any server.
fn anybody() -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has what TLS 1.2 and 1.3 need")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
