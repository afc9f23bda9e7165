//! What a client answers a challenge with, and how it knows that the server is no impostor.

use subtle::ConstantTimeEq;

use crate::sasl::directives::{Directives, Syntax, quote};
use crate::sasl::response::{NONCE_COUNT, QOP, Terms, hex};
use crate::sasl::{Password, REALM, SERVICE};

/// Random bytes in a client's nonce.
pub(crate) const CNONCE_BYTES: usize = 16;

/// Why a client does not go on with a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    /// Not the syntax of a challenge.
    #[error("the server's token is malformed: {0}")]
    Syntax(#[from] Syntax),
    /// The challenge asks for what this client does not do.
    #[error("the server's challenge has no {0} that this client knows")]
    Unknown(&'static str),
    /// The server could not show that it knows the password.
    #[error("the server did not prove that it knows the user's password")]
    Impostor,
}

/// The answer to a challenge.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The token to send.
    pub(crate) token: Vec<u8>,
    expected: String,
}

/// Answers a server's challenge. `random` makes the answer differ each time.
pub(crate) fn answer(
    challenge: &[u8],
    user: &str,
    password: &Password,
    random: [u8; CNONCE_BYTES],
) -> Result<Answer, Distrust> {
    let said = Directives::parse(challenge)?;
    let nonce = said.one("nonce")?.ok_or(Distrust::Unknown("nonce"))?;
    if said.one("algorithm")? != Some("md5-sess") {
        return Err(Distrust::Unknown("algorithm"));
    }
    if !said.all("realm").any(|realm| realm == REALM) {
        return Err(Distrust::Unknown("realm"));
    }
    let offered = said.one("qop")?.unwrap_or(QOP);
    if !offered.split(',').any(|qop| qop.trim() == QOP) {
        return Err(Distrust::Unknown("qop"));
    }
    let (cnonce, uri) = (hex(&random), format!("{SERVICE}/{REALM}"));
    let terms = Terms {
        user,
        password,
        nonce,
        cnonce: &cnonce,
        authzid: None,
        uri: &uri,
    };
    let token = format!(
        "charset=utf-8,username={},realm=\"{REALM}\",nonce={},nc={NONCE_COUNT},cnonce=\"{cnonce}\",\
         digest-uri=\"{uri}\",maxbuf=65536,response={},qop={QOP}",
        quote(user),
        quote(nonce),
        terms.of_client(),
    );
    Ok(Answer {
        token: token.into_bytes(),
        expected: terms.of_server(),
    })
}

impl Answer {
    /// Whether the server's last token shows that it knows the password.
    pub(crate) fn is_proven_by(&self, token: &[u8]) -> Result<(), Distrust> {
        let said = Directives::parse(token)?;
        let shown = said.one("rspauth")?.unwrap_or_default();
        match bool::from(shown.as_bytes().ct_eq(self.expected.as_bytes())) {
            true => Ok(()),
            false => Err(Distrust::Impostor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str =
        "realm=\"zk-sasl-md5\",nonce=\"n\\\"1\",charset=utf-8,algorithm=md5-sess";

    fn answer_to(challenge: &str) -> Result<Answer, Distrust> {
        let password = Password::new("secret");
        answer(
            challenge.as_bytes(),
            "al\"ice",
            &password,
            [1; CNONCE_BYTES],
        )
    }

    /// Both halves together, where both are built.
    #[cfg(feature = "server")]
    #[test]
    fn our_server_takes_our_client_and_proves_itself() {
        use crate::sasl::{Exchange, NONCE_BYTES, Outcome};
        let users = [("al\"ice".to_owned(), Password::new("secret"))].into();
        let mut exchange = Exchange::default();
        let random = || [3; NONCE_BYTES];
        let Ok(Outcome::Challenge(challenge)) = exchange.step(b"", random, &users) else {
            panic!("no challenge");
        };
        let answer = answer_to(std::str::from_utf8(&challenge).unwrap()).unwrap();
        let Ok(Outcome::Proven { user, token }) = exchange.step(&answer.token, random, &users)
        else {
            panic!("not proven");
        };
        assert_eq!(user, "al\"ice");
        assert_eq!(answer.is_proven_by(&token), Ok(()));
        let forged = b"rspauth=00000000000000000000000000000000";
        assert_eq!(answer.is_proven_by(forged), Err(Distrust::Impostor));
        assert_eq!(answer.is_proven_by(b""), Err(Distrust::Impostor));
    }

    #[test]
    fn what_the_client_does_not_do_is_not_answered() {
        assert!(answer_to(CHALLENGE).is_ok());
        for (from, to, what) in [
            ("nonce", "nonsense", "nonce"),
            ("md5-sess", "md5", "algorithm"),
            ("zk-sasl-md5", "elsewhere", "realm"),
            ("charset=utf-8", "qop=\"auth-int,auth-conf\"", "qop"),
        ] {
            let challenge = CHALLENGE.replace(from, to);
            let error = answer_to(&challenge).unwrap_err();
            assert_eq!(error, Distrust::Unknown(what));
        }
        assert!(answer_to(&CHALLENGE.replace("charset=utf-8", "qop=\"auth, auth-int\"")).is_ok());
        assert!(matches!(answer_to("nonce=\"x"), Err(Distrust::Syntax(_))));
    }
}
