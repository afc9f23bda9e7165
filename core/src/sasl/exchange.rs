//! What a server makes of the tokens of one connection.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use crate::sasl::directives::{Directives, Syntax};
use crate::sasl::response::{NONCE_COUNT, QOP, Terms, hex};
use crate::sasl::{Password, REALM, SERVICE, TOKEN_BYTES_MAX};

/// Random bytes in a nonce.
pub(crate) const NONCE_BYTES: usize = 32;

/// Where a connection stands. There is one exchange in its life, so that exchanges need no other
/// limit than connections have.
#[derive(Debug, Default)]
pub(crate) enum Exchange {
    /// No token has come.
    #[default]
    New,
    /// The challenge with this nonce has been sent.
    Challenged(String),
    /// Somebody was proven or refused; either way it is over.
    Over,
}

/// What a token came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Send this and wait for the answer.
    Challenge(Vec<u8>),
    /// The client knows this user's password. Send the token, which proves that we do too.
    Proven {
        /// Who it is.
        user: String,
        /// What shows that the server knows the password.
        token: Vec<u8>,
    },
}

/// Why a client is refused. For the server's log only: the client hears no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not the syntax of a token.
    #[error("malformed token: {0}")]
    Syntax(#[from] Syntax),
    /// A directive is missing.
    #[error("the token has no {0}")]
    Missing(&'static str),
    /// A directive says something else than it must.
    #[error("the token's {0} is not what was offered")]
    Mismatch(&'static str),
    /// There is no such user, or the password is another.
    #[error("wrong user or password")]
    Wrong,
    /// One exchange is what a connection has.
    #[error("a token after the exchange was over")]
    Over,
}

impl Exchange {
    /// Takes the next token of the connection. `random` becomes the nonce, if one is due.
    pub(crate) fn step(
        &mut self,
        token: &[u8],
        random: impl FnOnce() -> [u8; NONCE_BYTES],
        users: &BTreeMap<String, Password>,
    ) -> Result<Outcome, Refusal> {
        match std::mem::replace(self, Exchange::Over) {
            // Whatever is in the first token: it can only ask for a challenge.
            Exchange::New => {
                let nonce = hex(&random());
                let challenge =
                    format!("realm=\"{REALM}\",nonce=\"{nonce}\",charset=utf-8,algorithm=md5-sess");
                *self = Exchange::Challenged(nonce);
                Ok(Outcome::Challenge(challenge.into_bytes()))
            }
            Exchange::Challenged(nonce) => prove(token, &nonce, users),
            Exchange::Over => Err(Refusal::Over),
        }
    }
}

/// Whether a token answers the challenge with this nonce.
fn prove(
    token: &[u8],
    nonce: &str,
    users: &BTreeMap<String, Password>,
) -> Result<Outcome, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Syntax::TooLong.into());
    }
    let said = Directives::parse(token)?;
    let given = |name: &'static str| said.one(name)?.ok_or(Refusal::Missing(name));
    same(&said, "charset", "utf-8", Some("utf-8"))?;
    same(&said, "realm", REALM, None)?;
    same(&said, "nonce", nonce, None)?;
    same(&said, "nc", NONCE_COUNT, Some(NONCE_COUNT))?;
    same(&said, "qop", QOP, Some(QOP))?;
    let uri = same(&said, "digest-uri", &format!("{SERVICE}/{REALM}"), None)?;
    let maxbuf = said.one("maxbuf")?.unwrap_or("65536");
    if maxbuf.parse::<u32>().is_err() {
        return Err(Refusal::Mismatch("maxbuf"));
    }
    let authzid = said.one("authzid")?;
    if authzid.is_some_and(str::is_empty) {
        return Err(Refusal::Missing("authzid"));
    }
    let (user, cnonce, response) = (given("username")?, given("cnonce")?, given("response")?);
    // An unknown user takes as long as a known one.
    let nobody = Password::new("");
    let known = users.get(user).filter(|_| !user.is_empty());
    let terms = Terms {
        user,
        password: known.unwrap_or(&nobody),
        nonce,
        cnonce,
        authzid,
        uri,
    };
    let equal = terms.of_client().as_bytes().ct_eq(response.as_bytes());
    if !bool::from(equal) || known.is_none() {
        return Err(Refusal::Wrong);
    }
    Ok(Outcome::Proven {
        user: user.to_owned(),
        token: format!("rspauth={}", terms.of_server()).into_bytes(),
    })
}

/// The value of a directive that must be `want`; `default` if it is not given.
fn same<'d>(
    said: &'d Directives,
    name: &'static str,
    want: &str,
    default: Option<&'static str>,
) -> Result<&'d str, Refusal> {
    let value = said.one(name)?.or(default).ok_or(Refusal::Missing(name))?;
    let equal = match name {
        "digest-uri" | "charset" => value.eq_ignore_ascii_case(want),
        _ => value == want,
    };
    equal.then_some(value).ok_or(Refusal::Mismatch(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> BTreeMap<String, Password> {
        [
            ("bob", "bobsecret"),
            ("super", "x"),
            ("j\u{fc}rgen", "p\u{e4}ss"),
        ]
        .map(|(user, password)| (user.to_owned(), Password::new(password)))
        .into()
    }

    fn challenged() -> (Exchange, String) {
        let mut exchange = Exchange::default();
        let outcome = exchange.step(b"", || [7; NONCE_BYTES], &users());
        let nonce = "07".repeat(NONCE_BYTES);
        let challenge =
            format!("realm=\"zk-sasl-md5\",nonce=\"{nonce}\",charset=utf-8,algorithm=md5-sess");
        assert_eq!(outcome, Ok(Outcome::Challenge(challenge.into_bytes())));
        (exchange, nonce)
    }

    /// A client's answer, right but for the directives that `change` touches before the hash.
    struct Answer {
        user: &'static str,
        password: &'static str,
        said: Vec<(&'static str, String)>,
    }

    fn answer(nonce: &str) -> Answer {
        let said = [
            ("charset", "utf-8"),
            ("username", "\"bob\""),
            ("realm", "\"zk-sasl-md5\""),
            ("nonce", &format!("\"{nonce}\"")),
            ("nc", "00000001"),
            ("cnonce", "\"abc\""),
            ("digest-uri", "\"zookeeper/zk-sasl-md5\""),
            ("maxbuf", "65536"),
            ("qop", "auth"),
        ];
        Answer {
            user: "bob",
            password: "bobsecret",
            said: said.map(|(name, value)| (name, value.to_owned())).into(),
        }
    }

    impl Answer {
        fn set(mut self, name: &'static str, value: &str) -> Answer {
            self.said.retain(|(known, _)| *known != name);
            self.said.push((name, value.to_owned()));
            self
        }

        fn drop(mut self, name: &str) -> Answer {
            self.said.retain(|(known, _)| *known != name);
            self
        }

        fn by(mut self, user: &'static str, password: &'static str) -> Answer {
            (self.user, self.password) = (user, password);
            self.set("username", &format!("\"{user}\""))
        }

        fn token(&self) -> String {
            let said = |name: &str| {
                let found = self.said.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.trim_matches('"').to_owned())
            };
            let (nonce, cnonce, uri) = (said("nonce"), said("cnonce"), said("digest-uri"));
            let authzid = said("authzid");
            let password = Password::new(self.password);
            let terms = Terms {
                user: self.user,
                password: &password,
                nonce: &nonce.unwrap_or_default(),
                cnonce: &cnonce.unwrap_or_default(),
                authzid: authzid.as_deref(),
                uri: &uri.unwrap_or_default(),
            };
            let mut token: Vec<String> = self
                .said
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            if said("response").is_none() {
                token.push(format!("response={}", terms.of_client()));
            }
            token.join(",")
        }
    }

    fn outcome(change: impl FnOnce(Answer) -> String) -> Result<String, Refusal> {
        let (mut exchange, nonce) = challenged();
        let token = change(answer(&nonce));
        let outcome = exchange.step(token.as_bytes(), || [8; NONCE_BYTES], &users());
        let again = exchange.step(token.as_bytes(), || [8; NONCE_BYTES], &users());
        assert_eq!(again, Err(Refusal::Over));
        match outcome? {
            Outcome::Proven { user, .. } => Ok(user),
            Outcome::Challenge(_) => panic!("a second challenge"),
        }
    }

    /// Each line was answered so by Apache ZooKeeper 3.8.0.
    #[test]
    fn answers_are_judged_as_zookeeper_judges_them() {
        type Change = fn(Answer) -> String;
        let accepted: [(&str, Change); 15] = [
            ("plain", |a| a.token()),
            ("no charset", |a| a.drop("charset").token()),
            ("no qop", |a| a.drop("qop").token()),
            ("no nc", |a| a.drop("nc").token()),
            ("no maxbuf", |a| a.drop("maxbuf").token()),
            ("quoted qop", |a| a.set("qop", "\"auth\"").token()),
            ("quoted nc", |a| a.set("nc", "\"00000001\"").token()),
            ("upper host", |a| {
                a.set("digest-uri", "\"zookeeper/ZK-SASL-MD5\"").token()
            }),
            ("authzid", |a| a.set("authzid", "\"bob\"").token()),
            ("authzid of another", |a| {
                a.set("authzid", "\"super\"").token()
            }),
            ("empty cnonce", |a| a.set("cnonce", "\"\"").token()),
            ("unknown directive", |a| a.set("foo", "\"bar\"").token()),
            ("unquoted", |a| a.token().replace('"', "")),
            ("upper name", |a| a.token().replace("username", "USERNAME")),
            ("blanks", |a| a.token().replace(',', " , ")),
        ];
        for (what, change) in accepted {
            assert_eq!(outcome(change), Ok("bob".to_owned()), "{what}");
        }
        let refused: [(&str, Change); 18] = [
            ("wrong password", |a| a.by("bob", "x").token()),
            ("unknown charset", |a| a.set("charset", "latin1").token()),
            ("auth-int", |a| a.set("qop", "auth-int").token()),
            ("no realm", |a| a.drop("realm").token()),
            ("empty realm", |a| a.set("realm", "\"\"").token()),
            ("other realm", |a| a.set("realm", "\"x\"").token()),
            ("other host", |a| {
                a.set("digest-uri", "\"zookeeper/x\"").token()
            }),
            ("longer uri", |a| {
                a.set("digest-uri", "\"zookeeper/zk-sasl-md5/x\"").token()
            }),
            ("other protocol", |a| {
                a.set("digest-uri", "\"imap/zk-sasl-md5\"").token()
            }),
            ("no uri", |a| a.drop("digest-uri").token()),
            ("second use", |a| a.set("nc", "00000002").token()),
            ("other nonce", |a| a.set("nonce", "\"aa\"").token()),
            ("no cnonce", |a| a.drop("cnonce").token()),
            ("empty authzid", |a| a.set("authzid", "\"\"").token()),
            ("two users", |a| a.token() + ",username=\"bob\""),
            ("upper response", |a| {
                let token = a.token();
                let (head, response) = token.rsplit_once('=').unwrap();
                format!("{head}={}", response.to_uppercase())
            }),
            ("nothing", |_| String::new()),
            ("too long", |a| {
                format!("{},x=\"{}\"", a.token(), "y".repeat(TOKEN_BYTES_MAX))
            }),
        ];
        for (what, change) in refused {
            assert!(outcome(change).is_err(), "{what}");
        }
    }

    /// Apache ZooKeeper 3.8.0 takes a name that it does not know for authentic if it comes with the
    /// password of whoever came before.
    #[test]
    fn a_name_that_is_not_listed_is_nobody_whatever_the_password() {
        assert_eq!(outcome(|a| a.token()), Ok("bob".to_owned()));
        for password in ["bobsecret", "", "x"] {
            let (mut exchange, nonce) = challenged();
            let mut eve = answer(&nonce).by("eve", "");
            eve.password = password;
            let got = exchange.step(eve.token().as_bytes(), || [8; NONCE_BYTES], &users());
            assert_eq!(got, Err(Refusal::Wrong), "{password:?}");
        }
        assert!(outcome(|a| a.by("", "").token()).is_err());
    }

    /// CVE-2023-44981: who left a part of the identity out was not checked at all.
    #[test]
    fn cve_2023_44981_an_answer_without_one_of_its_parts_is_refused() {
        for part in ["username", "realm", "nonce", "cnonce", "digest-uri"] {
            let got = outcome(|a| a.drop(part).token());
            assert!(got.is_err(), "{part}");
        }
        let got = outcome(|a| a.set("response", "\"\"").token());
        assert_eq!(got, Err(Refusal::Wrong));
    }

    #[test]
    fn the_server_proves_that_it_knows_the_password_too() {
        let (mut exchange, nonce) = challenged();
        let answer = answer(&nonce).by("j\u{fc}rgen", "p\u{e4}ss");
        let outcome = exchange.step(answer.token().as_bytes(), || [8; NONCE_BYTES], &users());
        let password = Password::new("p\u{e4}ss");
        let terms = Terms {
            user: "j\u{fc}rgen",
            password: &password,
            nonce: &nonce,
            cnonce: "abc",
            authzid: None,
            uri: "zookeeper/zk-sasl-md5",
        };
        let token = format!("rspauth={}", terms.of_server()).into_bytes();
        let user = "j\u{fc}rgen".to_owned();
        assert_eq!(outcome, Ok(Outcome::Proven { user, token }));
    }

    #[test]
    fn no_bytes_make_an_exchange_panic() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..2_000 {
            let (mut exchange, nonce) = challenged();
            let mut token = answer(&nonce).token().into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..token.len());
                token[at] = random.u8(..);
            }
            let _ = exchange.step(&token, || [8; NONCE_BYTES], &users());
        }
    }
}
