//! TLS between the client and a server.
//!
//! What lives here: whom the client trusts, who it says it is, and the wrapping of a byte stream.
//! What does not: when to connect and how long a handshake may take, which is the driver's.
//!
//! Without roots of the caller's, the operating system's are trusted, not a list built into this
//! library: an ensemble lives inside a company, whose own authority stands in the system's store
//! and in no public list, and the system's updates, not ours, must be able to end a trust.
//!
//! Invariant: a [`TlsConfig`] that exists can be used; what is wrong with a certificate or a key is
//! said when it is made.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::certificate_v1::{self, Authorities, V1};
use crate::environment::Stream;

/// The most bytes read from a file of certificates or keys.
const PEM_BYTES_MAX: u64 = 16 << 20;

/// Whom to trust and who to be. PEM is text with one or more `-----BEGIN ...-----` blocks.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Certificates of the authorities to trust, PEM. `None`: those the operating system trusts.
    pub roots_pem: Option<Vec<u8>>,
    /// What to show a server that asks who we are (`ssl.clientAuth=need`). `None`: nothing.
    pub identity: Option<TlsIdentity>,
    /// What a server's certificate must show.
    pub verify: TlsVerify,
}

/// A client's certificate and its key.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The certificate, and those that lead from it to an authority, PEM.
    pub certificates_pem: Vec<u8>,
    /// Its private key, not encrypted: PKCS#8, PKCS#1 or SEC1, PEM.
    pub key_pem: Vec<u8>,
}

/// What a server's certificate must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerify {
    /// A chain to a trusted authority, and the host of the connect string by name or address.
    #[default]
    ChainAndName,
    /// A chain to a trusted authority. Whoever has any certificate of it can pose as the server.
    ChainOnly,
    /// Nothing. Whoever is in between can read and change everything.
    Nothing,
}

/// Everything that is needed to speak TLS, checked. Cheap to clone.
#[derive(Clone)]
pub struct TlsConfig {
    inner: Arc<ClientConfig>,
    verify: TlsVerify,
}

/// What is wrong with certificates, keys or the machine's trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says, or that the file is too large.
        reason: String,
    },
    /// The text has no certificate, no key, or one that does not decode.
    #[error("the {what} cannot be used: {reason}; it must be PEM")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system trusts nobody.
    #[error("the operating system has no trusted authorities ({reason}); name a file of roots")]
    NoSystemRoots {
        /// What was found instead.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("the client certificate and its key cannot be used: {reason}")]
    Identity {
        /// What is wrong with them.
        reason: String,
    },
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("own_roots", &self.roots_pem.is_some())
            .field("identity", &self.identity)
            .field("verify", &self.verify)
            .finish()
    }
}

/// The key stays out of logs.
impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity(..)")
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl TlsOptions {
    /// Options from files in PEM: roots (`None`: the operating system's), and a certificate with
    /// its key. Blocks for as long as the disk does.
    pub fn from_files(
        roots: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<TlsOptions, TlsError> {
        let identity = match identity {
            None => None,
            Some((certificates, key)) => Some(TlsIdentity {
                certificates_pem: read(certificates)?,
                key_pem: read(key)?,
            }),
        };
        Ok(TlsOptions {
            roots_pem: roots.map(read).transpose()?,
            identity,
            verify: TlsVerify::default(),
        })
    }
}

impl TlsConfig {
    /// Checks the options. Without roots of the caller's this reads the operating system's from
    /// disk. TLS 1.2 and 1.3 are spoken.
    pub fn new(options: TlsOptions) -> Result<TlsConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = verifier(&options, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what TLS 1.2 and 1.3 need")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates("client certificate", &identity.certificates_pem)?;
                let key = PrivateKeyDer::from_pem_slice(&identity.key_pem)
                    .map_err(|error| pem("client key", &error))?;
                let shown = certificate_v1::shown(chain, key, builder.crypto_provider());
                builder.with_client_cert_resolver(shown.map_err(|error| TlsError::Identity {
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(TlsConfig {
            inner: Arc::new(config),
            verify: options.verify,
        })
    }

    /// Shakes hands over an open stream. `host` is the host of the connect string, a name or an
    /// address without port; it is what the certificate is held against.
    ///
    /// Takes as long as the server takes: the caller sets the limit, and may drop the future.
    pub(crate) async fn connect(&self, stream: Stream, host: &str) -> io::Result<Stream> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let text = format!("{host:?} is no name that a certificate can show");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let peer = stream.peer;
        let both = tokio::io::join(stream.reader, stream.writer);
        let connector = TlsConnector::from(Arc::clone(&self.inner));
        let secured = connector.connect(name, both).await.map_err(|error| {
            let text = format!("no TLS with {host} ({peer}): {error}");
            io::Error::new(error.kind(), text)
        })?;
        let (reader, writer) = tokio::io::split(secured);
        Ok(Stream {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            certificate: None,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |reason: String| TlsError::File {
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if length > PEM_BYTES_MAX {
        return Err(failed(format!("it has {length} bytes, more than keys do")));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

fn pem(what: &'static str, error: &dyn fmt::Display) -> TlsError {
    TlsError::Pem {
        what,
        reason: error.to_string(),
    }
}

/// At least one.
fn certificates(what: &'static str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| pem(what, &error))?;
    if found.is_empty() {
        return Err(pem(what, &"there is no certificate in it"));
    }
    Ok(found)
}

fn roots(options: &TlsOptions) -> Result<(RootCertStore, Authorities), TlsError> {
    let mut store = RootCertStore::empty();
    if let Some(text) = &options.roots_pem {
        let roots = certificates("file of roots", text)?;
        let authorities = Authorities::among(&roots);
        for root in roots {
            store
                .add(root)
                .map_err(|error| pem("file of roots", &error))?;
        }
        return Ok((store, authorities));
    }
    let system = rustls_native_certs::load_native_certs();
    let authorities = Authorities::among(&system.certs);
    // The system's own list may hold what nobody can parse any more; the rest of it counts.
    store.add_parsable_certificates(system.certs);
    if store.is_empty() {
        let reason = match system.errors.first() {
            Some(error) => error.to_string(),
            None => "the store is empty".to_owned(),
        };
        return Err(TlsError::NoSystemRoots { reason });
    }
    Ok((store, authorities))
}

fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let trust = match options.verify {
        TlsVerify::Nothing => None,
        TlsVerify::ChainOnly | TlsVerify::ChainAndName => {
            let (roots, authorities) = roots(options)?;
            let roots = Arc::new(roots);
            let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
            Some(Trust {
                chain: chain
                    .build()
                    .map_err(|error| pem("file of roots", &error))?,
                authorities,
                check_name: options.verify == TlsVerify::ChainAndName,
            })
        }
    };
    Ok(Arc::new(Verifier {
        trust,
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// Checks what the caller asked for. That the server has the key of the certificate it shows is
/// checked always.
#[derive(Debug)]
struct Verifier {
    /// `None`: whoever it is.
    trust: Option<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Trust {
    chain: Arc<WebPkiServerVerifier>,
    authorities: Authorities,
    check_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(trust) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = match V1::read(end_entity) {
            None => trust.chain.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            Some(v1) => trust
                .authorities
                .check(&v1, now, &self.algorithms)
                .and_then(|()| v1.check_host(server_name))
                .map(|()| ServerCertVerified::assertion()),
        };
        match verified {
            // The name is the last thing looked at: whoever fails there has passed all else.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) if !trust.check_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
