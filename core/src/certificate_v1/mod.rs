//! Certificates of X.509's first version: a name, a key, a time and a signature, and no extensions.
//!
//! `openssl x509 -req` makes them unless it is given extensions, so many ensembles show them, and
//! Java takes them; rustls does not. What lives here: reading them, whether one is trusted and for
//! which host, what its key has signed, and showing one. What does not: certificates of version 3.
//! To whatever is not to the letter of version 1 this room says [`V1::read`]` == None`, and rustls
//! judges it as it always does.
//!
//! Invariant: a certificate of version 1 speaks for itself alone. It is trusted if an authority of
//! the trust store has signed it directly, or if the store holds this very certificate, and only in
//! its time; nothing is ever trusted because of one that a peer has shown.
//!
//! Java takes more: certificates of version 2; authorities between the store's and a certificate of
//! version 1, and a self-issued one of version 1 right below the store's as such; every one of
//! version 1 in the store as an authority, and one that is in the store although its time is over;
//! names of issuers in other letters; hosts by a wildcard, or by the last of several common names.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, DigitallySignedStruct, Error, InconsistentKeys, PeerMisbehaved};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

#[cfg(test)]
pub(crate) mod test;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// A certificate of version 1, its parts as they are encoded.
///
/// ```text
/// SEQUENCE {
///   SEQUENCE {                            signed
///     INTEGER                             the serial number; later versions begin otherwise
///     SEQUENCE                            algorithm, the same as below
///     SEQUENCE                            issuer
///     SEQUENCE { time, time }             not_before, not_after
///     SEQUENCE                            subject
///     SEQUENCE { SEQUENCE, BIT STRING }   key
///   }                                     later versions have more
///   SEQUENCE                              algorithm
///   BIT STRING                            signature
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct V1<'a> {
    whole: &'a [u8],
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    not_before: i64,
    not_after: i64,
    subject: &'a [u8],
    key: &'a [u8],
}

/// One value in DER.
struct Value<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// Takes the value with this tag from the front of `rest`.
fn take<'a>(rest: &mut &'a [u8], tag: u8) -> Option<Value<'a>> {
    let from = *rest;
    if from.first() != Some(&tag) {
        return None;
    }
    let (behind, value) = Any::from_der(from).ok()?;
    *rest = behind;
    Some(Value {
        whole: &from[..from.len() - behind.len()],
        content: value.data,
    })
}

/// The content of the one value with this tag, with nothing behind it.
fn only(mut der: &[u8], tag: u8) -> Option<&[u8]> {
    let value = take(&mut der, tag)?;
    der.is_empty().then_some(value.content)
}

/// Algorithm and bits of a key, or of a signature: how both end.
fn algorithm_and_bits(mut der: &[u8]) -> Option<(&[u8], &[u8])> {
    let algorithm = take(&mut der, SEQUENCE)?.content;
    let (unused, bits) = only(der, BIT_STRING)?.split_first()?;
    (*unused == 0).then_some((algorithm, bits))
}

impl<'a> V1<'a> {
    /// `None`: it is something else, and nothing in here applies to it.
    pub(crate) fn read(certificate: &'a [u8]) -> Option<V1<'a>> {
        let mut rest = only(certificate, SEQUENCE)?;
        let Value {
            whole: signed,
            content: mut fields,
        } = take(&mut rest, SEQUENCE)?;
        let (algorithm, signature) = algorithm_and_bits(rest)?;
        take(&mut fields, INTEGER)?;
        let named_inside = take(&mut fields, SEQUENCE)?.content;
        let issuer = take(&mut fields, SEQUENCE)?.whole;
        let validity = take(&mut fields, SEQUENCE)?.content;
        let subject = take(&mut fields, SEQUENCE)?.whole;
        let key = take(&mut fields, SEQUENCE)?.whole;
        let (validity, not_before) = ASN1Time::from_der(validity).ok()?;
        let (validity, not_after) = ASN1Time::from_der(validity).ok()?;
        if !(fields.is_empty() && validity.is_empty()) || named_inside != algorithm {
            return None;
        }
        Some(V1 {
            whole: certificate,
            signed,
            algorithm,
            signature,
            issuer,
            not_before: not_before.timestamp(),
            not_after: not_after.timestamp(),
            subject,
            key,
        })
    }

    fn check_time(&self, now: UnixTime) -> Result<(), Error> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < self.not_before {
            Err(CertificateError::NotValidYet.into())
        } else if now > self.not_after {
            Err(CertificateError::Expired.into())
        } else {
            Ok(())
        }
    }

    /// Whether it is for a host: its only common name is the host's name or address.
    ///
    /// Without alternative names this is the one place that can say so, and where Java looks then.
    pub(crate) fn check_host(&self, host: &ServerName<'_>) -> Result<(), Error> {
        let name = X509Name::from_der(self.subject).ok();
        let common = name.as_ref().and_then(|(_, name)| {
            let mut common = name.iter_common_name();
            let first = common.next()?.as_str().ok()?;
            common.next().is_none().then_some(first)
        });
        match common.and_then(|common| ServerName::try_from(common).ok()) {
            Some(common) if common == *host => Ok(()),
            _ => Err(CertificateError::NotValidForNameContext {
                expected: host.to_owned(),
                presented: common.iter().map(|common| format!("CN={common}")).collect(),
            }
            .into()),
        }
    }
}

/// What a trust store says about certificates of version 1.
#[derive(Debug, Clone)]
pub(crate) struct Authorities {
    signers: Arc<[Signer]>,
    /// Those of version 1 in the store, each trusted as it is.
    named: Arc<[CertificateDer<'static>]>,
}

/// An authority.
#[derive(Debug)]
struct Signer {
    subject: Vec<u8>,
    key: Vec<u8>,
}

impl Signer {
    /// One of version 1 that has signed itself, as roots do, or one of version 3 that says it may.
    fn new(certificate: &CertificateDer<'static>) -> Option<Signer> {
        let Some(v1) = V1::read(certificate) else {
            return Signer::v3(certificate);
        };
        (v1.subject == v1.issuer).then(|| Signer {
            subject: v1.subject.to_vec(),
            key: v1.key.to_vec(),
        })
    }

    /// One that may sign others' certificates, of whatever name.
    fn v3(certificate: &[u8]) -> Option<Signer> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let usage = parsed.key_usage().ok()?;
        let may_sign = usage.is_none_or(|usage| usage.value.key_cert_sign());
        let any_name = parsed.name_constraints().ok()?.is_none();
        (parsed.is_ca() && may_sign && any_name).then(|| Signer {
            subject: parsed.tbs_certificate.subject.as_raw().to_vec(),
            key: parsed.tbs_certificate.subject_pki.raw.to_vec(),
        })
    }
}

impl Authorities {
    /// Those among the certificates of a trust store.
    pub(crate) fn among(trusted: &[CertificateDer<'static>]) -> Authorities {
        let named = trusted.iter().filter(|it| V1::read(it).is_some());
        Authorities {
            signers: trusted.iter().filter_map(Signer::new).collect(),
            named: named.cloned().collect(),
        }
    }

    /// Whether a certificate is trusted now.
    pub(crate) fn check(
        &self,
        shown: &V1<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        shown.check_time(now)?;
        if self.named.iter().any(|named| **named == *shown.whole) {
            return Ok(());
        }
        let mut verdict = Err(CertificateError::UnknownIssuer.into());
        // An authority may have had several keys under its name.
        for signer in self.signers.iter().filter(|it| it.subject == shown.issuer) {
            verdict = verify(&signer.key, shown, algorithms);
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }
}

/// Whether `key` has signed a certificate.
fn verify(key: &[u8], shown: &V1<'_>, algorithms: &WebPkiSupportedAlgorithms) -> Result<(), Error> {
    let named = algorithms.all.iter().copied();
    let named = named.filter(|algorithm| *algorithm.signature_alg_id() == *shown.algorithm);
    verify_by(named, key, shown.signed, shown.signature)
}

/// Whether `key` has made a signature, by the first of these algorithms that is for such keys.
fn verify_by(
    algorithms: impl Iterator<Item = &'static dyn SignatureVerificationAlgorithm>,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let key = only(key, SEQUENCE).and_then(algorithm_and_bits);
    let (kind, bits) = key.ok_or(CertificateError::BadEncoding)?;
    let mut fitting = algorithms.filter(|algorithm| *algorithm.public_key_alg_id() == *kind);
    let verified = fitting
        .next()
        .map(|algorithm| algorithm.verify_signature(bits, message, signature));
    match verified {
        Some(Ok(())) => Ok(()),
        // Of an algorithm that is not supported, or not this key's.
        Some(Err(_)) | None => Err(CertificateError::BadSignature.into()),
    }
}

/// Whether the key of a certificate, of either version, has signed a handshake of TLS 1.2.
pub(crate) fn verify_tls12_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(v1) = V1::read(certificate) else {
        return rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms);
    };
    let mut offered = algorithms.mapping.iter();
    let (_, named) = offered
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    verify_by(named.iter().copied(), v1.key, message, signed.signature())?;
    Ok(HandshakeSignatureValid::assertion())
}

/// Whether the key of a certificate, of either version, has signed a handshake of TLS 1.3.
pub(crate) fn verify_tls13_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(v1) = V1::read(certificate) else {
        return rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms);
    };
    let key = SubjectPublicKeyInfoDer::from(v1.key);
    rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
}

/// What is needed to show a certificate, of either version: it and its key, which must belong
/// together.
pub(crate) fn shown(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, Error> {
    let first = chain.first().ok_or(Error::NoCertificatesPresented)?;
    let certified = match V1::read(first).map(|v1| SubjectPublicKeyInfoDer::from(v1.key)) {
        None => CertifiedKey::from_der(chain, key, provider)?,
        Some(shown) => {
            let key = provider.key_provider.load_private_key(key)?;
            if key.public_key().as_ref() != Some(&shown) {
                return Err(InconsistentKeys::KeyMismatch.into());
            }
            CertifiedKey::new(chain, key)
        }
    };
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}
