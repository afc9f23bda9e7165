//! Java's own store format, JKS, as `keytool -storetype jks` writes it.
//!
//! ```text
//! store:    0xfeedfeed u32 · version u32 (1, 2) · count u32 · entry* · sha1(password, "Mighty
//!           Aphrodite", all before)
//! entry:    1 u32 · alias · date u64 · key · count u32 · certificate*        a key and its chain
//!           2 u32 · alias · date u64 · certificate                           somebody trusted
//! certificate: kind (version 2 only) · length u32 · DER
//! key:      length u32 · SEQUENCE { algorithm, OCTET STRING { salt 20 · text · check 20 } }
//! alias, kind: length u16 · modified UTF-8                          numbers big-endian
//! ```
//!
//! The key's text is xored with a chain of SHA-1 sums of password and salt. Nobody should rely on
//! that; the file's permissions have to protect it.

use bytes::Buf;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use x509_parser::asn1_rs::{Any, FromDer, OctetString, Sequence};

use crate::tls::store::{Entries, Identity};

/// How a store of this format begins.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

const DIGEST_BYTES: usize = 20;

/// The object identifier of the key's encryption, 1.3.6.1.4.1.42.2.17.1.1, as encoded.
const KEY_PROTECTOR: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];

/// Reads a store. Without a password its checksum is not checked and keys cannot be read.
pub(super) fn read(file: &[u8], password: Option<&str>) -> Result<Entries, String> {
    let password = password.map(utf16);
    let body = match file.len().checked_sub(DIGEST_BYTES) {
        Some(length) => &file[..length],
        None => return Err(CUT.to_owned()),
    };
    if let Some(password) = &password {
        let mut digest = Sha1::new_with_prefix(password);
        digest.update(b"Mighty Aphrodite");
        digest.update(body);
        if !bool::from(digest.finalize().ct_eq(&file[body.len()..])) {
            return Err(
                "its checksum is wrong: the password is another one, or the file is \
                        damaged"
                    .to_owned(),
            );
        }
    }
    let entries = entries(body, password.as_deref()).ok_or_else(|| CUT.to_owned())??;
    Ok(entries)
}

const CUT: &str = "it is no whole JKS store";

/// `None` where the bytes end too early; the inner error is a key that cannot be read.
fn entries(mut body: &[u8], password: Option<&[u8]>) -> Option<Result<Entries, String>> {
    let r = &mut body;
    let (_magic, version, count) = (u32_of(r)?, u32_of(r)?, u32_of(r)?);
    if !(1..=2).contains(&version) {
        return Some(Err(format!("JKS version {version} is not supported")));
    }
    let mut found = Entries::default();
    for _ in 0..count {
        let tag = u32_of(r)?;
        let _alias = short(r)?;
        let _date = take(r, 8)?;
        match tag {
            1 => {
                let key = long(r)?;
                let mut chain = Vec::new();
                for _ in 0..u32_of(r)? {
                    chain.push(certificate(r, version)?);
                }
                found.trusted.extend(chain.first().cloned());
                match password.map(|password| recover(key, password)) {
                    Some(Ok(key)) => found.identities.push(Identity { chain, key }),
                    Some(Err(why)) => return Some(Err(why)),
                    None => {}
                }
            }
            2 => found.trusted.push(certificate(r, version)?),
            other => {
                return Some(Err(format!(
                    "it has an entry of kind {other}, unknown in JKS"
                )));
            }
        }
    }
    r.is_empty().then_some(Ok(found))
}

fn certificate(r: &mut &[u8], version: u32) -> Option<CertificateDer<'static>> {
    if version == 2 {
        short(r)?;
    }
    Some(CertificateDer::from(long(r)?.to_vec()))
}

fn recover(encrypted: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let sealed = sealed(encrypted).ok_or("its key is encrypted in a way that JKS does not use")?;
    let (salt, rest) = sealed.split_at(DIGEST_BYTES);
    let (text, check) = rest.split_at(rest.len() - DIGEST_BYTES);
    let mut last: [u8; DIGEST_BYTES] = salt.try_into().expect("split at this length");
    let mut key = Vec::with_capacity(text.len());
    for block in text.chunks(DIGEST_BYTES) {
        last = Sha1::new_with_prefix(password)
            .chain_update(last)
            .finalize()
            .into();
        key.extend(block.iter().zip(last).map(|(byte, mask)| byte ^ mask));
    }
    let sum = Sha1::new_with_prefix(password)
        .chain_update(&key)
        .finalize();
    if !bool::from(sum.ct_eq(check)) {
        return Err("the password of its key is another one: it must be that of the store".into());
    }
    PrivateKeyDer::try_from(key).map_err(|why| format!("its key cannot be used: {why}"))
}

/// What the key's envelope holds, if it is sealed as we know.
fn sealed(encrypted: &[u8]) -> Option<Vec<u8>> {
    let (rest, envelope) = Sequence::from_der(encrypted).ok()?;
    let (content, algorithm) = Sequence::from_der(&envelope.content).ok()?;
    let (_, kind) = Any::from_der(&algorithm.content).ok()?;
    let (behind, sealed) = OctetString::from_der(content).ok()?;
    let sealed = sealed.as_ref().to_vec();
    let known = rest.is_empty() && behind.is_empty() && kind.data == KEY_PROTECTOR;
    (known && sealed.len() >= 2 * DIGEST_BYTES).then_some(sealed)
}

/// As Java hashes passwords: two bytes a unit.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn take<'a>(r: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    r.split_off(..length)
}

fn u32_of(r: &mut &[u8]) -> Option<u32> {
    r.try_get_u32().ok()
}

fn short<'a>(r: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = r.try_get_u16().ok()?;
    take(r, usize::from(length))
}

fn long<'a>(r: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32_of(r)?;
    take(r, usize::try_from(length).ok()?)
}
