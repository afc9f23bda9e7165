//! Who a connection says it is: the schemes `digest`, `ip` and `sasl`, checked when the packet
//! comes, and the schemes a connection must have before anything else is done for it.
//!
//! Source: `ZooKeeperServer.processPacket`, `processSasl`, `AuthenticationHelper`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::proto::{Code, Id, OpCode, Reader, Reply, Request, Xid, Zxid};
use crate::replica::connection::State;
use crate::replica::{Ending, Replica};
use crate::sasl::{NONCE_BYTES, Outcome, Password};
use crate::tree::acl::ANY_SASL_USER;

/// Identities one connection may have, and their bytes. Each of its writes carries all of them into
/// the log, and each check of a list compares all of them with its entries.
const IDENTITIES_MAX: usize = 32;
const IDENTITIES_BYTES_MAX: usize = 8 << 10;

/// The header zxid of everything that is answered on arrival.
const ON_ARRIVAL: Zxid = Zxid(0);

/// How the scheme `digest` is set up.
#[derive(Clone, Debug)]
pub struct DigestSettings {
    /// Whether the scheme exists at all.
    pub enabled: bool,
    /// `user:hash` of the one who may do everything.
    pub super_digest: Option<String>,
    /// How passwords are hashed.
    pub algorithm: DigestAlgorithm,
}

/// The hash of `digest` identities; they are stored in ACLs, so changing it locks users out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestAlgorithm {
    /// What every client library computes.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// MD5, which is broken.
    Md5,
}

impl DigestAlgorithm {
    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            DigestAlgorithm::Sha1 => Sha1::digest(bytes).to_vec(),
            DigestAlgorithm::Sha224 => Sha224::digest(bytes).to_vec(),
            DigestAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
            DigestAlgorithm::Sha384 => Sha384::digest(bytes).to_vec(),
            DigestAlgorithm::Sha512 => Sha512::digest(bytes).to_vec(),
            DigestAlgorithm::Md5 => Md5::digest(bytes).to_vec(),
        }
    }

    /// The id of a `user:password` pair: `user:base64(hash(user:password))`. What is no UTF-8 in it
    /// is replaced before it is hashed, as in ZooKeeper: an imported list names such ids.
    pub fn id(self, user_and_password: &[u8]) -> String {
        let pair = String::from_utf8_lossy(user_and_password);
        let user = pair.split(':').next().unwrap_or_default();
        let hash = STANDARD.encode(self.hash(pair.as_bytes()));
        format!("{user}:{hash}")
    }
}

/// How SASL is set up.
#[derive(Clone, Debug, Default)]
pub struct SaslSettings {
    /// Who may authenticate, with which password; `None`: nobody can.
    pub users: Option<Arc<BTreeMap<String, Password>>>,
    /// Whether a user becomes an identity of the scheme `sasl`. Without the provider of that scheme
    /// ZooKeeper keeps the identity too, but nothing ever asks for it.
    pub provider: bool,
    /// Users who may do everything.
    pub super_users: Vec<String>,
    /// The id of an entry in ACLs that stands for every user.
    pub any_user: Option<String>,
    /// Whether who fails goes on as nobody.
    pub allow_failed: bool,
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
            state.push_reply(xid, ON_ARRIVAL, &Err(Code::AuthFailed));
            state.end(Ending::AuthFailed);
            return;
        };
        if add(state, proven) {
            state.push_reply(xid, ON_ARRIVAL, &Ok(Reply::Empty));
        } else {
            state.push_reply(xid, ON_ARRIVAL, &Err(Code::AuthFailed));
            state.end(Ending::TooManyIdentities);
        }
    }

    /// Takes one token of a SASL exchange. The reply overtakes those of earlier requests. A token
    /// that is no buffer, or null, ends the connection without a reply, as in ZooKeeper.
    pub(super) fn sasl(&self, state: &mut State, xid: Xid, body: &[u8]) {
        let Ok(Some(token)) = Reader::new(body).buffer() else {
            state.end(Ending::Malformed);
            return;
        };
        let sasl = &self.settings.sasl;
        let Some(users) = &sasl.users else {
            state.push_reply(xid, ON_ARRIVAL, &Ok(Reply::Token(None)));
            return;
        };
        let mut random = [0; NONCE_BYTES];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(%error, "the operating system gives no random bytes");
            state.end(Ending::AuthFailed);
            return;
        }
        let token = match state.exchange.step(token, || random, users) {
            Ok(Outcome::Challenge(token)) => token,
            Ok(Outcome::Proven { user, token }) if add(state, self.sasl_identities(&user)) => {
                tracing::info!(%user, "authenticated by SASL");
                token
            }
            Ok(Outcome::Proven { .. }) => {
                state.push_reply(xid, ON_ARRIVAL, &Err(Code::AuthFailed));
                state.end(Ending::TooManyIdentities);
                return;
            }
            Err(refusal) => {
                tracing::info!(%refusal, "a client failed to authenticate by SASL");
                self.sasl_failed(state, xid);
                return;
            }
        };
        state.push_reply(xid, ON_ARRIVAL, &Ok(Reply::Token(Some(&token))));
    }

    fn sasl_failed(&self, state: &mut State, xid: Xid) {
        let is_required = self.settings.required_schemes.iter().any(|s| s == "sasl");
        if self.settings.sasl.allow_failed && !is_required {
            state.push_reply(xid, ON_ARRIVAL, &Ok(Reply::Token(None)));
            return;
        }
        let code = match is_required {
            true => Code::SessionClosedRequireSaslAuth,
            false => Code::AuthFailed,
        };
        state.push_failure_with_token(xid, ON_ARRIVAL, code);
        state.end(Ending::AuthFailed);
    }

    fn sasl_identities(&self, user: &str) -> Vec<Id> {
        let sasl = &self.settings.sasl;
        let mut proven = Vec::new();
        if sasl.provider {
            proven.push(Id::new("sasl", user));
            proven.extend(sasl.any_user.iter().map(|id| Id::new(ANY_SASL_USER, id)));
        }
        if sasl.super_users.iter().any(|name| name == user) {
            proven.push(Id::new("super", ""));
        }
        proven
    }

    /// Whether anything may be done for a connection. If not, it is told so and ends: every request
    /// but those that authenticate, a ping and a close among them.
    pub(super) fn may_ask(&self, state: &mut State, xid: Xid) -> bool {
        let required = &self.settings.required_schemes;
        let has = |identity: &Id| required.iter().any(|scheme| **scheme == *identity.scheme);
        if required.is_empty() || state.identities.iter().any(has) {
            return true;
        }
        let code = Code::SessionClosedRequireSaslAuth;
        state.push_reply(xid, ON_ARRIVAL, &Err(code));
        state.end(Ending::NotAuthenticated);
        false
    }

    /// The identities that a credential of some scheme proves. Users of SASL and certificates prove
    /// theirs in a conversation, so no credential does.
    pub fn prove(&self, scheme: &str, auth: Option<&[u8]>) -> Result<Vec<Id>, NotProven> {
        match scheme {
            "digest" if self.settings.digest.enabled => {
                auth.map(|auth| self.digest(auth)).ok_or(NotProven)
            }
            // Everybody has the identity of an address already.
            "ip" => Ok(Vec::new()),
            _ => Err(NotProven),
        }
    }

    fn digest(&self, auth: &[u8]) -> Vec<Id> {
        let id = self.settings.digest.algorithm.id(auth);
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

/// Adds identities to those of a connection; false if they are too many.
fn add(state: &mut State, proven: Vec<Id>) -> bool {
    let mut identities = state.identities.to_vec();
    for identity in proven {
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    let fits = identities.len() <= IDENTITIES_MAX && bytes_of(&identities) <= IDENTITIES_BYTES_MAX;
    if fits {
        state.identities = Arc::from(identities);
    }
    fits
}

fn bytes_of(identities: &[Id]) -> usize {
    let bytes = |identity: &Id| 8 + identity.scheme.len() + identity.id.len();
    identities.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::DigestAlgorithm as Algorithm;

    #[test]
    fn digests_are_those_of_zookeeper() {
        // As Apache ZooKeeper 3.8.0 made them.
        for (pair, id) in [
            (&b"latin:p\xe4ss"[..], "latin:BV0yXLJZEApuiTkjHFz07UEct5g="),
            (b"cut:\xe2\x82", "cut:pMFL8k3b6VQStwbRAmdII0xZ98s="),
        ] {
            assert_eq!(Algorithm::Sha1.id(pair), id);
        }
        for (algorithm, pair, id) in [
            (
                Algorithm::Sha1,
                "super:test",
                "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
            ),
            (
                Algorithm::Sha1,
                "alice:secret",
                "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=",
            ),
            (
                Algorithm::Sha224,
                "a:b",
                "a:NO5ox74+wWKYdzIKr5itkCWCbJdqfZxBpaBhqg==",
            ),
            (
                Algorithm::Sha256,
                "a:b",
                "a:Z4OjHqv2jMwGYPk1wIJigr3SJB86gKny0Q1Zrqnrtdg=",
            ),
            (
                Algorithm::Sha384,
                "a:b",
                "a:M/NiZn7HTqhVZ8t77kPIHIPTVGoTvNRnilTr5ieaJY334TdVUc5jsR1iIyM0tnOD",
            ),
            (
                Algorithm::Sha512,
                "a:b",
                "a:mdoaJYs51sQ7xY1yh5/CxU2MLd6OyA+mb0neO06R7P3yavbdaDJ9XFm/4RaKEBLXUxeYO/0qTS5uXf3t\
                 Yf0Smw==",
            ),
            (Algorithm::Md5, "a:b", "a:2BYMmz3CDU6TGutPRSYhVQ=="),
        ] {
            assert_eq!(algorithm.id(pair.as_bytes()), id);
        }
    }
}
