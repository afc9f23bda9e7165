//! What JavaScript passes, as objects, and what the client takes.

use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;
use zoowarden::client::{
    Acl, ClientConfig, ConnectStringError, Id, OnExpiry, PASSWORD_BYTES, SaslLogin, SessionId,
    TlsConfig, TlsIdentity, TlsOptions, TlsVerify,
};

/// How a client connects. Everything has been given its default.
#[napi(object)]
pub struct NativeClientOptions {
    /// Milliseconds.
    pub session_timeout: u32,
    pub read_only: bool,
    pub shuffle: bool,
    /// Whether a new session follows an expired one.
    pub renew: bool,
    pub auth: Vec<NativeAuth>,
    pub sasl: Option<NativeSasl>,
    /// Of a session to attach to; together with its password.
    pub session_id: Option<BigInt>,
    pub session_password: Option<Uint8Array>,
    pub tls: Option<NativeTls>,
}

/// Whom to trust and who to be, PEM.
#[napi(object)]
pub struct NativeTls {
    /// Left out: whom the operating system trusts.
    pub ca: Option<Uint8Array>,
    /// Together with its key.
    pub cert: Option<Uint8Array>,
    pub key: Option<Uint8Array>,
    /// What a server's certificate must show: 0 a trusted chain and its name, 1 a trusted chain,
    /// 2 nothing.
    pub verify: u32,
}

/// A credential.
#[napi(object)]
pub struct NativeAuth {
    pub scheme: String,
    pub auth: Uint8Array,
}

/// Who the client is by SASL.
#[napi(object)]
pub struct NativeSasl {
    pub user: String,
    pub password: String,
}

/// An entry of an access control list.
#[napi(object)]
#[derive(Clone)]
pub struct NativeAcl {
    pub perms: i32,
    pub scheme: String,
    pub id: String,
}

impl NativeClientOptions {
    /// The configuration for servers in a connect string.
    pub(crate) fn into_config(self, hosts: &str) -> napi::Result<ClientConfig> {
        let hosts = hosts
            .parse()
            .map_err(|error: ConnectStringError| invalid(error.to_string()))?;
        let session = match (self.session_id, self.session_password) {
            (Some(id), Some(password)) => Some((SessionId(integer(&id)?), secret(&password)?)),
            _ => None,
        };
        let auth = self.auth.iter();
        Ok(ClientConfig {
            session_timeout_ms: self.session_timeout,
            session,
            read_only: self.read_only,
            shuffle: self.shuffle,
            on_expiry: if self.renew {
                OnExpiry::Renew
            } else {
                OnExpiry::End
            },
            auth: auth.map(|a| (a.scheme.clone(), a.auth.to_vec())).collect(),
            sasl: self
                .sasl
                .map(|login| SaslLogin::new(login.user, login.password)),
            tls: self.tls.map(NativeTls::into_config).transpose()?,
            ..ClientConfig::new(hosts)
        })
    }
}

impl NativeTls {
    fn into_config(self) -> napi::Result<TlsConfig> {
        let identity = match (self.cert, self.key) {
            (Some(certificates), Some(key)) => Some(TlsIdentity {
                certificates_pem: certificates.to_vec(),
                key_pem: key.to_vec(),
            }),
            _ => None,
        };
        let options = TlsOptions {
            roots_pem: self.ca.map(|ca| ca.to_vec()),
            identity,
            verify: match self.verify {
                0 => TlsVerify::ChainAndName,
                1 => TlsVerify::ChainOnly,
                _ => TlsVerify::Nothing,
            },
        };
        TlsConfig::new(options).map_err(|error| invalid(error.to_string()))
    }
}

/// A session's password.
fn secret(bytes: &[u8]) -> napi::Result<[u8; PASSWORD_BYTES]> {
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        invalid(format!(
            "a session's password has {PASSWORD_BYTES} bytes, not {length}"
        ))
    })
}

/// A bigint of 64 bits.
pub(crate) fn integer(value: &BigInt) -> napi::Result<i64> {
    match value.get_i64() {
        (value, true) => Ok(value),
        (_, false) => Err(invalid("a bigint here has 64 bits at most".to_owned())),
    }
}

/// An access control list as the protocol has it.
pub(crate) fn acl(entries: Vec<NativeAcl>) -> Vec<Acl> {
    let entries = entries.into_iter();
    entries
        .map(|entry| Acl {
            perms: entry.perms,
            id: Id {
                scheme: entry.scheme.into(),
                id: entry.id.into(),
            },
        })
        .collect()
}

/// A mistake of the caller, which JavaScript sees thrown.
pub(crate) fn invalid(text: String) -> napi::Error {
    napi::Error::new(napi::Status::InvalidArg, text)
}
