//! The hashes by which each side shows that it knows the password.

use md5::{Digest, Md5};

use crate::sasl::{Password, REALM};

/// What both sides put into their hashes.
pub(super) struct Terms<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a Password,
    pub(super) nonce: &'a str,
    pub(super) cnonce: &'a str,
    pub(super) authzid: Option<&'a str>,
    pub(super) uri: &'a str,
}

/// The client has used the nonce once: a second time is a replay.
pub(super) const NONCE_COUNT: &str = "00000001";

/// Authentication only: nothing that follows is signed or encrypted.
pub(super) const QOP: &str = "auth";

impl Terms<'_> {
    /// What the client sends as `response`.
    pub(super) fn of_client(&self) -> String {
        self.hash(&format!("AUTHENTICATE:{}", self.uri))
    }

    /// What the server sends as `rspauth`.
    pub(super) fn of_server(&self) -> String {
        self.hash(&format!(":{}", self.uri))
    }

    fn hash(&self, a2: &str) -> String {
        let mut secret = Md5::new();
        secret.update(narrow(self.user));
        secret.update(format!(":{REALM}:"));
        secret.update(narrow(self.password.as_str()));
        let mut a1 = Md5::new();
        a1.update(secret.finalize());
        a1.update(format!(":{}:{}", self.nonce, self.cnonce));
        if let Some(authzid) = self.authzid {
            a1.update(format!(":{authzid}"));
        }
        let (a1, a2) = (hex(&a1.finalize()), hex(&Md5::digest(a2)));
        let (nonce, cnonce) = (self.nonce, self.cnonce);
        hex(&Md5::digest(format!(
            "{a1}:{nonce}:{NONCE_COUNT}:{cnonce}:{QOP}:{a2}"
        )))
    }
}

/// Text as it is hashed: ISO 8859-1 if it can be, UTF-8 if not (RFC 2831, 2.1.2.1).
fn narrow(text: &str) -> Vec<u8> {
    let narrowed: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    narrowed.unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Apache ZooKeeper 3.8.0 took and answered them.
    #[test]
    fn hashes_are_those_of_java() {
        let password = Password::new("bobsecret");
        let terms = Terms {
            user: "bob",
            password: &password,
            nonce: "XTJnGcl5Ti/1/PqfNXiK2xNBJFF7/WrlFlsxBlSi",
            cnonce: "abc",
            authzid: None,
            uri: "zookeeper/zk-sasl-md5",
        };
        assert_eq!(terms.of_client(), "a5296d51b2e8352367292f7c8997b713");
        assert_eq!(terms.of_server(), "ff54eb5a64697f8d4e9aabdea6022f30");
        let terms = Terms {
            nonce: "dKW+pkiWbCOuWuwVL6dTCpZeOqgFZuQ1WgsgYPbk",
            authzid: Some("bob"),
            ..terms
        };
        assert_eq!(terms.of_client(), "409259e4b47ec05fa4c770f73428550f");
        assert_eq!(terms.of_server(), "9126bf7ba25bf7f7c49c3d294d48fde4");
    }

    #[test]
    fn names_are_hashed_as_latin1_where_they_can_be() {
        assert_eq!(narrow("j\u{fc}"), b"j\xfc");
        assert_eq!(narrow("\u{142}uk"), "\u{142}uk".as_bytes());
        assert_eq!(narrow(""), b"");
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        assert_eq!(hex(&[0, 0x7f, 0xa5, 0xff]), "007fa5ff");
    }
}
