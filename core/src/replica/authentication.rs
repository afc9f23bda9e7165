//! Who a connection says it is: the schemes `digest` and `ip`, checked when the packet comes.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::proto::{Code, Id, OpCode, Reply, Request, Xid, Zxid};
use crate::replica::connection::State;
use crate::replica::{Ending, Replica};

/// Bytes of identities one connection may have. Each of its writes carries all of them into the
/// log.
const IDENTITIES_BYTES_MAX: usize = 64 << 10;

/// How the scheme `digest` is set up.
#[derive(Clone, Debug)]
pub struct DigestSettings {
    /// Whether the scheme exists at all.
    pub enabled: bool,
    /// `user:hash` of the one who may do everything.
    pub super_digest: Option<String>,
}

/// The id of a `user:password` pair: `user:base64(sha1(user:password))`.
pub fn digest_id(user_and_password: &[u8]) -> String {
    let user = user_and_password
        .split(|byte| *byte == b':')
        .next()
        .unwrap_or_default();
    let hash = STANDARD.encode(Sha1::digest(user_and_password));
    format!("{}:{hash}", String::from_utf8_lossy(user))
}

/// A credential proves nothing, or its scheme is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProven;

impl Replica {
    /// Adds the identities a packet proves, or ends the connection. The reply overtakes those of
    /// earlier requests, as in ZooKeeper.
    pub(super) fn authenticate(&self, state: &mut State, xid: Xid, body: &[u8]) {
        let Ok(Request::Auth { scheme, auth }) = Request::decode(OpCode::Auth, body) else {
            state.end(Ending::Malformed);
            return;
        };
        let Ok(proven) = self.prove(&scheme, auth) else {
            state.push_reply(xid, Zxid(0), &Err(Code::AuthFailed));
            state.end(Ending::AuthFailed);
            return;
        };
        let mut identities = state.identities.to_vec();
        for identity in proven {
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        if bytes_of(&identities) > IDENTITIES_BYTES_MAX {
            state.push_reply(xid, Zxid(0), &Err(Code::AuthFailed));
            state.end(Ending::TooManyIdentities);
            return;
        }
        state.identities = Arc::from(identities);
        state.push_reply(xid, Zxid(0), &Ok(Reply::Empty));
    }

    /// The identities that a credential of some scheme proves.
    pub fn prove(&self, scheme: &str, auth: &[u8]) -> Result<Vec<Id>, NotProven> {
        match scheme {
            "digest" if self.settings.digest.enabled => Ok(self.digest(auth)),
            // Everybody has the identity of an address already.
            "ip" => Ok(Vec::new()),
            _ => Err(NotProven),
        }
    }

    fn digest(&self, auth: &[u8]) -> Vec<Id> {
        let id = digest_id(auth);
        let mut proven = Vec::new();
        if let Some(super_digest) = &self.settings.digest.super_digest
            && bool::from(super_digest.as_bytes().ct_eq(id.as_bytes()))
        {
            proven.push(Id::new("super", ""));
        }
        proven.push(Id::new("digest", &id));
        proven
    }
}

fn bytes_of(identities: &[Id]) -> usize {
    let bytes = |identity: &Id| 8 + identity.scheme.len() + identity.id.len();
    identities.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::digest_id;

    #[test]
    fn digests_are_those_of_zookeeper() {
        assert_eq!(
            digest_id(b"super:test"),
            "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
        );
        assert_eq!(
            digest_id(b"alice:secret"),
            "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="
        );
    }
}
