//! Reading key and trust stores: PEM, PKCS#12 and JKS.
//!
//! Invariant: what is wrong is said with the setting and the file, never with a password or a key.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::tls::jks;
use crate::tls::settings::{Store, StoreKind, StorePassword};

/// The most bytes read from a store or a password's file.
const STORE_BYTES_MAX: u64 = 16 << 20;

/// A certificate with those that lead from it to an authority, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// What a store holds.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) identities: Vec<Identity>,
    /// Certificates of others, and the first of each key: Java trusts both.
    pub(super) trusted: Vec<CertificateDer<'static>>,
}

/// A store that cannot be used. One line for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The setting, with its place: `zoo.cfg:12: ssl.keyStore.location`.
    pub setting: String,
    /// The file it names.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={}: {}",
            self.setting,
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for TlsError {}

impl Store {
    /// The error that this store cannot be used.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> TlsError {
        TlsError {
            setting: self.setting.clone(),
            path: self.location.clone(),
            reason: reason.into(),
        }
    }

    /// The first key of the store. Blocks for as long as the disk does.
    pub(super) fn identity(&self) -> Result<Identity, TlsError> {
        let (file, password) = self.read()?;
        let read = match self.kind {
            StoreKind::Pem => pem_identity(&file, password.as_deref()),
            StoreKind::Java => java(&file, password.as_deref()).and_then(|entries| {
                let first = entries.identities.into_iter().next();
                first.ok_or_else(|| "it holds no private key".to_owned())
            }),
        };
        let identity = read.map_err(|why| self.refuse(why))?;
        if identity.chain.is_empty() {
            return Err(self.refuse("it holds no certificate beside its key"));
        }
        Ok(identity)
    }

    /// Everybody the store says to trust, at least one. Blocks for as long as the disk does.
    pub(super) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let (file, password) = self.read()?;
        let read = match self.kind {
            StoreKind::Pem => pem_certificates(&file),
            StoreKind::Java => java(&file, password.as_deref()).map(|entries| entries.trusted),
        };
        let trusted = read.map_err(|why| self.refuse(why))?;
        if trusted.is_empty() {
            return Err(
                self.refuse("it holds no trusted certificate; add one with keytool -importcert")
            );
        }
        Ok(trusted)
    }

    fn read(&self) -> Result<(Vec<u8>, Option<String>), TlsError> {
        let file = read(&self.location).map_err(|why| self.refuse(why))?;
        let password = match &self.password {
            StorePassword::None => None,
            StorePassword::Text(secret) => Some(secret.0.clone()),
            StorePassword::File(path) => {
                let text = read(path).and_then(|bytes| {
                    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
                });
                let text = text.map_err(|why| {
                    self.refuse(format!("its password file {}: {why}", path.display()))
                })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        };
        Ok((file, password))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > STORE_BYTES_MAX {
        return Err(format!("it has {length} bytes, more than keys do"));
    }
    std::fs::read(path).map_err(failed)
}

/// JKS or PKCS#12, by how the file begins: Java takes either for the other.
fn java(file: &[u8], password: Option<&str>) -> Result<Entries, String> {
    match file {
        _ if file.starts_with(&jks::MAGIC) => jks::read(file, password),
        [0xce, 0xce, 0xce, 0xce, ..] => Err("JCEKS is not supported; convert it with keytool \
             -importkeystore -deststoretype pkcs12"
            .to_owned()),
        [0x30, ..] => pkcs12(file, password.unwrap_or_default()),
        _ => Err(
            "it is neither JKS nor PKCS12; give its format by the ...Store.type beside it, \
                  or by the end of its name: .jks, .p12, .pem"
                .to_owned(),
        ),
    }
}

fn pkcs12(file: &[u8], password: &str) -> Result<Entries, String> {
    use p12_keystore::error::Error;
    let archive = Pkcs12Archive::from_pkcs12(file, password).map_err(|error| match error {
        Error::MacError(_) => {
            "its checksum is wrong: the password is another one, or the file is damaged".to_owned()
        }
        other => format!("it cannot be read as PKCS12: {other}"),
    })?;
    let of = |certificate: &p12_keystore::Certificate| {
        CertificateDer::from(certificate.as_der().to_vec())
    };
    let mut entries = Entries::default();
    for bag in archive.keys {
        let key = PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec());
        let own = |certificate: &&p12_keystore::CertificateBag| {
            bag.local_key_id.as_ref().map(|id| &id.0) == certificate.local_key_id.as_ref()
        };
        let mut chain = Vec::new();
        let mut next = archive.certs.iter().find(own);
        // Each certificate goes in once, so a chain that closes ends.
        while let Some(bag) = next {
            chain.push(of(&bag.cert));
            next = archive.certs.iter().find(|issuer| {
                issuer.cert.subject() == bag.cert.issuer() && !chain.contains(&of(&issuer.cert))
            });
        }
        let key = PrivateKeyDer::from(key);
        entries.identities.push(Identity { chain, key });
    }
    // As in Java: certificates that keytool has marked, and those of the keys.
    let own = |bag: &&p12_keystore::CertificateBag| bag.trusted || bag.local_key_id.is_some();
    let trusted = archive.certs.iter().filter(own);
    entries.trusted = trusted.map(|bag| of(&bag.cert)).collect();
    Ok(entries)
}

fn pem_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    found.map_err(|error| format!("it is not PEM: {error}"))
}

fn pem_identity(text: &[u8], password: Option<&str>) -> Result<Identity, String> {
    let chain = pem_certificates(text)?;
    let key = match encrypted_block(text)? {
        Some(der) => decrypt(&der, password)?,
        None => PrivateKeyDer::from_pem_slice(text).map_err(|error| no_key(&error))?,
    };
    Ok(Identity { chain, key })
}

/// The content of the first encrypted key.
fn encrypted_block(text: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let text = String::from_utf8_lossy(text);
    let behind = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----");
    let Some((_, behind)) = behind else {
        return Ok(None);
    };
    let inside = behind.split_once("-----END ENCRYPTED PRIVATE KEY-----");
    let (inside, _) = inside.ok_or("its key has no end")?;
    let packed: String = inside.split_whitespace().collect();
    let der = STANDARD.decode(packed);
    der.map(Some)
        .map_err(|error| format!("its key is not PEM: {error}"))
}

fn decrypt(der: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    let password = password.ok_or("its key is encrypted, and no password is given")?;
    let sealed = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|error| format!("its encrypted key cannot be read: {error}"))?;
    let key = sealed.decrypt(password).map_err(|error| {
        format!("its key cannot be decrypted, the password may be another one: {error}")
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn no_key(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => "it holds no private key".to_owned(),
        other => format!("its private key cannot be read: {other}"),
    }
}
