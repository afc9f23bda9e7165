//! Whom the server trusts among those whose certificates are of X.509's version 1, as a server and
//! as the one who connects; and that handshakes prove who has the key.

use std::io::{Read, Write};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use super::verify::{Trust, is_for_host};
use crate::certificate_v1::test::{Draft, Party, other_versions};

const HOST: &str = "zoo.example";

/// The first second of a year of this century.
fn year(year: u64) -> UnixTime {
    let days = year * 365 + year.div_ceil(4);
    UnixTime::since_unix_epoch(Duration::from_secs(946_684_800 + days * 86_400))
}

/// What both roles say to this chain in 2026, if the store holds `trusted`.
fn judge(trusted: &[CertificateDer<'static>], chain: &[CertificateDer<'static>]) -> Verdict {
    judge_in(26, trusted, chain)
}

type Verdict = Result<(), Error>;

fn judge_in(
    at: u64,
    trusted: &[CertificateDer<'static>],
    chain: &[CertificateDer<'static>],
) -> Verdict {
    let provider = Arc::new(ring::default_provider());
    let trust = Trust::new(trusted.to_vec()).unwrap();
    let (first, rest) = chain.split_first().unwrap();
    let host = ServerName::try_from(HOST).unwrap();
    let clients = trust.of_clients(false, &provider).unwrap();
    let as_server = clients.verify_client_cert(first, rest, year(at)).map(drop);
    let servers = trust.of_servers(true, &provider).unwrap();
    let as_client = servers.verify_server_cert(first, rest, &host, &[], year(at));
    // Some errors are equal to nothing.
    let (server_says, client_says) = (format!("{as_server:?}"), as_client.map(drop));
    assert_eq!(
        server_says,
        format!("{client_says:?}"),
        "one role is easier"
    );
    as_server
}

fn refused(why: CertificateError) -> Verdict {
    Err(Error::InvalidCertificate(why))
}

/// An authority, and somebody with a certificate of version 1 by it.
fn parties() -> (Party, Party, CertificateDer<'static>) {
    let (root, zoo) = (Party::new("Root"), Party::new(HOST));
    let certificate = root.sign(&zoo, &Draft::default());
    (root, zoo, certificate)
}

#[test]
fn version_1_is_trusted_if_an_authority_has_signed_it() {
    let (root, _, shown) = parties();
    let shown = [shown];
    assert_eq!(judge(&[root.itself_v3(true)], &shown), Ok(()));
    assert_eq!(judge(&[root.itself()], &shown), Ok(()));
    // Beside another one of the same name.
    let other = Party::new("Root").itself_v3(true);
    assert_eq!(judge(&[other, root.itself_v3(true)], &shown), Ok(()));
}

#[test]
fn version_1_is_trusted_if_the_store_holds_it() {
    let (_, zoo, shown) = parties();
    assert_eq!(
        judge(slice::from_ref(&shown), slice::from_ref(&shown)),
        Ok(())
    );
    assert_eq!(judge(&[zoo.itself()], &[zoo.itself()]), Ok(()));
}

#[test]
fn version_1_of_a_wrong_issuer_is_refused() {
    let (_, zoo, shown) = parties();
    let stranger = Party::new("Stranger");
    let trusted = [stranger.itself_v3(true)];
    assert_eq!(
        judge(&trusted, &[shown]),
        refused(CertificateError::UnknownIssuer)
    );
    let itself = zoo.itself();
    assert_eq!(
        judge(&trusted, &[itself]),
        refused(CertificateError::UnknownIssuer)
    );
}

#[test]
fn version_1_out_of_its_time_is_refused_even_if_the_store_holds_it() {
    let (root, zoo, _) = parties();
    let draft = Draft {
        years: (22, 24),
        ..Draft::default()
    };
    let shown = root.sign(&zoo, &draft);
    for trusted in [root.itself_v3(true), shown.clone()] {
        let at = |at| judge_in(at, slice::from_ref(&trusted), slice::from_ref(&shown));
        assert_eq!(at(21), refused(CertificateError::NotValidYet));
        assert_eq!(at(23), Ok(()));
        assert_eq!(at(25), refused(CertificateError::Expired));
    }
}

#[test]
fn version_1_of_a_wrong_signature_is_refused() {
    let (root, zoo, genuine) = parties();
    let trusted = [root.itself_v3(true)];
    // By somebody who calls himself like the authority.
    let forger = Party::new("Root");
    let forged = forger.sign(&zoo, &Draft::default());
    let verdict = judge(&trusted, &[forged]);
    assert_eq!(verdict, refused(CertificateError::BadSignature));
    // With any bit of it changed.
    for bit in 0..genuine.len() * 8 {
        let mut changed = genuine.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let verdict = judge(&trusted, &[changed.into()]);
        assert!(verdict.is_err(), "bit {bit} does not count");
    }
}

#[test]
fn version_1_leads_nobody_else_to_an_authority() {
    let (root, zoo, _) = parties();
    // One of them calls itself like the authority, which Java would take.
    for between in [Party::new("Between"), Party::new("Root")] {
        let link = root.sign(&between, &Draft::default());
        for leaf in [
            between.sign(&zoo, &Draft::default()),
            between.sign_v3(&zoo, false),
        ] {
            let verdict = judge(&[root.itself_v3(true)], &[leaf, link.clone()]);
            assert!(verdict.is_err(), "{}", between.name);
        }
    }
}

/// Java would take it.
#[test]
fn nobody_leads_version_1_to_an_authority() {
    let (root, zoo, _) = parties();
    let between = Party::new("Between");
    let link = root.sign_v3(&between, true);
    let leaf = between.sign(&zoo, &Draft::default());
    let verdict = judge(&[root.itself_v3(true)], &[leaf, link]);
    assert_eq!(verdict, refused(CertificateError::UnknownIssuer));
}

#[test]
fn who_is_no_authority_signs_nobody_although_the_store_holds_it() {
    let (root, zoo, _) = parties();
    let member = Party::new("Member");
    for trusted in [
        member.itself_v3(false),
        root.sign_v3(&member, false),
        root.sign(&member, &Draft::default()),
    ] {
        let leaf = member.sign(&zoo, &Draft::default());
        let verdict = judge(&[trusted], &[leaf]);
        assert_eq!(verdict, refused(CertificateError::UnknownIssuer));
    }
    for trusted in [member.itself_v3(false), root.sign_v3(&member, false)] {
        let leaf = member.sign_v3(&zoo, false);
        for more in [None, Some(root.itself_v3(true))] {
            let trusted = [Some(trusted.clone()), more];
            let trusted: Vec<_> = trusted.into_iter().flatten().collect();
            let verdict = judge(&trusted, slice::from_ref(&leaf));
            assert!(verdict.is_err());
        }
    }
}

#[test]
fn whoever_connects_is_told_of_everybody_in_the_store() {
    let (root, member) = (Party::new("Root"), Party::new("Member"));
    let trusted = vec![root.itself_v3(true), member.itself_v3(false)];
    let trust = Trust::new(trusted).unwrap();
    let provider = Arc::new(ring::default_provider());
    for optional in [false, true] {
        let clients = trust.of_clients(optional, &provider).unwrap();
        assert_eq!(clients.root_hint_subjects().len(), 2);
        assert_eq!(clients.client_auth_mandatory(), !optional);
    }
    // Who is no authority is still trusted itself.
    let named = member.itself_v3(false);
    let trust = Trust::new(vec![named.clone()]).unwrap();
    let clients = trust.of_clients(false, &provider).unwrap();
    let verdict = clients.verify_client_cert(&named, &[], year(26));
    assert_eq!(verdict.map(drop), Ok(()));
}

#[test]
fn version_1_with_fields_of_later_versions_is_refused() {
    let (root, zoo, _) = parties();
    for (version, draft) in other_versions() {
        let shown = root.sign(&zoo, &draft);
        let verdict = judge(&[root.itself_v3(true)], &[shown]);
        assert!(verdict.is_err(), "version {version}");
    }
}

#[test]
fn version_1_of_another_host_is_refused_where_hosts_are_checked() {
    let (root, ..) = parties();
    let shown = root.sign(&Party::new("other.example"), &Draft::default());
    let trust = Trust::new(vec![root.itself_v3(true)]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let host = ServerName::try_from(HOST).unwrap();
    for (check_host, expected) in [
        (
            true,
            refused(CertificateError::NotValidForNameContext {
                expected: host.clone(),
                presented: vec!["CN=other.example".to_owned()],
            }),
        ),
        (false, Ok(())),
    ] {
        let servers = trust.of_servers(check_host, &provider).unwrap();
        let verdict = servers.verify_server_cert(&shown, &[], &host, &[], year(26));
        assert_eq!(verdict.map(drop), expected);
    }
    assert!(is_for_host(&shown, "other.example"));
    assert!(!is_for_host(&shown, HOST));
}

/// What a party shows: a certificate, and whichever key it has.
fn showing(certificate: &CertificateDer<'static>, holder: &Party) -> Arc<SingleCertAndKey> {
    let provider = ring::default_provider();
    let key = provider.key_provider.load_private_key(holder.private_key());
    let certified = CertifiedKey::new(vec![certificate.clone()], key.unwrap());
    Arc::new(SingleCertAndKey::from(certified))
}

/// A handshake of two who trust `root`, in memory.
fn shake(
    version: &'static SupportedProtocolVersion,
    root: &Party,
    server: Arc<SingleCertAndKey>,
    client: Arc<SingleCertAndKey>,
) -> Verdict {
    let provider = Arc::new(ring::default_provider());
    let trust = Trust::new(vec![root.itself_v3(true)]).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(trust.of_clients(false, &provider).unwrap())
        .with_cert_resolver(server);
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(trust.of_servers(true, &provider).unwrap())
        .with_client_cert_resolver(client);
    let host = ServerName::try_from(HOST).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), host).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    client.writer().write_all(b"srvr").unwrap();
    while client.wants_write() || server.wants_write() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).unwrap();
        server.read_tls(&mut sent.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut sent = Vec::new();
        server.write_tls(&mut sent).unwrap();
        client.read_tls(&mut sent.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    let mut heard = [0; 4];
    server.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"srvr");
    Ok(())
}

#[test]
fn version_1_shakes_hands_with_its_own_key_and_with_no_other() {
    let (root, zoo, certificate) = parties();
    let thief = Party::new(HOST);
    let (own, stolen) = (showing(&certificate, &zoo), showing(&certificate, &thief));
    for version in [&TLS12, &TLS13] {
        assert_eq!(shake(version, &root, own.clone(), own.clone()), Ok(()));
        for (server, client) in [(&stolen, &own), (&own, &stolen)] {
            let verdict = shake(version, &root, Arc::clone(server), Arc::clone(client));
            assert_eq!(verdict, refused(CertificateError::BadSignature));
        }
    }
}
