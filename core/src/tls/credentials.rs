//! What we show and whom we trust, ready for handshakes, and read again when its files change.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::certificate_v1;
use crate::tls::settings::{ClientAuth, Store, StorePassword, TlsSettings, Versions};
use crate::tls::store::TlsError;
use crate::tls::verify::Trust;

/// The suites that can be used, by their names in Java.
pub(crate) fn cipher_suites() -> Vec<String> {
    let suites = ring::default_provider().cipher_suites;
    suites.iter().map(|suite| java_suite(*suite)).collect()
}

/// rustls tells those of TLS 1.3 apart by a prefix, Java does not.
fn java_suite(suite: rustls::SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    name.replacen("TLS13_", "TLS_", 1)
}

/// Keys, trust and rules of one kind of port. Shared by all of its handshakes.
#[derive(Debug)]
pub(crate) struct Credentials {
    settings: TlsSettings,
    ready: RwLock<Ready>,
    /// The files as they were when they were last read, whether or not they could be used.
    seen: Mutex<Vec<Seen>>,
}

/// Both roles, as rustls wants them.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) server: Arc<ServerConfig>,
    /// `None` without a trust store: then there is nobody to connect to.
    pub(super) client: Option<Arc<ClientConfig>>,
}

/// Enough of a file to notice that it is another one; `None`: it is not there.
type Seen = Option<(SystemTime, u64)>;

impl Credentials {
    /// Reads the stores. Blocks for as long as the disk does.
    pub(crate) fn load(settings: TlsSettings) -> Result<Credentials, TlsError> {
        let seen = look(&settings);
        Ok(Credentials {
            ready: RwLock::new(ready(&settings)?),
            seen: Mutex::new(seen),
            settings,
        })
    }

    pub(crate) fn settings(&self) -> &TlsSettings {
        &self.settings
    }

    pub(super) fn ready(&self) -> Ready {
        self.ready.read().clone()
    }

    /// Reads the stores again if a file has changed. What cannot be used leaves everything as it
    /// is. Blocks for as long as the disk does.
    pub(crate) fn renew(&self) -> Renewal {
        let now = look(&self.settings);
        if now == *self.seen.lock() {
            return Renewal::Unchanged;
        }
        *self.seen.lock() = now;
        match ready(&self.settings) {
            Ok(ready) => {
                *self.ready.write() = ready;
                Renewal::Renewed
            }
            Err(error) => Renewal::Failed(error),
        }
    }
}

/// What became of changed files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    Unchanged,
    Renewed,
    Failed(TlsError),
}

fn look(settings: &TlsSettings) -> Vec<Seen> {
    let stores = std::iter::once(&settings.key_store).chain(&settings.trust_store);
    let look_at = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    stores
        .flat_map(|store| {
            let password = match &store.password {
                StorePassword::File(path) => Some(path.as_path()),
                StorePassword::None | StorePassword::Text(_) => None,
            };
            [Some(store.location.as_path()), password]
        })
        .flatten()
        .map(look_at)
        .collect()
}

fn ready(settings: &TlsSettings) -> Result<Ready, TlsError> {
    let mut provider = ring::default_provider();
    if let Some(names) = &settings.cipher_suites {
        let wanted = |suite: &rustls::SupportedCipherSuite| names.contains(&java_suite(*suite));
        provider.cipher_suites.retain(wanted);
    }
    let provider = Arc::new(provider);
    let trust = settings.trust_store.as_ref().map(|store| {
        let trusted = store.trusted()?;
        Trust::new(trusted).map_err(|why| store.refuse(why))
    });
    let trust = trust.transpose()?;
    Ok(Ready {
        server: Arc::new(server(settings, trust.as_ref(), &provider)?),
        client: match &trust {
            Some(trust) => Some(Arc::new(client(settings, trust, &provider)?)),
            None => None,
        },
    })
}

fn versions(settings: &TlsSettings) -> Vec<&'static SupportedProtocolVersion> {
    match settings.versions {
        Versions::Both => vec![&TLS13, &TLS12],
        Versions::Tls12 => vec![&TLS12],
        Versions::Tls13 => vec![&TLS13],
    }
}

fn server(
    settings: &TlsSettings,
    trust: Option<&Trust>,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsError> {
    let store = &settings.key_store;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(settings))
        .map_err(|error| store.refuse(no_suite(&error)))?;
    let optional = settings.client_auth == ClientAuth::Want;
    let builder = match (settings.client_auth, trust) {
        (ClientAuth::None, _) => builder.with_no_client_auth(),
        (ClientAuth::Need | ClientAuth::Want, Some(trust)) => {
            let verifier = trust.of_clients(optional, provider);
            builder.with_client_cert_verifier(verifier.map_err(|why| store.refuse(why))?)
        }
        (ClientAuth::Need | ClientAuth::Want, None) => {
            return Err(store.refuse("a trust store is missing: nobody's certificate is trusted"));
        }
    };
    let mut config = builder.with_cert_resolver(shown(store, provider)?);
    // A resumed session would show no certificate, and outlive its trust.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    settings: &TlsSettings,
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, TlsError> {
    let store = &settings.key_store;
    let verifier = trust
        .of_servers(settings.server_hostname_verification, provider)
        .map_err(|why| store.refuse(why))?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(settings))
        .map_err(|error| store.refuse(no_suite(&error)))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = builder.with_client_cert_resolver(shown(store, provider)?);
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn shown(store: &Store, provider: &CryptoProvider) -> Result<Arc<SingleCertAndKey>, TlsError> {
    let identity = store.identity()?;
    certificate_v1::shown(identity.chain, identity.key, provider)
        .map_err(|error| store.refuse(format!("its certificate and key cannot be used: {error}")))
}

fn no_suite(error: &rustls::Error) -> String {
    format!("no TLS with the enabledProtocols and ciphersuites beside it: {error}")
}
