//! What JavaScript passes, as objects, and what the client takes.

use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;
use zoowarden::client::{
    Acl, ClientConfig, ConnectStringError, Id, OnExpiry, PASSWORD_BYTES, SessionId,
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
    /// Of a session to attach to; together with its password.
    pub session_id: Option<BigInt>,
    pub session_password: Option<Uint8Array>,
}

/// A credential.
#[napi(object)]
pub struct NativeAuth {
    pub scheme: String,
    pub auth: Uint8Array,
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
            ..ClientConfig::new(hosts)
        })
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
