//! SASL with a server, between its answer to the handshake and everything else.
//!
//! What lives here: who the client is, and the two tokens each way. What they consist of is in
//! `sasl`. Before the server has proven that it knows the password too, nothing of the session is
//! sent to it.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::environment::Stream;
use crate::proto::{Code, Frames, Reader, Request, Xid};
use crate::sasl::Password;
use crate::sasl::login::{CNONCE_BYTES, answer};

/// A reply with a token is a header and a token of some hundred bytes.
const REPLY_BYTES_MAX: usize = 8 << 10;

/// Who the client is, by SASL's mechanism DIGEST-MD5. The password does not go over the wire; but
/// who listens can try passwords at home, so use TLS as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslLogin {
    /// The user, as the servers' JAAS file has it behind `user_`.
    pub user: String,
    /// The user's password.
    pub password: Password,
}

impl SaslLogin {
    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> SaslLogin {
        SaslLogin {
            user: user.into(),
            password: Password::new(password),
        }
    }
}

/// How an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection did; another may do better.
    Io(io::Error),
    /// One of the two does not trust the other. Trying again would end the same way.
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

/// Proves who the client is, and that the server knows it. `input` may hold what came along with
/// the handshake's answer.
pub(super) async fn authenticate(
    stream: &mut Stream,
    input: &mut BytesMut,
    login: &SaslLogin,
) -> Result<(), Failure> {
    let challenge = exchange(stream, input, Xid(1), b"", login).await?;
    let mut random = [0; CNONCE_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let distrust = |why: crate::sasl::login::Distrust| Failure::Refused(why.to_string());
    let answer = answer(&challenge, &login.user, &login.password, random).map_err(distrust)?;
    let proof = exchange(stream, input, Xid(2), &answer.token, login).await?;
    answer.is_proven_by(&proof).map_err(distrust)
}

/// Sends one token and waits for the server's.
async fn exchange(
    stream: &mut Stream,
    input: &mut BytesMut,
    xid: Xid,
    token: &[u8],
    login: &SaslLogin,
) -> Result<Vec<u8>, Failure> {
    let mut out = BytesMut::new();
    Request::Sasl { token }.frame(xid, &mut out);
    stream.writer.write_all(&out).await?;
    stream.writer.flush().await?;
    let frames = Frames::new(REPLY_BYTES_MAX);
    let frame = loop {
        match frames.next(input).map_err(io::Error::other)? {
            Some(frame) => break frame,
            None if stream.reader.read_buf(input).await? == 0 => {
                let what = "the server closed the connection during SASL";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into());
            }
            None => {}
        }
    };
    let malformed = |_| io::Error::other("the server's answer to SASL is malformed");
    let mut r = Reader::new(&frame);
    let answered = Xid(r.i32().map_err(malformed)?);
    let (_, err) = (r.i64().map_err(malformed)?, r.i32().map_err(malformed)?);
    if answered != xid {
        return Err(io::Error::other("the server answers something else than SASL").into());
    }
    let user = &login.user;
    if err != 0 {
        let code = Code::from_number(err).map_or("unknown", Code::name);
        let what = format!("the server refused the SASL user {user} or the password ({code})");
        return Err(Failure::Refused(what));
    }
    match r.buffer().map_err(malformed)? {
        Some(token) => Ok(token.to_vec()),
        None => Err(Failure::Refused(format!(
            "the server took no SASL login of {user}: it has no users \
             (java.security.auth.login.config), or goes on with those that fail \
             (allowSaslFailedClients)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientConfig;
    use crate::proto::SessionId;

    /// CVE-2026-24308: clients logged the secrets of their configuration.
    #[test]
    fn cve_2026_24308_a_client_configuration_shows_no_secret() {
        let config = ClientConfig {
            auth: vec![("digest".to_owned(), b"ann:canary".to_vec())],
            sasl: Some(SaslLogin::new("bob", "canary")),
            session: Some((SessionId(7), *b"canarycanarycana")),
            ..ClientConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(shown.contains("bob") && shown.contains("digest"), "{shown}");
        // As text, or as numbers.
        assert!(
            !shown.contains("canary") && !shown.contains("99, 97, 110"),
            "{shown}"
        );
    }
}
