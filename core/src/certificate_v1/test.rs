//! Certificates made on the spot, which no library makes any more, and what is read of them. Who is
//! trusted is shown where it is asked: in `tls` and `client`.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData,
    SigningKey,
};
use rustls::InconsistentKeys;
use rustls::crypto::ring;

use super::*;

/// ECDSA with SHA-256, as an algorithm is written down.
const ECDSA: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
/// With SHA-384.
const ECDSA_384: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03,
];

/// Somebody with a name and a key.
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) key: KeyPair,
}

/// What a certificate is to say beside names and key.
pub(crate) struct Draft {
    /// As years of this century.
    pub(crate) years: (u8, u8),
    /// Further fields in front, for the version, and behind, for what later versions have.
    pub(crate) front: Vec<u8>,
    pub(crate) behind: Vec<u8>,
    /// The algorithm as the signed part names it.
    pub(crate) algorithm: &'static [u8],
}

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            years: (20, 49),
            front: Vec::new(),
            behind: Vec::new(),
            algorithm: ECDSA,
        }
    }
}

/// A value in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut value = vec![tag];
    match content.len() {
        0..=0x7f => value.push(length[1]),
        0x80..=0xff => value.extend([0x81, length[1]]),
        _ => value.extend([0x82, length[0], length[1]]),
    }
    value.extend(content);
    value
}

/// A name of these common names.
fn named(common: &[&str]) -> Vec<u8> {
    let part = |text: &&str| {
        let text = der(0x0c, &[text.as_bytes()]);
        der(0x31, &[&der(SEQUENCE, &[&[6, 3, 0x55, 4, 3], &text])])
    };
    let parts: Vec<Vec<u8>> = common.iter().map(part).collect();
    der(SEQUENCE, &[&parts.concat()])
}

impl Party {
    pub(crate) fn new(name: &str) -> Party {
        Party {
            name: name.to_owned(),
            key: KeyPair::generate().unwrap(),
        }
    }

    /// For rustls.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// A certificate of version 1 for itself.
    pub(crate) fn itself(&self) -> CertificateDer<'static> {
        self.sign(self, &Draft::default())
    }

    /// A certificate of version 1 for somebody else.
    pub(crate) fn sign(&self, other: &Party, draft: &Draft) -> CertificateDer<'static> {
        let subject = named(&[&other.name]);
        self.sign_name(&subject, &other.key, draft)
    }

    fn sign_name(&self, subject: &[u8], key: &KeyPair, draft: &Draft) -> CertificateDer<'static> {
        let (from, to) = draft.years;
        let time = |year| der(0x17, &[format!("{year:02}0101000000Z").as_bytes()]);
        let signed = der(
            SEQUENCE,
            &[
                &draft.front,
                &der(INTEGER, &[&[7]]),
                draft.algorithm,
                &named(&[&self.name]),
                &der(SEQUENCE, &[&time(from), &time(to)]),
                subject,
                &key.subject_public_key_info(),
                &draft.behind,
            ],
        );
        let signature = self.key.sign(&signed).unwrap();
        let signature = der(BIT_STRING, &[&[0], &signature]);
        der(SEQUENCE, &[&signed, ECDSA, &signature]).into()
    }

    /// A certificate of version 3 for itself; `is_ca`: as an authority.
    pub(crate) fn itself_v3(&self, is_ca: bool) -> CertificateDer<'static> {
        let params = self.params_v3(is_ca);
        params.self_signed(&self.key).unwrap().der().clone()
    }

    /// A certificate of version 3 for somebody else.
    pub(crate) fn sign_v3(&self, other: &Party, is_ca: bool) -> CertificateDer<'static> {
        let issuer = rcgen::Issuer::new(self.params_v3(true), &self.key);
        let signed = other.params_v3(is_ca).signed_by(&other.key, &issuer);
        signed.unwrap().der().clone()
    }

    pub(crate) fn params_v3(&self, is_ca: bool) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = &mut params.distinguished_name;
        *name = rcgen::DistinguishedName::new();
        name.push(DnType::CommonName, &*self.name);
        params.is_ca = IsCa::NoCa;
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        params
    }
}

/// What makes a certificate one of another version.
pub(crate) fn other_versions() -> Vec<(&'static str, Draft)> {
    let extensions = {
        // That it is an authority.
        let claim = [
            0x30, 0x0c, 6, 3, 0x55, 0x1d, 0x13, 4, 5, 0x30, 3, 1, 1, 0xff,
        ];
        der(0xa3, &[&der(SEQUENCE, &[&claim])])
    };
    let version = |number| der(0xa0, &[&der(INTEGER, &[&[number]])]);
    let with = |front, behind: &[u8]| Draft {
        front,
        behind: behind.to_vec(),
        ..Draft::default()
    };
    vec![
        ("1, and says so", with(version(0), &[])),
        ("1, with extensions", with(vec![], &extensions)),
        ("1, with an id", with(vec![], &der(0x81, &[&[0, 1]]))),
        ("2", with(version(1), &[])),
        ("2, with extensions", with(version(1), &extensions)),
        ("4", with(version(3), &extensions)),
        (
            "1, by two algorithms",
            Draft {
                algorithm: ECDSA_384,
                ..Draft::default()
            },
        ),
    ]
}

#[test]
fn nothing_but_version_1_to_the_letter_is_read() {
    let (root, other) = (Party::new("root"), Party::new("other"));
    let genuine = root.sign(&other, &Draft::default());
    assert!(V1::read(&genuine).is_some());
    assert!(V1::read(&root.itself_v3(true)).is_none());
    assert!(V1::read(&root.sign_v3(&other, false)).is_none());
    for (version, draft) in other_versions() {
        assert!(V1::read(&root.sign(&other, &draft)).is_none(), "{version}");
    }
    for length in 0..genuine.len() {
        assert!(V1::read(&genuine[..length]).is_none(), "{length}");
    }
    let longer = [&genuine[..], &[0]].concat();
    assert!(V1::read(&longer).is_none());
}

#[test]
fn a_certificate_of_version_1_is_for_the_host_that_is_its_only_common_name() {
    let root = Party::new("root");
    let is_for = |common: &[&str], host: &str| {
        let certificate = root.sign_name(&named(common), &root.key, &Draft::default());
        let host = ServerName::try_from(host).unwrap();
        V1::read(&certificate).unwrap().check_host(&host).is_ok()
    };
    for (common, host, expected) in [
        ("zoo.example", "zoo.example", true),
        ("ZOO.example", "zoo.EXAMPLE", true),
        ("127.0.0.1", "127.0.0.1", true),
        ("::1", "::1", true),
        ("0:0:0:0:0:0:0:1", "::1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("zoo.example", "a.zoo.example", false),
        ("zoo.example", "example", false),
        ("*.example", "zoo.example", false),
        ("zoo.example\0.other", "zoo.example", false),
        ("zoo.example ", "zoo.example", false),
        ("", "zoo.example", false),
    ] {
        assert_eq!(is_for(&[common], host), expected, "{common:?} {host}");
    }
    assert!(!is_for(&[], "zoo.example"));
    assert!(!is_for(&["zoo.example", "other"], "zoo.example"));
    assert!(!is_for(&["other", "zoo.example"], "zoo.example"));
}

#[test]
fn a_certificate_is_shown_with_its_own_key_alone() {
    let (root, other) = (Party::new("root"), Party::new("other"));
    let provider = ring::default_provider();
    for certificate in [root.itself(), root.itself_v3(false)] {
        let show = |party: &Party| shown(vec![certificate.clone()], party.private_key(), &provider);
        assert!(show(&root).is_ok());
        let mismatch = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
        assert_eq!(show(&other).unwrap_err(), mismatch);
    }
    let none = shown(Vec::new(), root.private_key(), &provider);
    assert_eq!(none.unwrap_err(), Error::NoCertificatesPresented);
}
