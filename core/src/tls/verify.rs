//! Who is trusted: chains to an authority, certificates that the trust store names themselves, and
//! hosts.
//!
//! A host is looked for in the certificate's subject alternative names and nowhere else: names
//! are not resolved, and addresses are not looked up backwards, so that no answer of a name server
//! lets anybody pass. Certificates of version 1 have no such names; theirs is their common name, and
//! all else about them is `certificate_v1`'s.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};
use x509_parser::certificate::BasicExtension;
use x509_parser::prelude::{FromDer, KeyUsage, X509Certificate};

use crate::certificate_v1::{self, Authorities, V1};

/// Whether a certificate is one of `host`, a name or an address without a port.
pub(crate) fn is_for_host(certificate: &[u8], host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(name) = ServerName::try_from(host) else {
        return false;
    };
    check_host(&CertificateDer::from(certificate), &name).is_ok()
}

fn check_host(
    certificate: &CertificateDer<'_>,
    host: &ServerName<'_>,
) -> Result<(), rustls::Error> {
    match V1::read(certificate) {
        Some(v1) => v1.check_host(host),
        None => {
            let parsed = ParsedCertificate::try_from(certificate)?;
            rustls::client::verify_server_name(&parsed, host)
        }
    }
}

/// The encoded name of whom a certificate is for.
pub(crate) fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.tbs_certificate.subject.as_raw())
}

/// Whether rustls may take others' certificates on its word: one of version 1, where nobody can
/// tell, or one that says so.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    if V1::read(certificate).is_some() {
        return true;
    }
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let may_sign = |usage: Option<BasicExtension<&KeyUsage>>| {
        usage.is_none_or(|usage| usage.value.key_cert_sign())
    };
    parsed.is_ca() && parsed.key_usage().is_ok_and(may_sign)
}

/// Whom a trust store names.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    /// Those who may sign others' certificates, which Java asks of an authority, too.
    roots: Arc<RootCertStore>,
    /// The names of all, which whoever connects chooses its certificate by.
    subjects: Arc<[DistinguishedName]>,
    /// Everybody in the store, also by itself: self-signed certificates are put there as they are,
    /// and many of them call themselves authorities.
    named: Arc<[CertificateDer<'static>]>,
    /// Those whose certificates of version 1 are taken.
    authorities: Authorities,
}

impl Trust {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Trust, String> {
        let mut all = RootCertStore::empty();
        let (added, _) = all.add_parsable_certificates(certificates.iter().cloned());
        if added == 0 {
            return Err("none of its certificates can be used".to_owned());
        }
        let mut roots = RootCertStore::empty();
        let authorities = certificates.iter().filter(|it| is_authority(it));
        roots.add_parsable_certificates(authorities.cloned());
        Ok(Trust {
            roots: Arc::new(roots),
            subjects: all.subjects().into(),
            authorities: Authorities::among(&certificates),
            named: certificates.into(),
        })
    }

    /// The verdict on those that rustls does not judge: of version 1, or in the store themselves.
    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Option<Result<(), rustls::Error>> {
        match V1::read(certificate) {
            Some(v1) => Some(self.authorities.check(&v1, now, algorithms)),
            None => self.names(certificate, now),
        }
    }

    /// Whether the store names this very certificate, and it is valid now.
    fn names(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Option<Result<(), rustls::Error>> {
        self.named.iter().find(|named| *named == certificate)?;
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Some(Err(CertificateError::BadEncoding.into()));
        };
        let validity = &parsed.tbs_certificate.validity;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        Some(if now < validity.not_before.timestamp() {
            Err(CertificateError::NotValidYet.into())
        } else if now > validity.not_after.timestamp() {
            Err(CertificateError::Expired.into())
        } else {
            Ok(())
        })
    }

    /// Checks those who connect to us; with `optional` they may stay unknown.
    pub(super) fn of_clients(
        &self,
        optional: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let build = || {
            let roots = Arc::clone(&self.roots);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build()
        };
        let chain = (!self.roots.is_empty()).then(build).transpose();
        Ok(Arc::new(Clients {
            trust: self.clone(),
            chain: chain.map_err(|error| error.to_string())?,
            mandatory: !optional,
            algorithms: provider.signature_verification_algorithms,
        }))
    }

    /// Checks those whom we connect to; without `check_host` each may be any of the trusted.
    pub(super) fn of_servers(
        &self,
        check_host: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let build = || {
            let roots = Arc::clone(&self.roots);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build()
        };
        let chain = (!self.roots.is_empty()).then(build).transpose();
        Ok(Arc::new(Servers {
            trust: self.clone(),
            chain: chain.map_err(|error| error.to_string())?,
            algorithms: provider.signature_verification_algorithms,
            check_host,
        }))
    }
}

#[derive(Debug)]
struct Clients {
    trust: Trust,
    /// `None`: there is no authority.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match (
            self.trust.judge(end_entity, now, &self.algorithms),
            &self.chain,
        ) {
            (Some(verdict), _) => verdict.map(|()| ClientCertVerified::assertion()),
            (None, Some(chain)) => chain.verify_client_cert(end_entity, intermediates, now),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.trust.subjects
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[derive(Debug)]
struct Servers {
    trust: Trust,
    /// `None`: there is no authority.
    chain: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    check_host: bool,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let verified = match (
            self.trust.judge(end_entity, now, &self.algorithms),
            &self.chain,
        ) {
            (Some(verdict), _) => verdict.and_then(|()| {
                check_host(end_entity, server_name)?;
                Ok(ServerCertVerified::assertion())
            }),
            (None, Some(chain)) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        };
        match verified {
            // The name is the last thing looked at: whoever fails there has passed all else.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) if !self.check_host => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate_v1::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
